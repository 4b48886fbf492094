"""Many writers at once, and faults in the middle: each order once, each state once, nothing half-written (R2)."""

import threading
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.goals import services as goals
from apps.orders import chunks, holds, intake
from apps.orders.models import Order, Source, StatusChange
from tests.factories import make_counter
from tests.orders.conftest import CREATED, NOW, later, row
from tests.threads import Thread, on_postgresql, wait_for_a_lock


def accept(counter: Counter, *rows: dict[str, Any], **options: Any) -> Any:
    return intake.accept_all(counter=counter, rows=rows, source=Source.API, actor_label="tests", **options)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("chunk_size", [3, 100])
def test_the_same_new_orders_by_many_at_once(chunk_size: int) -> None:
    """Every writer brings the same orders of the same clients in another order, each with a state of its own."""
    counter = make_counter()
    writers = 6
    start = threading.Barrier(writers)

    def work(writer: int) -> Any:
        rows = [
            {
                **row(id=f"D-{number}", client_uniq_id=f"C-{number % 5}", client_ids=str(number + 1)),
                "order_status": f"status {writer}",
                "status_date_time": CREATED,
                "emails": f"w{writer}@x.example",
            }
            for number in range(20)
        ]
        start.wait(30)
        return accept(counter, *(rows if writer % 2 else reversed(rows)), chunk_size=chunk_size)

    threads = [Thread(partial(work, writer)) for writer in range(writers)]
    reports = [thread.result() for thread in threads]

    assert sum(report.created for report in reports) == Order.objects.count() == 20
    assert sum(report.updated for report in reports) == 20 * (writers - 1)
    assert Client.objects.count() == 5
    for order in Order.objects.all():
        changes = list(StatusChange.objects.filter(order=order).in_timeline_order())
        assert sorted(change.seq for change in changes) == list(range(1, writers + 1))
        assert {change.order_status for change in changes} == {f"status {writer}" for writer in range(writers)}
        assert order.current_change_id == changes[-1].pk
        assert order.changes_count == writers
    for client in Client.objects.all():
        assert set(client.identifiers["emails"]) == {f"w{writer}@x.example" for writer in range(writers)}
        assert len(client.identifiers["client_ids"]) == 4


@pytest.mark.django_db(transaction=True)
def test_states_without_a_time_follow_each_other_as_the_orders_were_got() -> None:
    """R4: the time of receipt is taken when the order is ours, so who comes second is not written as late."""
    counter = make_counter()
    accept(counter, row())
    threads = [Thread(partial(accept, counter, later(order_status=f"status {number}"))) for number in range(8)]
    for thread in threads:
        thread.result()
    changes = list(StatusChange.objects.in_timeline_order())
    assert [change.seq for change in changes] == list(range(1, 10))
    assert Order.objects.get().order_status == changes[-1].order_status


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_review_waits_for_rows_that_were_judged_by_the_old_mapping() -> None:
    """R8: the mapping comes while a row of that status is being written. The row was judged without it, and the
    review that the mapping calls for must not be over before the row is there."""
    counter = make_counter()
    with transaction.atomic():
        # Somebody else is making the same order, so intake, with its judgement made, has to wait for the end of that.
        other = Order.objects.create(
            counter=counter, order_id="D-1", create_date_time=NOW, status_date_time=NOW, order_status="x"
        )
        writer = Thread(lambda: accept(counter, row(order_status="A")))
        wait_for_a_lock(1)
        Thread(lambda: goals.set_status(counter=counter, crm_status="A", type="PAID")).result()
        review = Thread(lambda: holds.review(counter))
        wait_for_a_lock(2)
        transaction.set_rollback(True)
    assert writer.result().created == 1
    assert review.result() in (0, 1), "the writer, tried again, may have seen the mapping itself"
    change = StatusChange.objects.get()
    assert (change.delivery, change.hold_reason) == ("waiting", "")
    assert not Order.objects.filter(pk=other.pk).exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [False, True])
