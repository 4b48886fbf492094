"""API keys and how much each is used. Of a key only its prefix and a hash are kept: the key itself is shown once."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.networks import is_within
from apps.agencies.tenancy import TenantQuerySet, tenant_manager


class Shut(models.TextChoices):
    """Why a key that is the right one opens nothing."""

    REVOKED = "revoked", _("it is revoked")
    REPLACED = "replaced", _("a newer key has taken its place")
    EXPIRED = "expired", _("it has expired")
    CLOSED = "closed", _("the agency is closed")
    OUTSIDE = "outside", _("the address is outside of its networks")


class ApiKeyQuerySet(TenantQuerySet["ApiKey"]):
    def current(self) -> "ApiKeyQuerySet":
        """Those that carry their name: neither revoked nor replaced by a newer one."""
        return self.filter(revoked_at=None, replaced_by=None)

    def still_open_before(self, key: "ApiKey") -> "ApiKeyQuerySet":
        """Those that this one took the place of, at once or by way of others, and that open still."""
        replaced = self.filter(agency=key.agency_id, name=key.name, pk__lt=key.pk).exclude(replaced_by=None)
        return replaced.filter(revoked_at=None, expires_at__gt=timezone.now()).order_by("pk")


class ApiKey(models.Model):
    """A CRM's key to the API: what it may do, for which counters, from where, and until when."""

    agency = models.ForeignKey("agencies.Agency", models.CASCADE, related_name="api_keys", verbose_name=_("agency"))
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=16, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)  # subset of ["read", "write"]
    counter_ids = models.JSONField(_("only counters"), null=True, blank=True)  # Metrica's numbers; null: no limit
    networks = models.JSONField(_("only from"), null=True, blank=True)  # like "192.0.2.0/24"; null: from anywhere
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    # The key of the same name that a rotation made; this one goes on until `expires_at`.
    replaced_by = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="predecessors", verbose_name=_("replaced by")
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, blank=True, editable=False)
    turned_away_at = models.DateTimeField(_("turned away"), null=True, blank=True, editable=False)
    turned_away_from = models.GenericIPAddressField(_("turned away from"), null=True, blank=True, editable=False)
    turned_away_why = models.CharField(max_length=10, choices=Shut.choices, blank=True, editable=False)
    turned_away_told_at = models.DateTimeField(null=True, blank=True, editable=False)  # in the log, once an hour
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = tenant_manager(base=ApiKeyQuerySet)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "name"],
                name="api_key_name_per_agency",
                condition=models.Q(revoked_at=None, replaced_by=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def why_shut(self, now: datetime, address: str | None) -> Shut | None:
        """Why it opens nothing to a caller from this address; None where it opens. Costs a query unless the agency
        came along."""
        if self.revoked_at is not None:
            return Shut.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return Shut.REPLACED if self.replaced_by_id else Shut.EXPIRED
        if not self.agency.is_active:
            return Shut.CLOSED
        if self.networks is not None and not is_within(address, self.networks):
            return Shut.OUTSIDE
        return None


class ApiKeyDay(models.Model):
    """What a key did on one day of the platform's time zone. Written at most once a minute by each process."""

    KEPT = timedelta(days=400)

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="days", verbose_name=_("API key"))
    day = models.DateField(_("day"), default=timezone.localdate)
    requests = models.PositiveBigIntegerField(_("requests"), default=0)
    rows_accepted = models.PositiveBigIntegerField(_("rows accepted"), default=0)
    rows_refused = models.PositiveBigIntegerField(_("rows refused"), default=0)
    turned_away = models.PositiveBigIntegerField(_("turned away"), default=0)

    objects = tenant_manager(agency_path="key__agency_id")

    class Meta:
        verbose_name = _("day of an API key")
        verbose_name_plural = _("days of API keys")
        constraints = [models.UniqueConstraint(fields=["key", "day"], name="one_day_of_an_api_key")]

    def __str__(self) -> str:
        return f"{self.key_id} · {self.day}"
