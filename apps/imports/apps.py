from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ImportsConfig(AppConfig):
    name = "apps.imports"
    verbose_name = _("Imports")

    def ready(self) -> None:
        from apps.counters.rotation import sealed_bytes
        from apps.imports.models import ImportJob, ReportPart

        sealed_bytes.extend([(ImportJob, "sample"), (ReportPart, "body")])
