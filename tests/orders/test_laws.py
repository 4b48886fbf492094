"""Laws of intake, for any rows: cuts do not matter, nothing accepted is lost, what is sent again changes nothing."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders import intake
from apps.orders.models import Order, StatusChange
from tests.factories import make_counter
from tests.orders.conftest import NOW

EXAMPLES = 40
"""Of each law; thousands were run while it was written."""

ABSENT = object()


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    """One of the values, null, or the field left out."""
    return st.sampled_from([*values, None, ABSENT])


TIMES = st.one_of(
    st.builds(
        lambda hour, day: f"2026-11-{day} {hour:02d}:00",
        st.integers(min_value=0, max_value=5),
        st.sampled_from([17, 18]),
    ),
    st.sampled_from(["2026-11-17", "2026-11-18", "2026-12-24 10:00"]),
)

FIELDS = {
    "id": st.sampled_from(["A", "B", "C"]),
    "create_date_time": st.sampled_from(["2026-11-16 10:00", "2026-11-16 12:00", "2026-11-16"]),
    "order_status": st.sampled_from(["IN_PROGRESS", "PAID", "CANCELLED", "unmapped"]),
    "client_uniq_id": maybe("C-1", "C-2"),
    "client_ids": maybe("1", "2"),
    "emails": maybe("a@x.example", "b@x.example", "nobody"),
    "revenue": maybe("100", "200.5", "-1"),
    "goals": maybe("g:5", "h"),
    "products": maybe({"x": 1}),
    "attributes": maybe({"a": "b"}),
}


def rows_with(
    times: st.SearchStrategy[Any], **fixed: st.SearchStrategy[Any]
) -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.fixed_dictionaries({**FIELDS, "status_date_time": times, **fixed})
    return st.lists(
        one.map(lambda row: {name: value for name, value in row.items() if value is not ABSENT}), max_size=12
    )


def accept(counter: Counter, rows: Sequence[dict[str, Any]], cuts: Sequence[int] = (), chunk_size: int = 100) -> Any:
    """The rows in one or more calls; the results of all."""
    edges = [0, *sorted(cut for cut in set(cuts) if cut < len(rows)), len(rows)]
    results = []
    for start, end in pairwise(edges):
        report = intake.accept_all(
            counter=counter, rows=rows[start:end], source="api", now=NOW, chunk_size=chunk_size, actor_label="tests"
        )
        results += report.results
    return results


def picture(counter: Counter) -> Any:
    """Everything that intake keeps of a counter, without keys of its own."""
    orders = Order.objects.filter(counter=counter).select_related("client", "current_change").order_by("order_id")
    changes = StatusChange.objects.filter(counter=counter).order_by("order__order_id", "seq")
    return (
        [
            (
                *(
                    order.order_id,
                    order.create_date_time,
                    order.create_date_only,
                    order.identifiers,
                    order.order_status,
                ),
                *(order.status_date_time, order.changes_count, order.client and order.client.uniq_id),
                order.current_change and order.current_change.seq,
            )
            for order in orders
        ],
        list(
            changes.values_list(
                *("order__order_id", "seq", "order_status", "status_date_time", "revenue", "cost", "currency"),
                *("goals", "products", "attributes", "changed", "delivery", "hold_reason"),
            )
        ),
        list(Client.objects.filter(counter=counter).order_by("uniq_id").values_list("uniq_id", "identifiers")),
    )


@pytest.mark.django_db
@settings(max_examples=EXAMPLES)
@given(
    rows=rows_with(st.one_of(TIMES, st.just(ABSENT))),
    cuts=st.lists(st.integers(min_value=1, max_value=11), max_size=4),
    chunk_size=st.integers(min_value=1, max_value=5),
)
def test_any_cut_of_the_rows_gives_the_same(rows: list[dict[str, Any]], cuts: list[int], chunk_size: int) -> None:
    whole, cut = make_counter(), make_counter()
    results = accept(whole, rows)
    assert [(one.id, one.result) for one in accept(cut, rows, cuts, chunk_size)] == [
        (one.id, one.result) for one in results
    ]
    assert picture(cut) == picture(whole)


@pytest.mark.django_db
@settings(max_examples=EXAMPLES)
@given(rows=rows_with(st.one_of(TIMES, st.just(ABSENT))))
def test_the_timeline_holds_what_was_accepted_and_stands_as_it_says(rows: list[dict[str, Any]]) -> None:
    """R2, R3: numbers without gaps, the current state is the last in time, each result has its change."""
    counter = make_counter()
    results = accept(counter, rows)
    kept = set(StatusChange.objects.filter(counter=counter).values_list("pk", flat=True))
    assert {one.change for one in results if one.change} == kept
    for order in Order.objects.filter(counter=counter).select_related("current_change"):
        changes = list(order.changes.in_timeline_order())
        assert sorted(change.seq for change in changes) == list(range(1, len(changes) + 1))
        assert order.current_change == changes[-1]
        assert (order.order_status, order.status_date_time) == (changes[-1].order_status, changes[-1].status_date_time)
        assert order.changes_count == len(changes)
        for change in changes:
            assert (change.delivery == "held") == bool(change.hold_reason)


@pytest.mark.django_db
@settings(max_examples=EXAMPLES)
@given(rows=rows_with(st.one_of(TIMES, st.just(ABSENT))))
def test_the_same_row_twice_changes_nothing(rows: list[dict[str, Any]]) -> None:
    """R3, whatever came before: the same row at once again is no news."""
    counter = make_counter()
    for row in rows:
        accept(counter, [row])
        before = picture(counter)
        assert [one.result for one in accept(counter, [row])] in (["unchanged"], ["rejected"])
        assert picture(counter) == before


@pytest.mark.django_db
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_history_sent_again_changes_nothing(data: st.DataObject) -> None:
    """R3: a CRM that sends an order's whole history each night, in order and with its times, makes no noise."""
    counter = make_counter()
    rows = data.draw(rows_with(st.just("?"), client_ids=st.just("1"), emails=st.just("a@x.example")))
    clocks: dict[str, datetime] = defaultdict(lambda: datetime(2026, 11, 17))
    for row in rows:
        clocks[row["id"]] += timedelta(hours=data.draw(st.integers(min_value=0, max_value=3)))
        row |= {"status_date_time": str(clocks[row["id"]]), "create_date_time": "2026-11-16 10:00"}
        row["client_uniq_id"] = "C-1"
        row |= {name: row.get(name) for name in ("revenue", "goals", "products", "attributes")}
    accept(counter, rows)
    before = picture(counter)
    assert {one.result for one in accept(counter, rows)} <= {"unchanged", "rejected"}
    assert picture(counter) == before
