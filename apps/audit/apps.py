from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "apps.audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from django_structlog.signals import bind_extra_request_metadata

        from apps.agencies.events import acted
        from apps.audit.receivers import name_request_in_log, write_down

        acted.connect(write_down, dispatch_uid="audit")
        bind_extra_request_metadata.connect(name_request_in_log, dispatch_uid="audit")
