"""R3: the timeline only grows, holds the whole state of each moment, and a state sent again creates nothing."""

from decimal import Decimal

import pytest

from apps.orders.models import Delivery, StatusChange
from tests.orders.conftest import NOW, Send, clock, later, row, statuses, the_order, timeline, told


def test_a_new_order_and_its_first_state(send: Send) -> None:
    report = send(row(revenue="5000.50", goals="deal_won:100", products={"sku-1": 2}, attributes={"branch": "north"}))

    [result] = report.results
    assert (result.index, result.id, result.result, result.hold) == (0, "D-1", "created", None)
    assert (report.created, report.updated, report.unchanged, report.rejected) == (1, 0, 0, 0)
    order, [change] = the_order(), timeline()
    assert (order.order_status, order.status_date_time, order.create_date_time) == (
        "IN_PROGRESS",
        clock(14, 5),
        clock(14, 5),
    )
    assert (order.current_change_id, order.changes_count) == (change.pk, 1)
    assert change.pk == result.change
    assert (change.seq, change.status_date_time, change.received_at) == (1, clock(14, 5), NOW)
    assert (change.revenue, change.cost, change.currency) == (Decimal("5000.50"), None, "RUB")
    assert change.goals == [{"goal_action_id": "deal_won", "price": "100"}]
    assert (change.products, change.attributes) == ({"sku-1": 2}, {"branch": "north"})
    assert change.changed == ["order_status", "revenue", "goals", "products", "attributes", "identifiers"]
    assert (change.source, change.received_by, change.delivery) == ("api", "tests", Delivery.WAITING)
    assert change.request_id


def test_a_field_left_out_keeps_its_value_and_null_clears_it(send: Send) -> None:
    send(row(revenue=5000, cost=3200, currency="EUR", goals=["a"], products={"x": 1}, attributes={"a": 1}))
    send(later(order_status="PAID"))
    kept = timeline()[-1]
    assert (kept.revenue, kept.cost, kept.currency) == (5000, 3200, "EUR")
    assert (kept.goals, kept.products) == ([{"goal_action_id": "a", "price": None}], {"x": 1})
    assert kept.changed == ["order_status"]

    cleared = dict.fromkeys(("revenue", "cost", "currency", "goals", "products", "attributes"))
    send(later(order_status="PAID", **cleared))
    last = timeline()[-1]
    assert (last.revenue, last.cost, last.currency) == (None, None, "RUB"), "the counter's currency"
    assert (last.goals, last.products, last.attributes) == ([], {}, {})
    assert last.changed == ["revenue", "cost", "currency", "goals", "products", "attributes"]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(row(status_date_time="2026-11-18 14:05:00", revenue="5000.00"), id="same time"),
        pytest.param(row(status_date_time="2026-11-19 09:00:00", revenue=5000), id="newer time"),
        pytest.param(row(revenue=5000.0), id="no time"),
        pytest.param(later(), id="nothing but the status"),
        pytest.param(row(status_date_time="2026-11-18", revenue="5000"), id="the same day"),
        pytest.param(row(status_date_time="2026-11-18 09:00", revenue="5000"), id="before the first state"),
        pytest.param(row(create_date_time="18.11.2026", revenue="5000"), id="creation as a bare day"),
        pytest.param(row(create_date_time="2026-11-18T11:05:00Z", revenue="5000"), id="creation in another zone"),
        pytest.param(row(goals=[], products={}, cost=None, currency="rub", revenue="5000"), id="empty ones given"),
    ],
)
def test_the_same_state_again_creates_nothing(send: Send, again: dict[str, object]) -> None:
    send(row(revenue="5000"))
    before = StatusChange.objects.values().get()
    report = send(again)
    assert report.unchanged == 1, told(report)
    assert report.results[0].change is None
    assert StatusChange.objects.values().get() == before


def test_a_state_that_comes_back_is_a_change(send: Send) -> None:
    send(row())
    send(later(order_status="PAID"))
    assert send(later(order_status="IN_PROGRESS")).updated == 1
    assert statuses() == ["IN_PROGRESS", "PAID", "IN_PROGRESS"]


