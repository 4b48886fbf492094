from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AgenciesConfig(AppConfig):
    name = "apps.agencies"
    verbose_name = _("Agencies")

    def ready(self) -> None:
        from apps.agencies import checks  # noqa: F401  registers them