def test_a_deadlock_is_broken_and_the_row_goes_in(atomic: bool) -> None:
    counter = make_counter()
    accept(counter, row(id="A"), row(id="B"))
    first, second = Order.objects.order_by("pk")
    blocked = threading.Event()

    def other() -> None:
        with transaction.atomic():
            Order.objects.filter(pk=second.pk).update(resend_due=True)
            blocked.set()
            wait_for_a_lock(1)
            Order.objects.filter(pk=first.pk).update(resend_due=True)

    def stubborn() -> None:
        try:
            other()
        except OperationalError:
            return  # it was this one whom the database chose

    thread = Thread(stubborn)
    blocked.wait(10)
    report = accept(counter, later(id="A", order_status="PAID"), later(id="B", order_status="PAID"), atomic=atomic)
    thread.result()
    assert report.updated == 2
    assert StatusChange.objects.count() == 4
    assert AuditEntry.objects.filter(action="orders.accepted").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_chunk_is_there_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = make_counter()
    write = chunks.insert_rows
    written: list[int] = []

    def breaks_at_the_third_chunk(model: Any, names: Any, rows: Any, **shared: Any) -> None:
        if model is StatusChange:
            written.append(len(rows))
            if len(written) == 3:
                raise RuntimeError("power cut")
        write(model, names, rows, **shared)

    monkeypatch.setattr(chunks, "insert_rows", breaks_at_the_third_chunk)
    told: list[str | None] = []
    rows = [row(id=f"D-{number}", client_uniq_id=f"C-{number}") for number in range(10)]
    with pytest.raises(RuntimeError, match="power cut"):
        told.extend(result.id for result in intake.accept(counter=counter, rows=rows, source=Source.CSV, chunk_size=2))
    kept = list(Order.objects.order_by("order_id").values_list("order_id", flat=True))
    assert told == kept == ["D-0", "D-1", "D-2", "D-3"]
    assert (StatusChange.objects.count(), Client.objects.count()) == (4, 4)
    assert AuditEntry.objects.get(action="orders.accepted").details["created"] == 4
    monkeypatch.undo()
    again = accept(counter, *rows)
    assert (again.unchanged, again.created) == (4, 6), "the whole sent again completes it"


class TestTrying:
    """What collides with another writer is tried again, a bounded number of times."""

    @pytest.fixture(autouse=True)
    def _no_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(intake.time, "sleep", lambda seconds: None)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("message", ["database is locked", "UNIQUE constraint failed: orders_order.order_id"])
    def test_until_it_works(self, monkeypatch: pytest.MonkeyPatch, message: str) -> None:
        counter = make_counter()
        failures = iter([IntegrityError(message) if "UNIQUE" in message else OperationalError(message)] * 3)
        write = chunks.insert_rows

        def collides(model: Any, names: Any, rows: Any, **shared: Any) -> None:
            if model is StatusChange and (error := next(failures, None)) is not None:
                raise error
            write(model, names, rows, **shared)

        monkeypatch.setattr(chunks, "insert_rows", collides)
        report = accept(counter, row(emails="nobody"), later(order_status="PAID"))
        assert [result.result for result in report.results] == ["created", "updated"]
        assert [len(result.warnings) for result in report.results] == [1, 0], "told once"
        assert (Order.objects.count(), StatusChange.objects.count()) == (1, 2)
        assert AuditEntry.objects.get(action="orders.accepted").details["created"] == 1

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("message", "tries"), [("database is locked", 6), ("disk I/O error", 1)])
    def test_not_for_ever(self, monkeypatch: pytest.MonkeyPatch, message: str, tries: int) -> None:
        counter = make_counter()
        tried: list[int] = []

        def fails(model: Any, names: Any, rows: Any, **shared: Any) -> None:
            tried.append(1)
            raise OperationalError(message)

        monkeypatch.setattr(chunks, "insert_rows", fails)
        with pytest.raises(OperationalError, match=message):
            accept(counter, row())
        assert len(tried) == tries
        assert not Order.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_not_inside_a_transaction_of_somebody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A broken deadlock ends the whole transaction; only who began it can begin it again."""
        counter = make_counter()
        tried: list[int] = []

        def fails(model: Any, names: Any, rows: Any, **shared: Any) -> None:
            tried.append(1)
            raise OperationalError("database is locked")

        monkeypatch.setattr(chunks, "insert_rows", fails)
        with pytest.raises(OperationalError), transaction.atomic():
            accept(counter, row(), atomic=True)
        assert len(tried) == 1


@pytest.mark.django_db
def test_the_time_of_receipt_is_now(settings: Any) -> None:
    before = timezone.now()
    accept(make_counter(), row())
    assert before <= StatusChange.objects.get().received_at <= timezone.now()
