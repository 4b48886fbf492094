"""What a CRM status means at Metrica: by the counter's mapping, else Metrica's own words, else its goals."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Self

from apps.counters.models import Counter, Mode
from apps.goals.models import Goal, StatusMapping
from apps.goals.statuses import StatusRow
from apps.metrica.rules import GoalPrice, GoalReach, reached_goals, simple_status
from apps.metrica.vocabulary import DEFAULT_STATUSES, OrderType

Source = Literal["mapping", "default", "goal"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One status, resolved. `wire_status` and `wire_goals` are what a row of the counter's mode carries."""

    crm_status: str
    type: OrderType
    goal_action_ids: tuple[str, ...]
    wire_status: str
    wire_goals: tuple[str, ...]
    source: Source

    def to_json(self) -> dict[str, Any]:
        return {
            "type": self.type.value,
            "goal_action_ids": list(self.goal_action_ids),
            "order_status": self.wire_status,
            "goals": list(self.wire_goals),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, crm_status: str, value: dict[str, Any]) -> Self:
        return cls(
            crm_status=crm_status,
            type=OrderType(value["type"]),
            goal_action_ids=tuple(value["goal_action_ids"]),
            wire_status=value["order_status"],
            wire_goals=tuple(value["goals"]),
            source=value["source"],
        )


class Resolver:
    """The statuses of one counter, read once. Keep it for a chunk of work, not for longer."""

    def __init__(self, *, mode: str, mappings: Sequence[StatusMapping | StatusRow], goal_ids: frozenset[str]) -> None:
        self._mode = mode
        self._mappings = {mapping.crm_status: mapping for mapping in mappings}
        self._goal_ids = goal_ids
        self._known: dict[str, Meaning | None] = {}

    @classmethod
    def for_counter(cls, counter: Counter) -> Self:
        """Two queries."""
        return cls(
            mode=counter.mode,
            mappings=list(StatusMapping.objects.filter(counter=counter)),
            goal_ids=frozenset(Goal.objects.filter(counter=counter).values_list("identifier", flat=True)),
        )

    def problem(self, crm_status: str) -> str:
        """The hold reason that this status gives, or an empty text."""
        if self.meaning(crm_status) is not None:
            return ""
        return "status_without_goal" if crm_status in self._mappings else "unmapped_status"

    def meaning(self, crm_status: str) -> Meaning | None:
        """None where the status is unknown, or cannot be said in the counter's mode (`problem` tells which)."""
        try:
            return self._known[crm_status]
        except KeyError:
            meaning = self._known[crm_status] = self._resolve(crm_status)
            return meaning

    def _resolve(self, crm_status: str) -> Meaning | None:
        mapping = self._mappings.get(crm_status)
        if mapping is not None:
            order_type, goals = OrderType(mapping.type), tuple(mapping.goal_action_ids)
            if self._mode == Mode.DETAILED:
                wire_status = mapping.metrica_id or crm_status
                return Meaning(crm_status, order_type, goals, wire_status, (), "mapping")
            return self._simple(crm_status, order_type, goals, "mapping")
        if crm_status in DEFAULT_STATUSES:
            return Meaning(crm_status, DEFAULT_STATUSES[crm_status], (), crm_status, (), "default")
        if crm_status in self._goal_ids:
            return Meaning(crm_status, OrderType.OTHER, (crm_status,), crm_status, (), "goal")
        return None

    @staticmethod
    def _simple(crm_status: str, order_type: OrderType, goals: tuple[str, ...], source: Source) -> Meaning | None:
        if order_type == OrderType.OTHER and not goals:
            return None
        wire_status, wire_goals = simple_status(order_type=order_type, goal_action_ids=goals)
        return Meaning(crm_status, order_type, goals, wire_status, wire_goals, source)


def counters_knowing(crm_status: str) -> set[int] | None:
    """Primary keys of the counters in which this status means something; None: it does so in every one. Two queries."""
    if crm_status in DEFAULT_STATUSES:
        return None
    mapped = StatusMapping.objects.filter(crm_status=crm_status).values_list("counter_id", flat=True)
    goals = Goal.objects.filter(identifier=crm_status).values_list("counter_id", flat=True)
    return {*mapped, *goals}


def forecast(
    meaning: Meaning,
    *,
    extra_goals: Sequence[GoalPrice] = (),
    revenue: Decimal | None = None,
    cost: Decimal | None = None,
) -> list[GoalReach]:
    """The goals that this status will reach in the order's visit, with their incomes."""
    return reached_goals(
        order_type=meaning.type,
        goal_action_ids=meaning.goal_action_ids,
        extra_goals=extra_goals,
        revenue=revenue,
        cost=cost,
    )
