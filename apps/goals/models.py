"""JavaScript-event goals of a counter, and the mapping from CRM statuses to order types and goals, with its history.

What Metrica holds of both is kept beside them, so that what somebody else changed there can be told from our own
changes.
"""

from django.db import models
from django.utils import timezone
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
    # When it came into being, as far as known: made by us, or not there when the counter's goals were read before.
    appeared_at = models.DateTimeField(_("at Metrica since"), null=True, blank=True)
    missing_since = models.DateTimeField(_("gone from Metrica since"), null=True, blank=True)
    earlier_name = models.CharField(_("earlier name"), max_length=255, blank=True)  # before it was renamed at Metrica
    renamed_at = models.DateTimeField(_("renamed"), null=True, blank=True)

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


class MappingVersion(models.Model):
    """The whole mapping as it stood after one change, by whom and when; it is never edited."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="mapping_versions", verbose_name=_("counter"))
    number = models.PositiveIntegerField(_("version"))  # 1, 2, 3 … per counter
    at = models.DateTimeField(_("when"), default=timezone.now)
    by = models.CharField(_("by whom"), max_length=255, blank=True)
    source = models.CharField(_("from"), max_length=16, blank=True)  # web, api, command, worker
    restores = models.PositiveIntegerField(_("goes back to version"), null=True, blank=True)
    mapping = models.JSONField(_("mapping"), default=list)  # rows as StatusRow.to_json, in their order
    difference = models.JSONField(_("what differs"), default=list)  # see apps.goals.differences

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("version of the mapping")
        verbose_name_plural = _("history of the mapping")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["counter", "number"], name="version_number_per_counter")]

    def __str__(self) -> str:
        return f"{self.counter.name}: {self.number}"


class AgreedStatus(models.Model):
    """A status as Metrica was last seen to hold it with our consent: we pushed it, or took what stood there.

    What differs from it at Metrica was changed by somebody else; what differs from it here was changed by us. It stays
    when the status leaves our mapping: Metrica knows no way to take one back.
    """

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", verbose_name=_("counter"))
    metrica_id = models.CharField(_("status at Metrica"), max_length=255)
    name = models.TextField(_("name"), blank=True)
    type = models.CharField(_("order type"), max_length=12)
    goal_action_ids = models.JSONField(_("goals"), default=list, blank=True)
    agreed_at = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["counter", "metrica_id"], name="agreed_status_per_counter")]

    def __str__(self) -> str:
        return self.metrica_id


class StepState(models.Model):
    """When a counter's statuses and goals were compared with Metrica's last, and what came of it."""

    counter = models.OneToOneField(Counter, models.CASCADE, primary_key=True, related_name="+")
    address = models.CharField(max_length=500, blank=True)  # of the Metrica that this is about
    looked_at = models.DateTimeField(null=True, blank=True)  # at the statuses
    mapping_digest = models.CharField(max_length=64, blank=True)  # of the mapping that was compared
    drift = models.JSONField(default=list, blank=True)  # lines that wait for a person, see apps.goals.status_lines
    goals_read_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.counter_id)
