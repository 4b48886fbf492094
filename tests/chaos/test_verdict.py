"""The judge of a run is worth what it finds: each law of delivery, broken on purpose, is told; a good run is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos import logs, script
from tests.chaos.crm import Ledger
from tests.chaos.evidence import Arrival, Change, Evidence, File
from tests.chaos.script import NEVER_MAPPED, NEW, PAID, WORK, CounterPlan, Nature, Row
from tests.chaos.trouble import Happened
from tests.chaos.verdict import Judge, Verdict

COUNTER, ORDER = 41_000_001, "D-41000001-1"
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = CounterPlan(COUNTER, "agency-00", "login-0", False, False, "manual", "Europe/Moscow")


class World:
    """A run in which two statuses of one order were delivered by two files, and a third is held."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.evidence = Evidence(leftovers={"jobs": 0})
        self.happened = Happened()
        for seq, (status, mark, nature) in enumerate(
            ((NEW, "1", Nature.GOOD), (PAID, "2", Nature.GOOD), (NEVER_MAPPED, "3", Nature.UNMAPPED)), start=1
        ):
            held = nature is Nature.UNMAPPED
            self.accept(seq, status, mark, nature, hold="unmapped_status" if held else "")
            if not held:
                self.carry(mark, "IN_PROGRESS" if status == NEW else "PAID")

    def accept(self, seq: int, status: str, mark: str, nature: Nature, *, hold: str = "", hour: int = 0) -> None:
        at = BEGAN + timedelta(hours=hour or seq)
        row = Row(COUNTER, ORDER, status, at, BEGAN, mark, nature, 0)
        self.ledger.accepted[row.key], self.ledger.rows[row.key] = f"change-{mark}", row
        received = BEGAN + timedelta(days=1, minutes=10 * seq)
        delivery = "held" if hold else "delivered"
        upload = "" if hold else f"file-{mark}"
        self.evidence.changes.append(
            Change(f"change-{mark}", COUNTER, ORDER, seq, status, at, received, mark, delivery, hold, "", upload, "api")
        )
        self.evidence.changes.sort(key=lambda change: change.place)

    def carry(self, mark: str, kind: str) -> None:
        """A file with this row, which passed."""
        file, number = f"file-{mark}", len(self.evidence.files)
        created = BEGAN + timedelta(days=1, minutes=10 * number + 15)
        self.evidence.files.append(
            File(file, COUNTER, "simple_orders", "passed", 1, f"sha-{mark}", 1, f"at-{mark}", "", created, created)
        )
        self.pass_again(mark, f"at-{mark}", kind)

    def pass_again(self, mark: str, uploading: str, kind: str) -> None:
        self.evidence.uploadings[uploading] = {"sha256": f"sha-{mark}", "status": "PASSED", "kind": "simple_orders"}
        self.evidence.arrivals.append(Arrival(ORDER, mark, kind, uploading))

    def change(self, mark: str, **fields: object) -> None:
        self.evidence.changes = [
            replace(change, **fields) if change.mark == mark else change  # type: ignore[arg-type]
            for change in self.evidence.changes
        ]

    def verdict(self) -> Verdict:
        return Judge({COUNTER: PLAN}, self.ledger, self.evidence, self.happened).run()


def test_a_run_in_which_all_holds() -> None:
    verdict = World().verdict()
    assert verdict.lines() == []
    assert verdict.numbers == {"accepted": 3, "delivered": 2, "held": 1, "held: unmapped_status": 1}


def _lost(world: World) -> None:
    del world.evidence.changes[-1]


def _twice_accepted(world: World) -> None:
    world.evidence.changes.append(replace(world.evidence.changes[-1], id="another", seq=4))


def _out_of_nowhere(world: World) -> None:
    world.evidence.changes.append(replace(world.evidence.changes[-1], id="another", seq=4, mark="99"))


def _waits(world: World) -> None:
    world.change("2", delivery="waiting")


def _left(world: World) -> None:
    world.evidence.leftovers["jobs"] = 1


def _said_and_not_there(world: World) -> None:
    world.evidence.arrivals.pop()


def _twice_without_a_reason(world: World) -> None:
    world.pass_again("2", "at-2-again", "PAID")


def _by_a_file_that_did_not_carry_it(world: World) -> None:
    world.evidence.uploadings["at-1"]["kind"] = "simple_orders"
    world.evidence.arrivals.append(Arrival(ORDER, "2", "PAID", "at-1"))


