"""A week of an agency with five hundred counters, minute by minute on a clock of the test's own: each time of each
schedule is served once, none is missed and none doubled; and so are comparisons, renewals and seals.

The clock jumps, so Metrica is answered for at the transport of HTTP; all else is real: ticks, messages, jobs, files.
"""

import itertools
import json
import os
import random
import re
from collections import Counter as Counting
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from apps.agencies.models import Agency
from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.counters import kept_back
from apps.counters.models import Counter, MetricaAccount
from apps.counters.quotas import sharing, stores
from apps.counters.services import Consent, connect_account, create_counter
from apps.dashboard.comparison import running
from apps.orders.intake import accept_all
from apps.orders.models import Delivery, StatusChange
from apps.uploads import scheduler
from apps.uploads.models import JobState, UploadJob
from tests.factories import make_agency

pytestmark = pytest.mark.skipif(
    "postgresql" in settings.DATABASES["default"]["ENGINE"],
    reason="the clock of a server cannot jump",
)

BEGIN = datetime(2026, 3, 29, tzinfo=UTC)
"""A Sunday. In its first hours Europe puts its clocks forward, and at its end Australia puts them back."""

MINUTES = 7 * 24 * 60
STEP = int(os.environ.get("WEEK_STEP_MINUTES", "30"))
"""Minutes between two ticks; 1 is the usual clock, and takes ten minutes."""

OFTEN = max(STEP, 5)
"""Minutes of the shortest schedule."""
ZONES = {
    "Europe/Moscow": "03:00",
    "Europe/Berlin": "02:30",  # on the first night there is no such time
    "Australia/Sydney": "02:30",  # on the last night there are two
    "America/New_York": "23:45",
    "Asia/Kathmandu": "00:00",
}
ACCOUNTS, LIFETIME = 10, timedelta(days=3)
PUSHES = 350


