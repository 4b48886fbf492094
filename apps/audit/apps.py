from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "apps.audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from apps.agencies.events import acted
        from apps.audit.receivers import write_down

        acted.connect(write_down, dispatch_uid="audit")