def _in_the_wrong_order(world: World) -> None:
    world.evidence.arrivals.reverse()


def _another_meaning(world: World) -> None:
    world.evidence.arrivals[0] = replace(world.evidence.arrivals[0], type="SPAM")


def _not_pushed(world: World) -> None:
    world.evidence.arrivals.append(Arrival("D-41000001-77", "1", "PAID", "at-1"))


def _late_and_not_repeated(world: World) -> None:
    world.accept(4, WORK, "4", Nature.GOOD, hour=1)
    world.change("4", at=BEGAN + timedelta(minutes=90))
    world.carry("4", "OTHER")


@pytest.mark.parametrize(
    ("spoil", "law"),
    [
        (_lost, "accepted means kept"),
        (_twice_accepted, "accepted means kept"),
        (_out_of_nowhere, "accepted means kept"),
        (_waits, "each ends as it should"),
        (_left, "nothing is stuck"),
        (_said_and_not_there, "delivered means that Metrica has it"),
        (_twice_without_a_reason, "sent twice only where the outcome was unknown"),
        (_by_a_file_that_did_not_carry_it, "sent twice only where the outcome was unknown"),
        (_in_the_wrong_order, "statuses arrive in the order of the timeline"),
        (_another_meaning, "each row says what the CRM said"),
        (_not_pushed, "Metrica has nothing that was not pushed"),
        (_late_and_not_repeated, "the last row is the present state"),
    ],
)
def test_what_does_not_hold_is_told(spoil: Callable[[World], None], law: str) -> None:
    world = World()
    spoil(world)
    assert law in world.verdict().faults


def test_a_repetition_that_the_audit_log_explains_is_none() -> None:
    world = World()
    world.pass_again("2", "at-2-again", "PAID")
    world.evidence.trail["file-2"] = ["upload.unknown", "upload.sent_again", "upload.passed"]
    assert world.verdict().lines() == []


def test_a_late_status_whose_order_was_sent_again_is_right() -> None:
    world = World()
    _late_and_not_repeated(world)
    world.evidence.files.append(
        File(
            "again",
            COUNTER,
            "simple_orders",
            "passed",
            1,
            "sha-again",
            1,
            "at-again",
            "",
            *[BEGAN + timedelta(days=2)] * 2,
        )
    )
    world.evidence.resent["change-2"].add("again")
    world.evidence.uploadings["at-again"] = {"sha256": "sha-again", "status": "PASSED", "kind": "simple_orders"}
    world.evidence.arrivals.append(Arrival(ORDER, "2", "PAID", "at-again"))
    verdict = world.verdict()
    assert verdict.lines() == []
    assert verdict.numbers["delivered late"] == 1


def test_errors_in_logs_are_explained_by_what_was_done_or_told(tmp_path: Path) -> None:
    log = tmp_path / "worker-0" / "worker.log"
    log.parent.mkdir()
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    log.write_text(
        f'{{"event": "all is well", "level": "info", "timestamp": "{at.isoformat()}"}}\n'
        f'{{"event": "no database", "level": "error", "timestamp": "{at.isoformat()}"}}\n'
        "Traceback (most recent call last):\n"
        "django.db.utils.OperationalError: the database system is shutting down\n"
        f'{{"event": "job broke off", "level": "error", "timestamp": "{at.isoformat()}"}}\n'
        "ZeroDivisionError: division by zero\n"
    )
    restart = (at.timestamp() - 1, at.timestamp() + 1)
    reading = logs.read(tmp_path, Happened(down=[restart]))
    assert reading.explained == {"the database was away": 1}
    assert [(line.event, "ZeroDivision" in line.text) for line in reading.unexplained] == [("job broke off", True)]
    assert len(logs.read(tmp_path, Happened()).unexplained) == 2


def test_a_seed_gives_the_same_script_again() -> None:
    first, again, other = (
        script.write(seed=seed, seconds=60, size=script.SMALL, began=BEGAN, restarts=True) for seed in (1, 1, 2)
    )
    assert (first.counters, first.pushes, first.files, first.events) == (
        again.counters,
        again.pushes,
        again.files,
        again.events,
    )
    assert first.events != other.events
    kinds = {event.kind for event in first.events}
    assert kinds == {"fault", "kill", "database", "upload", "map", "expire", "connect"}
    natures = {row.nature for pushes in first.pushes for push in pushes for row in push.rows}
    assert natures == set(Nature)
