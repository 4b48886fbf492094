from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AgenciesConfig(AppConfig):
    name = "apps.agencies"
    verbose_name = _("Agencies")

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in, user_logged_out

        from apps.agencies import (
            checks,  # noqa: F401  registers them
            sign_ins,
        )

        user_logged_in.connect(sign_ins.begun, dispatch_uid="sign_ins")
        user_logged_out.connect(sign_ins.ended, dispatch_uid="sign_ins")
