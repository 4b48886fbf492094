"""What a login's day looks like, and when its calls count as short."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.counters.models import ApiCall, MetricaAccount, QuotaState
from apps.counters.quotas import standing
from apps.counters.quotas.gates import Wish, count
from apps.counters.quotas.kinds import Kind
from apps.counters.quotas.sharing import caller_of, login_key
from apps.counters.quotas.stores import DatabaseStore
from tests.factories import make_account

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def spend(account: MetricaAccount, calls: int, at: datetime, kind: Kind = Kind.CDP_WRITE) -> None:
    def work(states: dict[str, Any], now: float) -> None:
        for _number in range(calls):
            count(states[key], Wish("", account.agency_id, kind), now)

    key = login_key(caller_of(account))
    DatabaseStore().change([key], work, seed=lambda key: {}, now=at.timestamp())


def test_a_fresh_day_has_everything_left() -> None:
    told = standing(make_account(), now=NOON)
    assert (told.limit, told.used, told.left, told.forecast, told.short) == (5000, 0, 5000, 0, False)
    assert told.resets_at == datetime(2026, 11, 27, tzinfo=UTC)


def test_half_a_day_foretells_the_other_half() -> None:
    account = make_account()
    spend(account, 2000, NOON - timedelta(hours=1))
    told = standing(account, now=NOON)
    assert (told.used, told.left, told.forecast, told.short) == (2000, 3000, 4000, False)
    spend(account, 600, NOON)
    assert (standing(account, now=NOON).forecast, standing(account, now=NOON).short) == (5200, True)


def test_a_burst_after_midnight_is_no_pace() -> None:
    account, early = make_account(), NOON.replace(hour=0, minute=10)
    spend(account, 300, early)
    assert not standing(account, now=early).short


def test_yesterdays_curve_tells_that_the_evening_is_quiet() -> None:
    """All of yesterday's calls were in its morning: today's morning is the whole day as well."""
    account = make_account()
    spend(account, 4000, NOON - timedelta(days=1, hours=3))
    spend(account, 4000, NOON - timedelta(hours=3))
    told = standing(account, now=NOON)
    assert (told.used, told.forecast, told.short) == (4000, 4000, False)


def test_little_left_is_short_whatever_the_hour() -> None:
    account, late = make_account(), NOON.replace(hour=23, minute=50)
    spend(account, 4600, NOON)
    told = standing(account, now=late)
    assert (told.left, told.short) == (400, True)


def test_reports_and_readings_do_not_use_up_the_day_of_uploads() -> None:
    account = make_account()
    spend(account, 300, NOON, Kind.REPORT)
    spend(account, 200, NOON, Kind.WRITE)
    spend(account, 100, NOON, Kind.CDP_READ)
    assert standing(account, now=NOON).used == 300, "200 written and 100 that may count as such"


def test_what_the_ledger_says_of_today_counts_where_nobody_has_counted(settings: Any) -> None:
    account = make_account()
    for url in ("/cdp/api/v1/counter/1/data/simple_orders", "/management/v1/counter/1/goals", "/stat/v1/data?ids=1"):
        ApiCall.objects.create(agency=account.agency, account=account, method="POST", url=f"https://x{url}")
    ApiCall.objects.create(
        agency=account.agency,
        account=account,
        method="POST",
        url="https://x/cdp/api/v1/counter/1/data/simple_orders",
        started_at=datetime.now(UTC) - timedelta(days=1),
    )
    assert standing(account).used == 2
    assert not QuotaState.objects.exists()
