"""Compares a counter with Metrica: asked for by a person or by the night, done by a worker in committed steps.

First our days are added up, one after the other; then Metrica is asked, outside any transaction; then both are kept. A
worker may die between any two steps, and the next one goes on from what is written.
"""

from datetime import UTC, date, datetime, timedelta
from random import uniform

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.counters.kept_back import KeptBack
from apps.counters.models import AccountState, Counter
from apps.dashboard.comparison import adding_up, reading, shares
from apps.dashboard.comparison.turns import Turn, TurnLost, claim, enqueue
from apps.dashboard.models import CompareState, Comparison, DayFigures, Side
from apps.metrica.errors import AuthorizationError, MetricaError, QuotaExceeded, TransientError
from apps.metrica.rules import BINDING_WINDOW, UPDATE_WINDOW
from apps.uploads.sender import disconnect
from apps.uploads.waits import after, backoff

log = structlog.get_logger(__name__)

REGULAR_DAYS = 28
"""Kept up every night: the window in which orders are bound, and a week more."""

MOST_DAYS = 366
"""The longest that a person may ask for."""

MOST_ATTEMPTS = 8
_HORIZON = BINDING_WINDOW + UPDATE_WINDOW  # an order older than this changes at Metrica no more
_COMMITTED_LATE = timedelta(minutes=10)  # an upload says when it passed a moment before others can read it


