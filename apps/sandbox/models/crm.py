"""What was uploaded: files, orders as they stand now, every row as it was applied, goals reached.

Lists (identifiers, goals) are kept as they travel: comma-separated text, goals as `goal[:price]`.
"""

import uuid
from datetime import datetime

import uuid_utils.compat
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text
from apps.metrica.vocabulary import OrderType
from apps.sandbox.models.site import SandboxCounter, SandboxVisit


def time_ordered_id() -> uuid.UUID:
    return uuid_utils.compat.uuid7()


class UploadingStatus(models.TextChoices):
    PASSED = "PASSED", "PASSED"
    FAILED = "FAILED", "FAILED"
    # Answered with 400: Metrica made no upload of it, so `last_uploadings` does not know it; the pages show it.
    REFUSED = "REFUSED", "REFUSED"


class UploadKind(models.TextChoices):
    """What an upload brings, by its address."""

    SIMPLE_ORDERS = "simple_orders", _("orders, simple format")
    CONTACTS = "contacts", _("customers")
    ORDERS = "orders", _("orders")
    PRODUCTS = "products", _("products")

    @property
    def entity_type(self) -> str:
        return "SYSTEM_LIST" if self is UploadKind.PRODUCTS else "SYSTEM"


class UploadFormat(models.TextChoices):
    CSV = "CSV", "CSV"
    JSON = "JSON", "JSON"


class SandboxUploading(models.Model):
    counter = models.ForeignKey(
        SandboxCounter, models.CASCADE, related_name="uploadings", db_index=False, verbose_name=_("counter")
    )
    uuid = models.UUIDField(_("upload"), unique=True, default=uuid.uuid4)
    kind = models.CharField(_("contents"), max_length=16, choices=UploadKind.choices, default=UploadKind.SIMPLE_ORDERS)
    uploading_format = models.CharField(
        _("format"), max_length=8, choices=UploadFormat.choices, default=UploadFormat.CSV
    )
    received_at = models.DateTimeField(_("received"))
    status = models.CharField(_("status"), max_length=8, choices=UploadingStatus.choices)
    merge_mode = models.CharField(_("merge mode"), max_length=8)
    delimiter_type = models.CharField(_("delimiter"), max_length=16)
    columns_mapping = models.TextField(_("mapping of columns"), blank=True)
    elements_count = models.PositiveIntegerField(_("rows"), default=0)
    filename = models.CharField(_("file name"), max_length=255, blank=True)
    size = models.BigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    body = models.FileField(_("file"), upload_to="sandbox/%Y/%m/%d", max_length=255, blank=True)
    errors = models.JSONField(_("errors"), default=list, blank=True)  # [{line, column, code, message, location}]

    class Meta:
        verbose_name = _("sandbox upload")
        verbose_name_plural = _("sandbox uploads")
        ordering = ["-received_at", "-pk"]
        indexes = [models.Index(fields=["counter", "received_at"], name="sandbox_uploading_by_time")]

    def __str__(self) -> str:
        return str(self.uuid)


def order_key(*, counter_id: int, order_id: str) -> str:
    return f"{counter_id}:{order_id}"


