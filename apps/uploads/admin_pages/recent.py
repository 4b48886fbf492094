"""The newest jobs, on the counter's page and at home."""

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.agencies.merging import Parts, merged
from apps.counters.models import Counter
from apps.orders.models import Delivery
from apps.uploads.admin_pages.rejected import changes_list, rejected_list
from apps.uploads.models import UploadJob


def recent_jobs(counters: Collection[int], *, limit: int = 8) -> list[Any]:
    """The newest jobs of these counters (primary keys), each with the addresses of what it delivered and what it
    rejected. One query."""
    if not counters:
        return []
    rows = UploadJob.objects.filter(counter__in=counters).select_related("counter").defer("only_orders")
    jobs: list[Any] = list(merged(rows.order_by("-id"), Parts("counter", tuple(counters)), stop=limit))
    for job in jobs:
        job.delivered_list = changes_list(job, Delivery.DELIVERED.value)
        job.rejected_list = rejected_list(job)
    return jobs


def recent_jobs_panel(request: HttpRequest, counter: Counter) -> str:
    jobs = recent_jobs([counter.pk])
    return render_to_string("admin/uploads/recent.html", {"jobs": jobs, "counter": counter}, request=request)
