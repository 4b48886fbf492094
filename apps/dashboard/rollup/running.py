"""A turn of the roll-up: first what every counter has to do, then the days that have changed, then a piece of the full
re-count. See the package for why nothing is lost or counted twice."""

import time
from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from apps.counters.models import Counter
from apps.counters.turns import TurnLost
from apps.dashboard.models import CounterNumbers, StaleDay
from apps.dashboard.rollup import days
from apps.dashboard.rollup.turns import TURN_SECONDS, Turn, call_a_worker, claim
from apps.orders import numbers
from apps.orders.models import Order

log = structlog.get_logger(__name__)

LOOK_BACK = timedelta(minutes=10)
"""What came in says so a moment before others can read it; each look reaches back so far behind the one before."""

RECOUNTED_EVERY = timedelta(hours=24)
RECOUNT_SECONDS = 3.0
"""Of a turn, for the full re-count; more where the days leave more."""

PUT_OFF = timedelta(hours=1)

COUNTER_SECONDS = 4.0
"""Of a turn, for the days of one counter: the others shall not wait for it."""

PIECE = 20_000
"""Orders that are counted together between two steps; a day is never divided."""

_TOGETHER = 50
_DAYS_TOGETHER = 60
_AT_ONCE = 1_000


def on_tick(*, now: datetime, **_details: Any) -> None:
    call_a_worker(now)


def run() -> None:
    """One turn, if nobody has it."""
    turn = claim()
    if turn is None:
        return
    try:
        _work(turn)
    except TurnLost:
        log.warning("roll-up was taken over by another worker")
        return
    except Exception:
        log.exception("roll-up broke off")
    turn.end()


def _work(turn: Turn) -> None:
    _meet_new_counters()
    _count_work(turn)
    for state in _changed(timezone.now()):
        if turn.over or turn.seconds > TURN_SECONDS - RECOUNT_SECONDS:
            break  # where all counters are busy, the full re-count gets its share all the same
        try:
            _one_counter(turn, state)
        except TurnLost:
            raise
        except Exception:
            log.exception("days of a counter were not counted", counter=state.counter.metrica_id)
            CounterNumbers.objects.filter(pk=state.pk).update(turn_at=timezone.now())
    _recount(turn)


def _states() -> QuerySet[CounterNumbers]:
    return CounterNumbers.objects.filter(counter__agency__is_active=True).select_related("counter")


def _meet_new_counters() -> None:
    known = CounterNumbers.objects.values("counter")
    new = Counter.objects.exclude(pk__in=known).values_list("pk", flat=True)[:_AT_ONCE]
    CounterNumbers.objects.bulk_create([CounterNumbers(counter_id=pk) for pk in new], ignore_conflicts=True)


# ---- what there is to do ----


def _count_work(turn: Turn) -> None:
    """Some counters at a time, those of which the numbers are oldest first."""
    began = timezone.now()
    order = F("work_at").asc(nulls_first=True)
    keys = list(_states().order_by(order, "pk").values_list("pk", flat=True))
    for start in range(0, len(keys), _TOGETHER):
        if turn.over:
            return
        count_work(turn, keys[start : start + _TOGETHER])
    log.debug("work counted", counters=len(keys), seconds=(timezone.now() - began).total_seconds())


def count_work(turn: Turn, keys: Collection[int]) -> None:
    now = timezone.now()
    found = numbers.whole_work_of(keys)
    rows = [
        CounterNumbers(
            counter_id=pk,
            waiting=work.waiting,
            oldest=work.oldest,
            held=work.held,
            held_by_reason=work.held_by_reason,
            rejected=work.rejected,
            closing=work.closing,
            work_at=now,
        )
        for pk, work in found.items()
    ]
    fields = ["waiting", "oldest", "held", "held_by_reason", "rejected", "closing", "work_at"]
    with turn.step():
        CounterNumbers.objects.bulk_create(rows, update_conflicts=True, unique_fields=["counter"], update_fields=fields)


# ---- days that have changed ----


def _changed(now: datetime) -> list[CounterNumbers]:
    """Counters whose days may have changed since the last look, who waits longest first; the others' days are as they
    were, which is noted. Two queries, with a look into an index for each counter."""
    look_back = OuterRef("counted_to") - LOOK_BACK
    came = Order.objects.filter(counter=OuterRef("counter"), updated_at__gte=look_back)
    marked = StaleDay.objects.filter(counter=OuterRef("counter"))
    rows = _states().annotate(came=Exists(came), marked=Exists(marked)).order_by(F("turn_at").asc(nulls_first=True))
    changed: list[CounterNumbers] = []
    same: list[CounterNumbers] = []
    for row in rows:
        passed, seen = row.counter.last_passed_at, row.counted_to
        is_changed = (
            row.todo
            or row.came
            or row.marked
            or seen is None
            or row.basis != _basis(row.counter)
            or (passed is not None and passed >= seen - LOOK_BACK)
        )
        (changed if is_changed else same).append(row)
    CounterNumbers.objects.filter(pk__in=[row.pk for row in same], todo=[]).update(counted_to=now, days_at=now)
    return changed


