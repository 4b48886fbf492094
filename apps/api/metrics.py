"""/metrics: how the whole installation does, as Prometheus reads it. The same from every web process, since all of it
comes from the database.

The cost: some ten queries over small tables and partial indexes, for each active counter at most a thousand rows of
each of its three lists of work, and one look at the days of all logins; no big table is counted. Labels are numbers
and codes: nothing names a person.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import Coalesce, Greatest
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.counters.breaker import open_breakers
from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.counters.quotas import standings
from apps.orders import numbers
from apps.uploads import heartbeats, settle, stages, tallies
from apps.uploads.models import JobState, Upload, UploadJob


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """200 with the numbers; 401 without the token; 404 where no METRICS_TOKEN is set."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "")
    if not constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse(
            "Send the METRICS_TOKEN as `Authorization: Bearer …`.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": "Bearer"},
        )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Installation())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Installation(Collector):
    """Reads everything anew at each collection."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield from _work(now)
        yield from _queue(now)
        yield from _totals()
        yield from _workers(now)
        yield from _metrica()


def _work(now: datetime) -> Iterator[Metric]:
    """What waits, of all counters: each counts up to numbers.LIMIT in full."""
    counters = list(Counter.objects.filter(agency__is_active=True).values_list("pk", flat=True))
    whole = numbers.total(numbers.work_of(counters).values())
    yield _gauge(
        "changes_waiting",
        f"Status changes that wait for an upload; a counter with more than {numbers.LIMIT} counts as {numbers.LIMIT}.",
        whole.waiting,
    )
    yield _gauge(
        "oldest_waiting_change_seconds",
        f"Since the longest-waiting change came in; it may be older where more than {numbers.LIMIT} wait in a counter.",
        _age(now, whole.oldest),
    )
    held = GaugeMetricFamily(
        "goalpost_changes_held",
        f"Status changes that wait for a person, by reason; up to {numbers.LIMIT} of each counter.",
        labels=["reason"],
    )
    for reason, number in sorted(whole.held_by_reason.items()):
        held.add_metric([reason], number)
    yield held


def _queue(now: datetime) -> Iterator[Metric]:
    """Over unfinished jobs and files alone, of which there are few."""
    states = UploadJob.objects.unfinished().order_by().values_list("state").annotate(number=Count("pk"))
    jobs = GaugeMetricFamily("goalpost_jobs", "Upload jobs that have not ended.", labels=["state"])
    found: dict[str, int] = dict(states)
    for state in (JobState.QUEUED, JobState.RUNNING):
        jobs.add_metric([state.value], found.get(state, 0))
    yield jobs
    yield _gauge(
        "oldest_claimable_job_seconds", "How long a job has been there for any worker to take.", _queue_age(now)
    )
    yield _gauge(
        "uploads_unsettled",
        "Files whose end is not known yet: prepared, being sent, or looked for at Metrica.",
        Upload.objects.unsettled().count(),
    )


def _queue_age(now: datetime) -> float:
    """A job that was put back can be taken since then, not since it was asked for; one whose worker died, since its
    lease ran out."""
    since = Greatest("waiting_since", Coalesce("not_before", "waiting_since"), Coalesce("lease_until", "waiting_since"))
    taken_by_others = UploadJob.objects.filter(counter=OuterRef("counter"), state=JobState.RUNNING)
    free = UploadJob.objects.claimable(now).filter(~Exists(taken_by_others.exclude(pk=OuterRef("pk"))))
    return _age(now, free.annotate(since=since).order_by("since").values_list("since", flat=True).first())


def _totals() -> Iterator[Metric]:
    """What was written with each step; a few rows for each counter."""
    changes = {"delivered": "changes.delivered", "rejected": "changes.rejected", "resent": "changes.resent"}
    names = [*changes.values(), "ticks"]
    names += [f"outcome.{outcome}" for outcome in settle.OUTCOMES] + [f"seconds.{stage}" for stage in stages.ALL]
    found = tallies.totals(names)
    told = {
        "delivered": "Status changes that Metrica has taken.",
        "rejected": "Status changes that Metrica, or its format, did not take.",
        "resent": "Delivered states that were sent once more to be the newest again.",
    }
    for name, text in told.items():
        yield _counter(f"changes_{name}", text, found[changes[name]])
    outcomes = CounterMetricFamily(
        "goalpost_upload_outcomes",
        "What became of the attempts to send a file; adopted and not_found: of those whose outcome was unknown.",
        labels=["outcome"],
    )
    for outcome in settle.OUTCOMES:
        outcomes.add_metric([outcome], found[f"outcome.{outcome}"])
    yield outcomes
    seconds = CounterMetricFamily("goalpost_stage_seconds", "Where the time of uploads went.", labels=["stage"])
    for stage in stages.ALL:
        seconds.add_metric([stage], found[f"seconds.{stage}"])
    yield seconds
    yield _counter("ticks", "Steps of the clock, of all workers together.", found["ticks"])


def _workers(now: datetime) -> Iterator[Metric]:
    yield _gauge("workers", "Workers that gave a sign of life lately.", heartbeats.workers_alive())
    for name, text in (
        (heartbeats.TICK, "Since the clock last ticked."),
        (heartbeats.QUEUE, "Since a message last passed through the queue."),
    ):
        age = heartbeats.age(name)
        if age is not None:
            yield _gauge(f"{name}_age_seconds", text, age.total_seconds())


def _metrica() -> Iterator[Metric]:
    """How much of Metrica's day is left, and who does not answer. As many queries for any number of accounts."""
    accounts = list(MetricaAccount.objects.filter(state=AccountState.CONNECTED, agency__is_active=True))
    left = GaugeMetricFamily(
        "goalpost_quota_left", "Calls that the account may still make this day (GMT).", labels=["account"]
    )
    limit = GaugeMetricFamily(
        "goalpost_quota_limit", "Calls that Metrica allows its login in a day.", labels=["account"]
    )
    for pk, day in standings(accounts).items():
        left.add_metric([str(pk)], day.left)
        limit.add_metric([str(pk)], day.limit)
    yield left
    yield limit
    yield _gauge("open_breakers", "Hosts and accounts that do not answer now.", len(open_breakers(accounts)))


def _age(now: datetime, moment: datetime | None) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"goalpost_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Any:
    return CounterMetricFamily(f"goalpost_{name}", text, value=value)
