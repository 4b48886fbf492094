"""Who works: the last sign of life of each worker, of the clock and of the queue. For the platform's own staff."""

from typing import Any

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.tenant_admin import PlatformAdmin
from apps.uploads import heartbeats
from apps.uploads.models import Heartbeat

_TITLES = {heartbeats.TICK: _("Clock"), heartbeats.QUEUE: _("Queue")}


class HeartbeatAdmin(PlatformAdmin):
    """Only to look at: whoever works writes its own line and takes it away when it stops."""

    add_right = change_right = delete_right = None
    list_display = ("part", "host", "pid", "last", "well")
    list_display_links = None
    ordering = ("name",)
    fields = readonly_fields = ("part", "host", "pid", "last", "well")

    @display(description=_("part"), ordering="name")
    def part(self, heartbeat: Heartbeat) -> Any:
        return _TITLES.get(heartbeat.name, _("Worker"))

    @display(description=_("machine"))
    def host(self, heartbeat: Heartbeat) -> str:
        return heartbeats.host_of(heartbeat) or "–"

    @display(description=_("process"))
    def pid(self, heartbeat: Heartbeat) -> str:
        return heartbeats.pid_of(heartbeat) or "–"

    @display(description=_("last sign of life"), ordering="at")
    def last(self, heartbeat: Heartbeat) -> str:
        seconds = int((timezone.now() - heartbeat.at).total_seconds())
        if seconds < 60:
            return _("%(seconds)s s ago") % {"seconds": max(0, seconds)}
        return _("%(time)s ago") % {"time": timesince(heartbeat.at)}

    @display(description=_("state"), label={"well": "success", "silent": "danger"})
    def well(self, heartbeat: Heartbeat) -> Any:
        return ("silent", _("Silent")) if heartbeats.is_silent(heartbeat) else ("well", _("Alive"))
