"""Counters that do not deliver: jobs that fail, changes that wait too long, rows that Metrica does not take."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import CharField, IntegerField, OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.alerts.causes.base import Cause, Facts, Finding, Look, counter_page, number, orders_page, when
from apps.alerts.models import Alert, Severity
from apps.counters import schedule
from apps.counters.models import Counter
from apps.orders.models import Delivery, StatusChange
from apps.orders.numbers import CappedEarliest
from apps.uploads.models import JobState, UploadJob
from apps.uploads.problems import describe

ENDED = (JobState.SUCCEEDED, JobState.PARTLY_FAILED, JobState.FAILED)
JOBS_A_DAY = 200
"""The newest ones of a day stand for all of it."""

FEWEST_REJECTED = 5
"""Of fewer rows a share says nothing."""

WAITING_LOOKED_AT = 200


class FailedAmong(Subquery):
    """How many of a (sliced) query's jobs have failed."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) newest WHERE newest.state = 'failed')"
    output_field = IntegerField()


class RowsOf(Subquery):
    """`delivered rejected` of a (sliced) query's jobs together, in one text."""

    template = (
        "(SELECT COALESCE(SUM(newest.delivered), 0) || ' ' || COALESCE(SUM(newest.rejected), 0) "
        "FROM (%(subquery)s) newest)"
    )
    output_field = CharField()


def _jobs(**conditions: Any) -> Any:
    return UploadJob.objects.filter(counter=OuterRef("pk"), **conditions).order_by("-id")


class CounterFailing(Cause):
    code = "counter_failing"
    title = _("Uploads fail")
    step = _("Open the last upload job: it shows what was sent, the answer, and what to do.")
    severity = Severity.URGENT

    def find(self, look: Look) -> Iterable[Finding]:
        """A few index rows a counter, in one query (index job_newest), and one more for the failing counters. What
        blocks a counter altogether is told by other causes."""
        wanted = look.rules.failed_jobs
        newest = _jobs(state__in=ENDED).values("state")[:wanted]
        ready = {counter.pk: counter for counter in look.ready}
        counts = Counter.objects.filter(pk__in=ready).order_by().values_list("pk", FailedAmong(newest))
        failing = [pk for pk, failed in counts if failed >= wanted]
        if not failing:
            return
        last = _jobs(state=JobState.FAILED).values("pk")[:1]
        jobs = UploadJob.objects.in_bulk(
            list(Counter.objects.filter(pk__in=failing).order_by().values_list(Subquery(last), flat=True))
        )
        for job in jobs.values():
            facts = {"jobs": wanted, "code": job.error_code, "job": str(job.pk)}
            yield self.of_counter(ready[job.counter_id], **facts)

    def sentence(self, facts: Facts) -> str:
        text = ngettext("The last upload job has failed.", "The last %(n)s upload jobs have failed.", facts["jobs"]) % {
            "n": facts["jobs"]
        }
        problem = describe(facts["code"])
        return f"{text} {problem.message}" if problem else text

    def advice(self, facts: Facts) -> str:
        problem = describe(facts["code"])
        return str(problem.next_step) if problem else str(self.step)

    def page(self, alert: Alert) -> str:
        return reverse("admin:uploads_uploadjob_change", args=[alert.facts["job"]])


class QueueOld(Cause):
    code = "queue_old"
    title = _("Status changes wait too long")
    step = _("See whether an upload job of the counter is running, and whether a worker is (python manage.py worker).")
    severity = Severity.URGENT
    calm = timedelta(minutes=15)

    def find(self, look: Look) -> Iterable[Finding]:
        """At most `WAITING_LOOKED_AT` waiting rows a counter, in one query (index change_waiting); with more of them
        the oldest may be older still. Only counters of which something could go, and that a schedule sends: one that is
        uploaded by hand waits for a hand."""
        wait = timedelta(minutes=look.rules.queue_minutes)
        turns = {counter.pk: turn for counter in look.ready if (turn := _between_turns(counter)) is not None}
        counters = {counter.pk: counter for counter in look.ready if counter.pk in turns}
        waiting = StatusChange.objects.filter(counter=OuterRef("pk"), delivery=Delivery.WAITING).order_by()
        oldest = CappedEarliest(waiting.values("received_at")[:WAITING_LOOKED_AT])
        for pk, came in Counter.objects.filter(pk__in=turns).order_by().values_list("pk", oldest):
            if came is not None and came <= look.now - turns[pk] - wait:
                yield self.of_counter(counters[pk], oldest=came.isoformat(), schedule=counters[pk].schedule)

    def sentence(self, facts: Facts) -> str:
        text = _now("A status change that came on %(time)s still waits, though nothing holds it (schedule: %(plan)s).")
        return text % {"time": when(facts["oldest"]), "plan": schedule.parse(facts["schedule"]).words}

    def page(self, alert: Alert) -> str:
        return counter_page(alert)


class RejectedShare(Cause):
    code = "rejected_share"
    title = _("Metrica rejects many rows")
    step = _("Open the rejected orders: each says why, and can be corrected and sent again there.")
    calm = timedelta(hours=1)

    def find(self, look: Look) -> Iterable[Finding]:
        """Sums of at most `JOBS_A_DAY` jobs a counter, in one query (index job_newest); orders are not read."""
        of_day = _jobs(created_at__gte=look.now - timedelta(days=1))
        counters = {counter.pk: counter for counter in look.counters}
        rows = RowsOf(of_day.values("delivered", "rejected")[:JOBS_A_DAY])
        for pk, sums in Counter.objects.filter(pk__in=counters).order_by().values_list("pk", rows):
            delivered, rejected = map(int, sums.split())
            share = 100 * rejected / (delivered + rejected) if rejected else 0
            if rejected >= FEWEST_REJECTED and share > look.rules.rejected_percent:
                yield self.of_counter(counters[pk], rejected=rejected, rows=delivered + rejected, percent=round(share))

    def sentence(self, facts: Facts) -> str:
        text = _now("Of the %(rows)s rows of the last 24 hours Metrica rejected %(rejected)s (%(percent)s%%).")
        shown = {"rows": number(facts["rows"]), "rejected": number(facts["rejected"]), "percent": facts["percent"]}
        return text % shown

    def page(self, alert: Alert) -> str:
        return orders_page(alert, "rejected")


def _between_turns(counter: Counter) -> timedelta | None:
    """How long a change may rightly wait for the counter's next upload; None where only a person starts one."""
    plan = schedule.parse(counter.schedule)
    if plan.every is not None:
        return plan.every
    if plan.at is not None:
        return timedelta(days=1)
    return timedelta(0) if plan.kind == "as_they_come" else None
