"""Asking for an upload, stopping one, repeating one: each says first what would leave for Metrica."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.counters.models import Counter
from apps.counters.services import block_reason
from apps.counters.ui.acts import Act
from apps.counters.ui.bulk import BulkAct
from apps.orders.models import Delivery, HoldReason, Order, StatusChange
from apps.orders.numbers import LIMIT
from apps.uploads import services
from apps.uploads.admin_pages.dry_run import UploadForm
from apps.uploads.models import UNFINISHED_JOBS, Trigger, UploadJob


def _how_many(number: int) -> str:
    """`12 status changes`, or `1000 or more status changes` where the count stopped."""
    if number >= LIMIT:
        text = ngettext("%(count)s or more status change", "%(count)s or more status changes", LIMIT)
        return text % {"count": LIMIT}
    return ngettext("%(count)s status change", "%(count)s status changes", number) % {"count": number}


def _waiting(**conditions: Any) -> int:
    rows = StatusChange.objects.filter(delivery=Delivery.WAITING, **conditions).order_by()
    return len(rows.values_list("pk")[:LIMIT])


def _follow(request: HttpRequest, job: UploadJob, told: str = "") -> HttpResponseRedirect:
    """To the page of a job that has just been asked for."""
    messages.success(request, told or _now("The upload is on its way. This page follows it."))
    return HttpResponseRedirect(reverse("admin:uploads_uploadjob_change", args=[job.pk]))


def nothing_goes(counter: Counter) -> str:
    """A sentence about why nothing of the counter can leave now; empty where it can."""
    reason = block_reason(counter)
    if not reason:
        return ""
    why = str(HoldReason(reason).label)
    return _now("Nothing can leave now: %(why)s.") % {"why": why[:1].lower() + why[1:]}


def _ask_counter(request: HttpRequest, counter: Counter) -> str:
    if told := nothing_goes(counter):
        return told
    number = _waiting(counter=counter)
    if not number:
        return _now(
            "Nothing of this counter is waiting. The job will look for states that have to be sent again, and end."
        )
    return _now("%(changes)s of this counter will leave for Metrica.") % {"changes": _how_many(number)}


def _upload_counter(request: HttpRequest, counter: Counter, values: Mapping[str, Any]) -> Any:
    job = services.request_upload(counter=counter, trigger=Trigger.PERSON)
    return _follow(request, job)


def _ask_order(request: HttpRequest, order: Order) -> str:
    if told := nothing_goes(order.counter):
        return told
    number = _waiting(counter=order.counter_id, order=order)
    if number:
        return _now("%(changes)s of this order will leave for Metrica.") % {"changes": _how_many(number)}
    return _now("The order's current state will be sent once more.")


def _has_something_to_send(request: HttpRequest, order: Order) -> bool:
    return order.resend_due or order.changes.filter(delivery=Delivery.WAITING).exists()


def _upload_order(request: HttpRequest, order: Order, values: Mapping[str, Any]) -> Any:
    job = services.request_upload(counter=order.counter, trigger=Trigger.PERSON, only_orders=[order.pk])
    return _follow(request, job)


def _ask_orders(request: HttpRequest, orders: list[Order]) -> str:
    counters = {order.counter_id for order in orders}
    number = _waiting(counter__in=counters, order__in=[order.pk for order in orders])
    chosen = ngettext("%(count)s order is chosen.", "%(count)s orders are chosen.", len(orders)) % {
        "count": len(orders)
    }
    if not number:
        return f"{chosen} " + _now("Nothing of it is waiting; states that have to be sent again will go.")
    return f"{chosen} " + _now("%(changes)s will leave for Metrica.") % {"changes": _how_many(number)}


def _upload_orders(request: HttpRequest, orders: list[Order], values: Mapping[str, Any]) -> Any:
    by_counter: dict[int, list[Order]] = defaultdict(list)
    for order in orders:
        by_counter[order.counter_id].append(order)
    jobs = [
        services.request_upload(
            counter=chosen[0].counter, trigger=Trigger.PERSON, only_orders=[order.pk for order in chosen]
        )
        for chosen in by_counter.values()
    ]
    if len(jobs) == 1:
        return _follow(request, jobs[0])
    text = ngettext("%(count)s upload is on its way.", "%(count)s uploads are on their way.", len(jobs))
    messages.success(request, text % {"count": len(jobs)})
    return HttpResponseRedirect(reverse("admin:uploads_uploadjob_changelist"))


def _cancel(request: HttpRequest, job: UploadJob, values: Mapping[str, Any]) -> str:
    if not services.cancel_job(job=job):
        raise ValidationError(_now("The job has ended already. There is nothing left to cancel."), code="job_ended")
    return _now("The job stops before its next file. What was not sent waits for the next upload.")


def _ask_again(job: UploadJob) -> str:
    if told := nothing_goes(job.counter):
        return told
    some = {"order__in": job.only_orders} if job.only_orders else {}
    number = _waiting(counter=job.counter, **some)
    return _now("%(changes)s will leave for Metrica.") % {"changes": _how_many(number)}


def _retry(request: HttpRequest, job: UploadJob, values: Mapping[str, Any]) -> Any:
    again = services.retry_job(job=job)
    return _follow(request, again, _now("A new job takes up what this one left. This page follows it."))


UPLOAD_COUNTER = Act(
    name="upload",
    title=_("Upload now"),
    icon="cloud_upload",
    question=_ask_counter,
    form=UploadForm,
    do=_upload_counter,
    shown=lambda request, counter: not block_reason(counter),
    main=True,
)
UPLOAD_ORDER = Act(
    name="upload",
    title=_("Upload now"),
    icon="cloud_upload",
    question=_ask_order,
    do=_upload_order,
    shown=_has_something_to_send,
    main=True,
)
UPLOAD_ORDERS = BulkAct(
    name="upload_orders",
    title=_("Upload now"),
    icon="cloud_upload",
    question=_ask_orders,
    do=_upload_orders,
)
CANCEL = Act(
    name="cancel",
    title=_("Cancel"),
    icon="cancel",
    question=lambda request, job: _(
        "The job stops before its next file. A file that is being sent is finished; what was not sent waits again."
    ),
    do=_cancel,
    button=_("Cancel the job"),
    shown=lambda request, job: job.state in UNFINISHED_JOBS and job.cancel_requested_at is None,
    danger=True,
)
RETRY = Act(
    name="retry",
    title=_("Upload once more"),
    icon="replay",
    question=lambda request, job: (
        _now("A new job is made for all that is still waiting. What Metrica has is not sent again.")
        + f" {_ask_again(job)}"
    ),
    do=_retry,
    shown=lambda request, job: job.state not in UNFINISHED_JOBS,
    main=True,
)
