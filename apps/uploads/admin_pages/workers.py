"""Who works: the last sign of life of each worker, of the clock and of the queue. For the platform's own staff."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.agencies.exporting import Cell
from apps.agencies.tenant_admin import PlatformAdmin
from apps.counters.templatetags.goalpost import badge, since
from apps.counters.ui.lists import PreparedListMixin
from apps.uploads import heartbeats
from apps.uploads.models import Heartbeat

_TITLES = {heartbeats.TICK: _("Clock"), heartbeats.QUEUE: _("Queue")}


class HeartbeatAdmin(PreparedListMixin, PlatformAdmin):
    """Only to look at: whoever works writes its own line and takes it away when it stops."""

    empty_icon = "memory"
    empty_title = _("No worker runs")
    empty_text = _("No worker has ever given a sign of life. Start one: python manage.py worker")
    add_right = change_right = delete_right = None
    list_display = ("part", "host", "pid", "last", "well")
    list_display_links = None
    export_cells = {
        "last": (Cell(_("last sign of life"), lambda heartbeat: heartbeat.at),),
        "well": (Cell(_("state"), lambda one: _("Silent") if heartbeats.is_silent(one) else _("Alive")),),
    }
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
        return since(heartbeat.at)

    @display(description=_("state"))
    def well(self, heartbeat: Heartbeat) -> str:
        if heartbeats.is_silent(heartbeat):
            return badge(_("Silent"), "bad", "error")
        return badge(_("Alive"), "good", "check_circle")
