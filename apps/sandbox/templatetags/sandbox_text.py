"""How the sandbox's pages write goals and money."""

from decimal import Decimal

from django import template

from apps.metrica.text import Text
from apps.metrica.vocabulary import SystemGoal
from apps.sandbox.shapes import plain

register = template.Library()

_LABELS = {goal.value: goal.label for goal in SystemGoal}


@register.filter
def goal_name(goal: str) -> Text:
    """A CRM goal by its name, a JavaScript goal by its identifier."""
    return _LABELS.get(goal, goal)


@register.filter
def listed(text: str) -> str:
    """A list kept as comma-separated text, such that a long one can be broken into lines."""
    return ", ".join(text.split(",")) if text else ""


@register.filter
def money(amount: Decimal | str | None) -> str:
    """An amount without trailing zeros; nothing where there is none."""
    return "" if amount is None else plain(Decimal(amount)) or ""
