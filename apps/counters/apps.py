from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CountersConfig(AppConfig):
    name = "apps.counters"
    verbose_name = _("Counters")

    def ready(self) -> None:
        from apps.agencies.panels import counter_names, counters_named, finders
        from apps.counters.finding import counters_found
        from apps.counters.naming import named, names_of

        counter_names.append(names_of)
        counters_named.append(named)
        finders.append(counters_found)
