"""The checks at the end of a run: what was accepted is at its end, to the row; each order went to Metrica in the order
of its timeline; nothing went twice without a reason that stands in the audit log."""

from bisect import bisect_right
from collections import Counter as Counting
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.chaos.crm import Ledger, plain
from tests.chaos.evidence import Arrival, Change, Evidence, File
from tests.chaos.script import STATUSES, CounterPlan, Nature
from tests.chaos.trouble import Happened

COMMIT_SECONDS: Final = timedelta(seconds=20)
"""How long after its time of receipt a row may be committed, at the worst."""

_SHOWN: Final = 12


@dataclass(slots=True)
class Verdict:
    """`faults`: what does not hold, by check. `numbers`: for the summary."""

    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    numbers: Counting[str] = field(default_factory=Counting)

    @property
    def holds(self) -> bool:
        return not self.faults

    def say(self, check: str, text: str) -> None:
        self.faults[check].append(text)

    def lines(self) -> list[str]:
        found = []
        for check, texts in self.faults.items():
            found.append(f"FAILED {check}: {len(texts)}")
            found += [f"    {text}" for text in texts[:_SHOWN]]
            if len(texts) > _SHOWN:
                found.append(f"    and {len(texts) - _SHOWN} more")
        return found


@dataclass(slots=True)
class Judge:
    counters: dict[int, CounterPlan]
    ledger: Ledger
    evidence: Evidence
    happened: Happened
    verdict: Verdict = field(default_factory=Verdict)
    _files: dict[str, File] = field(default_factory=dict)
    _by_sha: dict[str, list[File]] = field(default_factory=lambda: defaultdict(list))
    _seen: dict[tuple[int, str], list[Arrival]] = field(default_factory=lambda: defaultdict(list))
    _timelines: dict[tuple[int, str], list[Change]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> Verdict:
        self._sort()
        for text in self.ledger.faults:
            self.verdict.say("the CRMs were answered as they should be", text)
        self._accepted()
        self._ends()
        self._nothing_left()
        self._files_once()
        for place, timeline in self._timelines.items():
            self._order(timeline, self._seen.pop(place, []))
        for (counter, order), arrivals in self._seen.items():
            self.verdict.say("Metrica has nothing that was not pushed", f"{order} of {counter}: {len(arrivals)} rows")
        return self.verdict

    def _sort(self) -> None:
        evidence = self.evidence
        self._files = {file.id: file for file in evidence.files}
        for file in evidence.files:
            if file.sha256:
                self._by_sha[file.sha256].append(file)
        for change in evidence.changes:
            self._timelines[change.counter, change.order].append(change)
        for arrival in evidence.arrivals:
            # An order's id names its counter: D-41000001-17.
            self._seen[int(arrival.order.split("-")[-2]), arrival.order].append(arrival)

    def _accepted(self) -> None:
        """What the pushers were told is in the timeline, once; and nothing else is (R2)."""
        check = "accepted means kept"
        found = Counting(change.key for change in self.evidence.changes)
        ids = {change.key: change.id for change in self.evidence.changes}
        for (counter, order, mark), told in self.ledger.accepted.items():
            key = (counter, order, plain(mark))
            if not found.get(key):
                self.verdict.say(check, f"{order} {mark}: told {told or 'that it is in'}, and is not there")
            elif found[key] > 1:
                self.verdict.say(check, f"{order} {mark}: {found[key]} times in the timeline")
            elif told and told != ids[key]:
                self.verdict.say(check, f"{order} {mark}: told {told}, is {ids[key]}")
        known = {(counter, order, plain(mark)) for counter, order, mark in self.ledger.accepted}
        for key in found.keys() - known:
            self.verdict.say(check, f"{key[1]} {key[2]}: in the timeline, and nobody was told")
        self.verdict.numbers["accepted"] = len(known)

    def _ends(self) -> None:
        """Each change ended as its nature wants."""
        natures = {(row.counter, row.order, plain(row.mark)): row.nature for row in self.ledger.rows.values()}
        for change in self.evidence.changes:
            self.verdict.numbers[change.delivery] += 1
            if change.hold:
                self.verdict.numbers[f"held: {change.hold}"] += 1
            nature = natures.get(change.key)
            if nature is None or change.delivery in self._may_be(nature, change):
                continue
            if change.delivery == "rejected" and self._was_failed(change):
                self.verdict.numbers["rejected: the sandbox said FAILED"] += 1
                continue
            if change.hold == "client_refused":
                self.verdict.numbers["held: the sandbox said FAILED of a client"] += 1
                if not any(
                    one["status"] == "FAILED" and one["kind"] == "contacts" for one in self.evidence.uploadings.values()
                ):
                    self.verdict.say(
                        "each ends as it should", f"{_name(change)}: client refused, and nothing refused one"
                    )
                continue
            self.verdict.say(
                "each ends as it should",
                f"{_name(change)}, {nature}: {change.delivery} {change.hold}{change.reject_code}",
            )

    def _may_be(self, nature: Nature, change: Change) -> set[str]:
        counter = self.counters[change.counter]
        if nature is Nature.UNMAPPED:
            return {"held"} if change.hold == "unmapped_status" else set()
        ends = {"rejected"} if nature is Nature.POISONED else {"delivered"}
        return ends | {"superseded"} if counter.latest_only else ends

    def _was_failed(self, change: Change) -> bool:
        """True if the sandbox answered FAILED, by an injected fault, for a file of this row alone."""
        file = self._files.get(change.upload)
        return file is not None and file.rows == 1 and self._sandbox_says(file, "FAILED")

    def _sandbox_says(self, file: File, status: str) -> bool:
        return any(
            one["sha256"] == file.sha256 and one["status"] == status for one in self.evidence.uploadings.values()
        )

    def _nothing_left(self) -> None:
        for what, number in self.evidence.leftovers.items():
            if number:
                self.verdict.say("nothing is stuck", f"{what}: {number}")

    def _files_once(self) -> None:
        """A file that the sandbox took more than once had an unknown outcome, and the audit log says so (R6)."""
        check = "sent twice only where the outcome was unknown"
        taken: dict[str, int] = Counting(
            one["sha256"]
            for one in self.evidence.uploadings.values()
            if one["status"] == "PASSED" and one["kind"] != "products"
        )
        for sha256, times in taken.items():
            files = self._by_sha.get(sha256, [])
            if not files:
                self.verdict.say(check, f"the sandbox took a file that nobody knows: {sha256}")
            repeats = sum(self.evidence.trail[file.id].count("upload.sent_again") for file in files)
            given_up = sum(file.error == "unknown_outcome" and file.state == "failed" for file in files)
            if times > max(1, len(files)) + repeats:
                self.verdict.say(
                    check, f"{sha256[:12]} taken {times} times, {repeats} times not found, {given_up} given up"
                )
            elif times > 1:
                self.verdict.numbers["files sent again after an unknown outcome that had passed"] += times - 1
        for file in self.evidence.files:
            if file.state == "passed" and not taken.get(file.sha256):
                self.verdict.say(check, f"upload {file.id} passed, and the sandbox does not have it")

    def _order(self, timeline: list[Change], arrivals: list[Arrival]) -> None:
        by_mark = {change.mark: change for change in timeline}
        first: dict[str, int] = {}
        carriers: dict[str, list[str]] = defaultdict(list)
        for number, arrival in enumerate(arrivals):
            change = by_mark.get(arrival.mark)
            if change is None:
                self.verdict.say("Metrica has nothing that was not pushed", f"{arrival.order} {arrival.mark}")
                continue
            first.setdefault(arrival.mark, number)
            carriers[arrival.mark].append(arrival.uploading)
            wanted = STATUSES.get(change.status)
            if wanted is None or wanted["type"] != arrival.type:
                self.verdict.say("each row says what the CRM said", f"{_name(change)} arrived as {arrival.type}")
        for change in timeline:
            self._arrived(change, carriers.get(change.mark, []))
        delivered = [change for change in timeline if change.delivery == "delivered" and change.mark in first]
        self._in_order(delivered, first)
        self._ends_with_the_present(timeline, arrivals)

    def _arrived(self, change: Change, uploadings: list[str]) -> None:
        """Delivered means that it is there, by files that were to carry it."""
        if (change.delivery == "delivered") != bool(uploadings):
            if uploadings and change.delivery in ("superseded", "held", "rejected") and self._by_given_up(uploadings):
                self.verdict.numbers["arrived by a file that was given up"] += 1
                return
            self.verdict.say(
                "delivered means that Metrica has it",
                f"{_name(change)}: {change.delivery}, arrived {len(uploadings)} times",
            )
            return
        carriers = {change.upload, *self.evidence.resent.get(change.id, ())}
        shas = {self._files[upload].sha256 for upload in carriers if upload in self._files}
        for uploading in uploadings:
            if self.evidence.uploadings[uploading]["sha256"] in shas or self._by_given_up([uploading]):
                continue
            self.verdict.say(
                "sent twice only where the outcome was unknown",
                f"{_name(change)}: by {uploading}, which is none of {sorted(carriers)}",
            )

    def _by_given_up(self, uploadings: Iterable[str]) -> bool:
        """True if all came by files whose outcome nobody could find out, so that their rows went with another file."""
        return all(
            any(
                file.state == "failed" and file.error == "unknown_outcome"
                for file in self._by_sha[self.evidence.uploadings[one]["sha256"]]
            )
            for one in uploadings
        )

    def _in_order(self, delivered: list[Change], first: dict[str, int]) -> None:
        """Whatever stands earlier in the timeline arrived earlier, unless it came late or was held meanwhile (R4)."""
        for place, change in enumerate(delivered):
            for later in delivered[place + 1 :]:
                if first[change.mark] < first[later.mark]:
                    continue
                self.verdict.numbers["delivered late"] += 1
                if not self._was_late(change, later):
                    self.verdict.say(
                        "statuses arrive in the order of the timeline", f"{_name(change)} after {_name(later)}"
                    )
                break

    def _was_late(self, change: Change, later: Change) -> bool:
        planned = self._files[later.upload].planned_at if later.upload in self._files else None
        if change.seq > later.seq and (planned is None or change.received_at > planned - COMMIT_SECONDS):
            return True  # it came when the later one was in a file already
        if planned is None:
            return False
        counter = self.counters[change.counter]
        mapped = self.happened.mapped.get(counter.number)
        if change.status not in STATUSES or (
            mapped and change.status == "Новый этап" and _epoch(planned) < mapped + 20
        ):
            return True
        return any(
            began - 5 < _epoch(planned) < end + 20 for began, end in self.happened.cut_off.get(counter.login, ())
        )

    def _ends_with_the_present(self, timeline: list[Change], arrivals: list[Arrival]) -> None:
        delivered = [change for change in timeline if change.delivery == "delivered"]
        if not delivered or not arrivals:
            return
        present = max(delivered, key=lambda change: change.place)
        if arrivals[-1].mark == present.mark:
            return
        if any(
            self._refused_resend(upload) for change in delivered for upload in self.evidence.resent.get(change.id, ())
        ):
            self.verdict.numbers["the sandbox said FAILED of a state sent again"] += 1
            return
        self.verdict.say("the last row is the present state", f"{_name(present)}: the last row is {arrivals[-1].mark}")

    def _refused_resend(self, upload: str) -> bool:
        file = self._files.get(upload)
        return file is not None and file.state == "refused" and file.rows == 1 and self._sandbox_says(file, "FAILED")


def _epoch(moment: datetime) -> float:
    return moment.astimezone(UTC).timestamp()


def _name(change: Change) -> str:
    return f"{change.order} #{change.seq} {change.status} {change.mark}"


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return (
        ordered[min(len(ordered) - 1, bisect_right(ordered, ordered[int(share * (len(ordered) - 1))]))]
        if ordered
        else 0.0
    )
