"""What a login's day looks like, and when its calls count as short."""

from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest

from apps.counters import services
from apps.counters.kept_back import NoPlace
from apps.counters.models import ApiCall, MetricaAccount, QuotaState
from apps.counters.quotas import limits, standing
from apps.counters.quotas.gates import Wish, count
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.places import reserve
from apps.counters.quotas.sharing import caller_of, login_key
from apps.counters.quotas.stores import DatabaseStore
from tests.factories import make_account, make_agency

pytestmark = pytest.mark.django_db

METRICA = "https://api-metrika.yandex.net"
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def spend(account: MetricaAccount, calls: int, at: datetime, kind: Kind = Kind.CDP_WRITE) -> None:
    def work(states: dict[str, Any], now: float) -> None:
        for _number in range(calls):
            count(states[key], Wish("", account.agency_id, kind), now)

    key = login_key(caller_of(account))
    DatabaseStore().change([key], work, seeds=lambda keys: {key: {} for key in keys}, now=at.timestamp())


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
        ApiCall.objects.create(agency=account.agency, account=account, method="POST", url=METRICA + url)
    ApiCall.objects.create(
        agency=account.agency,
        account=account,
        method="POST",
        url=f"{METRICA}/cdp/api/v1/counter/1/data/simple_orders",
        started_at=datetime.now(UTC) - timedelta(days=1),
    )
    assert standing(account).used == 2
    assert not QuotaState.objects.exists()


def called(
    account: MetricaAccount,
    calls: int,
    *,
    finished: bool = True,
    at: str = METRICA,
    path: str = "/cdp/api/v1/counter/1/data/simple_orders",
) -> None:
    """What the ledger has of calls that just left."""
    now = datetime.now(UTC)
    ApiCall.objects.bulk_create(
        ApiCall(
            agency=account.agency,
            account=account,
            method="POST",
            url=at + path,
            finished_at=now if finished else None,
        )
        for _number in range(calls)
    )


class TestTheLedgerOfToday:
    """Where the store does not know the login: it was emptied, or nobody has called yet."""

    def test_counts_calls_of_accounts_that_were_disconnected_since(self) -> None:
        gone, account = make_account(), make_account()
        called(gone, 3)
        MetricaAccount.objects.filter(pk=account.pk).update(confirmed_login=gone.login)
        services.disconnect_account(account=gone, reason="x", forget_token=True)
        account.refresh_from_db()
        assert standing(account).used == 3

    def test_leaves_out_what_went_to_a_rehearsal(self) -> None:
        account = make_account()
        called(account, 3, at="http://127.0.0.1:8000/sandbox")
        assert standing(account).used == 0

    def test_knows_the_reports_of_the_last_five_minutes(self, kept_in: str, settings: Any) -> None:
        settings.METRICA_REPORTS_PER_5_MINUTES = 3
        account = services.connect_account(agency=make_agency(), login=token_hex(4), token="a")
        called(account, 3, path="/stat/v1/data?ids=1")
        now = datetime.now(UTC).timestamp()
        with pytest.raises(NoPlace) as caught:
            reserve(caller=caller_of(account), call=Call(Kind.REPORT), seconds=60, now=now)
        assert caught.value.code == "quota_reports"
        reserve(caller=caller_of(account), call=Call(Kind.REPORT), seconds=60, now=now + 320)

    def test_keeps_the_places_of_calls_that_may_still_run(self, kept_in: str) -> None:
        """A Redis that lost everything: what had begun before is still under way."""
        account = services.connect_account(agency=make_agency(), login=token_hex(4), token="a")
        called(account, 2, finished=False)
        called(account, 3)
        caller, call = caller_of(account), Call(Kind.READ)
        place = reserve(caller=caller, call=call, seconds=60)
        with pytest.raises(NoPlace) as caught:
            reserve(caller=caller, call=call, seconds=60, wait=0.0)
        assert caught.value.code == "quota_place_login"
        place.release()
        later = datetime.now(UTC).timestamp() + limits.GIVEN_UP + 1
        for _number in range(3):
            reserve(caller=caller, call=call, seconds=60, wait=0.0, now=later)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.django_db(transaction=True)
def test_a_login_that_is_learnt_late_has_made_the_calls_of_before(kept_in: str, known: bool) -> None:
    """`known`: somebody else has called by it already."""
    agency, login = make_agency(), token_hex(4)
    other = services.connect_account(agency=make_agency(), login=login, token="a")
    account = services.connect_account(agency=agency, login=token_hex(4), token="b")
    if known:
        reserve(caller=caller_of(other), call=Call(Kind.CDP_WRITE), seconds=60).release()
    called(account, 5)
    consent = services.Consent("", (), login)
    for token in ("c", "d"):
        services.connect_account(agency=agency, login=account.login, token=token, consent=consent)
    assert standing(other).used == 5 + known
