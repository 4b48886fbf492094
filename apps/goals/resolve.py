"""What a CRM status means at Metrica: by the counter's mapping, else Metrica's own words, else its goals."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, Self

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


_KEPT_SECONDS: Final = 60.0
_MOST_KEPT, _MOST_STATUSES = 500, 5000
_kept: dict[int, tuple[int, str, float, "Resolver"]] = {}


class Resolver:
    """The statuses of one counter, read once. Keep it for a chunk of work, not for longer: `of_revision` does so."""

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

    @classmethod
    def of_revision(cls, counter: Counter) -> "Resolver":
        """For work by the single row: this process keeps what it read for as long as the counter's revision says that
        nothing of it has changed. No query, or two. The counter must have been read a moment ago.

        Every change of a mapping, and every goal that is new, raises the revision in its own transaction. A minute is
        the most, for what raises nothing: a database that was put back to an earlier state.
        """
        now = time.monotonic()
        revision, mode, until, found = _kept.get(counter.pk, (None, "", 0.0, None))
        if found is None or (revision, mode) != (counter.revision, counter.mode) or now > until:
            if len(_kept) >= _MOST_KEPT:
                _kept.clear()
            found = cls.for_counter(counter)
            _kept[counter.pk] = (counter.revision, counter.mode, now + _KEPT_SECONDS, found)
        return found

    @staticmethod
    def forget() -> None:
        """Read all anew: for tests, whose database is another one each time."""
        _kept.clear()

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
            if len(self._known) >= _MOST_STATUSES:
                self._known.clear()  # whoever pushes can make up any number of them
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
