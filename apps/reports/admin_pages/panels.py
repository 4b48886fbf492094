"""What the counter's page shows of its client reports."""

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.counters.models import Counter
from apps.reports.models import ReportLink

SHOWN = 8


def links_of_counter(request: HttpRequest, counter: Counter) -> str:
    """The newest links. One query."""
    links: list[Any] = list(ReportLink.objects.filter(counter=counter)[: SHOWN + 1])
    for link in links:
        link.counter = counter
    context = {
        "links": links[:SHOWN],
        "more": len(links) > SHOWN,
        "counter": counter,
        "may_operate": actor_of(request).can(Right.OPERATE),
    }
    return render_to_string("admin/reports/links.html", context, request=request)
