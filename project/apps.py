"""The composition root as an app (its commands span all rooms) and the admin site with its tenant rules."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class ProjectConfig(AppConfig):
    name = "project"
    label = "project"
    verbose_name = _("Goalpost")


class GoalpostAdminConfig(AdminConfig):
    default_site = "apps.agencies.site.GoalpostAdminSite"
