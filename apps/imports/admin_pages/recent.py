"""The newest imports, on the counter's page."""

from django.http import HttpRequest
from django.template.loader import render_to_string

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.counters.models import Counter
from apps.imports.models import ImportJob


def recent_imports_panel(request: HttpRequest, counter: Counter) -> str:
    """One query."""
    jobs = list(ImportJob.objects.filter(counter=counter).defer("sample").order_by("-id")[:5])
    context = {"jobs": jobs, "counter": counter, "may_import": actor_of(request).can(Right.OPERATE)}
    return render_to_string("admin/imports/recent.html", context, request=request)
