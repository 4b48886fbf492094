from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    name = "apps.api"
    verbose_name = _("API")

    def ready(self) -> None:
        from apps.api.models import KeptAnswer
        from apps.api.tick import on_tick
        from apps.counters.rotation import encrypted_bytes
        from apps.uploads.events import ticked

        ticked.connect(on_tick, dispatch_uid="api")
        encrypted_bytes.append((KeptAnswer, "answer"))