class OrderFields(models.Model):
    """The changeable part of an order, the same in its current state and in every applied row."""

    order_status = models.CharField(_("status sent"), max_length=255, blank=True)
    type = models.CharField(_("type"), max_length=16, choices=[(kind.value, kind.value) for kind in OrderType])
    revenue = models.DecimalField(_("revenue"), max_digits=24, decimal_places=6, null=True, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=24, decimal_places=6, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    goals = models.TextField(_("extra goals"), blank=True)
    products = models.JSONField(_("products"), null=True, blank=True)  # {product: quantity}, detailed format only

    class Meta:
        abstract = True

    @property
    def type_label(self) -> Text:
        return OrderType(self.type).label


class SandboxOrder(OrderFields):
    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    counter = models.ForeignKey(
        SandboxCounter, models.CASCADE, related_name="orders", db_index=False, verbose_name=_("counter")
    )
    # Null: the row came without an id; every such row is a new order.
    order_id = models.CharField(_("order"), max_length=255, null=True, blank=True)  # noqa: DJ001 - "" is no id
    # `order_key(counter, order_id)`, by which an order is found. Counter and id as two columns mislead SQLite: for a
    # long list of ids it reads all orders of the counter instead, by the other index.
    key = models.CharField(max_length=300, null=True, blank=True, unique=True, editable=False)
    create_date_time = models.DateTimeField(_("order created"))
    date_only = models.BooleanField(_("date without time"), default=False)
    unknown_status = models.BooleanField(_("unknown status"), default=False)
    client_uniq_id = models.TextField(_("customer"), blank=True)
    # `customer_key(counter, client_uniq_id)` where the detailed format said it: there customers hold the identifiers.
    customer_key = models.CharField(max_length=300, null=True, blank=True, db_index=True, editable=False)  # noqa: DJ001
    client_ids = models.TextField("ClientID", blank=True)
    emails = models.TextField(_("e-mails"), blank=True)
    phones = models.TextField(_("phones"), blank=True)
    emails_md5 = models.TextField(_("MD5 of e-mails"), blank=True)
    phones_md5 = models.TextField(_("MD5 of phones"), blank=True)
    visit = models.ForeignKey(
        SandboxVisit, models.SET_NULL, null=True, blank=True, related_name="orders", verbose_name=_("visit")
    )
    bound_at = models.DateTimeField(_("bound"), null=True, blank=True)
    update_date_time = models.DateTimeField(_("changed in the CRM"), null=True, blank=True)
    finish_date_time = models.DateTimeField(_("finished, as uploaded"), null=True, blank=True)
    first_paid_at = models.DateTimeField(_("first paid"), null=True, blank=True)
    attribute_values = models.JSONField(_("attributes"), null=True, blank=True)  # {name: [values]}
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        verbose_name = _("sandbox order")
        verbose_name_plural = _("sandbox orders")
        ordering = ["-id"]
        indexes = [models.Index(fields=["counter", "id"], name="sandbox_order_by_age")]

    def __str__(self) -> str:
        return self.order_id or str(self.id)

    @property
    def finished_at(self) -> datetime | None:
        """As uploaded; else the first upload in a status of type PAID (orders-data page)."""
        return self.finish_date_time or self.first_paid_at


class Note(models.TextChoices):
    """Why a row did less than it could; kept with the row."""

    NO_VISIT = "no_visit", _("No visit before the order carries any of its identifiers.")
    BINDING_CLOSED = "binding_closed", _("The order is older than 21 days: it is not bound to a visit any more.")
    UPDATE_CLOSED = "update_closed", _("The visit began more than 111 days ago: nothing changes in it any more.")
    REBOUND = "rebound", _("The order moved to another visit; goals reached in the first one stay there.")
    UNKNOWN_STATUS = (
        "unknown_status",
        _("The status is neither a default one nor mapped nor a JavaScript goal of the counter."),
    )
    UNKNOWN_GOAL = "unknown_goal", _("The row names a goal that the counter does not have; it is not counted.")
    CREATED_KEPT = "created_kept", _("The creation time differs from the first upload's; the first one stays.")
    NO_CUSTOMER = "no_customer", _("The order's customer was never uploaded: the order belongs to nobody.")
    NO_IDENTIFIERS = "no_identifiers", _("The order's customer has no identifier by which a visit could be found.")
    BEFORE_CUSTOMERS = (
        "before_customers",
        _("The visits of the order's customer began before the first upload of customers."),
    )
    MATCHED_LATER = "matched_later", _("Matched again because its customer was uploaded.")


class SandboxOrderEvent(OrderFields):
    """One row as it was applied, with the state that came of it. By key, events stand in their order of application."""

    order = models.ForeignKey(SandboxOrder, models.CASCADE, related_name="events", verbose_name=_("order"))
    uploading = models.ForeignKey(SandboxUploading, models.CASCADE, related_name="events", verbose_name=_("upload"))
    line = models.PositiveIntegerField(_("line"))
    visit = models.ForeignKey(
        SandboxVisit, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("visit")
    )
    # [[goal, income or null], …], also goals that were reached before; empty where no visit could take them.
    reached = models.JSONField(_("goals reached"), default=list, blank=True)
    notes = models.CharField(_("notes"), max_length=255, blank=True)  # comma-separated `Note`

    class Meta:
        verbose_name = _("applied row")
        verbose_name_plural = _("applied rows")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.order_status}"

    @property
    def note_texts(self) -> list[Text]:
        return [Note(code).label for code in self.notes.split(",") if code]


class SandboxReach(models.Model):
    """A goal that an order reached in a visit. Once reached it stays; see the switch `repeated_goal` for repeats."""

    counter = models.ForeignKey(
        SandboxCounter, models.CASCADE, related_name="reaches", db_index=False, verbose_name=_("counter")
    )
    visit = models.ForeignKey(SandboxVisit, models.CASCADE, related_name="reaches", verbose_name=_("visit"))
    order = models.ForeignKey(
        SandboxOrder, models.CASCADE, related_name="reaches", db_index=False, verbose_name=_("order")
    )
    goal = models.CharField(_("goal"), max_length=255)
    income = models.DecimalField(_("income"), max_digits=24, decimal_places=6, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    reached_at = models.DateTimeField(_("first reached"))
    repeated_at = models.DateTimeField(_("last reached"))

    class Meta:
        verbose_name = _("goal reached")
        verbose_name_plural = _("goals reached")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["order", "visit", "goal"], name="sandbox_reach_once")]
        indexes = [models.Index(fields=["counter", "goal"], name="sandbox_reach_by_goal")]

    def __str__(self) -> str:
        return self.goal
