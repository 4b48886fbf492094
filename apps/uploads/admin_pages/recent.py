"""The newest jobs, on the counter's page and at home."""

from collections.abc import Collection
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.agencies.merging import Parts, merged
from apps.counters.models import Counter
from apps.uploads.models import UploadJob


def recent_jobs(counters: Collection[int], *, limit: int = 8) -> list[UploadJob]:
    """The newest jobs of these counters (primary keys). One query."""
    if not counters:
        return []
    rows = UploadJob.objects.filter(counter__in=counters).select_related("counter").defer("only_orders")
    return list(merged(rows.order_by("-id"), Parts("counter", tuple(counters)), stop=limit))


def recent_jobs_panel(request: HttpRequest, counter: Counter) -> str:
    jobs: Any = recent_jobs([counter.pk])
    return render_to_string("admin/uploads/recent.html", {"jobs": jobs, "counter": counter}, request=request)
