from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReceiversConfig(AppConfig):
    name = "apps.receivers"
    verbose_name = _("Receivers")

    def ready(self) -> None:
        from apps.alerts.causes import CAUSES
        from apps.orders import erasing
        from apps.receivers import rounds
        from apps.receivers.alerts import ReceiverHeld
        from apps.receivers.blanking import blank
        from apps.uploads.events import ticked

        erasing.parts["posts"] = blank
        ticked.connect(rounds.on_tick, dispatch_uid="receivers")
        CAUSES.setdefault(ReceiverHeld.code, ReceiverHeld())
