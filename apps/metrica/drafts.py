"""Goals as they are asked for. Pages: addGoal, editGoal, goal-js-event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from apps.metrica.answers import GoalInfo


@dataclass(frozen=True, slots=True)
class GoalDraft:
    """A JavaScript-event goal to be made, or changed into. `identifier` is what uploads call it; the condition is
    "exact", as uploads need it (page: offline-conv).

    `base` holds the fields of a goal that is being edited, so that what is not known here stays as it was.
    """

    name: str
    identifier: str
    default_price: Decimal | None = None
    is_favorite: bool = False
    condition_type: str = "exact"
    base: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, goal: GoalInfo) -> Self:
        """The goal as it is, to be changed by `dataclasses.replace`. Raises ValueError for a goal of another type."""
        if goal.identifier is None:
            raise ValueError("Only JavaScript-event goals can be edited here.")
        return cls(
            name=goal.name,
            identifier=goal.identifier,
            default_price=goal.default_price,
            is_favorite=goal.is_favorite,
            condition_type=goal.condition_type or "exact",
            base=goal.raw,
        )

    def body(self, goal_id: int | None = None) -> dict[str, Any]:
        """The value of `goal` in the request's JSON."""
        fields: dict[str, Any] = {
            **self.base,
            "name": self.name,
            "type": "action",
            "conditions": [{"type": self.condition_type, "url": self.identifier}],
            "is_favorite": self.is_favorite,
        }
        fields.pop("default_price", None)
        fields.pop("id", None)
        if self.default_price is not None:
            fields["default_price"] = self.default_price
        if goal_id is not None:
            fields["id"] = goal_id
        return fields
