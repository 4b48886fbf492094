from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CountersConfig(AppConfig):
    name = "apps.counters"
    verbose_name = _("Counters")

    def ready(self) -> None:
        from apps.agencies.panels import counter_names, finders
        from apps.counters.finding import counters_found
        from apps.counters.naming import names_of

        counter_names.append(names_of)
        finders.append(counters_found)