def test_rows_with_one_id_are_successive_changes_in_their_order(send: Send) -> None:
    report = send(row(), later(order_status="good_lead"), later(order_status="PAID"), row(id="D-2"))
    assert [result.result for result in report.results] == ["created", "updated", "updated", "created"]
    assert statuses() == ["IN_PROGRESS", "good_lead", "PAID"]
    assert [change.seq for change in timeline()] == [1, 2, 3]
    assert [change.status_date_time for change in timeline()] == [clock(14, 5), NOW, NOW]
    assert the_order().order_status == "PAID"


def test_a_state_that_comes_back_in_the_same_call_is_a_change(send: Send) -> None:
    """Without times of their own the rows follow each other; the last one is where the order stands."""
    send(row(), later(order_status="PAID"), later(order_status="IN_PROGRESS"))
    assert statuses() == ["IN_PROGRESS", "PAID", "IN_PROGRESS"]
    assert the_order().order_status == "IN_PROGRESS"


def test_a_row_that_only_adds_an_identifier_is_a_change(send: Send) -> None:
    send(row())
    report = send(later(emails="Anna@Example.com"))
    assert report.updated == 1
    assert timeline()[-1].changed == ["identifiers"]
    assert the_order().identifiers == {"client_ids": ["1700000000123456789"], "emails": ["anna@example.com"]}


def test_an_identifier_replaces_those_of_its_kind_and_null_takes_them_away(send: Send) -> None:
    send(row(emails=["a@x.example", "b@x.example"]))
    send(later(emails=["c@x.example"]))
    assert the_order().identifiers["emails"] == ["c@x.example"]
    send(later(emails=None))
    assert "emails" not in the_order().identifiers


class TestLate:
    """R4: a state older than the current one enters the timeline and does not become the order's state."""

    def test_it_takes_its_place_in_time(self, send: Send) -> None:
        send(row(status_date_time="2026-11-18 14:00"), later(order_status="PAID", status_date_time="2026-11-19 14:00"))
        report = send(later(order_status="good_lead", status_date_time="2026-11-18 18:00"))
        assert report.updated == 1
        assert statuses() == ["IN_PROGRESS", "good_lead", "PAID"]
        order = the_order()
        assert (order.order_status, order.status_date_time) == ("PAID", clock(14, day=19))
        assert order.current_change_id == timeline()[-1].pk
        assert [change.seq for change in timeline()] == [1, 3, 2]

    def test_what_it_leaves_out_was_true_at_that_moment(self, send: Send) -> None:
        send(
            row(status_date_time="2026-11-18 14:00", revenue=100),
            later(order_status="PAID", status_date_time="2026-11-19 14:00", revenue=900),
        )
        send(later(order_status="good_lead", status_date_time="2026-11-18 18:00"))
        late = timeline()[1]
        assert (late.revenue, late.changed) == (100, ["order_status"])

    def test_before_the_first_it_takes_after_the_first(self, send: Send) -> None:
        send(row(status_date_time="2026-11-18 14:00", revenue=100))
        send(later(order_status="good_lead", status_date_time="2026-11-18 10:00"))
        assert statuses() == ["good_lead", "IN_PROGRESS"]
        assert timeline()[0].revenue == 100
        assert the_order().order_status == "IN_PROGRESS"

    def test_it_repeats_what_was_true_then_and_creates_nothing(self, send: Send) -> None:
        send(row(status_date_time="2026-11-18 14:00"), later(order_status="PAID", status_date_time="2026-11-19 14:00"))
        assert send(later(status_date_time="2026-11-18 18:00")).unchanged == 1
        assert statuses() == ["IN_PROGRESS", "PAID"]

    def test_it_adds_identifiers_that_are_missing_and_replaces_none(self, send: Send) -> None:
        send(
            row(status_date_time="2026-11-18 14:00", emails="new@x.example"),
            later(order_status="PAID", status_date_time="2026-11-19 14:00"),
        )
        send(later(status_date_time="2026-11-18 15:00", emails="old@x.example", phones="79031234567"))
        assert the_order().identifiers == {
            "client_ids": ["1700000000123456789"],
            "emails": ["new@x.example"],
            "phones": ["79031234567"],
        }

    def test_one_moment_holds_several_states_in_the_order_of_their_coming(self, send: Send) -> None:
        at = {"status_date_time": "2026-11-18 14:00"}
        rows = [row(**at), later(order_status="good_lead", **at), later(order_status="PAID", **at)]
        send(*rows)
        assert statuses() == ["IN_PROGRESS", "good_lead", "PAID"]
        assert send(*rows).unchanged == 3, "each of them is in the timeline already"

    def test_the_state_with_which_a_moment_began_is_no_news_at_that_moment(self, send: Send) -> None:
        """A history sent again in order: the second row said nothing new, and is not heard after the third either."""
        rows = [
            row(status_date_time="2026-11-18 14:00"),
            later(status_date_time="2026-11-18 15:00"),
            later(order_status="PAID", status_date_time="2026-11-18 15:00"),
        ]
        send(*rows)
        assert send(*rows).unchanged == 3
        assert statuses() == ["IN_PROGRESS", "PAID"]


