"""What a change of an order altered: the values before and after, of the fields in which it differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.counters.templatetags.goalpost import goal_name, money
from apps.metrica.text import Text
from apps.orders.models import StatusChange


@dataclass(frozen=True, slots=True)
class Difference:
    """`before` and `after` are empty where there was or is nothing. `told` is False of what the timeline does not
    keep, identifiers most of all: then only the name of the field is known."""

    name: Text
    before: str = ""
    after: str = ""
    told: bool = True


def differences(before: StatusChange, after: StatusChange, labels: Mapping[str, Text]) -> list[Difference]:
    """Between two states that follow each other in the CRM's own time, and what else came with the later one."""
    found = [
        Difference(labels[name], old, new)
        for name, show in _SHOWN.items()
        for old, new in [(show(before), show(after))]
        if old != new
    ]
    others = [name for name in after.changed if name not in _SHOWN]
    return found + [Difference(labels.get(name, name), told=False) for name in others]


def _amount(name: str) -> Any:
    def show(change: StatusChange) -> str:
        value = getattr(change, name)
        return "" if value is None else money(value, change.currency)

    return show


def _goals(change: StatusChange) -> str:
    return _listed(
        f"{goal_name(str(goal['goal_action_id']))} {_price(goal, change.currency)}".strip() for goal in change.goals
    )


def _price(goal: Mapping[str, Any], currency: str) -> str:
    return money(goal["price"], currency) if goal.get("price") else ""


def _listed(texts: Any) -> str:
    return ", ".join(texts)


def _value(value: Any) -> str:
    return _listed(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


_SHOWN: dict[str, Any] = {
    "order_status": lambda change: change.order_status,
    "revenue": _amount("revenue"),
    "cost": _amount("cost"),
    "currency": lambda change: change.currency,
    "goals": _goals,
    "products": lambda change: _listed(f"{sku} × {quantity}" for sku, quantity in change.products.items()),
    "attributes": lambda change: _listed(f"{name}: {_value(value)}" for name, value in change.attributes.items()),
}
