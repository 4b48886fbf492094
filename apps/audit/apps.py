from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "apps.audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in, user_logged_out
        from django_structlog.signals import bind_extra_request_metadata

        from apps.agencies.events import acted, exported
        from apps.audit import receivers

        acted.connect(receivers.write_down, dispatch_uid="audit")
        exported.connect(receivers.write_export, dispatch_uid="audit")
        bind_extra_request_metadata.connect(receivers.name_request_in_log, dispatch_uid="audit")
        user_logged_in.connect(receivers.logged_in, dispatch_uid="audit")
        user_logged_out.connect(receivers.logged_out, dispatch_uid="audit")
        user_locked_out.connect(receivers.locked_out, dispatch_uid="audit")
