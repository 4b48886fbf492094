"""Clients of a counter's CRM and the identifiers by which Metrica can find their visits."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.tenancy import tenant_manager
from apps.counters.models import Counter


class Client(models.Model):
    """A customer as the CRM knows them (R5: never merged by guess).

    `identifiers` unites what every row with this uniq_id brought.
    """

    counter = models.ForeignKey(
        Counter, models.CASCADE, related_name="clients", db_index=False, verbose_name=_("counter")
    )
    uniq_id = models.CharField(_("client id"), max_length=255)
    name = models.CharField(_("name"), max_length=255, blank=True)
    # {"client_ids": [...], "emails": [...], "phones": [...], "emails_md5": [...], "phones_md5": [...]}, normalised
    identifiers = models.JSONField(_("identifiers"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["counter", "uniq_id"], name="client_per_counter")]

    def __str__(self) -> str:
        return self.name or self.uniq_id
