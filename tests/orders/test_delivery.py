"""Delivery moves by one table, by compare-and-swap, by the thousand; the last row Metrica got is the current state."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.orders import delivery
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from tests.orders.conftest import NOW, Send, later, row, the_order, timeline

UPLOAD, OTHER = uuid.uuid4(), uuid.uuid4()


def ids(*order_ids: str) -> list[UUID]:
    return [change.pk for order_id in order_ids for change in timeline(order_id)]


def states(order_id: str = "D-1") -> list[str]:
    return [change.delivery for change in timeline(order_id)]


def put(change_id: UUID, state: Delivery) -> None:
    """Bring a waiting change to that state by the steps themselves."""
    if state in (Delivery.SENDING, Delivery.DELIVERED, Delivery.REJECTED):
        delivery.claim(change_ids=[change_id], upload_id=UPLOAD)
    if state == Delivery.DELIVERED:
        delivery.settle_delivered(upload_id=UPLOAD, at=NOW)
    elif state == Delivery.REJECTED:
        delivery.reject(upload_id=UPLOAD, code="invalid", message="no")
    elif state == Delivery.HELD:
        delivery.hold(change_ids=[change_id], reason=HoldReason.BY_HAND)
    elif state == Delivery.SUPERSEDED:
        delivery.supersede(change_ids=[change_id])


STEPS: dict[str, tuple[Callable[[list[UUID]], object], Delivery, Delivery]] = {
    "claim": (lambda pks: delivery.claim(change_ids=pks, upload_id=OTHER), Delivery.WAITING, Delivery.SENDING),
    "settle_delivered": (
        lambda pks: delivery.settle_delivered(upload_id=UPLOAD, at=NOW),
        Delivery.SENDING,
        Delivery.DELIVERED,
    ),
    "give_back": (lambda pks: delivery.give_back(upload_id=UPLOAD), Delivery.SENDING, Delivery.WAITING),
    "give_back some": (
        lambda pks: delivery.give_back(upload_id=UPLOAD, change_ids=pks),
        Delivery.SENDING,
        Delivery.WAITING,
    ),
    "reject": (
        lambda pks: delivery.reject(upload_id=UPLOAD, code="x", message="y", change_ids=pks),
        Delivery.SENDING,
        Delivery.REJECTED,
    ),
    "hold": (lambda pks: delivery.hold(change_ids=pks, reason="no_identifiers"), Delivery.WAITING, Delivery.HELD),
    "release": (lambda pks: delivery.release(change_ids=pks), Delivery.HELD, Delivery.WAITING),
    "refuse_held": (
        lambda pks: delivery.refuse_held(change_ids=pks, code="x", message="y"),
        Delivery.HELD,
        Delivery.REJECTED,
    ),
    "retry_rejected": (lambda pks: delivery.retry_rejected(change_ids=pks), Delivery.REJECTED, Delivery.WAITING),
    "supersede": (lambda pks: delivery.supersede(change_ids=pks), Delivery.WAITING, Delivery.SUPERSEDED),
}


@pytest.mark.parametrize(("step", "state"), list(product(STEPS, Delivery)))
def test_a_step_moves_only_what_is_where_it_expects(send: Send, step: str, state: Delivery) -> None:
    send(row())
    [pk] = ids("D-1")
    put(pk, state)
    assert states() == [state]
    take, source, target = STEPS[step]
    before = StatusChange.objects.values().get()
    moved = take([pk])
    if state == source:
        assert moved in (1, {pk})
        assert states() == [target]
        assert target in delivery.TRANSITIONS[source]
    else:
        assert moved in (0, set())
        assert StatusChange.objects.values().get() == before, "not a field of it"


@pytest.mark.parametrize("step", ["claim", "hold", "release", "refuse_held", "retry_rejected", "supersede"])
def test_nothing_asked_is_nothing_done(db: None, step: str) -> None:
    assert not STEPS[step][0]([])


def test_no_step_leads_out_of_the_end() -> None:
    assert set(delivery.TRANSITIONS) == set(Delivery)
    assert not delivery.TRANSITIONS[Delivery.DELIVERED]
    assert not delivery.TRANSITIONS[Delivery.SUPERSEDED]


@pytest.mark.parametrize("fields", [{"delivery": "held"}, {"hold_reason": "by_hand"}])
def test_the_database_refuses_a_hold_without_a_reason(send: Send, fields: dict[str, str]) -> None:
    send(row())
    with pytest.raises(IntegrityError), transaction.atomic():
        StatusChange.objects.update(**fields)


class TestClaims:
    def test_two_uploads_never_get_the_same(self, send: Send) -> None:
        send(*(row(id=f"D-{number}") for number in range(6)))
        wanted = ids(*(f"D-{number}" for number in range(6)))
        assert delivery.claim(change_ids=wanted[:4], upload_id=UPLOAD) == set(wanted[:4])
        assert delivery.claim(change_ids=wanted[2:], upload_id=OTHER) == set(wanted[4:])
        assert StatusChange.objects.filter(upload_id=UPLOAD).count() == 4

    def test_keys_may_be_text(self, send: Send) -> None:
        send(row(), row(id="D-2"))
        first, second = map(str, ids("D-1", "D-2"))
        assert delivery.claim(change_ids=[first], upload_id=UPLOAD) == {first}
        assert delivery.claim(change_ids=[first, second], upload_id=OTHER) == {second}

    def test_five_thousand_at_once_by_one_statement(self, send: Send) -> None:
        send(*(row(id=f"D-{number}") for number in range(5000)))
        wanted = list(StatusChange.objects.values_list("pk", flat=True))
        with CaptureQueriesContext(connection) as captured:
            assert len(delivery.claim(change_ids=wanted, upload_id=UPLOAD)) == 5000
        assert len(captured) == 1

    def test_what_is_given_back_can_be_claimed_again(self, send: Send) -> None:
        send(row(), row(id="D-2"))
        wanted = ids("D-1", "D-2")
        delivery.claim(change_ids=wanted, upload_id=UPLOAD)
        assert delivery.give_back(upload_id=UPLOAD, change_ids=wanted[:1]) == 1
        assert StatusChange.objects.get(pk=wanted[0]).upload_id is None
        assert delivery.claim(change_ids=wanted, upload_id=OTHER) == set(wanted[:1])

    def test_halves_of_a_refused_file(self, send: Send) -> None:
        """R7: one half is handed over; what is settled already is not."""
        send(row(), row(id="D-2"), row(id="D-3"))
        wanted = ids("D-1", "D-2", "D-3")
        delivery.claim(change_ids=wanted, upload_id=UPLOAD)
        delivery.reject(upload_id=UPLOAD, change_ids=wanted[2:], code="invalid", message="a bad row")
        assert delivery.move(from_upload=UPLOAD, to_upload=OTHER, change_ids=wanted[1:]) == 1
        assert delivery.settle_delivered(upload_id=OTHER, at=NOW) == 1
        assert [states("D-1"), states("D-2"), states("D-3")] == [["sending"], ["delivered"], ["rejected"]]
        rejected = StatusChange.objects.get(pk=wanted[2])
        assert (rejected.upload_id, rejected.reject_code, rejected.reject_message) == (UPLOAD, "invalid", "a bad row")
        assert StatusChange.objects.get(pk=wanted[1]).delivered_at == NOW

    def test_a_second_try_starts_clean(self, send: Send) -> None:
        send(row())
        put(ids("D-1")[0], Delivery.REJECTED)
        delivery.retry_rejected(change_ids=ids("D-1"))
        [change] = timeline()
        assert (change.upload_id, change.reject_code, change.reject_message) == (None, "", "")


class TestTheLastRowIsTheCurrentState:
    """R4."""

    def deliver(self, *change_ids: UUID) -> None:
        """One after the other, each by an upload of its own."""
        for change_id in change_ids:
            upload = uuid.uuid4()
            assert delivery.claim(change_ids=[change_id], upload_id=upload)
            delivery.settle_delivered(upload_id=upload, at=NOW)

    def three(self, send: Send) -> list[UUID]:
        send(
            row(order_status="IN_PROGRESS", status_date_time="2026-11-18 14:00"),
            later(order_status="SPAM", status_date_time="2026-11-18 15:00"),
            later(order_status="PAID", status_date_time="2026-11-18 16:00"),
        )
        return ids("D-1")

    def test_in_order_nothing_is_repeated(self, send: Send) -> None:
        for pk in self.three(send):
            self.deliver(pk)
            assert not the_order().resend_due

    def test_after_a_late_one_the_newest_is_due_again(self, send: Send) -> None:
        first, second, third = self.three(send)
        self.deliver(first, third)
        assert not the_order().resend_due
        self.deliver(second)
        assert the_order().resend_due
        assert delivery.settle_resent(change_ids=[third]) == 1
        assert not the_order().resend_due

    def test_a_newer_state_makes_the_repetition_needless(self, send: Send) -> None:
        first, second, third = self.three(send)
        self.deliver(second, first)
        assert the_order().resend_due
        self.deliver(third)
        assert not the_order().resend_due

    def test_a_late_one_after_the_repetition_calls_for_another(self, send: Send) -> None:
        first, second, third = self.three(send)
        self.deliver(third, first)
        delivery.settle_resent(change_ids=[third])
        self.deliver(second)
        assert the_order().resend_due

    def test_what_was_repeated_is_outdated_if_a_newer_went_meanwhile(self, send: Send) -> None:
        first, second, third = self.three(send)
        self.deliver(second, first)
        self.deliver(third)
        Order.objects.update(resend_due=True)
        assert delivery.settle_resent(change_ids=[second]) == 0
        assert the_order().resend_due

    def test_two_states_of_one_moment_follow_by_number(self, send: Send) -> None:
        at = {"status_date_time": "2026-11-18 14:00"}
        send(row(**at), later(order_status="PAID", **at))
        first, second = ids("D-1")
        self.deliver(second, first)
        assert the_order().resend_due

    def test_other_orders_of_the_file_are_left_alone(self, send: Send) -> None:
        late, _middle, newest = self.three(send)
        send(row(id="D-2"), row(id="D-3"))
        Order.objects.filter(order_id="D-3").update(resend_due=True)
        self.deliver(newest)
        delivery.claim(change_ids=[late, *ids("D-2")], upload_id=UPLOAD)
        with CaptureQueriesContext(connection) as captured:
            assert delivery.settle_delivered(upload_id=UPLOAD, at=NOW) == 2
        assert len(captured) == 4, "three for the orders, one to see whether anybody wants to be told"
        assert [the_order(f"D-{number}").resend_due for number in (1, 2, 3)] == [True, False, True]

    def test_a_person_asks_for_a_repetition(self, send: Send) -> None:
        send(row(), row(id="D-2"))
        self.deliver(*ids("D-1"))
        orders = Order.objects.values_list("pk", flat=True)
        assert delivery.request_resend(order_ids=orders) == 1, "there is nothing to repeat of the other"
        assert [the_order("D-1").resend_due, the_order("D-2").resend_due] == [True, False]


def test_orders_whose_window_closes_soon(send: Send) -> None:
    from django.utils import timezone

    now = timezone.now()
    for days in (1, 17, 19.5, 22):
        send(row(id=f"D-{days}", create_date_time=(now - timedelta(days=days)).isoformat()), now=now)
    found = Order.objects.expiring_within(days=3).values_list("order_id", flat=True)
    assert list(found) == ["D-19.5"]
