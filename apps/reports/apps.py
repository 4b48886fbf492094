from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsConfig(AppConfig):
    name = "apps.reports"
    verbose_name = _("Client reports")

    def ready(self) -> None:
        from apps.reports.letters.tick import on_tick
        from apps.uploads.events import ticked

        ticked.connect(on_tick, dispatch_uid="reports.letters")
