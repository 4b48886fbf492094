from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DashboardConfig(AppConfig):
    name = "apps.dashboard"
    verbose_name = _("Home")

    def ready(self) -> None:
        from apps.dashboard.comparison.nightly import on_tick
        from apps.dashboard.rollup import running
        from apps.orders.events import creations_moved
        from apps.uploads.events import ticked

        ticked.connect(on_tick, dispatch_uid="dashboard.compare")
        ticked.connect(running.on_tick, dispatch_uid="dashboard.roll_up")
        creations_moved.connect(running.note_moved, dispatch_uid="dashboard.roll_up")