def _one_counter(turn: Turn, state: CounterNumbers) -> None:
    began = time.monotonic()
    look(turn, state)
    while state.todo and not turn.over:
        _count_todo(turn, state)
        if time.monotonic() - began > COUNTER_SECONDS:
            break
    with turn.step():
        state.turn_at = timezone.now()
        if not state.todo:
            state.days_at = state.counted_to
        state.save(update_fields=["turn_at", "days_at"])


def look(turn: Turn, state: CounterNumbers) -> None:
    """What has changed since the last look: changes of these days are counted, orders of other days noted."""
    counter, now, zone = state.counter, timezone.now(), zone_of(state.counter)
    anew = state.basis != _basis(counter)
    since = now - LOOK_BACK if anew or state.counted_to is None else state.counted_to - LOOK_BACK
    first = since.astimezone(zone).date()
    if anew or state.counted_to is None:
        first -= timedelta(days=1)  # the full re-count has the days before
    marks = list(StaleDay.objects.filter(counter=counter)[: _AT_ONCE * 10])
    moments = days.moments_since(counter, zone=zone, first=first, alive=turn.alive)
    touched = days.days_touched(counter, zone=zone, since=since)
    touched.update(mark.at.astimezone(zone).date() for mark in marks)
    with turn.step():
        if anew:
            days.forget(counter)
            state.basis, state.todo = _basis(counter), []
            state.recount_day, state.recount_at = None, now
        days.keep_moments(counter, moments, first=first)
        state.todo = sorted(touched.union(map(date.fromisoformat, state.todo)), reverse=True)
        state.todo = [day.isoformat() for day in state.todo]
        state.counted_to = now
        state.save(update_fields=["basis", "todo", "counted_to", "recount_day", "recount_at"])
        StaleDay.objects.filter(pk__in=[mark.pk for mark in marks]).delete()


def _count_todo(turn: Turn, state: CounterNumbers) -> None:
    """The next of the days, newest first; as many together as make a piece."""
    counter = state.counter
    asked = [date.fromisoformat(day) for day in state.todo[:_DAYS_TOGETHER]]
    known = days.orders_known(counter, asked)
    batch: list[date] = []
    size = 0
    for day in asked:
        size += known.get(day, 0)
        if batch and size > PIECE:
            break
        batch.append(day)
    sums = days.sums(counter, zone=zone_of(counter), days=batch, alive=turn.alive)
    del state.todo[: len(batch)]
    with turn.step():
        days.keep_sums(counter, sums, only_these=True)
        state.save(update_fields=["todo"])


# ---- the full re-count ----


def _recount(turn: Turn) -> None:
    """Piece after piece for the counters whose time has come, as long as the turn lasts."""
    due = _states().filter(recount_at__lte=timezone.now()).order_by("recount_at", "pk")
    for state in due[:_AT_ONCE]:
        while not turn.over:
            if _recount_or_put_off(turn, state):
                break
        else:
            return


def _recount_or_put_off(turn: Turn, state: CounterNumbers) -> bool:
    try:
        return recount_piece(turn, state)
    except TurnLost:
        raise
    except Exception:
        log.exception("a counter was not counted anew", counter=state.counter.metrica_id)
        CounterNumbers.objects.filter(pk=state.pk).update(recount_at=timezone.now() + PUT_OFF)
        return True


def recount_piece(turn: Turn, state: CounterNumbers) -> bool:
    """Count the next piece of the counter's days anew, going back from the newest. True where it was the last."""
    counter, zone = state.counter, zone_of(state.counter)
    if state.recount_day is None:
        today = timezone.now().astimezone(zone).date()
        # Days before yesterday change no more in this respect: whoever was at it has committed since.
        past = today - timedelta(days=1)
        moments = days.moments_before(counter, zone=zone, before=past, alive=turn.alive)
        with turn.step():
            days.keep_moments(counter, moments, first=None, before=past)
            state.recount_day = date.max
            state.save(update_fields=["recount_day"])
        return False
    before = None if state.recount_day == date.max else state.recount_day
    first = days.piece_before(counter, zone=zone, before=before, orders=PIECE)
    wanted = days.days_with_orders(counter, zone=zone, first=first, before=before) if first else []
    sums = days.sums(counter, zone=zone, days=wanted, alive=turn.alive)
    with turn.step():
        days.keep_sums(counter, sums, first=first, before=before)
        state.recount_day = first
        if first is None:
            now = timezone.now()
            state.recount_at, state.recounted_at = now + RECOUNTED_EVERY, now
        state.save(update_fields=["recount_day", "recount_at", "recounted_at"])
    return first is None


def zone_of(counter: Counter) -> ZoneInfo:
    """Days of a counter whose zone is not known yet are those of UTC."""
    return counter.zone or ZoneInfo("UTC")


def _basis(counter: Counter) -> str:
    return f"{counter.time_zone} {counter.currency}"


def note_moved(*, counter_id: int, left: Collection[datetime], **_details: Any) -> None:
    """Orders have left these moments of creation: the days are to be counted anew. One insert, nothing to wait for."""
    # In no zone of today does a day begin within a quarter of an hour.
    moments = {moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) for moment in left}
    StaleDay.objects.bulk_create([StaleDay(counter_id=counter_id, at=moment) for moment in moments])
