"""Quotas (quotas page), counted in the database so that all web processes count together.

| quota | window | released |
|---|---|---|
| calls of one address | the last second | when fewer were made in it |
| calls of one login at once | | when one ends |
| calls of a login, of a counter | a day of GMT | at 00:00 GMT |
| reports of a login | the last five minutes | five minutes later |
| accesses given to a counter | an hour | at its end |

A call is counted in all of its quotas or, where one refuses it, in none: whoever waits is let in. A second has ten
slices and five minutes have thirty: that is how exactly a window slides.
"""

import os
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from apps.metrica.serving.envelope import ApiError
from apps.sandbox import limits, switches
from apps.sandbox.models import Endpoint, SandboxRunning, SandboxUsage

log = structlog.get_logger(__name__)

_DAY, _HOUR = 86400.0, 3600.0
# A call of another machine's process that runs longer than this is taken for lost.
_LOST_AFTER = timedelta(hours=1)
_CLEAN_EACH = 500  # calls, on average


@dataclass(frozen=True, slots=True)
class Quota:
    """One count that a call takes part in. With one slice the window is fixed and begins at a multiple of itself."""

    limit: str
    error_type: str
    subject: str
    seconds: float
    slices: int = 1

    def keys(self, moment: float) -> list[str]:
        """Keys of the slices of the window that ends at `moment`, the present one first."""
        number = int(moment * self.slices / self.seconds)
        return [f"{self.limit}:{self.subject}:{number - back}"[:255] for back in range(self.slices)]


def of_call(*, kind: Endpoint, method: str, login: str, counters: Sequence[int], address: str) -> list[Quota]:
    """The quotas of one call; `login` is "" for a call without a valid token."""
    found = [Quota("requests_by_ip", "quota_requests_by_ip", address, 1.0, slices=10)]
    group = _group(kind, method)
    if login and group:
        found.append(Quota("requests_by_uid", "quota_requests_by_uid", f"{login}:{group}", _DAY))
        found += [
            Quota("requests_by_counter_id", "quota_requests_by_counter_id", f"{counter}:{group}", _DAY)
            for counter in counters
        ]
    if login and kind is Endpoint.REPORT:
        found.append(Quota("reports", "quota_requests_by_uid", login, 300.0, slices=30))
    return found


def take_grant(counter: int) -> None:
    """Counts an access that is about to be given. Raises ApiError where three were given within the hour."""
    now = timezone.now()
    with transaction.atomic():
        _count([Quota("grants", "quota_grants_requests", str(counter), _HOUR)], limits.values(), now)


@contextmanager
def taken(quotas: Sequence[Quota], *, login: str) -> Iterator[None]:
    """Counts a call and holds its place among the login's running ones until the block ends.

    Raises ApiError with the quota's error type where one is exceeded; the call is then counted nowhere.
    """
    now = timezone.now()
    running = _enter(quotas, login=login, now=now)
    try:
        yield
    finally:
        if running is not None:
            # What the call did is done; a place that cannot be freed now is freed when the process ends, or in an hour.
            try:
                SandboxRunning.objects.filter(pk=running).delete()
            except DatabaseError:
                log.exception("a running call keeps its place", login=login)


def used(quota: Quota, *, now: datetime) -> int:
    """Calls counted in the window that ends now. One query."""
    rows = SandboxUsage.objects.filter(key__in=quota.keys(now.timestamp()))
    return rows.aggregate(sum=Sum("used"))["sum"] or 0


def _enter(quotas: Sequence[Quota], *, login: str, now: datetime) -> int | None:
    numbers = limits.values()
    with transaction.atomic():
        _count(quotas, numbers, now, lock=login)
        most = numbers["parallel_requests"]
        if not login or most is None:
            return None
        rows = SandboxRunning.objects.filter(login=login)
        if rows.count() >= most:
            _forget_the_dead(login)
            if rows.count() >= most:
                raise exceeded("quota_parallel_requests")
        return SandboxRunning.objects.create(login=login, process=_process(), started_at=now).pk


def _count(quotas: Sequence[Quota], numbers: dict[str, int | None], now: datetime, *, lock: str = "") -> None:
    """Inside a transaction, which the error rolls back. Rows are locked in one order, so that no two calls wait for
    each other; the row `lock` makes calls of one login pass one by one."""
    moment = now.timestamp()
    counted = [quota for quota in quotas if numbers[quota.limit] is not None]
    rows = {quota.keys(moment)[0]: quota.seconds for quota in counted}
    if lock:
        rows[f"login:{lock}"[:255]] = _DAY
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_TABLE} (key, used, expires_at) VALUES {', '.join(['(%s, 1, %s)'] * len(rows))} "  # noqa: S608
            f"ON CONFLICT (key) DO UPDATE SET used = {_TABLE}.used + 1",
            [
                value
                for key in sorted(rows)
                for value in (key, connection.ops.adapt_datetimefield_value(now + timedelta(seconds=2 * rows[key])))
            ],
        )
    windows = [quota.keys(moment) for quota in counted]
    keys = [key for window in windows for key in window]
    found = dict(SandboxUsage.objects.filter(key__in=keys).values_list("key", "used"))
    for quota, window in zip(counted, windows, strict=True):
        most = numbers[quota.limit]
        assert most is not None
        if sum(found.get(key, 0) for key in window) > most:
            raise exceeded(quota.error_type)
    if random.randrange(_CLEAN_EACH) == 0:  # noqa: S311 - no secret
        SandboxUsage.objects.filter(expires_at__lt=now).delete()


def exceeded(error_type: str) -> ApiError:
    """The refusal, with status 429 or, by the switch, 420."""
    messages = {
        "quota_requests_by_ip": "Exceeded the limit of requests per second for the IP address.",
        "quota_parallel_requests": "Exceeded the limit of parallel requests for the user.",
        "quota_requests_by_uid": "Exceeded the limit of requests for the user.",
        "quota_requests_by_counter_id": "Exceeded the limit of requests per day for the counter.",
        "quota_grants_requests": "Exceeded the limit of requests per hour to give access to the counter.",
    }
    return ApiError(error_type, messages[error_type], status=int(switches.values()["quota_status"]))


def _group(kind: Endpoint, method: str) -> str:
    """Which daily count a call belongs to; "" for none."""
    if kind is Endpoint.REPORT:
        return "report_read"
    if kind is Endpoint.UPLOAD and switches.values()["upload_quota"] == "none":
        return ""
    return "client_read" if method == "GET" else "client_write"


def _forget_the_dead(login: str) -> None:
    """Calls whose process was killed hold no place."""
    here = f"{socket.gethostname()}:"
    for row in SandboxRunning.objects.filter(login=login):
        lost = row.started_at < timezone.now() - _LOST_AFTER
        if row.process.startswith(here):
            lost = not _lives(int(row.process.removeprefix(here)))
        if lost:
            row.delete()


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def next_day(now: datetime) -> datetime:
    """When the daily quotas are released: 00:00 GMT."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


_TABLE = SandboxUsage._meta.db_table
