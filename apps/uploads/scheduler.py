"""The tick: starts what is due, finds again what was lost, keeps house. Any number of machines may tick at once; each
thing is taken by a compare-and-swap, so nothing happens twice."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.models import Task

from apps.audit import chain
from apps.clients import blind
from apps.clients.models import Client
from apps.counters import schedule
from apps.counters import tasks as account_tasks
from apps.counters.models import AccountState, Counter, Mode
from apps.counters.services import block_reason
from apps.orders import erasing, holds
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads import heartbeats, queueing, retention, saving, tallies
from apps.uploads.events import ticked
from apps.uploads.models import Trigger, Upload, UploadJob
from apps.uploads.selection import those_with_something_due
from apps.uploads.services import everything_refused, request_if_wanted, request_upload
from apps.uploads.urgency import lift_urgent

log = structlog.get_logger(__name__)

QUEUE_RECORDS_KEPT = timedelta(days=7)
AUDIT_ENTRIES_A_TICK = 20_000
CONTACTS_A_TICK = 50_000
TURNS_AT_ONCE = 100


class TickFailed(Exception):
    """Some stages broke off; the others were done. The log holds the causes."""

    def __init__(self, stages: list[str]) -> None:
        super().__init__(", ".join(stages))
        self.stages = stages


def tick() -> None:
    """One step of everything that has its time. Raises TickFailed after all stages had their chance."""
    heartbeats.beat(heartbeats.TICK)
    tallies.add(tallies.EVERYBODY, {"ticks": 1})
    stages: tuple[Callable[[], object], ...] = (
        release_holds,
        start_due_counters,
        start_as_they_come,
        settle_left_behind,
        lift_urgent,
        wake_gathering,
        ask_metrica_again,
        bring_up_jobs,
        renew_tokens,
        seal_audit,
        key_contacts,
        go_on_with_erasures,
        forget_in_time,
        keep_house,
        tell_others,
    )
    failed = []
    for stage in stages:
        try:
            stage()
        except Exception:
            log.exception("stage of the tick failed", stage=stage.__name__)
            failed.append(stage.__name__)
    if failed:
        raise TickFailed(failed)


def release_holds() -> None:
    """Held changes whose cause may be gone: of counters that changed, and those whose future has come."""
    for counter in list(holds.review_behind()):
        holds.review(counter)
    holds.release_due_future()


def start_due_counters() -> int:
    """Jobs for counters whose schedule has come. Whoever holds a counter's row moves its `next_upload_at` on and starts
    the job, so one does. Three queries for a hundred counters, and what a job costs for those that have something due.

    A counter whose job cannot be made keeps its turn, and nobody else's; the first cause is raised after all others.
    """
    now = timezone.now()
    started, last = 0, 0
    broken: Exception | None = None
    while True:
        with transaction.atomic():  # a crash between the two would lose the turn
            due = Counter.objects.due(now).filter(pk__gt=last).select_related("account").order_by("pk")
            turns = list(due.select_for_update(of=("self",), no_key=True, skip_locked=True)[:TURNS_AT_ONCE])
            wanting = those_with_something_due([counter.pk for counter in turns])
            served = []
            for counter in turns:
                try:
                    if counter.pk in wanting and not block_reason(counter) and not everything_refused(counter):
                        request_upload(counter=counter, trigger=Trigger.SCHEDULE, requested_by=_("the schedule"))
                        started += 1
                except Exception as error:
                    log.exception("no job for a counter whose time has come", counter=counter.metrica_id)
                    broken = broken or error
                    continue
                counter.next_upload_at = _following(counter, now)
                served.append(counter)
            Counter.objects.bulk_update(served, ["next_upload_at"])
        if len(turns) < TURNS_AT_ONCE:
            break
        last = turns[-1].pk
    if broken is not None:
        raise broken
    return started


def start_as_they_come() -> None:
    """Counters whose changes go as they come, where something is due though no job is there: its message was lost, or
    the last job failed."""
    waiting = StatusChange.objects.filter(counter=OuterRef("pk"), delivery=Delivery.WAITING)
    repeats = Order.objects.filter(counter=OuterRef("pk"), resend_due=True)
    clients = Client.objects.due().filter(counter=OuterRef("pk"))
    counters = Counter.objects.active().filter(
        Exists(waiting) | Exists(repeats) | (Q(mode=Mode.DETAILED) & Exists(clients)),
        ~_has_job(),
        schedule=schedule.AS_THEY_COME,
        account__state=AccountState.CONNECTED,
    )
    for counter in counters.select_related("account"):
        request_if_wanted(counter)


def settle_left_behind() -> None:
    """Files that an ended job left undecided: a job for nothing but finding out."""
    now = timezone.now()
    due = Q(not_before=None) | Q(not_before__lte=now)
    left = Upload.objects.unsettled().filter(due, job__counter=OuterRef("pk"))
    for counter in Counter.objects.active().filter(Exists(left), ~_has_job()).select_related("account"):
        if not block_reason(counter):
            request_upload(counter=counter, trigger=Trigger.SCHEDULE, only_orders=[], requested_by=_("the schedule"))


def wake_gathering() -> None:
    """Jobs that gather changes because calls are short: whether they still have to."""
    saving.wake()


def ask_metrica_again() -> int:
    """Before jobs come back: whether Metrica answers again, a small call finds out sooner than a large file."""
    return account_tasks.send_due_questions()


def bring_up_jobs() -> int:
    """Permits for jobs that can be taken, where too few are on their way. Returns how many."""
    return queueing.send_missing()


def renew_tokens() -> int:
    """Messages for accounts whose token is near its end. Returns how many."""
    return account_tasks.send_due_renewals()


def seal_audit() -> None:
    chain.seal(limit=AUDIT_ENTRIES_A_TICK)


def key_contacts() -> None:
    """Lines of the look-up of people that are older than its key. No query once there are none."""
    blind.rekey(limit=CONTACTS_A_TICK)


def go_on_with_erasures() -> None:
    """Kept files of clients that were erased; last but one, as it may take its time."""
    erasing.go_on()


def forget_in_time() -> None:
    """Files and identifiers whose time is over."""
    retention.prune()


def keep_house() -> None:
    """The queue's records of what it did, and of workers that are gone."""
    Task.objects.filter(stopped__lt=timezone.now() - QUEUE_RECORDS_KEPT).delete()
    heartbeats.prune()


def tell_others() -> None:
    """Each listener has its turn, whatever happens to another; Django logs what broke off."""
    answers = ticked.send_robust(sender=None, now=timezone.now())
    if broken := [answer for _listener, answer in answers if isinstance(answer, Exception)]:
        raise broken[0]


def _following(counter: Counter, now: datetime) -> datetime | None:
    """The next time after now; every five minutes stays at the same minutes, whatever was missed meanwhile."""
    plan, due_at = schedule.parse(counter.schedule), counter.next_upload_at
    if plan.every is not None and due_at is not None:
        return due_at + plan.every * ((now - due_at) // plan.every + 1)
    return plan.next_after(now, counter.zone)


def _has_job() -> Exists:
    return Exists(UploadJob.objects.unfinished().filter(counter=OuterRef("pk")))
