"""Customers as they stand now, and every row about them as it was applied (pages: uploadContacts, contacts-data).

Lists are kept as they travel in CSV: comma-separated text.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text
from apps.sandbox.models.crm import SandboxUploading, time_ordered_id
from apps.sandbox.models.site import SandboxCounter


def customer_key(*, counter_id: int, uniq_id: str) -> str:
    return f"{counter_id}:{uniq_id}"


class CustomerFields(models.Model):
    """The changeable part of a customer, the same in its current state and in every applied row."""

    name = models.TextField(_("name"), blank=True)
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    client_ids = models.TextField("ClientID", blank=True)
    emails = models.TextField(_("e-mails"), blank=True)
    phones = models.TextField(_("phones"), blank=True)
    emails_md5 = models.TextField(_("MD5 of e-mails"), blank=True)
    phones_md5 = models.TextField(_("MD5 of phones"), blank=True)
    attribute_values = models.JSONField(_("attributes"), null=True, blank=True)  # {name: [values]}

    class Meta:
        abstract = True


class SandboxCustomer(CustomerFields):
    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    counter = models.ForeignKey(
        SandboxCounter, models.CASCADE, related_name="customers", db_index=False, verbose_name=_("counter")
    )
    uniq_id = models.CharField(_("customer"), max_length=255)
    # `customer_key(counter, uniq_id)`, one column for the same reason as `SandboxOrder.key`.
    key = models.CharField(max_length=300, unique=True, editable=False)
    create_date_time = models.DateTimeField(_("customer created"), null=True, blank=True)
    update_date_time = models.DateTimeField(_("changed in the CRM"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        verbose_name = _("sandbox customer")
        verbose_name_plural = _("sandbox customers")
        ordering = ["-id"]
        indexes = [models.Index(fields=["counter", "id"], name="sandbox_customer_by_age")]

    def __str__(self) -> str:
        return self.uniq_id


class CustomerNote(models.TextChoices):
    """Why a row about a customer did less than it could; kept with the row."""

    NO_IDENTIFIERS = "no_identifiers", _("The customer has no identifier: no visit can be found for its orders.")
    CREATED_KEPT = "created_kept", _("The creation time differs from the first upload's; the first one stays.")


class SandboxCustomerEvent(CustomerFields):
    """One row as it was applied, with the state that came of it. By key, they stand in their order of application."""

    customer = models.ForeignKey(SandboxCustomer, models.CASCADE, related_name="events", verbose_name=_("customer"))
    uploading = models.ForeignKey(
        SandboxUploading, models.CASCADE, related_name="customer_events", verbose_name=_("upload")
    )
    line = models.PositiveIntegerField(_("line"))
    notes = models.CharField(_("notes"), max_length=255, blank=True)  # comma-separated `CustomerNote`

    class Meta:
        verbose_name = _("applied row of a customer")
        verbose_name_plural = _("applied rows of customers")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.line}"

    @property
    def note_texts(self) -> list[Text]:
        return [CustomerNote(code).label for code in self.notes.split(",") if code]
