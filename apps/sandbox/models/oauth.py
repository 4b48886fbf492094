"""OAuth: apps, the codes that a consent gives, and what is known of a token besides its login."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.sandbox.models.site import SandboxToken


class SandboxApp(models.Model):
    """An app as it is registered at Yandex OAuth. Its password is kept readable: it opens nothing but the sandbox."""

    client_id = models.CharField(_("client id"), max_length=64, unique=True)
    client_secret = models.CharField(_("password"), max_length=255)
    name = models.CharField(_("name"), max_length=255)
    redirect_uris = models.JSONField(_("return addresses"), default=list, blank=True)
    scopes = models.JSONField(_("rights"), default=list, blank=True)

    class Meta:
        verbose_name = _("sandbox app")
        verbose_name_plural = _("sandbox apps")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Consent(models.Model):
    """What a person has agreed to. Kept with the code, and with the token that the code was exchanged for."""

    app = models.ForeignKey(SandboxApp, models.CASCADE, related_name="+", verbose_name=_("app"))
    scopes = models.JSONField(_("rights"), default=list)
    device_id = models.CharField(_("device"), max_length=50, blank=True)

    class Meta:
        abstract = True


class SandboxCode(Consent):
    """A code that was shown or sent back, good for one exchange within ten minutes."""

    code = models.CharField(_("code"), max_length=64, unique=True)
    login = models.CharField(_("login"), max_length=100)
    code_challenge = models.CharField(max_length=128, blank=True)
    code_challenge_method = models.CharField(max_length=8, blank=True)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        verbose_name = _("confirmation code")
        verbose_name_plural = _("confirmation codes")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.login} → {self.app_id}"


class GrantQuerySet(models.QuerySet["SandboxGrant"]):
    def alive(self, now: datetime) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), token__revoked=False)


class SandboxGrant(Consent):
    """How a token came about, and when it ends. A token without this has all rights and no end."""

    app = models.ForeignKey(  # type: ignore[assignment]
        SandboxApp, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("app")
    )
    token = models.OneToOneField(SandboxToken, models.CASCADE, related_name="grant", verbose_name=_("token"))
    refresh_token = models.CharField(_("refresh token"), max_length=255, null=True, blank=True, unique=True)
    issued_at = models.DateTimeField(_("issued"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.token)
