"""Who does not answer is asked less and less, by one call at a time, and people are told once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters import breaker, tasks
from apps.counters.breaker import IN_A_ROW, OpenBreaker, Passage, open_breakers
from apps.counters.events import metrica_reachable, metrica_unreachable
from apps.counters.kept_back import NotAnswering
from apps.counters.leave import Bounds, ask
from apps.counters.models import Breaker, MetricaAccount
from apps.counters.quotas.kinds import Call, Kind
from apps.counters.quotas.sharing import caller_of
from apps.metrica.client import Exchange
from apps.sandbox import services as sandbox
from tests.factories import make_account, make_agency

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "metrica.example"
START = datetime(2026, 11, 26, 14, 3, tzinfo=UTC)


@pytest.fixture
def account() -> MetricaAccount:
    return make_account(make_agency(), base_url=f"https://{HOST}")


@pytest.fixture
def other() -> MetricaAccount:
    return make_account(make_agency(), base_url=f"https://{HOST}")


@pytest.fixture
def told() -> Iterator[list[tuple[str, Any]]]:
    """What was signalled: (word, account)."""
    heard: list[tuple[str, Any]] = []

    def down(**said: Any) -> None:
        heard.append(("down", said["account"]))

    def up(**said: Any) -> None:
        assert said["host"] == HOST and said["since"].tzinfo is not None
        heard.append(("up", said["account"]))

    metrica_unreachable.connect(down)
    metrica_reachable.connect(up)
    yield heard
    metrica_unreachable.disconnect(down)
    metrica_reachable.disconnect(up)


def way(account: MetricaAccount, at: float = 0.0) -> Passage:
    """`at`: seconds after the start."""
    return breaker.passage(host=HOST, account=account, seconds=30, now=START + timedelta(seconds=at))


def call(account: MetricaAccount, at: float = 0.0, *, code: str = "backend_error", answered: bool = False) -> None:
    way(account, at).ended(code=code, answered=answered, now=START + timedelta(seconds=at))


def trip(account: MetricaAccount, *, code: str = "backend_error") -> OpenBreaker:
    for number in range(IN_A_ROW):
        call(account, number, code=code)
    [found] = open_breakers()
    return found


def until(account: MetricaAccount, at: float) -> datetime:
    with pytest.raises(NotAnswering) as caught:
        way(account, at)
    assert caught.value.code == "metrica_unreachable"
    return caught.value.until


def test_several_in_a_row_without_an_answer_open_it(account: MetricaAccount, told: list[Any]) -> None:
    for number in range(IN_A_ROW - 1):
        call(account, number, code="unknown_outcome")
    assert open_breakers() == []
    call(account, 4, code="no_answer")
    [found] = open_breakers()
    assert (found.host, found.account_id, found.since, found.code) == (HOST, account.pk, START, "no_answer")
    assert until(account, 5) == found.retry_at > START + timedelta(seconds=5)
    assert told == [("down", account)]


def test_an_answer_in_between_begins_the_count_anew(account: MetricaAccount) -> None:
    for number in range(3 * IN_A_ROW):
        call(account, number, answered=number % IN_A_ROW == IN_A_ROW - 1)
    assert open_breakers() == []


@pytest.mark.parametrize("code", ["invalid_uploading", "access_denied", "quota_requests_by_uid"])
def test_a_refusal_is_an_answer(account: MetricaAccount, code: str) -> None:
    for number in range(2 * IN_A_ROW):
        call(account, number, code=code, answered=True)
    assert open_breakers() == []


def test_a_worker_that_was_stopped_proves_nothing(account: MetricaAccount) -> None:
    for number in range(2 * IN_A_ROW):
        call(account, number, code="interrupted")
    assert open_breakers() == []


def test_one_accounts_trouble_is_not_everybodys(account: MetricaAccount, other: MetricaAccount) -> None:
    trip(account)
    until(account, 6)
    call(other, 6, answered=True)


def test_where_several_accounts_get_no_answer_nobody_is_asked(
    account: MetricaAccount, other: MetricaAccount, told: list[Any]
) -> None:
    for number in range(IN_A_ROW):
        call((account, other)[number % 2], number)
    assert [found.account_id for found in open_breakers()] == [None]
    until(account, 6)
    until(other, 6)
    until(make_account(make_agency(), base_url=f"https://{HOST}"), 6)
    assert told == [("down", None)]
    agencies = set(AuditEntry.objects.filter(action="metrica.unreachable").values_list("agency", flat=True))
    assert agencies == {account.agency_id, other.agency_id}, "one entry in each agency's log"


def test_no_connection_is_no_accounts_own_trouble(account: MetricaAccount, told: list[Any]) -> None:
    assert trip(account, code="not_sent").account_id is None
    assert told == [("down", None)], "and it is told once"


def test_one_call_tries_and_the_others_wait_for_it(account: MetricaAccount, told: list[Any]) -> None:
    found = trip(account)
    later = (found.retry_at - START).total_seconds() + 1
    probe = way(account, later)
    assert until(account, later) <= START + timedelta(seconds=later) + breaker.PROBE_LOOK
    probe.ended(code="", answered=True, now=START + timedelta(seconds=later + 1))
    assert open_breakers() == []
    call(account, later + 2, answered=True)
    assert told == [("down", account), ("up", account)]
    assert [entry.action for entry in AuditEntry.objects.filter(action__startswith="metrica.").order_by("pk")] == [
        "metrica.unreachable",
        "metrica.reachable",
    ]


def test_each_try_in_vain_makes_the_next_wait_longer_up_to_a_bound(account: MetricaAccount, told: list[Any]) -> None:
    found, waits = trip(account), []
    for _number in range(8):
        at = (found.retry_at - START).total_seconds() + 0.1
        call(account, at, code="backend_error")
        [found] = open_breakers()
        waits.append((found.retry_at - START).total_seconds() - at)
    assert waits[:4] == sorted(waits[:4]) and waits[3] > 4 * waits[0]
    assert max(waits) <= breaker.LONGEST_WAIT.total_seconds()
    assert told == [("down", account)], "people are told once"


def test_a_try_that_was_never_made_is_left_to_another(account: MetricaAccount) -> None:
    found = trip(account)
    at = (found.retry_at - START).total_seconds() + 1
    way(account, at).unused()
    call(account, at, answered=True)
    assert open_breakers() == []


def test_where_the_process_that_tries_dies_another_tries(account: MetricaAccount) -> None:
    found = trip(account)
    at = (found.retry_at - START).total_seconds() + 1
    dead = way(account, at)
    until(account, at + 29)
    call(account, at + 31, answered=True)
    assert open_breakers() == []
    dead.ended(code="backend_error", answered=False, now=START + timedelta(seconds=at + 32))
    assert open_breakers() == [], "one that was thought dead closes and opens nothing"


def test_what_concerns_no_connected_account_any_more_is_not_told(account: MetricaAccount) -> None:
    trip(account)
    MetricaAccount.objects.filter(pk=account.pk).update(base_url="https://elsewhere.example")
    assert open_breakers() == []


def test_somebody_asks_again_though_nothing_waits(account: MetricaAccount, live_server: Any) -> None:
    sandbox.create_counter(metrica_id=41_000_001, owner_login="north", token="y0_test")
    MetricaAccount.objects.filter(pk=account.pk).update(base_url=f"{live_server.url}/sandbox")
    host = live_server.url.partition("//")[2]
    now = timezone.now()
    Breaker.objects.create(
        host=host, failing_since=now, opened_at=now, retry_at=now + timedelta(seconds=60), failures=5, trips=1
    )
    assert breaker.accounts_to_try(now) == []
    assert breaker.accounts_to_try(now + timedelta(seconds=61)) == [account.pk]
    tasks.ask_again(account.pk)
    assert len(open_breakers()) == 1, "its time has not come"
    Breaker.objects.update(retry_at=now)
    assert tasks.send_due_questions() == 1
    tasks.ask_again(account.pk)
    assert open_breakers() == []
    assert tasks.send_due_questions() == 0


def test_all_is_well_costs_one_query(account: MetricaAccount, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        call(account, answered=True)


def test_a_machine_whose_clock_is_ahead_does_not_try_beside_another(
    account: MetricaAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL, which serves several machines: all go by its clock."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite serves one machine")
    now = timezone.now()
    Breaker.objects.create(host=HOST, account=account, opened_at=now, retry_at=now, failures=5, trips=1)
    probe = breaker.passage(host=HOST, account=account, seconds=30)
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=5))
    with pytest.raises(NotAnswering):
        breaker.passage(host=HOST, account=account, seconds=30)
    assert tasks.send_due_questions() == 0
    probe.ended(code="backend_error", answered=False)
    assert Breaker.objects.get(account=account).retry_at < now + timedelta(minutes=1)


def test_a_store_of_quotas_that_is_away_keeps_no_breaker_open(account: MetricaAccount, settings: Any) -> None:
    """Metrica says that its limit is reached, and that is an answer, whether it can be noted or not."""
    trip(account)
    Breaker.objects.update(retry_at=timezone.now())
    bounds = Bounds(step=10, total=20)
    leave = ask(caller=caller_of(account), account=account, call=Call(Kind.READ), bounds=bounds)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    exchange = Exchange("GET", f"https://{HOST}/management/v1/counters", {})
    exchange.status, exchange.outcome, exchange.error_code = 429, "transient", "quota_requests_by_uid"
    leave.ended(exchange)
    assert open_breakers() == []
