from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GoalsConfig(AppConfig):
    name = "apps.goals"
    verbose_name = _("Goals and statuses")

    def ready(self) -> None:
        from apps.counters.events import goals_read
        from apps.goals.receivers import goals_were_read

        goals_read.connect(goals_were_read, dispatch_uid="goals.goals_were_read")
