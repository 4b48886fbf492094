"""What upload jobs add to the lists of changes: those of one job; and sending all rejected ones of a job once more."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.agencies.access import actor_of
from apps.agencies.changelists import few
from apps.agencies.filters import LinkFilter
from apps.counters.ui.acts import Act
from apps.orders import numbers
from apps.orders.models import Delivery, StatusChange
from apps.uploads import services
from apps.uploads.admin_pages.acts import nothing_goes
from apps.uploads.models import UNFINISHED_JOBS, Upload, UploadJob


class JobFilter(LinkFilter):
    """Changes that stand in files of one job."""

    title = _("upload job")
    parameter_name = "job"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        job: Any = self.value()
        if not job:
            return queryset
        few(request)
        uploads = Upload.objects.visible_to(actor_of(request))
        try:
            return queryset.filter(upload_id__in=uploads.filter(job=job).values("pk"))
        except (ValidationError, ValueError):
            return queryset.none()

    def only(self) -> str:
        jobs = UploadJob.objects.visible_to(actor_of(self.request)).select_related("counter")
        try:
            return str(jobs.filter(pk=self.value() or "").first() or "—")
        except (ValidationError, ValueError):
            return "—"


def rejected_list(job: UploadJob) -> str:
    """The address of the list of the job's rejected changes."""
    return f"{reverse('admin:orders_rejectedchange_changelist')}?job={job.pk}"


def changes_list(job: UploadJob, state: str = "") -> str:
    """The address of the list of the changes that stand in the job's files, all of them or those in one state."""
    return f"{reverse('admin:orders_statuschange_changelist')}?job={job.pk}" + (f"&delivery={state}" if state else "")


def still_rejected(job: UploadJob) -> int:
    """How many changes stand rejected in the job's files now: those that went once more stand in another job's. No more
    than `numbers.LIMIT` are counted. One query; none where nothing was rejected."""
    if not job.rejected:
        return 0
    uploads = Upload.objects.filter(job=job).values("pk")
    rows = StatusChange.objects.filter(upload_id__in=uploads, delivery=Delivery.REJECTED).order_by()
    return rows[: numbers.LIMIT].count()


def _question(request: HttpRequest, job: UploadJob) -> str:
    number = len(services.rejected_of(job)[: services.RETRIED_AT_ONCE])
    text = ngettext(
        "%(count)s rejected status change goes once more with a new job, with what is known of its order by now.",
        "%(count)s rejected status changes go once more with a new job, with what is known of their orders by now.",
        number,
    )
    return f"{text % {'count': number}} {nothing_goes(job.counter)}".strip()


def _retry(request: HttpRequest, job: UploadJob, values: Mapping[str, Any]) -> Any:
    again = services.retry_job(job=job, rejected=True)
    messages.success(request, _now("What was rejected goes once more. This page follows it."))
    return HttpResponseRedirect(reverse("admin:uploads_uploadjob_change", args=[again.pk]))


RETRY_REJECTED = Act(
    name="retry_rejected",
    title=_("Send rejected again"),
    icon="redo",
    question=_question,
    do=_retry,
    shown=lambda request, job: (
        bool(job.rejected) and job.state not in UNFINISHED_JOBS and services.rejected_of(job).exists()
    ),
)
