"""What another mapping would have done: the same orders, once under the present mapping and once under a draft.

Knows nothing of orders but the ways they went; whoever has them gives those (see apps.orders.replay). The reading of
the rules is apps.metrica.rules', as everywhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from apps.goals.resolve import Resolver
from apps.metrica.rules import GoalPrice, reached_goals
from apps.metrica.vocabulary import SystemGoal

_SYSTEM_FIRST = {goal.value: number for number, goal in enumerate(SystemGoal)}


class OwnGoal(NamedTuple):
    """A goal that orders name themselves, and whether they give it a price of its own."""

    identifier: str
    priced: bool


class Step(NamedTuple):
    """One status on the way. Amounts are those of all orders of the path together.

    `income`: what a goal without a price of its own earns here (rules.goal_income), None where none of them has any.
    `goals`: those that the orders name themselves, with their `prices`.
    """

    order_status: str
    currency: str
    income: Decimal | None
    goals: list[OwnGoal]
    prices: list[Decimal | None]


@dataclass(frozen=True, slots=True)
class Path:
    """`orders` many that went the same way, step by step."""

    steps: Sequence[Step]
    orders: int


@dataclass(slots=True)
class Side:
    """What one mapping brings a goal. `income`: by currency."""

    reaches: int = 0
    income: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


@dataclass(slots=True)
class Effect:
    """One goal under both mappings. `goal`: a SystemGoal value or a JavaScript goal's identifier."""

    goal: str
    system: bool
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)

    @property
    def gained(self) -> int:
        """Reaches; below zero what is lost."""
        return self.after.reaches - self.before.reaches

    @property
    def differs(self) -> bool:
        return self.gained != 0 or any(income[1] != income[2] for income in self.incomes)

    @property
    def incomes(self) -> list[tuple[str, Decimal, Decimal, Decimal]]:
        """(currency, before, after, gained), zero where there was none."""
        one, other = self.before.income, self.after.income
        zero = Decimal()
        return [
            (
                currency,
                one.get(currency, zero),
                other.get(currency, zero),
                other.get(currency, zero) - one.get(currency, zero),
            )
            for currency in sorted({*one, *other})
        ]


@dataclass(slots=True)
class Simulation:
    """`held`: orders with a status that says nothing under the mapping, by that status: (before, after)."""

    orders: int = 0
    effects: list[Effect] = field(default_factory=list)
    held: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        return any(effect.differs for effect in self.effects) or any(one != other for one, other in self.held.values())


def simulate(paths: Iterable[Path], *, present: Resolver, draft: Resolver) -> Simulation:
    """Per goal: reaches and income under both mappings, as if every status had been delivered.

    A goal once reached stays reached, so an order reaches each goal once; its income is that of the last status that
    reached it. A status that a mapping cannot say reaches nothing.
    """
    found: dict[str, Effect] = {}
    held: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    orders = 0
    readers = [_Reader(present), _Reader(draft)]
    for path in paths:
        orders += path.orders
        for number, reader in enumerate(readers):
            last, unknown = reader.read(path)
            for status in unknown:
                held[status][number] += path.orders
            for (goal, system), (income, currency) in last.items():
                effect = found.get(goal)
                if effect is None:
                    effect = found[goal] = Effect(goal, system)
                side = effect.after if number else effect.before
                side.reaches += path.orders
                if income is not None:
                    side.income[currency] += income
    effects = sorted(
        found.values(),
        key=lambda one: (_SYSTEM_FIRST.get(one.goal, 9), -max(one.before.reaches, one.after.reaches), one.goal),
    )
    return Simulation(orders, effects, {status: (one, other) for status, (one, other) in sorted(held.items())})


_Last = dict[tuple[str, bool], tuple[Decimal | None, str]]
"""(goal, whether it is a system goal): its income at the last status that reached it, and the currency."""


class _Reader:
    """Paths by one mapping; what a status with the same own goals reaches is worked out once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[tuple[str, tuple[OwnGoal, ...]], list[tuple[tuple[str, bool], int | None]] | None] = {}

    def read(self, path: Path) -> tuple[_Last, set[str]]:
        """Each goal that the path reaches, and the statuses that say nothing."""
        last: _Last = {}
        unknown: set[str] = set()
        for step in path.steps:
            reached = self._reached(step.order_status, tuple(step.goals))
            if reached is None:
                unknown.add(step.order_status)
                continue
            for goal, priced_at in reached:
                last[goal] = (step.income if priced_at is None else step.prices[priced_at], step.currency)
        return last, unknown

    def _reached(
        self, order_status: str, goals: tuple[OwnGoal, ...]
    ) -> list[tuple[tuple[str, bool], int | None]] | None:
        """Each goal, and at which place of `goals` its price stands if it has one. None for an unknown status."""
        key = order_status, goals
        if key not in self._known:
            self._known[key] = self._work_out(order_status, goals)
        return self._known[key]

    def _work_out(
        self, order_status: str, goals: tuple[OwnGoal, ...]
    ) -> list[tuple[tuple[str, bool], int | None]] | None:
        meaning = self._resolver.meaning(order_status)
        if meaning is None:
            return None
        # The place stands in for the price, so that the rules themselves say whose price counts.
        own = [GoalPrice(goal.identifier, Decimal(n) if goal.priced else None) for n, goal in enumerate(goals)]
        reached = reached_goals(
            order_type=meaning.type, goal_action_ids=meaning.goal_action_ids, extra_goals=own, revenue=None, cost=None
        )
        return [((reach.goal, reach.system), None if reach.income is None else int(reach.income)) for reach in reached]
