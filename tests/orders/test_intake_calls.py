"""One call of intake: chunks, all or nothing, trying out, what it tells and the trace that it leaves (R2, R12)."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.agencies.actor import Actor
from apps.audit import trace
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters import services as counters
from apps.counters.models import Counter
from apps.goals import services as goals
from apps.orders import intake
from apps.orders.events import changes_accepted
from apps.orders.models import Order, Source, StatusChange
from tests.orders.conftest import NOW, Send, later, row, statuses, timeline, told


def rows(number: int, **fields: Any) -> list[dict[str, Any]]:
    return [row(id=f"D-{one:03d}", client_uniq_id=f"C-{one // 2}", **fields) for one in range(number)]


class TestChunks:
    def test_results_come_in_the_order_of_the_rows(self, send: Send) -> None:
        given: list[Any] = rows(10)
        given[3] = {"id": "bad", "_line": 5}
        given[7] = None
        report = send(*given, chunk_size=3)
        assert [result.index for result in report.results] == list(range(10))
        assert [result.id for result in report.results] == [
            *("D-000", "D-001", "D-002", "bad", "D-004", "D-005", "D-006", None, "D-008", "D-009")
        ]
        assert [result.line for result in report.results][3] == 5
        assert (report.created, report.rejected) == (8, 2)

    def test_a_chunk_is_committed_before_the_next_is_read(self, counter: Counter) -> None:
        seen: list[int] = []

        def source() -> Iterator[dict[str, Any]]:
            for one in rows(6):
                seen.append(Order.objects.count())
                yield one

        list(intake.accept(counter=counter, rows=source(), source=Source.CSV, chunk_size=2))
        assert seen == [0, 0, 0, 2, 2, 4], "one row is read ahead"

    def test_nothing_happens_before_results_are_read(self, counter: Counter) -> None:
        results = intake.accept(counter=counter, rows=rows(3), source=Source.CSV)
        assert not Order.objects.exists()
        next(results)
        assert Order.objects.count() == 3

    @pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
    def test_successive_changes_do_not_care_for_the_borders(self, send: Send, chunk_size: int) -> None:
        send(row(), later(order_status="good_lead"), later(order_status="PAID"), chunk_size=chunk_size)
        assert statuses() == ["IN_PROGRESS", "good_lead", "PAID"]
        assert [change.seq for change in timeline()] == [1, 2, 3]

    def test_no_rows_at_all(self, send: Send) -> None:
        assert send().results == []
        assert not AuditEntry.objects.filter(action="orders.accepted").exists()


PER_CALL = 1 + (connection.vendor == "postgresql")
"""The audit entry; on PostgreSQL, the turn that keeps intake and reviews in step."""


class TestStatements:
    """A fixed number of statements for a chunk, whatever the number of its rows, once the process knows the mapping."""

    def count(self, send: Send, *given: Any) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            send(*given)
        return len(captured)

    def test_new_orders(self, send: Send) -> None:
        send(row(id="F", client_uniq_id="F"))
        few = self.count(send, *rows(2))
        many = self.count(send, *(row(id=f"E-{one}", client_uniq_id=f"E-{one}") for one in range(300)))
        assert many == few == 11 + PER_CALL

    def test_known_orders_that_stay_as_they_are(self, send: Send) -> None:
        send(*rows(300))
        assert self.count(send, *rows(2)) == self.count(send, *rows(300)) == 8 + PER_CALL - 1

    def test_known_orders_that_move_on(self, send: Send) -> None:
        send(*rows(300))
        few = self.count(send, *rows(2, order_status="PAID"))
        assert self.count(send, *rows(300, order_status="SPAM")) == few == 10 + PER_CALL

    def test_late_rows_and_corrections(self, send: Send) -> None:
        send(*rows(300), *rows(300, order_status="PAID"))
        late = {"status_date_time": "2026-11-18 15:00", "create_date_time": "2026-11-18 13:00"}
        few = self.count(send, *rows(2, order_status="SPAM", **late))
        more = {"status_date_time": "2026-11-18 16:00", "create_date_time": "2026-11-18 12:00"}
        # One looks for changes that the wrong creation time held, one notes the days that the orders left.
        assert self.count(send, *rows(300, order_status="CANCELLED", **more)) == few == 14 + PER_CALL


class TestAllOrNothing:
    def test_one_bad_row_keeps_all_out(self, send: Send) -> None:
        report = send(*rows(3), row(revenue=-1), atomic=True, chunk_size=2)
        assert [result.result for result in report.results] == ["rejected"] * 4
        assert [told(report, index)[0][0][1] for index in range(4)] == [*["not_taken"] * 3, "money_negative"]
        assert all(result.change is None and result.hold is None for result in report.results)
        assert not Order.objects.exists() and not Client.objects.exists()
        assert not AuditEntry.objects.filter(action="orders.accepted").exists()

    def test_good_rows_all_go_in(self, send: Send) -> None:
        assert send(*rows(5), atomic=True, chunk_size=2).created == 5
        assert Order.objects.count() == 5


class TestTryingOut:
    def test_the_same_answers_and_nothing_kept(
        self, send: Send, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        send(row(id="D-000"))
        given = [*rows(3), row(order_status="?"), row(revenue=-1)]
        before = list(StatusChange.objects.values())
        with django_capture_on_commit_callbacks() as callbacks:
            tried = send(*given, dry_run=True)
        assert (list(StatusChange.objects.values()), Client.objects.count(), callbacks) == (before, 0, [])
        done = send(*given)
        assert [(one.result, one.hold, one.errors) for one in tried.results] == [
            (one.result, one.hold, one.errors) for one in done.results
        ]
        assert AuditEntry.objects.filter(action="orders.accepted").count() == 2


class TestTrace:
    def test_one_entry_for_a_call_with_counts_and_a_digest(self, send: Send, counter: Counter) -> None:
        send(row(id="D-000"))
        AuditEntry.objects.filter(action="orders.accepted")
        actor = Actor(kind="key", label="key crm (gp_1…)", id="7", agencies=frozenset({counter.agency_id}))
        with trace.traced(actor=actor, source="api", request_id="req-1"):
            report = send(*rows(5, order_status="PAID"), row(id=""), chunk_size=2, actor_label="")
        entry = AuditEntry.objects.filter(action="orders.accepted").latest("id")
        changes = b"".join(result.change.bytes for result in report.results if result.change)
        assert entry.details == {
            "created": 4,
            "updated": 1,
            "unchanged": 0,
            "rejected": 1,
            "source": "api",
            "changes_sha256": hashlib.sha256(changes).hexdigest(),
        }
        assert (entry.agency_id, entry.actor_label, entry.request_id) == (counter.agency_id, "key crm (gp_1…)", "req-1")
        assert (entry.object_type, entry.object_id) == ("counters.counter", str(counter.pk))
        change = StatusChange.objects.filter(order_status="PAID").latest("pk")
        assert (change.received_by, change.request_id) == ("key crm (gp_1…)", "req-1")

    def test_nothing_new_leaves_no_entry(self, send: Send) -> None:
        send(row())
        send(row(), row(id=""))
        assert AuditEntry.objects.filter(action="orders.accepted").count() == 1

    def test_a_call_that_breaks_off_leaves_what_it_committed(self, counter: Counter) -> None:
        def source() -> Iterator[dict[str, Any]]:
            yield from rows(5)
            raise OSError("the disk is gone")

        with pytest.raises(OSError, match="disk"):
            list(intake.accept(counter=counter, rows=source(), source=Source.CSV, chunk_size=2))
        assert Order.objects.count() == 4
        assert AuditEntry.objects.get(action="orders.accepted").details["created"] == 4

    def test_a_caller_that_stops_reading_leaves_it_too(self, counter: Counter) -> None:
        results = intake.accept(counter=counter, rows=rows(6), source=Source.CSV, chunk_size=2)
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert Order.objects.count() == 2
        assert AuditEntry.objects.get(action="orders.accepted").details["created"] == 2


def test_uploads_are_told_once_a_chunk_after_its_commit(
    send: Send, counter: Counter, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    heard: list[int] = []

    def listen(counter_id: int, **_rest: Any) -> None:
        heard.append(counter_id)

    changes_accepted.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            send(*rows(4), chunk_size=2)
            assert heard == []
        assert heard == [counter.pk] * 2
        with django_capture_on_commit_callbacks(execute=True):
            send(*rows(4), row(id="held", order_status="?"), row(id=""))
        assert heard == [counter.pk] * 2, "nothing that could go"
    finally:
        changes_accepted.disconnect(listen)


@pytest.mark.django_db(transaction=True)
def test_who_is_told_and_breaks_does_no_harm_to_what_was_accepted(send: Send, counter: Counter) -> None:
    """The database may be gone just after the commit."""

    def breaks(counter_id: int, **_rest: Any) -> None:
        raise OperationalError("the connection is lost")

    changes_accepted.connect(breaks)
    try:
        send(*rows(1))
    finally:
        changes_accepted.disconnect(breaks)
    assert StatusChange.objects.count() == 1


def test_a_mapping_that_comes_during_a_call_counts_from_the_next_chunk(counter: Counter) -> None:
    def source() -> Iterator[dict[str, Any]]:
        for number, one in enumerate(rows(6, order_status="A")):
            if number == 3:  # read for the second chunk
                goals.set_status(counter=counter, crm_status="A", type="PAID")
            yield one

    results = intake.accept(counter=counter, rows=source(), source=Source.CSV, chunk_size=2, now=NOW)
    assert [result.hold for result in results] == ["unmapped_status"] * 2 + [None] * 4


def test_a_change_of_the_counter_during_a_call_counts_from_the_next_chunk(counter: Counter) -> None:
    def source() -> Iterator[dict[str, Any]]:
        for number, one in enumerate(rows(6)):
            if number == 3:  # read for the second chunk
                counters.pause(counter=counter, reason="holidays")
            yield one

    results = intake.accept(counter=counter, rows=source(), source=Source.CSV, chunk_size=2, now=NOW)
    assert [result.hold for result in results] == [None, None, *["counter_paused"] * 4]
