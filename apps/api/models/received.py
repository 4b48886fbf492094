"""What scripts written for Metrica uploaded here: a line for each file or body, whatever became of it."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.tenancy import tenant_manager
from apps.counters.models import Counter
from apps.metrica.vocabulary import MergeMode


class ReceivedKind(models.TextChoices):
    SIMPLE_ORDERS = "simple_orders", _("Orders, simple")
    CONTACTS = "contacts", _("Clients")
    ORDERS = "orders", _("Orders, detailed")
    PRODUCTS = "products", _("Products")

    @property
    def entity_type(self) -> str:
        """As Metrica's answers call it (page: getLastUploadings)."""
        return "SYSTEM_LIST" if self is ReceivedKind.PRODUCTS else "SYSTEM"


class ReceivedState(models.TextChoices):
    PASSED = "PASSED", _("Taken in")
    FAILED = "FAILED", _("Refused")


class ReceivedUpload(models.Model):
    """One upload through the Metrica-compatible gateway. It is written in the transaction that took its rows in, so it
    says PASSED if and only if they are there. The rows are the timelines of their orders, under its request id."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)  # `uploading_id`
    counter = models.ForeignKey(
        Counter, models.CASCADE, related_name="received_uploads", db_index=False, verbose_name=_("counter")
    )
    kind = models.CharField(_("what"), max_length=16, choices=ReceivedKind.choices)
    format = models.CharField(_("format"), max_length=4, choices=[("CSV", "CSV"), ("JSON", "JSON")])
    merge_mode = models.CharField(
        _("merge mode"), max_length=8, choices=[(mode.value, mode.value) for mode in MergeMode], blank=True
    )
    state = models.CharField(_("result"), max_length=6, choices=ReceivedState.choices)
    filename = models.CharField(_("file"), max_length=255, blank=True)
    size = models.BigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    elements = models.PositiveIntegerField(_("elements"), default=0)  # read, good and bad
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    held = models.PositiveIntegerField(_("held"), default=0)
    problems = models.JSONField(_("why refused"), default=list, blank=True)  # [{location, code, message}]
    # What was taken with a remark: [{code, count, location, message}], the place and words of the first.
    remarks = models.JSONField(_("remarks"), default=list, blank=True)
    ignored = models.JSONField(_("ignored columns"), default=list, blank=True)  # names that mean nothing here
    received_by = models.CharField(_("by"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("upload by a Metrica script")
        verbose_name_plural = _("uploads by Metrica scripts")
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(fields=["counter", "-received_at", "-id"], name="received_upload_newest"),
            models.Index(fields=["-received_at", "-id"], name="received_upload_all"),
        ]

    def __str__(self) -> str:
        return self.filename or str(self.id)
