"""Why a change cannot go, and letting it go when the cause is gone (R8). Nothing waits silently."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.counters.models import Counter
from apps.counters.services import block_reason
from apps.goals.resolve import Resolver
from apps.metrica import rules
from apps.orders import delivery
from apps.orders.events import announce_accepted, changes_settled
from apps.orders.models import Delivery, HoldReason, HoldReview, StatusChange

BY_STATUS: Final = (HoldReason.UNMAPPED_STATUS.value, HoldReason.STATUS_WITHOUT_GOAL.value)
CLOCK_SKEW: Final = timedelta(minutes=5)
CHUNK: Final = 2000
COUNTER_REASONS: Final = (
    HoldReason.COUNTER_PAUSED,
    HoldReason.ACCOUNT_DISCONNECTED,
    HoldReason.UNKNOWN_TIME_ZONE,
)
LOOKED_AT: Final = 10_000
_TURNS: Final = 0x474F  # tells these locks of PostgreSQL from others'


class HoldJudge:
    """Says for one counter whether a change is held and why. Keep it for one transaction that has taken its turn; `now`
    is aware. Two queries where no `resolver` is given.
    """

    def __init__(self, *, counter: Counter, now: datetime, resolver: Resolver | None = None) -> None:
        self.block = block_reason(counter)
        self._problem = (resolver or Resolver.for_counter(counter)).problem
        self._latest = now + CLOCK_SKEW
        self._latest_day = now + timedelta(days=1)
        self._update_limit = now - rules.UPDATE_WINDOW

    def reason(
        self,
        *,
        order_status: str,
        has_identifiers: bool,
        happened: datetime,
        created: datetime,
        created_date_only: bool,
        is_first: bool,
        forced: bool = False,
    ) -> str:
        """The first reason that applies, or an empty text. What concerns the whole counter comes first.

        `forced`: a person decided to send it although its update window has closed.
        """
        if self.block:
            return self.block
        if problem := self._problem(order_status):
            return problem
        if not has_identifiers:
            return HoldReason.NO_IDENTIFIERS.value
        # A date without a time is kept as its day's last minute, which lies ahead all day long.
        if happened > self._latest or created > (self._latest_day if created_date_only else self._latest):
            return HoldReason.FUTURE_DATE.value
        if not is_first and created < self._update_limit and not forced:
            return HoldReason.UPDATE_WINDOW_CLOSED.value
        return ""


def take_turn(counter_id: int, *, alone: bool = False) -> None:
    """Until the end of this transaction, what is judged here by the counter's settings stays in step with reviews (R8).

    Intake takes a turn before it reads the settings; a review first waits, `alone`, for all turns that are under way.
    So a change judged by old settings is committed before the review that those settings' change has called for.
    SQLite needs none of it: there only one transaction writes at a time.
    """
    if connection.vendor == "postgresql":
        function = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [_TURNS << 32 | counter_id])


def review(counter: Counter, *, now: datetime | None = None) -> int:
    """Look again at all that the counter holds, and at what waits if the counter is blocked now. Returns how many
    changes are free again. Flat memory; each chunk is committed by itself.
    """
    now = now or timezone.now()
    with transaction.atomic():
        take_turn(counter.pk, alone=True)
    counter = Counter.objects.select_related("account").get(pk=counter.pk)
    judge = HoldJudge(counter=counter, now=now)
    changes = StatusChange.objects.filter(counter=counter)
    released = 0
    if judge.block:
        with transaction.atomic():
            if changes.filter(delivery=Delivery.WAITING).update(delivery=Delivery.HELD, hold_reason=judge.block):
                held = {"counter_id": counter.pk, "code": judge.block}
                changes_settled.send(sender=None, delivery=Delivery.HELD, **held)
        others = [reason for reason in COUNTER_REASONS if reason != judge.block]
        changes.filter(delivery=Delivery.HELD, hold_reason__in=others).update(hold_reason=judge.block)
    else:
        released = reassess(changes.filter(delivery=Delivery.HELD), judge=judge, counter=counter)
    HoldReview.objects.update_or_create(
        counter=counter, defaults={"revision": counter.revision, "reviewed_at": timezone.now()}
    )
    return released


def reassess(held: QuerySet[StatusChange], *, judge: HoldJudge, counter: Counter) -> int:
    """Judge these held changes of one counter anew; what a person held stays held. Returns how many are free again."""
    released = 0
    for chunk in _chunks(held.exclude(hold_reason=HoldReason.BY_HAND)):
        by_reason: dict[str, list[UUID]] = defaultdict(list)
        for facts in chunk:
            reason = _judged(judge, facts)
            if reason != facts.hold_reason:
                by_reason[reason].append(facts.pk)
        with transaction.atomic():
            for reason, change_ids in by_reason.items():
                if reason:
                    held_ones = StatusChange.objects.filter(pk__in=change_ids, delivery=Delivery.HELD)
                    held_ones.update(hold_reason=reason)
                else:
                    released += delivery.release(change_ids=change_ids)
                    announce_accepted(counter.pk)
    return released


def would_be_free(*, counter: Counter, resolver: Resolver, statuses: Collection[str], at_most: int) -> int:
    """How much of what the counter's own state or the meaning of one of these statuses holds would be free, were the
    counter as it is in memory and its mapping the resolver's. Counted up to `at_most`, among the first LOOKED_AT."""
    judge = HoldJudge(counter=counter, now=timezone.now(), resolver=resolver)
    if judge.block:
        return 0
    of_the_mapping = Q(hold_reason__in=BY_STATUS, order_status__in=statuses)
    held = StatusChange.objects.filter(counter=counter, delivery=Delivery.HELD)
    free = seen = 0
    for chunk in _chunks(held.filter(Q(hold_reason__in=COUNTER_REASONS) | of_the_mapping)):
        free += sum(not _judged(judge, facts) for facts in chunk)
        seen += len(chunk)
        if free >= at_most or seen >= LOOKED_AT:
            break
    return min(free, at_most)


