from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    name = "apps.alerts"
    verbose_name = _("Alerts")

    def ready(self) -> None:
        from apps.alerts import checks  # noqa: F401  registers them
        from apps.alerts.tick import on_tick
        from apps.uploads.events import ticked

        ticked.connect(on_tick, dispatch_uid="alerts.look")