class TestTimes:
    def test_the_first_state_takes_the_creation_and_a_later_one_the_receipt(self, send: Send) -> None:
        send(row())
        send(later(order_status="PAID"))
        assert [change.status_date_time for change in timeline()] == [clock(14, 5), NOW]

    def test_a_time_with_an_offset_is_converted_and_a_bare_one_is_the_counters(self, send: Send) -> None:
        send(row(create_date_time="2026-11-18T14:05:00+05:00", status_date_time="2026-11-18 14:05"))
        assert the_order().create_date_time == clock(12, 5)
        assert timeline()[0].status_date_time == clock(14, 5)

    def test_a_day_without_a_time_is_kept_as_a_day(self, send: Send) -> None:
        send(row(create_date_time="18.11.2026"))
        order = the_order()
        assert (order.create_date_only, order.create_date_time) == (True, clock(23, 59))
        assert timeline()[0].status_date_time == clock(0), "before anything else of that day"

    def test_days_and_times_mix(self, send: Send) -> None:
        """A day without a time belongs after what is known of that day, whichever of the two came with a time."""
        send(row(create_date_time="2026-11-18 14:05"))
        send(later(order_status="good_lead", status_date_time="2026-11-18"))
        send(later(order_status="PAID", status_date_time="2026-11-18 18:00"))
        assert statuses() == ["IN_PROGRESS", "good_lead", "PAID"]
        assert send(later(order_status="good_lead", status_date_time="2026-11-18")).unchanged == 1

    def test_today_without_a_time_is_followed_by_what_comes_in_today(self, send: Send) -> None:
        send(row(create_date_time="2026-11-20"))
        report = send(later(order_status="PAID"))
        assert statuses() == ["IN_PROGRESS", "PAID"]
        assert report.results[0].hold is None
        assert the_order().status_date_time == NOW

    def test_a_clock_a_little_ahead_does_not_make_the_next_state_late(self, send: Send) -> None:
        send(row(status_date_time="2026-11-20 15:04"))
        report = send(later(order_status="PAID"))
        assert statuses() == ["IN_PROGRESS", "PAID"]
        assert timeline()[-1].status_date_time == clock(15, 4, day=20)
        assert report.results[0].hold is None

    def test_a_state_announced_for_later_does_not_hold_up_what_happens_now(self, send: Send) -> None:
        send(row(), later(order_status="PAID", status_date_time="2026-12-24 10:00"))
        report = send(later(order_status="good_lead"))
        assert statuses() == ["IN_PROGRESS", "good_lead", "PAID"]
        assert report.results[0].hold == "unmapped_status", "judged as of now, not as of the announced day"
