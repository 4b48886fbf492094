"""The `goals` cell: `goal[:price]` items joined by commas. Page: uploadSimpleOrders."""

from collections.abc import Iterable

from apps.metrica.rules import GoalPrice


def parse_goals(text: str) -> tuple[GoalPrice, ...]:
    raise NotImplementedError


def format_goals(goals: Iterable[GoalPrice]) -> str:
    raise NotImplementedError