class _Failed(Exception):
    """There is nothing to compare with until a person has done something."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Wait(Exception):
    """The comparison goes on at this time (aware); `code` and `message` say why. `counts`: as a failed attempt."""

    def __init__(self, until: datetime, code: str, message: str = "", *, counts: bool = True) -> None:
        super().__init__(code)
        self.until = until
        self.code = code
        self.message = message
        self.counts = counts


def request(*, counter: Counter, days: int = 0, tell_workers: bool = True) -> Comparison:
    """A person's wish: the last `days` anew, whatever has changed; 0: the regular ones.

    Raises ValidationError for days out of range. One that is under way already takes the wish up when it has ended.
    """
    if not 0 <= days <= MOST_DAYS:
        message = _("Write a number of days from 1 to %(most)s.") % {"most": MOST_DAYS}
        raise ValidationError({"days": ValidationError(message, code="days_out_of_range")})
    with transaction.atomic():
        Comparison.objects.get_or_create(counter=counter)
        asked = Greatest(F("asked_days"), Value(days or REGULAR_DAYS))
        Comparison.objects.filter(pk=counter.pk).update(asked_days=asked)
        # One that waits after a fault need not wait any longer: a person may have mended it.
        waiting = Comparison.objects.filter(pk=counter.pk, state=CompareState.QUEUED).update(not_before=None)
        if (start(counter.pk) or waiting) and tell_workers:
            enqueue(counter.pk)
        record(
            action="comparison.requested",
            agency=counter.agency_id,
            obj=counter,
            details={"counter": counter.metrica_id, "days": days or REGULAR_DAYS},
        )
        return Comparison.objects.select_related("counter").get(pk=counter.pk)


def start(counter_id: int) -> bool:
    """idle → queued; False where it is under way already."""
    idle = Comparison.objects.filter(pk=counter_id, state=CompareState.IDLE)
    return idle.update(state=CompareState.QUEUED, not_before=None, attempts=0) == 1


def run(counter_id: int) -> None:
    """Take the comparison and work on it for a turn. Does nothing where another worker has it or nobody wants it."""
    turn = claim(counter_id)
    if turn is None:
        return
    try:
        _work(turn)
    except TurnLost:
        log.warning("comparison was taken over by another worker", counter=counter_id)
    except Exception:
        log.exception("comparison broke off", counter=counter_id)
        attempts = Comparison.objects.values_list("attempts", flat=True).get(pk=counter_id)
        turn.release(not_before=after(backoff(attempts)), error_code="internal_error", error_message="")


def _work(turn: Turn) -> None:
    comparison = Comparison.objects.select_related("counter__account", "counter__agency").get(pk=turn.counter_id)
    counter = comparison.counter
    try:
        if comparison.attempts > MOST_ATTEMPTS:
            raise _Failed(comparison.error_code or "internal_error")
        _check(counter)
        if comparison.todo is None or comparison.asked_days:
            _plan(turn, comparison)
        if not _add_days(turn, comparison):
            turn.release()
            enqueue(counter.pk)
            return
        _read_and_keep(turn, comparison)
    except _Wait as wait:
        attempts = comparison.attempts if wait.counts else 0
        turn.release(not_before=wait.until, error_code=wait.code, error_message=wait.message, attempts=attempts)
    except _Failed as failed:
        _fail(turn, counter, code=failed.code)
    except MetricaError as error:
        account = counter.account
        if isinstance(error, AuthorizationError) and account is not None and not disconnect(turn, account, error):
            # Another token has taken its place meanwhile: with that one it goes on.
            turn.release(not_before=after(backoff(1)), error_code=error.code, error_message=str(error))
        else:
            _fail(turn, counter, code=error.code, message=str(error))
    if Comparison.objects.filter(pk=counter.pk, state=CompareState.QUEUED, not_before=None).exists():
        enqueue(counter.pk)


def _check(counter: Counter) -> None:
    """A paused counter may be compared: nothing is delivered by that."""
    if not counter.agency.is_active:
        raise _Failed("agency_closed")
    if counter.account is None or counter.account.state != AccountState.CONNECTED:
        raise _Failed("account_disconnected")
    if counter.zone is None:
        raise _Failed("unknown_time_zone")


def _plan(turn: Turn, comparison: Comparison) -> None:
    """Which days may have changed: those asked for, those never added up, and those of whose orders uploads have passed
    since the last time."""
    counter, zone = comparison.counter, comparison.counter.zone
    assert zone is not None
    now = timezone.now()
    today = now.astimezone(zone).date()
    regular = _last(today, REGULAR_DAYS)
    basis = f"{counter.time_zone} {counter.currency}"
    days = {today, *map(date.fromisoformat, comparison.todo or ())}
    if comparison.basis == basis and comparison.added_up_to is not None:
        ours = DayFigures.objects.of(counter, first=regular[0], last=today).filter(side=Side.OURS)
        days.update(set(regular).difference(ours.values_list("day", flat=True)))
        # What was fresh the last time is looked at again: it is so no longer.
        since = comparison.added_up_to - adding_up.SHOWN_AFTER - _COMMITTED_LATE
        first = today - _HORIZON
        days.update(adding_up.changed_days(counter=counter, zone=zone, since=since, first=first))
    else:
        days.update(regular)
    with turn.step():
        asked = Comparison.objects.select_for_update().values_list("asked_days", flat=True).get(pk=counter.pk)
        days.update(_last(today, asked))
        if comparison.basis != basis:
            DayFigures.objects.filter(counter=counter).delete()
        comparison.todo = [day.isoformat() for day in sorted(days, reverse=True)]
        comparison.read_from = min(days.union(regular)) - BINDING_WINDOW
        comparison.planned_at, comparison.basis, comparison.asked_days = now, basis, 0
        comparison.save(update_fields=["todo", "read_from", "planned_at", "basis", "asked_days"])


def _add_days(turn: Turn, comparison: Comparison) -> bool:
    """False where the turn is over before the days are."""
    counter, zone = comparison.counter, comparison.counter.zone
    assert zone is not None and comparison.todo is not None
    while comparison.todo:
        if turn.over:
            return False
        day = date.fromisoformat(comparison.todo[0])
        figures = adding_up.add_up(counter=counter, zone=zone, day=day, now=timezone.now(), alive=turn.alive)
        del comparison.todo[0]
        with turn.step():
            keep([figures])
            turn.mine().update(todo=comparison.todo, attempts=1)
    return True


def _read_and_keep(turn: Turn, comparison: Comparison) -> None:
    counter, zone, first = comparison.counter, comparison.counter.zone, comparison.read_from
    assert zone is not None and first is not None
    today = timezone.now().astimezone(zone).date()
    with turn.step(ahead=reading.LONGEST):
        ours = DayFigures.objects.of(counter, first=first, last=today).filter(side=Side.OURS)
        reached = {goal for goals in ours.values_list("goals", flat=True) for goal in goals}
    try:
        read = reading.read(counter=counter, first=first, last=today, reached=reached)
    except KeptBack as error:
        raise _Wait(error.until, error.code, str(error), counts=False) from error
    except TransientError as error:
        if comparison.attempts >= MOST_ATTEMPTS:
            raise
        raise _Wait(_again_at(error, comparison.attempts), error.code, str(error)) from error
    with turn.step():
        keep(read.days)
        figures = DayFigures.objects.of(counter, first=today - timedelta(days=2 * REGULAR_DAYS - 1), last=today)
        now_and_before = shares.now_and_before(figures, today=today, days=REGULAR_DAYS)
        turn.end(
            read_at=read.at,
            facts=read.facts,
            added_up_to=comparison.planned_at,
            matched=now_and_before[0],
            matched_before=now_and_before[1],
            failed_at=None,
            error_code="",
            error_message="",
        )
        record(
            action="comparison.finished",
            agency=counter.agency_id,
            obj=counter,
            details={"counter": counter.metrica_id, "days": len(read.days), "matched": now_and_before[0]},
        )
    log.info("counter compared", counter=counter.metrica_id, days=len(read.days), matched=now_and_before[0])


def _fail(turn: Turn, counter: Counter, *, code: str, message: str = "") -> None:
    with transaction.atomic():
        # What was asked for is dropped as well: it would fail for the same reason at once, and again, and again.
        turn.end(asked_days=0, error_code=code, error_message=message, failed_at=timezone.now())
        details = {"counter": counter.metrica_id, "code": code}
        record(action="comparison.failed", agency=counter.agency_id, obj=counter, details=details)
    log.warning("counter could not be compared", counter=counter.metrica_id, code=code)


def _again_at(error: TransientError, attempt: int) -> datetime:
    if isinstance(error, QuotaExceeded) and error.daily:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight + timedelta(seconds=uniform(60, 3600))  # noqa: S311 - no secret
    return after(backoff(attempt, retry_after=error.retry_after))


def keep(figures: list[DayFigures]) -> None:
    """Write days anew, one side or both; they replace what was there."""
    DayFigures.objects.bulk_create(
        figures,
        batch_size=200,
        update_conflicts=True,
        unique_fields=["counter", "side", "day"],
        update_fields=[
            field.name for field in DayFigures._meta.fields if field.name not in ("id", "counter", "side", "day")
        ],
    )


def _last(today: date, days: int) -> list[date]:
    """The last so many days, today included, oldest first."""
    return [today - timedelta(days=number) for number in range(days - 1, -1, -1)]