@dataclass
class Clock:
    now: datetime = BEGIN

    def installed(self, monkeypatch: pytest.MonkeyPatch) -> "Clock":
        clock = self

        class Moment(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return clock.now.astimezone(tz)

        for module in (timezone, kept_back, sharing, running):
            monkeypatch.setattr(module, "datetime", Moment)
        read = stores.DatabaseStore.read

        def read_now(store: Any, keys: Any, *, seeds: Any, now: float | None = None) -> Any:
            return read(store, keys, seeds=seeds, now=clock.now.timestamp() if now is None else now)

        monkeypatch.setattr(stores.DatabaseStore, "read", read_now)
        monkeypatch.setattr("apps.counters.clock.now", lambda: clock.now)
        monkeypatch.setattr("time.sleep", self.wait)
        return self

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Metrica:
    """Takes all that it is given. `calls`: by login, day (GMT) and kind, as the documented quota counts them."""

    clock: Clock
    calls: Counting[tuple[str, date, str]] = field(default_factory=Counting)
    renewals: Counting[str] = field(default_factory=Counting)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        path = request.url.path
        if path.endswith("/token"):
            self.renewals[request.content.decode()] += 1
            fresh = {"access_token": f"y0_{uuid4().hex}", "refresh_token": uuid4().hex, "token_type": "bearer"}
            return _answer({**fresh, "expires_in": int(LIFETIME.total_seconds())})
        kind = "report" if path == "/stat/v1/data" else request.method
        self.calls[request.headers["Authorization"], self.clock.now.date(), kind] += 1
        if path == "/stat/v1/data":
            totals = [0.0] * len(request.url.params["metrics"].split(","))
            return _answer({"data": [], "totals": totals, "total_rows": 0, "sampled": False})
        if path.endswith("/goals"):
            return _answer({"goals": []})
        if found := re.fullmatch(r"/management/v1/counter/(\d+)", path):
            return _answer({"counter": {"id": int(found[1]), "name": "Site"}})
        assert path.endswith("/data/simple_orders"), path
        uploading = {"uploading_id": str(uuid4()), "datetime": "", "api_validation_status": "PASSED"}
        return _answer({"uploading": {**uploading, "uploading_format": "CSV", "elements_count": 1}})


def _answer(body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, content=iter([json.dumps(body).encode()]))


@dataclass
class Plan:
    """When a counter is due, told without the product's own arithmetic. `times`: in order."""

    counter: Counter
    times: list[datetime]


@pytest.fixture
def clock(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().installed(monkeypatch)


@pytest.fixture
def metrica(clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Metrica:
    metrica = Metrica(clock)
    monkeypatch.setattr(httpx, "HTTPTransport", lambda **_options: httpx.MockTransport(metrica))
    monkeypatch.setattr("apps.metrica.transport._Connecting", lambda _may_reach: httpx.MockTransport(metrica))
    settings.YANDEX_CLIENT_ID, settings.YANDEX_CLIENT_SECRET = "app", "secret"
    settings.METRICA_URL = "https://metrica.example"
    settings.ALERT_LOOK_SECONDS = 3600  # what people are told of has tests of its own
    return metrica


def test_a_week_of_five_hundred_counters(clock: Clock, metrica: Metrica) -> None:
    draw = random.Random(1)
    agency = make_agency()
    accounts = [_account(agency, number) for number in range(ACCOUNTS)]
    plans = [_counter(agency, accounts[number % ACCOUNTS], number, clock, draw) for number in range(500)]
    clock.now = BEGIN
    pushes = _pushes(plans, draw)
    expected = _expected(plans, pushes)
    for minute in range(STEP, MINUTES + 1, STEP):
        for counter, order in pushes[minute]:
            clock.now = BEGIN + timedelta(minutes=minute, seconds=-30)
            _push(counter, order, clock)
        clock.now = BEGIN + timedelta(minutes=minute)
        scheduler.tick()
        _work()
        assert not Counter.objects.due(clock.now).exists()
        if minute % (12 * 60) == 0:
            _check_next(plans, clock.now)
    _check_jobs(expected)
    _check_what_waits(plans, pushes)
    _check_comparisons(plans)
    _check_renewals(accounts, metrica)
    clock.now += timedelta(minutes=1)
    scheduler.tick()
    report = chain.verify(None)
    assert (report.ok, report.unsealed) == (True, 0)
    assert report.checked == AuditEntry.objects.count() > 0
    assert max(metrica.calls.values()) <= 5000


def test_more_than_a_day_allows_goes_in_fewer_files_and_passes_no_day(
    clock: Clock, metrica: Metrica, settings: Any
) -> None:
    """R10: two counters have something every quarter of an hour, which would be 192 calls a day of their login."""
    settings.METRICA_CALLS_PER_DAY = 40
    account = _account(make_agency(), 0)
    counters = [
        create_counter(
            agency=account.agency,
            metrica_id=44_000_001 + number,
            name=f"Site {number}",
            account=account,
            time_zone="Europe/Moscow",
            schedule="15m",
        )
        for number in range(2)
    ]
    pushed = 0
    for minute in range(15, 2 * 24 * 60, 15):
        clock.now = BEGIN + timedelta(minutes=minute)
        for counter in counters:
            _push(counter, f"D-{minute}", clock)
            pushed += 1
        scheduler.tick()
        _work()
    assert max(metrica.calls.values()) <= 40
    files = [number for (_token, _day, kind), number in metrica.calls.items() if kind == "POST"]
    assert len(files) == 2
    assert min(files) >= 28, "what a day allows is used"
    for minute in range(2 * 24 * 60, 2 * 24 * 60 + 120, 15):
        clock.now = BEGIN + timedelta(minutes=minute)
        scheduler.tick()
        _work()
    assert StatusChange.objects.filter(delivery=Delivery.DELIVERED).count() == pushed == 2 * 191


def _account(agency: Agency, number: int) -> MetricaAccount:
    """Half of them renew themselves."""
    consent = Consent(refresh_token=f"r{number}", scopes=("metrika:write",), confirmed_login=f"login-{number}")
    return connect_account(
        agency=agency,
        login=f"login-{number}",
        token=f"y0_{number}",
        expires_at=timezone.now() + LIFETIME if number % 2 else None,
        consent=consent if number % 2 else None,
    )


def _counter(agency: Agency, account: MetricaAccount, number: int, clock: Clock, draw: random.Random) -> Plan:
    zone, at = list(ZONES.items())[number % len(ZONES)]
    schedule = (
        f"{OFTEN}m" if number < 15 else "1h" if number < 90 else f"daily {at}" if number < 400 else "as they come"
    )
    clock.now = BEGIN - timedelta(seconds=draw.randrange(300))
    counter = create_counter(
        agency=agency,
        metrica_id=43_000_001 + number,
        name=f"Site {number}",
        account=account,
        time_zone=zone,
        schedule=schedule,
    )
    if schedule.startswith("daily"):
        return Plan(counter, _daily(ZoneInfo(zone), time.fromisoformat(at)))
    if schedule == "as they come":
        return Plan(counter, [])
    every = timedelta(minutes=OFTEN) if number < 15 else timedelta(hours=1)
    first = clock.now + every
    end = BEGIN + timedelta(minutes=MINUTES)
    return Plan(counter, [first + every * step for step in range((end - first) // every + 1)])


def _daily(zone: ZoneInfo, at: time) -> list[datetime]:
    """The first minute of each local day in which its clock shows `at`; where none does, an hour later."""
    shown: dict[date, list[datetime]] = defaultdict(list)
    later: dict[date, list[datetime]] = defaultdict(list)
    an_hour_later = (datetime.combine(date.min, at) + timedelta(hours=1)).time()
    for minute in range(-60, MINUTES + 1):
        moment = BEGIN + timedelta(minutes=minute)
        local = moment.astimezone(zone)
        if local.time() == at:
            shown[local.date()].append(moment)
        elif local.time() == an_hour_later:
            later[local.date()].append(moment)
    first_day, last_day = BEGIN.astimezone(zone).date(), (BEGIN + timedelta(minutes=MINUTES)).astimezone(zone).date()
    times = []
    for number in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=number)
        found = shown[day] or [each for each in later[day] if each.astimezone(zone).utcoffset() != _offset(day, zone)]
        times += [moment for moment in found[:1] if moment > BEGIN]
    return times


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    """Of the day's first moment."""
    return datetime.combine(day, time(), zone).utcoffset()


def _pushes(plans: list[Plan], draw: random.Random) -> dict[int, list[tuple[Counter, str]]]:
    """By tick: what comes in before it. Most counters get nothing, some a little, one a change for each turn."""
    found: dict[int, list[tuple[Counter, str]]] = defaultdict(list)
    busy = draw.sample(plans, 50)
    for number in range(PUSHES):
        found[STEP * draw.randrange(1, MINUTES // STEP)].append((draw.choice(busy).counter, f"D-{number}"))
    every_day = plans[151].counter
    for number, moment in enumerate(plans[151].times):
        found[_minute(moment)].append((every_day, f"E-{number}"))
    return found


def _push(counter: Counter, order: str, clock: Clock) -> None:
    row = {
        "id": order,
        "create_date_time": (clock.now - timedelta(hours=1)).isoformat(),
        "order_status": "IN_PROGRESS",
        "client_ids": ["1700000000123456789"],
    }
    assert accept_all(counter=counter, rows=[row], source="api").created == 1


def _expected(plans: list[Plan], pushes: dict[int, list[tuple[Counter, str]]]) -> Counting[tuple[int, int]]:
    """A job for each time of a schedule before which something had come in: by counter and minute."""
    came: dict[int, list[int]] = defaultdict(list)
    for minute in sorted(pushes):
        for counter, _order in pushes[minute]:
            came[counter.pk].append(minute)
    expected: Counting[tuple[int, int]] = Counting()
    for plan in plans:
        if not plan.times:
            expected.update((plan.counter.pk, minute) for minute in set(came[plan.counter.pk]))
        last = 0
        for minute in map(_minute, plan.times):
            if any(last < arrived <= minute for arrived in came[plan.counter.pk]):
                expected[plan.counter.pk, minute] += 1
            last = minute
    return expected


def _minute(moment: datetime) -> int:
    """Of the first tick that is not before the moment."""
    return -((BEGIN - moment) // timedelta(minutes=STEP)) * STEP


def _work() -> None:
    """What workers do with the messages of the tick, until none is left."""
    while messages := list(OrmQ.objects.order_by("pk")):
        OrmQ.objects.filter(pk__in=[message.pk for message in messages]).delete()
        for message in messages:
            task = SignedPackage.loads(message.payload)
            import_string(task["func"])(*task["args"])


def _check_next(plans: list[Plan], now: datetime) -> None:
    next_at = dict(Counter.objects.values_list("pk", "next_upload_at"))
    for plan in plans:
        following = next((moment for moment in plan.times if moment > now), None)
        if following is not None:
            assert next_at[plan.counter.pk] == following, plan.counter


def _check_jobs(expected: Counting[tuple[int, int]]) -> None:
    jobs = UploadJob.objects.values_list("counter_id", "created_at", "state")
    found = Counting((counter, _minute(created_at)) for counter, created_at, _state in jobs)
    assert found - expected == Counting()
    assert expected - found == Counting()
    assert {state for _counter, _at, state in jobs} == {JobState.SUCCEEDED}


def _check_what_waits(plans: list[Plan], pushes: dict[int, list[tuple[Counter, str]]]) -> None:
    """Only what came after the last time of its counter has not gone."""
    last = {plan.counter.pk: _minute(plan.times[-1]) if plan.times else MINUTES for plan in plans}
    too_late = Counting(
        counter.pk for minute, each in pushes.items() for counter, _order in each if minute > last[counter.pk]
    )
    changes = StatusChange.objects.exclude(delivery=Delivery.DELIVERED).values_list("counter_id", "delivery")
    assert Counting(changes) == {(counter, "waiting"): number for counter, number in too_late.items()}


def _check_comparisons(plans: list[Plan]) -> None:
    """Each counter that delivers is compared once a night of its own clock."""
    zones = {str(plan.counter.pk): plan.counter.zone for plan in plans}
    nights: Counting[tuple[str, date]] = Counting()
    for counter, at in AuditEntry.objects.filter(action="comparison.finished").values_list("object_id", "at"):
        nights[counter, at.astimezone(zones[counter]).date()] += 1
    assert nights and set(nights.values()) == {1}
    for counter, of_counter in itertools.groupby(sorted(nights), key=lambda night: night[0]):
        days = [day for _counter, day in of_counter]
        assert len(days) == (days[-1] - days[0]).days + 1, f"a night of {counter} is missing"


def _check_renewals(accounts: list[MetricaAccount], metrica: Metrica) -> None:
    """With a third of its life left a token is renewed: after two, four and six days. A refresh token serves once."""
    assert sum(metrica.renewals.values()) == len(metrica.renewals) == 3 * ACCOUNTS / 2
    renewed = Counting(AuditEntry.objects.filter(action="account.renewed").values_list("object_id", flat=True))
    assert renewed == {str(account.pk): 3 for account in accounts if account.renews_itself}
