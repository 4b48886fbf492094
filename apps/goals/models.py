"""JavaScript-event goals of a counter, and the mapping from CRM statuses to order types and goals."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.agencies.tenancy import tenant_manager
from apps.counters.models import Counter
from apps.metrica.vocabulary import OrderType

ORDER_TYPE_CHOICES = [(order_type.value, order_type.label) for order_type in OrderType]


class Goal(models.Model):
    """A goal of the counter that a status can reach: Metrica's "JavaScript event" with its identifier."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="goals", verbose_name=_("counter"))
    identifier = models.CharField(_("identifier"), max_length=255)
    name = models.CharField(_("name"), max_length=255, blank=True)
    metrica_goal_id = models.BigIntegerField(_("number at Metrica"), null=True, blank=True)
    condition = models.CharField(_("condition"), max_length=16, blank=True)
    default_price = models.DecimalField(_("default price"), max_digits=18, decimal_places=4, null=True, blank=True)
    is_favorite = models.BooleanField(_("favourite"), default=False)
    synced_at = models.DateTimeField(_("seen at Metrica"), null=True, blank=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("goal")
        verbose_name_plural = _("goals")
        ordering = ["identifier"]
        constraints = [models.UniqueConstraint(fields=["counter", "identifier"], name="goal_per_counter")]

    def __str__(self) -> str:
        return f"{self.name} ({self.identifier})" if self.name else self.identifier


class StatusMapping(models.Model):
    """What a CRM status means at Metrica: its type and the 0–10 JavaScript goals that it reaches besides."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="statuses", verbose_name=_("counter"))
    crm_status = models.CharField(_("CRM status"), max_length=255)
    name = models.CharField(_("name"), max_length=255, blank=True)
    type = models.CharField(_("order type"), max_length=12, choices=ORDER_TYPE_CHOICES)
    metrica_id = models.CharField(_("status at Metrica"), max_length=255, blank=True)
    goal_action_ids = models.JSONField(_("goals"), default=list, blank=True)  # identifiers, in order, 0–10, unique
    position = models.PositiveIntegerField(_("position"), default=0)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("status")
        verbose_name_plural = _("status mapping")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["counter", "crm_status"], name="crm_status_per_counter"),
            models.UniqueConstraint(
                fields=["counter", "metrica_id"], name="metrica_status_per_counter", condition=~models.Q(metrica_id="")
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.crm_status
