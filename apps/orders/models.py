"""Orders and their timelines. The timeline is the outbox (R2) and only grows (R3)."""

from typing import Self

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.clients.models import Client
from apps.counters.models import Counter, DeliveryPolicy
from apps.counters.sealed_fields import SealedJSONField
from apps.metrica import rules

GIVEN_UP = "given_up"
"""The rejection code of what a person decided not to send."""


class Delivery(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENDING = "sending", _("Being sent")
    DELIVERED = "delivered", _("Delivered")
    HELD = "held", _("Held")
    REJECTED = "rejected", _("Rejected")
    SUPERSEDED = "superseded", _("Superseded")


class HoldReason(models.TextChoices):
    """Why a change waits for a person (R8)."""

    COUNTER_PAUSED = "counter_paused", _("The counter is paused")
    ACCOUNT_DISCONNECTED = "account_disconnected", _("The Metrica account is not connected")
    UNKNOWN_TIME_ZONE = "unknown_time_zone", _("The counter's time zone is unknown")
    UNMAPPED_STATUS = "unmapped_status", _("The status is not mapped")
    STATUS_WITHOUT_GOAL = "status_without_goal", _("The status has no goal to send in simple mode")
    NO_IDENTIFIERS = "no_identifiers", _("Neither ClientID nor e-mail nor phone is known")
    FUTURE_DATE = "future_date", _("The status lies in the future")
    UPDATE_WINDOW_CLOSED = "update_window_closed", _("Metrica takes no more updates of this order")
    CLIENT_REFUSED = "client_refused", _("Metrica did not take the client")
    CLIENT_FULL = "client_full", _("The client has too many orders for Metrica")
    BY_HAND = "by_hand", _("Held by a person")


class Source(models.TextChoices):
    API = "api", _("REST API")
    CSV = "csv", _("CSV import")
    ADMIN = "admin", _("Admin")
    GATEWAY = "gateway", _("Metrica script")
    WEBHOOK = "webhook", _("CRM webhook")


class OrderQuerySet(TenantQuerySet["Order"]):
    def expiring_within(self, *, days: int) -> Self:
        """Orders whose 21-day binding window closes within `days`."""
        now = timezone.now()
        newest = now - rules.BINDING_WINDOW + timezone.timedelta(days=days)  # type: ignore[attr-defined]
        return self.filter(create_date_time__gt=now - rules.BINDING_WINDOW, create_date_time__lte=newest)

    def unsent(self) -> Self:
        """Orders of which Metrica has nothing yet, though something waits or is held."""
        changes = StatusChange.objects.filter(order=OuterRef("pk")).order_by()
        is_open = changes.filter(delivery__in=[Delivery.WAITING, Delivery.HELD])
        went = changes.filter(delivery__in=[Delivery.SENDING, Delivery.DELIVERED])
        return self.filter(Exists(is_open), ~Exists(went))


class Order(models.Model):
    """A CRM order (deal) and where it stands now; what led there is its timeline.

    Money, goals and products of the present state are those of `current_change`.
    """

    counter = models.ForeignKey(
        Counter, models.CASCADE, related_name="orders", db_index=False, verbose_name=_("counter")
    )
    order_id = models.CharField(_("order id"), max_length=255)
    client = models.ForeignKey(
        Client,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="orders",
        db_index=False,
        verbose_name=_("client"),
    )
    create_date_time = models.DateTimeField(_("created in the CRM"))
    create_date_only = models.BooleanField(default=False, editable=False)  # the CRM gave a date without a time
    # The order's own, normalised, by kind: {"client_ids": [...], "emails": [...], "phones": [...], …}
    identifiers = SealedJSONField(_("identifiers"), default=dict, blank=True)
    order_status = models.CharField(_("status"), max_length=255)
    status_date_time = models.DateTimeField(_("status since"))
    current_change = models.ForeignKey(
        "StatusChange", models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    changes_count = models.PositiveIntegerField(_("status changes"), default=0)
    # The state to send once more: a late change went out after the current one, or a person asked for it (R4).
    resend_due = models.BooleanField(default=False, editable=False)
    # Detailed mode: the revision of its client without which the order must not go; 0: not made ready for that mode.
    client_revision = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    # When it first got a status of type PAID, once that was sent in detailed mode; never moved again.
    finish_date_time = models.DateTimeField(_("paid since"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("received"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("last received"), default=timezone.now, editable=False)
    # When what it was found by had been kept for long enough. It counts until the order gets something new.
    forgotten_at = models.DateTimeField(_("identifiers forgotten"), null=True, blank=True, editable=False)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id", base=OrderQuerySet)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["counter", "order_id"], name="order_per_counter")]
        indexes = [
            models.Index(fields=["counter", "id"], name="order_newest"),
            models.Index(fields=["counter", "order_status", "id"], name="order_by_status"),
            models.Index(fields=["counter", "create_date_time", "id"], name="order_created"),
            models.Index(fields=["counter", "order_status", "create_date_time", "id"], name="order_by_status_created"),
            models.Index(fields=["counter", "updated_at", "id"], name="order_by_update"),
            models.Index(fields=["counter", "id"], name="order_resend_due", condition=Q(resend_due=True)),
            models.Index(fields=["client", "id"], name="order_of_client", condition=Q(client__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.order_id

    @property
    def bind_until(self) -> "timezone.datetime":  # type: ignore[name-defined]
        return rules.bind_until(self.create_date_time)


class StatusChangeQuerySet(TenantQuerySet["StatusChange"]):
    def in_timeline_order(self) -> Self:
        """By when it happened in the CRM, then by when it came."""
        return self.order_by("order_id", "status_date_time", "seq")

    def with_overtaken(self) -> Self:
        """Each with `overtaken`: whether it was rejected, and nobody need be asked about it any more (see below)."""
        return self.annotate(overtaken=Case(When(self._overtaken(), then=True), default=False))

    def overtaken(self) -> Self:
        """Rejected changes whose goals are reached, or asked about, by another change of their order.

        That is so where a later change has the same status (the CRM has corrected it: it went, or goes, or has a reason
        of its own); and where the status itself was delivered before, and a later state has gone since or will go. In a
        counter that wants the latest state only, any later state will do. A status that never reached Metrica is not
        overtaken by other statuses: its goals are still to be reached.
        """
        return self.filter(self._overtaken())

    def needing_a_person(self) -> Self:
        """Rejected changes that somebody has to correct, to send again, or to leave as they are."""
        rejected = self.filter(delivery=Delivery.REJECTED).exclude(reject_code=GIVEN_UP)
        return rejected.exclude(self._overtaken())

    @staticmethod
    def _overtaken() -> Q:
        changes = StatusChange.objects.filter(order=OuterRef("order"))
        later = changes.filter(
            Q(status_date_time__gt=OuterRef("status_date_time"))
            | Q(status_date_time=OuterRef("status_date_time"), seq__gt=OuterRef("seq"))
        )
        goes = later.filter(delivery__in=[Delivery.WAITING, Delivery.SENDING, Delivery.DELIVERED])
        same = Q(order_status=OuterRef("order_status"))
        return Q(delivery=Delivery.REJECTED) & (
            Q(Exists(later.filter(same).exclude(delivery=Delivery.SUPERSEDED).exclude(reject_code=GIVEN_UP)))
            | Q(Exists(changes.filter(same, delivery=Delivery.DELIVERED)), Exists(goes))
            | Q(Exists(goes), counter__delivery=DeliveryPolicy.LATEST_ONLY)
        )


class StatusChange(models.Model):
    """One state of an order as the CRM gave it: the whole snapshot, when it was true, when and how it came.

    Nothing of it is edited later but its delivery: `delivery`, `hold_reason`, `forced`, `upload_id`, `delivered_at` and
    the reason of a rejection.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", db_index=False, verbose_name=_("counter"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="changes", db_index=False, verbose_name=_("order"))
    seq = models.PositiveIntegerField(_("number"))  # 1, 2, 3 … in the order of receipt, per order
    order_status = models.CharField(_("status"), max_length=255)  # as the CRM writes it
    status_date_time = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    source = models.CharField(_("source"), max_length=8, choices=Source.choices)
    received_by = models.CharField(_("by"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    revenue = models.DecimalField(_("revenue"), max_digits=18, decimal_places=4, null=True, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=18, decimal_places=4, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    goals = models.JSONField(_("extra goals"), default=list, blank=True)  # [{"goal_action_id": …, "price": "…"|null}]
    products = models.JSONField(_("products"), default=dict, blank=True)  # {"sku": quantity}
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    changed = models.JSONField(_("what changed"), default=list, blank=True)  # names of the fields that differ
    delivery = models.CharField(_("delivery"), max_length=10, choices=Delivery.choices, default=Delivery.WAITING)
    hold_reason = models.CharField(_("why held"), max_length=24, choices=HoldReason.choices, blank=True)
    forced = models.BooleanField(_("sent by a person's decision"), default=False)
    reject_code = models.CharField(_("rejection code"), max_length=64, blank=True)
    # In the words of whoever refused it: Metrica, the file's format, a person. What it means is told by the code.
    reject_message = models.TextField(_("why rejected"), blank=True)
    reject_field = models.CharField(_("refused field"), max_length=64, blank=True, db_default="", editable=False)
    # The upload that carries or carried it. Plain: orders know nothing of uploads.
    upload_id = models.UUIDField(_("upload"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    objects = tenant_manager(
        agency_path="counter__agency_id", counter_path="counter__metrica_id", base=StatusChangeQuerySet
    )

    class Meta:
        verbose_name = _("status change")
        verbose_name_plural = _("status changes")
        ordering = ["order_id", "status_date_time", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["order", "seq"], name="change_number_per_order"),
            models.CheckConstraint(
                condition=Q(delivery="held") & ~Q(hold_reason="") | ~Q(delivery="held") & Q(hold_reason=""),
                name="held_has_its_reason",
            ),
        ]
        indexes = [
            models.Index(
                F("counter"),
                F("order"),
                F("status_date_time"),
                F("seq"),
                name="change_waiting",
                condition=Q(delivery="waiting"),
            ),
            # What came in on some days.
            models.Index(fields=["counter", "id"], name="change_newest"),
            # Work lists, the newest first: of a counter, of one for a reason, of all.
            models.Index(fields=["counter", "id", "order"], name="change_held_newest", condition=Q(delivery="held")),
            models.Index(fields=["counter", "hold_reason", "id"], name="change_held_why", condition=Q(delivery="held")),
            models.Index(fields=["id"], name="change_held_all", condition=Q(delivery="held")),
            models.Index(
                fields=["counter", "id", "order"], name="change_rejected_newest", condition=Q(delivery="rejected")
            ),
            models.Index(fields=["id"], name="change_rejected_all", condition=Q(delivery="rejected")),
            # Searched by their status; those of one request, which pages of imports lead to.
            models.Index(fields=["order_status", "id"], name="change_held_status", condition=Q(delivery="held")),
            models.Index(
                fields=["order_status", "id"], name="change_rejected_status", condition=Q(delivery="rejected")
            ),
            models.Index(fields=["request_id"], name="change_held_request", condition=Q(delivery="held")),
            models.Index(fields=["counter"], name="change_superseded", condition=Q(delivery="superseded")),
            models.Index(fields=["upload_id"], name="change_upload", condition=Q(upload_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.order_status} ({self.status_date_time:%Y-%m-%d %H:%M})"


class RejectedChange(StatusChange):
    """The work list: changes that Metrica, or the format of its files, did not take."""

    class Meta:
        proxy = True
        verbose_name = _("rejected status change")
        verbose_name_plural = _("rejected status changes")


class HeldChange(StatusChange):
    """The work list: changes that wait for a person."""

    class Meta:
        proxy = True
        verbose_name = _("hold")
        verbose_name_plural = _("holds")


class HoldReview(models.Model):
    """Up to which revision of a counter its held changes were looked at again; behind it, a review is due."""

    counter = models.OneToOneField(Counter, models.CASCADE, primary_key=True, related_name="+")
    revision = models.PositiveBigIntegerField(default=0)
    reviewed_at = models.DateTimeField(default=timezone.now)


class Erasure(models.Model):
    """A client was erased, and what is kept outside of the database's rows is gone through for it (see `erasing`).

    `marks`: what it was known by, in order to find it there; emptied at the end. `places`: how far each part is.
    """

    client = models.ForeignKey(Client, models.CASCADE, related_name="erasures", verbose_name=_("client"))
    marks = SealedJSONField(default=dict, blank=True)
    places = models.JSONField(default=dict, blank=True)
    begun_at = models.DateTimeField(_("begun"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Attempts that broke off, one after the other: why the last one did, and when it is tried again.
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    error_code = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)

    objects = tenant_manager(agency_path="client__counter__agency_id", counter_path="client__counter__metrica_id")

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        indexes = [models.Index(fields=["id"], name="erasure_open", condition=Q(finished_at__isnull=True))]

    def __str__(self) -> str:
        return str(self.pk)
