"""The `goals` cell: `goal[:price]` items joined by commas. Pages: uploadSimpleOrders, goal-js-event.

A goal's identifier may hold colons, so only the last colon counts, and only when a number follows it.
"""

from collections.abc import Iterable
from decimal import Decimal

from apps.metrica.problems import BadValue
from apps.metrica.rules import GoalPrice
from apps.metrica.text import _
from apps.metrica.vocabulary import GOAL_ID_FORBIDDEN
from apps.metrica.wire.money import MoneyError, format_money, looks_like_number, parse_money

_FORBIDDEN = frozenset(GOAL_ID_FORBIDDEN)


class GoalsError(BadValue):
    """The cell cannot be read, or the goals cannot be written. `code`: goals_empty_item, goals_spaces, goals_id,
    goals_nul, goals_price, goals_unwritable, or a code of MoneyError.
    """


def parse_goals(text: str) -> tuple[GoalPrice, ...]:
    """`"deal_won:5000,branch_2"` → two goals, the first with a price. An empty text has none. Raises GoalsError."""
    return tuple(_parse_goal(item) for item in text.split(",")) if text else ()


def format_goals(goals: Iterable[GoalPrice]) -> str:
    """The cell for these goals, such that parse_goals gives them back. Raises GoalsError where that is impossible:
    an identifier with a comma, or one without a price that ends in a colon and a number.
    """
    return ",".join([_format_goal(goal) for goal in goals])


def check_goal_id(goal_id: str) -> str:
    """The identifier itself, or GoalsError if no goal of a counter can have it (page: goal-js-event)."""
    if not goal_id:
        raise GoalsError("goals_empty_item", _("A goal's identifier is missing."))
    if "\0" in goal_id:
        raise GoalsError("goals_nul", _("A goal's identifier holds a NUL byte."))
    if not _FORBIDDEN.isdisjoint(goal_id):
        raise GoalsError("goals_id", _("A goal's identifier must not hold any of / \\ & # ? = \""))
    return goal_id


def _parse_goal(item: str) -> GoalPrice:
    if item != item.strip():
        raise GoalsError("goals_spaces", _("Goals are joined by commas without spaces."))
    goal_id, colon, tail = item.rpartition(":")
    if not colon or not looks_like_number(tail):
        return GoalPrice(check_goal_id(item))
    return GoalPrice(check_goal_id(goal_id), _price(tail))


def _price(text: str) -> Decimal:
    try:
        return parse_money(text)
    except MoneyError as error:
        raise GoalsError(error.code, error.message) from None


def _format_goal(goal: GoalPrice) -> str:
    goal_id = check_goal_id(goal.goal_action_id)
    if "," in goal_id or goal_id != goal_id.strip():
        raise GoalsError(
            "goals_unwritable",
            _("The goal's identifier holds a comma or outer spaces, so it cannot be named in an upload."),
        )
    if goal.price is not None:
        return f"{goal_id}:{format_money(goal.price)}"
    if ":" in goal_id and looks_like_number(goal_id.rpartition(":")[2]):
        raise GoalsError(
            "goals_unwritable",
            _("The goal's identifier ends in a colon and a number, which Metrica would read as a price. Give it one."),
        )
    return goal_id
