"""Amounts and the `goals` cell (page: uploadSimpleOrders)."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.problems import BadValue
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import GOAL_ID_FORBIDDEN
from apps.metrica.wire.goals import GoalsError, format_goals, parse_goals
from apps.metrica.wire.money import MoneyError, format_money, looks_like_number, parse_money

D = Decimal


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", "0"), ("5000", "5000"), ("43089.54", "43089.54"), ("007.50", "7.50"), ("-0", "0"), ("-0.00", "0.00")],
)
def test_amounts(text: str, amount: str) -> None:
    parsed = parse_money(text)
    assert str(parsed) == amount
    assert not parsed.is_signed()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "money_format"),
        ("5 000", "money_format"),
        ("5000,50", "money_format"),
        ("5.000,50", "money_format"),
        ("1e5", "money_format"),
        (".5", "money_format"),
        ("5.", "money_format"),
        ("+5", "money_format"),
        ("NaN", "money_format"),
        ("Infinity", "money_format"),
        ("0x10", "money_format"),
        ("٥٠", "money_format"),
        ("5 RUB", "money_format"),
        ("-1", "money_negative"),
        ("-0.01", "money_negative"),
        ("1234567890123456", "money_too_large"),
        ("1" + "0" * 5000, "money_too_large"),
        ("1.1234567", "money_too_large"),
    ],
)
def test_texts_that_are_no_amount(text: str, code: str) -> None:
    with pytest.raises(MoneyError) as caught:
        parse_money(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("amount", "text"),
    [("5000", "5000"), ("5E+3", "5000"), ("1E-7", "0.0000001"), ("0.10", "0.10"), ("-3.5", "-3.5"), ("0E+2", "000")],
)
def test_amounts_are_written_without_exponent(amount: str, text: str) -> None:
    assert D(format_money(D(amount))) == D(text)
    assert "E" not in format_money(D(amount))


@pytest.mark.parametrize("amount", ["NaN", "NaN123", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_number_is_not_written(amount: str) -> None:
    with pytest.raises(ValueError, match="no amounts"):
        format_money(D(amount))


@pytest.mark.parametrize(
    ("text", "goals"),
    [
        ("", []),
        ("bad_lead", [("bad_lead", None)]),
        ("deal_won:5000,branch_2", [("deal_won", "5000"), ("branch_2", None)]),
        ("a:0.50", [("a", "0.50")]),
        ("ns:deal:won:5", [("ns:deal:won", "5")]),
        ("ns:deal:won", [("ns:deal:won", None)]),
        ("a:5:6", [("a:5", "6")]),
        ("a:", [("a:", None)]),
        ("a:1e5", [("a:1e5", None)]),
        ("a:5x", [("a:5x", None)]),
        ("a:.5", [("a:.5", None)]),
        ("a:٥", [("a:٥", None)]),
        ("good lead:5", [("good lead", "5")]),
        ("цель%2B:7", [("цель%2B", "7")]),
    ],
)
def test_goals(text: str, goals: list[tuple[str, str | None]]) -> None:
    expected = tuple(GoalPrice(goal, None if price is None else D(price)) for goal, price in goals)
    assert parse_goals(text) == expected
    assert format_goals(expected) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (",", "goals_empty_item"),
        ("a,", "goals_empty_item"),
        ("a,,b", "goals_empty_item"),
        (":5", "goals_empty_item"),
        ("a, b", "goals_spaces"),
        (" a", "goals_spaces"),
        (" ", "goals_spaces"),
        ("a:-5", "money_negative"),
        ("a:1234567890123456", "money_too_large"),
        ("a/b", "goals_id"),
        ("a#b:5", "goals_id"),
        ('a"b', "goals_id"),
        ("a\0b", "goals_nul"),
    ],
)
def test_cells_that_name_no_goals(text: str, code: str) -> None:
    with pytest.raises(GoalsError) as caught:
        parse_goals(text)
    assert caught.value.code == code


@pytest.mark.parametrize("character", GOAL_ID_FORBIDDEN)
def test_forbidden_characters_are_not_written_either(character: str) -> None:
    with pytest.raises(GoalsError) as caught:
        format_goals([GoalPrice(f"a{character}b")])
    assert caught.value.code == "goals_id"


@pytest.mark.parametrize("goal", [GoalPrice("a,b"), GoalPrice("plan:5"), GoalPrice(" a"), GoalPrice("a,b", D(5))])
def test_goals_that_the_cell_cannot_say_are_not_written_as_something_else(goal: GoalPrice) -> None:
    with pytest.raises(GoalsError) as caught:
        format_goals([goal])
    assert caught.value.code == "goals_unwritable"


def test_a_price_makes_an_identifier_that_ends_in_a_number_writable() -> None:
    assert format_goals([GoalPrice("plan:5", D("1E+2"))]) == "plan:5:100"
    assert parse_goals("plan:5:100") == (GoalPrice("plan:5", D(100)),)


PRICES = st.none() | st.decimals(0, 10**14, places=2)
GOALS = st.builds(GoalPrice, st.text(min_size=1, max_size=30), PRICES)


@given(st.lists(GOALS, max_size=10))
def test_what_is_written_is_read_the_same(goals: list[GoalPrice]) -> None:
    try:
        text = format_goals(goals)
    except GoalsError:
        return
    assert parse_goals(text) == tuple(goals)


@given(st.text(max_size=40) | st.text("ab:,.-0123456789", max_size=20))
def test_what_is_read_is_written_the_same_or_refused(text: str) -> None:
    try:
        goals = parse_goals(text)
    except BadValue:
        return
    assert parse_goals(format_goals(goals)) == goals
    for goal in goals:
        assert (
            goal.price is not None
            or not looks_like_number(goal.goal_action_id.rpartition(":")[2])
            or (":" not in goal.goal_action_id)
        )
