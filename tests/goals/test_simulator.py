"""Another mapping on the same orders: what each goal would gain or lose."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.counters.models import Counter, Mode
from apps.goals.models import StatusMapping
from apps.goals.resolve import Resolver
from apps.goals.simulator import Effect, OwnGoal, Path, Simulation, Step, simulate
from apps.metrica.rules import GoalPrice, reached_goals


def mapped(**statuses: tuple[str, list[str]]) -> Resolver:
    rows = [
        StatusMapping(counter=Counter(), crm_status=name, type=type, goal_action_ids=goals)
        for name, (type, goals) in statuses.items()
    ]
    return Resolver(mode=Mode.SIMPLE, mappings=rows, goal_ids=frozenset())


def step(status: str, income: int | None = None, *goals: tuple[str, int | None], currency: str = "RUB") -> Step:
    return Step(
        status,
        currency,
        None if income is None else Decimal(income),
        [OwnGoal(goal, price is not None) for goal, price in goals],
        [None if price is None else Decimal(price) for _goal, price in goals],
    )


def seen(simulation: Simulation) -> dict[str, tuple[int, int, dict[str, Decimal], dict[str, Decimal]]]:
    return {
        effect.goal: (
            effect.before.reaches,
            effect.after.reaches,
            dict(effect.before.income),
            dict(effect.after.income),
        )
        for effect in simulation.effects
    }


def test_a_status_that_becomes_a_payment_brings_the_payments_goals():
    paths = [Path([step("new", 100), step("deal", 900)], 10), Path([step("new", 50)], 5)]
    done = simulate(
        paths,
        present=mapped(new=("IN_PROGRESS", []), deal=("OTHER", ["deal"])),
        draft=mapped(new=("IN_PROGRESS", []), deal=("PAID", [])),
    )
    assert done.orders == 15
    assert seen(done) == {
        # Created is reached again by the payment, and its income is the last one's.
        "cdp_order_in_progress": (15, 15, {"RUB": Decimal(150)}, {"RUB": Decimal(950)}),
        "cdp_order_paid": (0, 10, {}, {"RUB": Decimal(900)}),
        "deal": (10, 0, {"RUB": Decimal(900)}, {}),
    }
    assert [effect.gained for effect in done.effects] == [0, 10, -10]
    assert done.differs


def test_the_same_mapping_changes_nothing():
    known = mapped(new=("IN_PROGRESS", ["lead"]))
    done = simulate([Path([step("new", 100)], 3)], present=known, draft=known)
    assert not done.differs
    assert not any(effect.differs for effect in done.effects)


def test_a_goal_is_reached_once_by_an_order_and_stays_reached():
    known = mapped(a=("OTHER", ["all"]), b=("OTHER", ["all"]), lost=("CANCELLED", []))
    path = Path([step("a", 10), step("b", 20), step("lost", 20), step("a", 30)], 2)
    done = simulate([path], present=known, draft=mapped(lost=("CANCELLED", [])))
    assert seen(done)["all"] == (2, 0, {"RUB": Decimal(30)}, {})
    assert done.held == {"a": (0, 2), "b": (0, 2)}


def test_a_price_that_the_order_gives_wins_and_a_goal_of_its_own_needs_no_mapping():
    path = Path([step("won", 900, ("extra", 70), ("bare", None))], 1)
    done = simulate([path], present=mapped(won=("PAID", [])), draft=mapped(won=("PAID", ["extra"])))
    assert seen(done)["extra"] == (1, 1, {"RUB": Decimal(70)}, {"RUB": Decimal(70)})
    assert seen(done)["bare"] == (1, 1, {"RUB": Decimal(900)}, {"RUB": Decimal(900)})
    assert not done.differs


def test_currencies_are_not_added_up():
    paths = [Path([step("won", 900)], 1), Path([step("won", 5, currency="USD")], 1)]
    done = simulate(paths, present=mapped(), draft=mapped(won=("SPAM", [])))
    (spam,) = done.effects
    assert spam.incomes == [("RUB", 0, 900, 900), ("USD", 0, 5, 5)]


def test_a_goal_without_income_is_still_a_goal():
    done = simulate([Path([step("won")], 4)], present=mapped(), draft=mapped(won=("SPAM", [])))
    assert seen(done) == {"cdp_order_spam": (0, 4, {}, {})}
    assert done.effects[0].incomes == []


def test_metricas_own_goals_come_first_then_the_most_reached():
    known = mapped(a=("PAID", ["zz"]), b=("OTHER", ["aa"]))
    done = simulate([Path([step("a")], 2), Path([step("b")], 1)], present=known, draft=known)
    assert [effect.goal for effect in done.effects] == ["cdp_order_in_progress", "cdp_order_paid", "zz", "aa"]


STATUSES = ["new", "won", "lost", "meet", "odd"]
KNOWN = mapped(new=("IN_PROGRESS", []), won=("PAID", ["a"]), lost=("CANCELLED", ["a", "b"]), meet=("OTHER", ["b"]))
ORDERS = st.lists(
    st.tuples(
        st.sampled_from(STATUSES),
        st.none() | st.integers(0, 99),
        st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 9)), max_size=2),
    ),
    max_size=5,
)


@given(st.lists(ORDERS, max_size=6))
def test_a_path_brings_what_its_orders_bring_one_by_one(orders):
    """Against the plainest reading: each order by itself, each status by the rules."""
    incomes: dict[str, dict[int, Decimal | None]] = {}
    for number, order in enumerate(orders):
        for status, revenue, own in order:
            meaning = KNOWN.meaning(status)
            if meaning is None:
                continue
            for reach in reached_goals(
                order_type=meaning.type,
                goal_action_ids=meaning.goal_action_ids,
                extra_goals=[GoalPrice(goal, None if price is None else Decimal(price)) for goal, price in own],
                revenue=None if revenue is None else Decimal(revenue),
                cost=None,
            ):
                incomes.setdefault(reach.goal, {})[number] = reach.income
    done = simulate(
        [Path([step(status, revenue, *own) for status, revenue, own in order], 1) for order in orders],
        present=KNOWN,
        draft=KNOWN,
    )
    assert {effect.goal: effect.before.reaches for effect in done.effects} == {
        goal: len(by_order) for goal, by_order in incomes.items()
    }
    for effect in done.effects:
        known = [income for income in incomes[effect.goal].values() if income is not None]
        assert sum(effect.before.income.values(), Decimal()) == sum(known, Decimal())


def test_an_effect_differs_by_its_income_too():
    effect = Effect("x", False)
    effect.before.reaches = effect.after.reaches = 1
    assert not effect.differs
    effect.after.income["RUB"] += 1
    assert effect.differs
