"""The audit log: entries that only grow, and the hash chain that proves it (R12).

Triggers on both databases refuse UPDATE and DELETE on both tables. Entries are written by whoever acts; links are added
in batches by the tick, so writers never wait for each other.
"""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Agency
from apps.agencies.tenancy import tenant_manager


class AuditEntry(models.Model):
    """Who did what to which object, before and after, when, from where, under which request."""

    agency = models.ForeignKey(
        Agency, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("agency")
    )
    at = models.DateTimeField(_("time"), default=timezone.now)
    actor_kind = models.CharField(_("kind of actor"), max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(_("who"), max_length=255)
    action = models.CharField(_("action"), max_length=64)
    object_type = models.CharField(_("object type"), max_length=64, blank=True)
    object_id = models.CharField(_("object id"), max_length=255, blank=True)
    object_label = models.CharField(_("object"), max_length=255, blank=True)
    # Metrica's number of the counter that the object is, or belongs to.
    counter = models.PositiveBigIntegerField(_("counter"), null=True, blank=True)
    before = models.JSONField(_("before"), null=True, blank=True)
    after = models.JSONField(_("after"), null=True, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    source = models.CharField(_("source"), max_length=16)  # web | api | command | worker
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)

    objects = tenant_manager(counter_path="counter")

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["agency", "-id"], name="audit_agency_newest"),
            models.Index(
                fields=["agency", "counter", "-id"],
                name="audit_counter_newest",
                condition=models.Q(counter__isnull=False),
            ),
            models.Index(fields=["agency", "actor_label", "-id"], name="audit_by_actor"),
            models.Index(fields=["agency", "action", "-id"], name="audit_by_action"),
            models.Index(fields=["agency", "-at"], name="audit_agency_time"),
            models.Index(fields=["-at"], name="audit_time"),
            models.Index(fields=["object_type", "object_id"], name="audit_object"),
            models.Index(fields=["object_id"], name="audit_object_id"),
            # Compared by bytes, as its beginning is looked for.
            models.Index(fields=["object_label"], name="audit_object_label", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["request_id"], name="audit_request"),
        ]

    def __str__(self) -> str:
        return f"{getattr(self, 'action_in_words', self.action)} {self.object_label}".strip()


class AuditLink(models.Model):
    """One entry's place in its agency's chain (agency null: the platform's own). `chain.py` says what is hashed."""

    entry = models.OneToOneField(AuditEntry, models.PROTECT, primary_key=True, related_name="link")
    agency = models.ForeignKey(Agency, models.PROTECT, null=True, related_name="+")
    position = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("audit link")
        verbose_name_plural = _("audit links")
        constraints = [
            models.UniqueConstraint(fields=["agency", "position"], name="audit_position_per_agency"),
            # NULLs are distinct, so the platform's own chain needs one more.
            models.UniqueConstraint(
                fields=["position"], name="audit_position_of_platform", condition=models.Q(agency=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.hash[:12]}"
