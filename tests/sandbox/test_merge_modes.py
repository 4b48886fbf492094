"""Merge modes to the letter of the table in 3.1, against a model that is nothing but that table."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import MergeMode
from apps.metrica.wire.simple_orders import SimpleOrder, format_lines
from apps.sandbox import services
from tests.sandbox.conftest import HEADER, MOSCOW, NOW, Desk, as_file

_numbers = itertools.count(1)


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3).map(tuple)


amounts = st.none() | st.integers(0, 10**6).map(lambda cents: Decimal(cents) / 100)
rows = st.builds(
    SimpleOrder,
    id=st.just("D-1"),
    create_date_time=st.just(NOW),
    date_only=st.just(False),
    order_status=st.sampled_from(["", "IN_PROGRESS", "PAID", "SPAM", "good_lead"]),
    client_uniq_id=st.sampled_from(["", "C-1", "C-2"]),
    # A row needs at least one identifier.
    client_ids=some("17", "18", "19").filter(bool),
    emails=some("a@shop.example", "b@shop.example"),
    phones=some("79031234567", "79031234568"),
    revenue=amounts,
    cost=amounts,
    goals=st.dictionaries(st.sampled_from(["deal_won", "branch_2"]), amounts).map(
        lambda prices: tuple(GoalPrice(goal, price) for goal, price in prices.items())
    ),
    currency=st.sampled_from(["", "RUB", "USD"]),
)
SCALARS = ("client_uniq_id", "order_status", "revenue", "cost", "currency")
LISTS = ("client_ids", "emails", "phones")


def by_the_table(stored: dict[str, Any], row: SimpleOrder, mode: MergeMode) -> dict[str, Any]:
    """`stored` is empty for an order that is new."""
    after: dict[str, Any] = {}
    for name in (*SCALARS, *LISTS, "goals"):
        uploaded = getattr(row, name)
        if name == "goals":
            uploaded = {goal.goal_action_id: goal.price for goal in uploaded}
        held = stored.get(name)
        if mode is MergeMode.SAVE or held is None:
            after[name] = uploaded
        elif uploaded in ("", None, (), {}):
            after[name] = held
        elif mode is MergeMode.APPEND and name in LISTS:
            after[name] = tuple(dict.fromkeys([*held, *uploaded]))
        elif mode is MergeMode.APPEND and name == "goals":
            after[name] = held | {
                goal: price for goal, price in uploaded.items() if price is not None or goal not in held
            }
        else:
            after[name] = uploaded
    after["order_status"] = after["order_status"] or "PAID"
    return after


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(rows, st.sampled_from(MergeMode)), min_size=1, max_size=4))
def test_any_sequence_of_uploads_follows_the_table(desk: Desk, uploads: list[tuple[SimpleOrder, MergeMode]]) -> None:
    order_id = f"D-{next(_numbers)}"
    model: dict[str, Any] = {}
    for row, mode in uploads:
        row.id = order_id
        model = by_the_table(model, row, mode)
        body = (HEADER.replace("phones,", "phones,emails_md5,phones_md5,") + "\n").encode() + format_lines(
            [row], zone=MOSCOW
        )
        services.receive_simple_orders(counter=desk.counter, file=as_file(body), merge_mode=mode, now=NOW)
        order = desk.order(order_id)
        for name in SCALARS:
            assert getattr(order, name) == model[name], (name, mode)
        for name in LISTS:
            assert getattr(order, name) == ",".join(model[name]), (name, mode)
        goals = [goal.split(":") for goal in order.goals.split(",") if goal]
        assert {goal: Decimal(price[0]) if price else None for goal, *price in goals} == model["goals"]


@pytest.mark.parametrize(
    ("mode", "revenue", "phones"),
    [
        (MergeMode.SAVE, None, "79031234567,79031234569"),
        (MergeMode.UPDATE, Decimal(1), "79031234567,79031234569"),
        (MergeMode.APPEND, Decimal(1), "79031234567,79031234568,79031234569"),
    ],
)
def test_the_table_itself(desk: Desk, mode: MergeMode, revenue: Decimal | None, phones: str) -> None:
    """modes: 1 with nothing uploaded gives null, 1, 1; 1,2 with 1,3 gives 1,3; 1,3; 1,2,3."""
    desk.send('D-1,2026-03-10,,,,"79031234567,79031234568",PAID,1,,,')
    desk.send('D-1,2026-03-10,,,,"79031234567,79031234569",PAID,,,,', mode=mode)
    order = desk.order("D-1")
    assert (order.revenue, order.phones) == (revenue, phones)


def test_a_column_that_is_not_there_is_nothing_uploaded(desk: Desk) -> None:
    """modes: SAVE turns what is left out into null; UPDATE leaves it."""
    header = "id,create_date_time,client_ids"
    desk.send("D-1,2026-03-10,C-1,17,,,SPAM,5,2,deal_won,USD")
    desk.send("D-1,2026-03-10,17", header=header, mode=MergeMode.UPDATE)
    kept = desk.order("D-1")
    assert (kept.revenue, kept.order_status, kept.goals) == (Decimal(5), "SPAM", "deal_won")
    desk.send("D-1,2026-03-10,17", header=header, mode=MergeMode.SAVE)
    cleared = desk.order("D-1")
    assert (cleared.revenue, cleared.cost, cleared.currency, cleared.goals, cleared.client_uniq_id) == (
        None,
        None,
        "",
        "",
        "",
    )
    assert cleared.type == "PAID"


def test_orders_that_a_file_does_not_name_are_not_touched(desk: Desk) -> None:
    """modes: records absent from the upload are never touched, in any mode."""
    desk.send("D-1,2026-03-10,,17,,,SPAM,5,,,")
    before = desk.order("D-1").updated_at
    for mode in MergeMode:
        desk.send("D-2,2026-03-10,,17,,,PAID,,,,", mode=mode)
    assert (desk.order("D-1").type, desk.order("D-1").updated_at) == ("SPAM", before)
