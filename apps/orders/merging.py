"""What a row makes of an order's state, where it is not simply what the row says (page: modes).

| stored | given | GIVEN | EACH | UNITED |
|---|---|---|---|---|
| 1 | nothing | 1 | 1 | 1 |
| 1,2 | 1,3 | 1,3 | 1,3 | 1,2,3 |
| attributes a=1, b=2 | a=3 | a=3 | a=3, b=2 | a=3, b=2 |
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from apps.clients import uniting


class Merge(StrEnum):
    """GIVEN: a field that is given takes the place of the old one. EACH: so does each attribute by itself. UNITED:
    moreover, lists are added to."""

    GIVEN = "given"
    EACH = "each"
    UNITED = "united"


def merged(given: Mapping[str, Any], held: Mapping[str, Any], how: Merge) -> Mapping[str, Any]:
    """`given`, fields of a state, as they are to take the place of those `held`. None clears, in every mode."""
    if how is Merge.GIVEN:
        return given
    result = dict(given)
    if given.get("attributes"):
        result["attributes"] = uniting.attributes(given["attributes"], held["attributes"], united=how is Merge.UNITED)
    if how is Merge.UNITED:
        if given.get("goals"):
            result["goals"] = _goals(given["goals"], held["goals"])
        if given.get("products"):
            result["products"] = {**held["products"], **given["products"]}
    return result


def _goals(given: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each goal once, with the price that was given last."""
    prices = {goal["goal_action_id"]: goal["price"] for goal in held}
    for goal in given:
        if goal["price"] is not None or goal["goal_action_id"] not in prices:
            prices[goal["goal_action_id"]] = goal["price"]
    return [{"goal_action_id": goal, "price": price} for goal, price in prices.items()]
