"""The whole loop over real HTTP: orders pushed, uploaded and bound by the sandbox, then read back from its reports."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.dashboard.comparison import running
from apps.dashboard.comparison.totals import Totals, totals
from apps.dashboard.models import Comparison, DayFigures
from apps.goals.services import set_status
from apps.sandbox import services as sandbox
from apps.uploads.models import JobState
from tests.uploads.conftest import Shop, make_shop, quick

__all__ = ["make_shop", "quick"]

pytestmark = pytest.mark.django_db(transaction=True)

STATUSES = (
    ("new", "IN_PROGRESS", []),
    ("lead", "OTHER", ["a1"]),
    ("won", "PAID", ["a2"]),
    ("lost", "CANCELLED", []),
    ("junk", "SPAM", []),
)
PATHS = (
    ("new",),
    ("new", "lead", "won"),
    ("new", "lost"),
    ("junk",),
    ("lead",),
    ("won", "lost", "won"),
)


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    shop = make_shop()
    for status, kind, goals in STATUSES:
        set_status(counter=shop.counter, crm_status=status, type=kind, goal_action_ids=goals)
    sandbox.set_switch(name="report_delay", value="none")
    return shop


def client_id(number: int) -> str:
    return f"17000000001234567{number:02d}"


def push(shop: Shop, number: int, *statuses: str, **more: Any) -> None:
    shop.push(f"D-{number}", *statuses, client_ids=[client_id(number)], **more)


def visit(shop: Shop, number: int, *, before: timedelta = timedelta(hours=5)) -> None:
    sandbox.add_visit(counter=shop.site, started_at=shop.began - before, client_id=client_id(number))


def compare(shop: Shop) -> tuple[Comparison, Totals]:
    running.request(counter=shop.counter)
    running.run(shop.counter.pk)
    state = Comparison.objects.get(pk=shop.counter.pk)
    last = timezone.now().astimezone(shop.counter.zone).date()
    first = last - timedelta(days=27)
    return state, totals(DayFigures.objects.of(shop.counter, first=first, last=last), first=first, last=last)


def test_where_all_is_matched_both_sides_are_equal(shop: Shop) -> None:
    for number, path in enumerate(PATHS):
        visit(shop, number, before=timedelta(hours=5 * (number + 1)))
        push(shop, number, *path, revenue=str(1000 + number), cost="300")
    assert shop.upload().state == JobState.SUCCEEDED
    state, whole = compare(shop)
    assert (state.error_code, state.facts["missing_goals"]) == ("", [])
    assert whole.matched == state.matched == 1.0
    for pair in [*whole.pairs, *whole.goals]:
        assert pair.difference == 0, pair
    assert {str(pair.name): pair.ours for pair in whole.goals} == {
        "cdp_order_in_progress": 4,
        "cdp_order_paid": 2,
        "cdp_order_cancelled": 2,
        "cdp_order_spam": 1,
        "a1": 2,
        "a2": 2,
    }
    assert [pair.ours for pair in whole.pairs] == [5, 1, 2, 1, 1, 1, 2006, 1406]


def test_an_order_without_a_visit_lowers_the_share(shop: Shop) -> None:
    for number in range(4):
        push(shop, number, "new")
        if number:
            visit(shop, number)
    shop.upload()
    state, whole = compare(shop)
    assert state.matched == 3 / 4
    assert [(pair.ours, pair.metrica) for pair in whole.pairs][:2] == [(4, 3), (4, 3)]


def test_until_metrica_shows_an_order_the_numbers_say_that_it_is_fresh(shop: Shop) -> None:
    sandbox.set_switch(name="report_delay", value="two_hours")
    visit(shop, 1)
    push(shop, 1, "new")
    shop.upload()
    state, whole = compare(shop)
    assert (state.matched, whole.ours.fresh) == (0.0, 1)
    sandbox.set_switch(name="report_delay", value="none")
    assert compare(shop)[0].matched == 1.0


def test_an_order_moves_on_and_both_sides_follow(shop: Shop) -> None:
    visit(shop, 1)
    push(shop, 1, "new", revenue="500")
    shop.upload()
    assert [pair.metrica for pair in compare(shop)[1].pairs] == [1, 1, 0, 0, 0, 0, 0, 0]
    push(shop, 1, "won", at=1, revenue="500")
    shop.upload()
    whole = compare(shop)[1]
    assert [pair.metrica for pair in whole.pairs] == [1, 0, 1, 0, 0, 0, 500, 500]
    assert all(pair.difference == 0 for pair in [*whole.pairs, *whole.goals])
