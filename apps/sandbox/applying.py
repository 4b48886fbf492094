"""Applies checked rows to the counter's orders, in chunks: merge, type, visit, goals reached."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from apps.metrica.rules import GoalReach, goal_income, reached_goals
from apps.metrica.vocabulary import DEFAULT_CURRENCY, MergeMode, OrderType, SystemGoal
from apps.metrica.wire.orders import DetailedOrder
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.sandbox.binding import VisitFinder, bind
from apps.sandbox.bulk import write_rows
from apps.sandbox.models import (
    Note,
    SandboxCounter,
    SandboxOrder,
    SandboxOrderEvent,
    SandboxReach,
    SandboxUploading,
)
from apps.sandbox.models.crm import order_key
from apps.sandbox.state import CHANGING_COLUMNS, FROZEN_COLUMNS, OrderState, is_date_only, row_keys
from apps.sandbox.statuses import Meaning, StatusReader

_IDS_PER_QUERY = 900
_EVENT_COLUMNS = (
    "order",
    "uploading",
    "line",
    "order_status",
    "type",
    "revenue",
    "cost",
    "currency",
    "goals",
    "products",
    "visit",
    "reached",
    "notes",
)
_REACH_COLUMNS = ("counter", "visit", "order", "goal", "income", "currency", "reached_at", "repeated_at")
_ReachKey = tuple[UUID, int, str]  # order, visit, goal
_STATE_COLUMNS = [name for name in FROZEN_COLUMNS + CHANGING_COLUMNS if name not in ("counter", "key")]

R = TypeVar("R", SimpleOrder, DetailedOrder)


class Applier(ABC, Generic[R]):
    """Applies the rows of one upload. Call it inside the upload's transaction."""

    def __init__(
        self,
        *,
        counter: SandboxCounter,
        uploading: SandboxUploading,
        statuses: StatusReader,
        switches: Mapping[str, str],
    ) -> None:
        self._counter = counter
        self._uploading = uploading
        self._now: datetime = uploading.received_at
        self._mode = MergeMode(uploading.merge_mode)
        self._statuses = statuses
        self._count_unknown_goals = switches["unknown_goal"] == "count"
        self._first_income_stays = switches["repeated_goal"] == "first"
        self._cancelled_reaches = switches["cancelled_goal"] == "reached"
        self._other_is_created = switches["first_other"] == "created"
        self._since: datetime | None = None
        self._finder = VisitFinder(counter)
        self._events: list[tuple[Any, ...]] = []
        self._reaches: dict[_ReachKey, tuple[Decimal | None, str]] = {}

    def apply(self, rows: Sequence[tuple[int, R]]) -> None:
        """Applies `rows` in their order and writes the result: a handful of statements, whatever the number of rows."""
        orders = self._load([order.id for _line, order in rows if order.id])
        states: list[OrderState] = []
        for _line, row in rows:
            state = orders.get(row.id) if row.id else None
            if state is None:
                state = OrderState.new(row)
                if row.id:
                    orders[row.id] = state
            states.append(state)
        keys_of_rows: list[frozenset[str]] = self._prepare(rows)
        self._finder.load({key for keys in (*keys_of_rows, *(state.keys for state in states)) for key in keys})
        for (line, row), state, keys in zip(rows, states, keys_of_rows, strict=True):
            changed = self._merge(state, row, keys)
            notes = self._notes_of(state)
            if (row.create_date_time, is_date_only(row)) != (state.create_date_time, state.date_only):
                notes.append(Note.CREATED_KEPT)
            meaning = self._take_status(state)
            if not meaning.known:
                notes.append(Note.UNKNOWN_STATUS)
            notes += self._bind(state, changed=changed)
            self._reach(line=line, state=state, meaning=meaning, notes=notes)
        self._write({state.id: state for state in states}.values())

    @abstractmethod
    def _prepare(self, rows: Sequence[tuple[int, R]]) -> list[frozenset[str]]:
        """The identifiers by which each row can find a visit."""

    @abstractmethod
    def _merge(self, state: OrderState, row: R, keys: frozenset[str]) -> bool:
        """Whether the order's identifiers are others now."""

    def _notes_of(self, state: OrderState) -> list[Note]:
        return []

    def _bind(self, state: OrderState, *, changed: bool) -> list[Note]:
        return bind(state=state, changed=changed, finder=self._finder, now=self._now, since=self._since)

    def _take_status(self, state: OrderState) -> Meaning:
        meaning = self._statuses.meaning(state.order_status)
        state.type, state.unknown_status = meaning.type.value, not meaning.known
        state.updated_at = self._now
        if meaning.type is OrderType.PAID and state.first_paid_at is None:
            state.first_paid_at = self._now
        return meaning

    def _reach(self, *, line: int, state: OrderState, meaning: Meaning, notes: list[Note]) -> None:
        """Lets the state reach its goals in its visit, and leaves the row's event."""
        reached: list[GoalReach] = []
        if state.visit is not None and Note.UPDATE_CLOSED not in notes:
            reached, ignored = self._reached(state, meaning)
            if ignored:
                notes.append(Note.UNKNOWN_GOAL)
            for reach in reached:
                self._reaches[(state.id, state.visit, reach.goal)] = self._income(state, reach)
        state.is_new = False
        self._events.append(
            (
                state.id,
                self._uploading.pk,
                line,
                state.order_status,
                state.type,
                state.revenue,
                state.cost,
                state.currency,
                state.goals,
                state.products,
                state.visit,
                [(reach.goal, None if reach.income is None else str(reach.income)) for reach in reached],
                ",".join(notes),
            )
        )

    def _reached(self, state: OrderState, meaning: Meaning) -> tuple[list[GoalReach], bool]:
        """Goals that the state reaches, and whether some were left out because the counter does not have them."""
        goals = reached_goals(
            order_type=meaning.type,
            goal_action_ids=meaning.goal_action_ids,
            extra_goals=state.extra_goals,
            revenue=state.revenue,
            cost=state.cost,
        )
        if not self._cancelled_reaches:
            goals = [reach for reach in goals if reach.goal not in (SystemGoal.CANCELLED, SystemGoal.SPAM)]
        if self._other_is_created and state.is_new and meaning.known and meaning.type is OrderType.OTHER:
            income = goal_income(price=None, revenue=state.revenue, cost=state.cost)
            goals.insert(0, GoalReach(SystemGoal.CREATED.value, income, True))
        if self._count_unknown_goals:
            return goals, False
        counted = [
            reach if reach.system else GoalReach(own, reach.income, False)
            for reach in goals
            if (own := reach.goal if reach.system else self._statuses.goal(reach.goal))
        ]
        return counted, len(counted) < len(goals)

    def _income(self, state: OrderState, reach: GoalReach) -> tuple[Decimal | None, str]:
        assert state.visit is not None
        earlier = self._reaches.get((state.id, state.visit, reach.goal))
        if earlier is not None and self._first_income_stays:
            return earlier
        return reach.income, state.currency or DEFAULT_CURRENCY

    def _load(self, ids: Sequence[str]) -> dict[str, OrderState]:
        """Stored orders with these ids, by id."""
        orders: dict[str, OrderState] = {}
        keys = [order_key(counter_id=self._counter.pk, order_id=order_id) for order_id in ids]
        for start in range(0, len(keys), _IDS_PER_QUERY):
            stored = SandboxOrder.objects.filter(key__in=keys[start : start + _IDS_PER_QUERY]).values_list(
                *STATE_VALUES
            )
            for values in stored.iterator():
                state = loaded_state(values)
                assert state.order_id is not None
                orders[state.order_id] = state
        return orders

    def _write(self, states: Iterable[OrderState]) -> None:
        counter_id = self._counter.pk
        write_rows(
            model=SandboxOrder,
            columns=FROZEN_COLUMNS + CHANGING_COLUMNS,
            rows=(state.row(counter_id) for state in states),
            conflict=("id",),
            update=CHANGING_COLUMNS,
        )
        write_rows(model=SandboxOrderEvent, columns=_EVENT_COLUMNS, rows=self._events)
        income: tuple[str, ...] = () if self._first_income_stays else ("income", "currency")
        write_rows(
            model=SandboxReach,
            columns=_REACH_COLUMNS,
            rows=(
                (counter_id, visit, order, goal, income_currency[0], income_currency[1], self._now, self._now)
                for (order, visit, goal), income_currency in self._reaches.items()
            ),
            conflict=("order", "visit", "goal"),
            update=(*income, "repeated_at"),
        )
        self._events.clear()
        self._reaches.clear()


STATE_VALUES = (*_STATE_COLUMNS, "visit__started_at")
"""What `loaded_state` takes from a query of orders."""


def loaded_state(values: Sequence[Any]) -> OrderState:
    state = OrderState(**dict(zip((*_STATE_COLUMNS, "visit_started_at"), values, strict=True)))
    state.keys = state.own_keys()
    return state


class SimpleApplier(Applier[SimpleOrder]):
    """Rows of the simple format: each carries its identifiers itself."""

    def _prepare(self, rows: Sequence[tuple[int, SimpleOrder]]) -> list[frozenset[str]]:
        return [row_keys(row) for _line, row in rows]

    def _merge(self, state: OrderState, row: SimpleOrder, keys: frozenset[str]) -> bool:
        state.update_date_time = self._now
        return state.merge(row, self._mode, keys)
