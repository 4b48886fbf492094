from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    name = "apps.api"
    verbose_name = _("API")

    def ready(self) -> None:
        from apps.api.models import KeptAnswer
        from apps.api.repeating import forget_answers
        from apps.api.tick import on_tick
        from apps.counters.rotation import encrypted_bytes
        from apps.orders import erasing
        from apps.uploads.events import ticked

        erasing.parts["answers"] = forget_answers
        ticked.connect(on_tick, dispatch_uid="api")
        encrypted_bytes.append((KeptAnswer, "answer"))
