"""The log of calls, with what the quotas have counted, and the form that moves a limit."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from apps.sandbox import limits, quotas, services
from apps.sandbox.models import SandboxRequest, SandboxRunning, SandboxUsage
from apps.sandbox.pages.common import page_of

_MOST_ROWS = 50
_GROUPS = {"client_read": _("reading"), "client_write": _("writing"), "report_read": _("reports")}


@dataclass(frozen=True, slots=True)
class Used:
    """One line of the table: what is counted for whom, of how many."""

    subject: str
    what: str | Promise
    used: int
    limit: int | None


def requests(request: HttpRequest) -> HttpResponse:
    """The log of calls, newest first, below the quotas used so far."""
    numbers = limits.values()
    context = {
        "page": page_of(request, SandboxRequest.objects.order_by("-pk")),
        "tab": "requests",
        "used": _used(timezone.now(), numbers),
        "limits": [(limit, numbers[name]) for name, limit in limits.LIMITS.items()],
        "next_day": quotas.next_day(timezone.now()),
    }
    return render(request, "sandbox/requests.html", context)


@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Moves one limit (empty: there is none), or puts all documented numbers back."""
    if "restore" in request.POST:
        services.restore_limits()
        messages.success(request, _("The documented limits hold again, and nothing is counted yet."))
        return redirect("sandbox:requests")
    text = request.POST.get("value", "").strip()
    try:
        services.set_limit(name=request.POST.get("name", ""), value=int(text) if text else None)
        messages.success(request, _("The limit is moved."))
    except ValueError as error:
        messages.error(request, str(error))
    return redirect("sandbox:requests")


def _used(now: datetime, numbers: dict[str, int | None]) -> list[Used]:
    """Today's counts of logins and counters, reports of the last five minutes, calls that run. Three queries."""
    day = int(now.astimezone(UTC).timestamp() // 86400)
    found = []
    for name in ("requests_by_uid", "requests_by_counter_id"):
        rows = SandboxUsage.objects.filter(key__startswith=f"{name}:", key__endswith=f":{day}").order_by("key")
        for key, used in rows.values_list("key", "used")[:_MOST_ROWS]:
            subject, group = key.removeprefix(f"{name}:").removesuffix(f":{day}").rsplit(":", 1)
            found.append(Used(subject, _GROUPS.get(group, group), used, numbers[name]))
    running = SandboxRunning.objects.values("login").annotate(calls=Count("pk")).order_by("login")
    for login, calls in running.values_list("login", "calls")[:_MOST_ROWS]:
        found.append(Used(login, _("running now"), calls, numbers["parallel_requests"]))
    return found
