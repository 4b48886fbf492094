"""Reading a list part by part gives the same rows in the same order as reading it as it is."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from apps.agencies.merging import Parts, counted, merged
from apps.counters.models import Counter
from apps.orders.models import HeldChange, Order, StatusChange
from tests.factories import make_agency, make_counter

pytestmark = pytest.mark.django_db


@pytest.fixture
def counters() -> list[Counter]:
    agency = make_agency()
    return [make_counter(agency=agency) for _each in range(4)]


@pytest.fixture
def orders(counters: list[Counter]) -> list[Order]:
    """Of three of the counters, in turn; created in another order than received, some at the same moment."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Order.objects.create(
            counter=counters[number % 3],
            order_id=f"D-{number}",
            create_date_time=began + timedelta(days=number * 7 % 10),
            order_status="PAID" if number % 2 else "NEW",
            status_date_time=began,
        )
        for number in range(30)
    ]


def keys(counters: list[Counter]) -> Parts:
    return Parts("counter", tuple(counter.pk for counter in counters))


@pytest.mark.parametrize("order", [("-id",), ("pk",), ("-create_date_time", "-id"), ("create_date_time", "pk")])
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (5, 10), (20, 25), (28, 50), (40, 50)])
def test_the_same_rows_in_the_same_order(
    orders: list[Order], counters: list[Counter], order: tuple[str, ...], start: int, stop: int
) -> None:
    rows = Order.objects.order_by(*order)
    assert list(merged(rows, keys(counters), start=start, stop=stop)) == list(rows[start:stop])


def test_what_narrows_the_rows_narrows_each_part(orders: list[Order], counters: list[Counter]) -> None:
    rows = Order.objects.filter(counter__agency=counters[0].agency_id, order_status="PAID").order_by("-pk")
    assert list(merged(rows, keys(counters), stop=7)) == list(rows[:7])
    one = rows.filter(counter=counters[1])
    assert list(merged(one, keys(counters), stop=50)) == list(one)
    either = rows.filter(Q(order_id="D-7") | Q(order_id="D-8"))
    assert [row.order_id for row in merged(either, keys(counters), stop=50)] == ["D-7"]


def test_no_part_names_rows_that_the_list_does_not_have(orders: list[Order], counters: list[Counter]) -> None:
    """Who may see what is said by the rows alone (R11)."""
    theirs = Order.objects.filter(counter=counters[0]).order_by("-pk")
    assert {row.counter_id for row in merged(theirs, keys(counters), stop=50)} == {counters[0].pk}
    assert not list(merged(Order.objects.none().order_by("-pk"), keys(counters), stop=50))


def test_it_is_one_query_that_brings_what_comes_along(orders: list[Order], counters: list[Counter]) -> None:
    whole = Order.objects.select_related("counter")
    with CaptureQueriesContext(connection) as queries:
        found = list(merged(whole.order_by("-pk"), keys(counters), stop=9, whole=whole))
        assert len({str(row.counter) for row in found}) == 3
    assert len(queries) == 1


def test_keys_of_any_kind_and_proxies(orders: list[Order], counters: list[Counter]) -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    for order in orders[:6]:
        held = {"delivery": "held", "hold_reason": "by_hand", "status_date_time": now, "source": "api"}
        StatusChange.objects.create(counter=order.counter, order=order, seq=1, order_status="PAID", **held)
    rows = HeldChange.objects.filter(delivery="held").select_related("order").order_by("-id")
    assert list(merged(rows, keys(counters), start=1, stop=4, whole=rows)) == list(rows[1:4])


@pytest.mark.parametrize("most", [1, 7, 30, 500])
def test_they_are_counted_up_to_a_limit_in_one_query(orders: list[Order], counters: list[Counter], most: int) -> None:
    rows = Order.objects.select_related("counter").order_by("-pk")
    for some in (rows, rows.filter(order_status="PAID"), rows.filter(counter=counters[0]), rows.none()):
        for parts in (None, keys(counters)):
            with CaptureQueriesContext(connection) as queries:
                assert counted(some, parts, most=most) == min(most, len(some))
            assert len(queries) - 1 <= 1  # and the one that read them
    assert counted(rows.filter(pk__lt=0), keys(counters), most=most) == 0


def test_of_rows_that_the_list_does_not_have_none_is_counted(orders: list[Order], counters: list[Counter]) -> None:
    theirs = Order.objects.filter(counter=counters[0])
    assert counted(theirs, keys(counters), most=100) == 10


def test_without_parts_what_comes_along_is_read_for_the_page_alone(
    orders: list[Order], counters: list[Counter]
) -> None:
    whole = Order.objects.select_related("counter")
    some = whole.filter(pk__in=[order.pk for order in orders[3:20]]).order_by("-pk")
    with CaptureQueriesContext(connection) as queries:
        page = list(merged(some, None, start=2, stop=6, whole=whole))
        assert [row.pk for row in page] == [row.pk for row in orders[3:20][::-1][2:6]]
        assert all(row.counter.name for row in page)
    assert len(queries) == 1


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="about PostgreSQL's choice of a plan")
def test_postgresql_looks_into_each_parts_own_stretch_of_an_index(orders: list[Order], counters: list[Counter]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = merged(Order.objects.order_by("-pk"), keys(counters), stop=5).explain()
    assert "order_newest" in plan