def release_clients(*, counter: Counter, upload_id: UUID) -> int:
    """Metrica took the clients of this upload: look again at what was held because it had refused them. Returns how
    many changes are free again."""
    held = StatusChange.objects.filter(
        counter=counter,
        delivery=Delivery.HELD,
        hold_reason=HoldReason.CLIENT_REFUSED,
        order__client__upload_id=upload_id,
        order__client__delivered_at__isnull=False,
    )
    if not held.exists():
        return 0
    return reassess(held, judge=HoldJudge(counter=counter, now=timezone.now()), counter=counter)


def judged_now(change: StatusChange, *, judge: HoldJudge | None = None) -> str:
    """The hold reason that applies to this change at this moment, or an empty text. `judge`: of its counter, where
    many are judged."""
    order = change.order
    facts = _Facts(
        pk=change.pk,
        hold_reason=change.hold_reason,
        order_status=change.order_status,
        happened=change.status_date_time,
        seq=change.seq,
        forced=change.forced,
        created=order.create_date_time,
        created_date_only=order.create_date_only,
        identifiers=order.identifiers,
        of_client=order.client.identifiers if order.client else None,
    )
    return _judged(judge or HoldJudge(counter=change.counter, now=timezone.now()), facts)


def review_behind() -> Iterator[Counter]:
    """Counters that changed since their holds were looked at last."""
    seen = HoldReview.objects.filter(counter=OuterRef("pk")).values("revision")
    counters = Counter.objects.filter(agency__is_active=True, revision__gt=Coalesce(Subquery(seen), 1))
    yield from counters.only("pk", "revision").iterator()


def release_due_future(*, now: datetime | None = None) -> int:
    """Free what was held because it lay in the future and does no longer. Returns how many."""
    now = now or timezone.now()
    ahead = StatusChange.objects.filter(
        delivery=Delivery.HELD, hold_reason=HoldReason.FUTURE_DATE, status_date_time__lte=now + CLOCK_SKEW
    )
    released = 0
    for counter_id in set(ahead.order_by().values_list("counter_id", flat=True)):
        counter = Counter.objects.select_related("account").get(pk=counter_id)
        judge = HoldJudge(counter=counter, now=now)
        released += reassess(ahead.filter(counter_id=counter_id), judge=judge, counter=counter)
    return released


class _Facts(NamedTuple):
    """What a held change is judged by."""

    pk: UUID
    hold_reason: str
    order_status: str
    happened: datetime
    seq: int
    forced: bool
    created: datetime
    created_date_only: bool
    identifiers: dict[str, list[str]]
    of_client: dict[str, list[str]] | None


_FACTS = (
    *("pk", "hold_reason", "order_status", "status_date_time", "seq", "forced"),
    *("order__create_date_time", "order__create_date_only", "order__identifiers", "order__client__identifiers"),
)


def _judged(judge: HoldJudge, facts: _Facts) -> str:
    return judge.reason(
        order_status=facts.order_status,
        has_identifiers=any(facts.identifiers.values()) or any((facts.of_client or {}).values()),
        happened=facts.happened,
        created=facts.created,
        created_date_only=facts.created_date_only,
        is_first=facts.seq == 1,
        forced=facts.forced,
    )


def _chunks(held: QuerySet[StatusChange]) -> Iterator[list[_Facts]]:
    rows = held.order_by("pk").values_list(*_FACTS)
    last: UUID | None = None
    while found := list((rows if last is None else rows.filter(pk__gt=last))[:CHUNK]):
        chunk = [_Facts._make(values) for values in found]
        yield chunk
        last = chunk[-1].pk
