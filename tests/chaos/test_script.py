"""The gate's short run has one seed; what that seed draws is all that may go wrong."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos import script
from tests.chaos.script import Script

GATE = Path(__file__).parents[2] / ".ci" / "run"
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def written(*, seed: int, seconds: float) -> Script:
    return script.write(seed=seed, seconds=seconds, size=script.SMALL, began=BEGAN, restarts=True)


@pytest.fixture(scope="module")
def gate() -> Script:
    found = re.search(r"make chaos ARGS=\"--minutes ([\d.]+) --small --seed (\d+)\"", GATE.read_text())
    assert found is not None
    return written(seed=int(found[2]), seconds=float(found[1]) * 60)


def details(scripts: Iterable[Script], kind: str, names: Iterable[str]) -> set[tuple[object, ...]]:
    events = (event for each in scripts for event in each.events if event.kind == kind)
    return {tuple(event.details.get(name) for name in names) for event in events}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("fault", ("kind", "endpoint", "error_type", "status", "seconds", "after_bytes")),
        ("kill", ("target",)),
    ],
)
def test_the_gate_sees_whatever_any_seed_may_draw(gate: Script, kind: str, names: tuple[str, ...]) -> None:
    many = [written(seed=seed, seconds=60) for seed in range(100, 130)]
    assert details([gate], kind, names) == details(many, kind, names)


def test_the_gate_has_every_kind_of_counter_and_of_event(gate: Script) -> None:
    assert {counter.schedule for counter in gate.counters} == {"as they come", "1m", "manual"}
    assert {counter.detailed for counter in gate.counters} == {True, False}
    assert {counter.latest_only for counter in gate.counters} == {True, False}
    assert {event.kind for event in gate.events} == {"fault", "kill", "database", "expire", "connect", "upload", "map"}
    natures = {row.nature for pushes in gate.pushes for push in pushes for row in push.rows}
    assert natures == set(script.Nature)


def test_a_seed_draws_the_same_once_more() -> None:
    assert written(seed=5, seconds=30) == written(seed=5, seconds=30) != written(seed=6, seconds=30)
