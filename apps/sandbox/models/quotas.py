"""What the quotas count: rows rather than memory, so that all web processes count together."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SandboxUsage(models.Model):
    """Calls of one subject (address, login, counter) in one slice of time; `key` names all three."""

    key = models.CharField(max_length=255, primary_key=True)
    used = models.PositiveIntegerField(_("used"))
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("usage of a quota")
        verbose_name_plural = _("usage of quotas")

    def __str__(self) -> str:
        return self.key


class SandboxRunning(models.Model):
    """A call that is being answered. `process` tells whether the one who answers it still lives."""

    login = models.CharField(_("login"), max_length=100, db_index=True)
    process = models.CharField(_("process"), max_length=255)
    started_at = models.DateTimeField(_("started"))

    class Meta:
        verbose_name = _("running call")
        verbose_name_plural = _("running calls")

    def __str__(self) -> str:
        return self.login


class SandboxLimit(models.Model):
    """A limit that was moved from its documented number; see `apps.sandbox.limits`. Null: there is no limit."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    value = models.PositiveIntegerField(_("limit"), null=True, blank=True)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
