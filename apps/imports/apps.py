from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ImportsConfig(AppConfig):
    name = "apps.imports"
    verbose_name = _("Imports")

    def ready(self) -> None:
        from apps.counters.rotation import sealed_bytes
        from apps.imports.blanking import blank
        from apps.imports.models import ImportJob, ReportPart
        from apps.orders import erasing

        erasing.parts["imports"] = blank
        sealed_bytes.extend([(ImportJob, "sample"), (ReportPart, "body")])
