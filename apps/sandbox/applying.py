"""Applies checked rows to the counter's orders, in chunks: merge, type, visit, goals reached."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.metrica.rules import GoalReach, reached_goals
from apps.metrica.vocabulary import DEFAULT_CURRENCY, MergeMode, OrderType
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
from apps.sandbox.spill import Row
from apps.sandbox.state import CHANGING_COLUMNS, FROZEN_COLUMNS, OrderState, row_keys
from apps.sandbox.statuses import StatusReader

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
    "visit",
    "reached",
    "notes",
)
_REACH_COLUMNS = ("counter", "visit", "order", "goal", "income", "currency", "reached_at", "repeated_at")
_ReachKey = tuple[UUID, int, str]  # order, visit, goal


class Applier:
    """Applies the rows of one upload. Call it inside the upload's transaction."""

    def __init__(
        self,
        *,
        counter: SandboxCounter,
        uploading: SandboxUploading,
        mode: MergeMode,
        statuses: StatusReader,
        switches: dict[str, str],
    ) -> None:
        self._counter = counter
        self._uploading = uploading
        self._now: datetime = uploading.received_at
        self._mode = mode
        self._statuses = statuses
        self._count_unknown_goals = switches["unknown_goal"] == "count"
        self._first_income_stays = switches["repeated_goal"] == "first"
        self._finder = VisitFinder(counter)
        self._events: list[tuple[Any, ...]] = []
        self._reaches: dict[_ReachKey, tuple[Decimal | None, str]] = {}

    def apply(self, rows: Sequence[Row]) -> None:
        """Applies `rows` in their order and writes the result: a handful of statements, whatever the number of rows."""
        orders = self._load([order.id for _line, order in rows if order.id])
        keys = {key for state in orders.values() for key in state.keys}
        states: list[OrderState] = []
        keys_of_rows: list[frozenset[str]] = []
        for _line, row in rows:
            state = orders.get(row.id) if row.id else None
            if state is None:
                state = OrderState.new(row)
                if row.id:
                    orders[row.id] = state
            states.append(state)
            own = row_keys(row)
            keys_of_rows.append(own)
            keys |= own
        self._finder.load(keys)
        for (line, row), state, own in zip(rows, states, keys_of_rows, strict=True):
            self._apply_row(line=line, row=row, state=state, keys=own)
        self._write({state.id: state for state in states})

    def _apply_row(self, *, line: int, row: SimpleOrder, state: OrderState, keys: frozenset[str]) -> None:
        notes: list[Note] = []
        before = state.keys
        state.merge(row, self._mode, keys)
        if (row.create_date_time, row.date_only) != (state.create_date_time, state.date_only):
            notes.append(Note.CREATED_KEPT)
        meaning = self._statuses.meaning(state.order_status)
        state.type, state.unknown_status = meaning.type.value, not meaning.known
        state.updated_at = self._now
        if not meaning.known:
            notes.append(Note.UNKNOWN_STATUS)
        notes += bind(state=state, before=before, finder=self._finder, now=self._now)
        reached: list[GoalReach] = []
        if state.visit is not None and Note.UPDATE_CLOSED not in notes:
            reached, ignored = self._reached(state, meaning.type, meaning.goal_action_ids)
            if ignored:
                notes.append(Note.UNKNOWN_GOAL)
            for reach in reached:
                self._reaches[(state.id, state.visit, reach.goal)] = self._income(state, reach)
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
                state.visit,
                [(reach.goal, None if reach.income is None else str(reach.income)) for reach in reached],
                ",".join(notes),
            )
        )

    def _reached(
        self, state: OrderState, order_type: OrderType, goal_action_ids: Sequence[str]
    ) -> tuple[list[GoalReach], bool]:
        """Goals that the state reaches, and whether some were left out because the counter does not have them."""
        goals = reached_goals(
            order_type=order_type,
            goal_action_ids=goal_action_ids,
            extra_goals=state.extra_goals,
            revenue=state.revenue,
            cost=state.cost,
        )
        if self._count_unknown_goals:
            return goals, False
        counted = [reach for reach in goals if reach.system or reach.goal in self._statuses.goals]
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
        names = [name for name in FROZEN_COLUMNS + CHANGING_COLUMNS if name not in ("counter", "key")]
        keys = [order_key(counter_id=self._counter.pk, order_id=order_id) for order_id in ids]
        for start in range(0, len(keys), _IDS_PER_QUERY):
            stored = SandboxOrder.objects.filter(key__in=keys[start : start + _IDS_PER_QUERY]).values_list(
                *names, "visit__started_at"
            )
            for values in stored.iterator():
                state = OrderState(**dict(zip((*names, "visit_started_at"), values, strict=True)))
                state.keys = state.own_keys()
                assert state.order_id is not None
                orders[state.order_id] = state
        return orders

    def _write(self, states: dict[UUID, OrderState]) -> None:
        counter_id = self._counter.pk
        write_rows(
            model=SandboxOrder,
            columns=FROZEN_COLUMNS + CHANGING_COLUMNS,
            rows=(state.row(counter_id) for state in states.values()),
            conflict=("id",),
            update=CHANGING_COLUMNS,
        )
        write_rows(model=SandboxOrderEvent, columns=_EVENT_COLUMNS, rows=self._events)
        income = () if self._first_income_stays else ("income", "currency")
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
