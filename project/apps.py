"""The composition root as an app (its commands span all rooms) and the admin site with its tenant rules."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class ProjectConfig(AppConfig):
    name = "project"
    label = "project"
    verbose_name = _("Goalpost")

    def ready(self) -> None:
        # Imports know nothing of uploads, whose clock ticks for everybody.
        from apps.imports.rounds import on_tick
        from apps.uploads.events import ticked

        ticked.connect(on_tick, dispatch_uid="imports.rounds")


class GoalpostAdminConfig(AdminConfig):
    default_site = "apps.agencies.site.GoalpostAdminSite"
