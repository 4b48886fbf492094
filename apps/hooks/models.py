"""Webhooks: who wants to be told (Endpoint), what happened (Event), and each message about it (Delivery).

Events and deliveries are the outbox: they are written in the transaction of what they tell, as pointers to it, and the
text of a message is made from the database when it is sent.
"""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.models import Agency
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter
from apps.counters.round_models import RoundRow


class EventType(models.TextChoices):
    ORDER_DELIVERED = "order.delivered", _("Status changes were delivered")
    ORDER_REJECTED = "order.rejected", _("Status changes were rejected")
    ORDER_HELD = "order.held", _("Status changes wait for a person")
    UPLOAD_FINISHED = "upload.finished", _("An upload job ended")
    TEST = "test", _("A test")


SUBSCRIBABLE = tuple(kind for kind in EventType if kind != EventType.TEST)


class DisabledFor(models.TextChoices):
    FAILING = "failing", _("It took nothing for days")
    GONE = "gone", _("It answered 410: it wants no more")


class EndpointQuerySet(TenantQuerySet["Endpoint"]):
    def sendable(self, now: datetime) -> Self:
        """Endpoints that may be called at `now` and have something waiting, who waited longest first."""
        waiting = Delivery.objects.open().filter(endpoint=OuterRef("pk"))
        due = Q(not_before=None) | Q(not_before__lte=now)
        ready = self.filter(Exists(waiting), due, active=True, disabled_at=None, agency__is_active=True)
        return ready.order_by(models.F("last_tried_at").asc(nulls_first=True), "pk")


class Endpoint(models.Model):
    """An address of a CRM's developer that is called when something happened.

    `active` is a person's switch. `disabled_at` is Goalpost's own: it has given up calling until a person says go on.
    """

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="endpoints", verbose_name=_("agency"))
    name = models.CharField(_("name"), max_length=100)
    url = models.CharField(_("address"), max_length=2000)
    events = models.JSONField(_("events"), default=list)  # values of EventType
    counters = models.ManyToManyField(
        Counter,
        blank=True,
        related_name="+",
        verbose_name=_("only counters"),
        help_text=_("None chosen: all counters of the agency."),
    )
    active = models.BooleanField(_("active"), default=True, help_text=_("While it is off, nothing is noted for it."))
    secret_encrypted = models.TextField(editable=False)
    # Signs along with the new one, so that a receiver has the time to change over.
    old_secret_encrypted = models.TextField(editable=False, blank=True)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.CharField(_("made by"), max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    disabled_at = models.DateTimeField(_("not called since"), null=True, blank=True, editable=False)
    disabled_for = models.CharField(_("why"), max_length=10, choices=DisabledFor.choices, blank=True, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failed in a row"), default=0, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True, editable=False)
    last_tried_at = models.DateTimeField(_("last called"), null=True, blank=True, editable=False)
    last_ok_at = models.DateTimeField(_("last taken"), null=True, blank=True, editable=False)

    objects = tenant_manager(base=EndpointQuerySet)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["agency", "name"], name="endpoint_name_per_agency")]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """Something that happened, as a pointer to it.

    Of status changes there are at most `payloads.MOST_CHANGES`: those of an upload from one key to another, or these
    very ones; none at all means the whole counter.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agency = models.ForeignKey(Agency, models.CASCADE, related_name="+", verbose_name=_("agency"))
    counter = models.ForeignKey(Counter, models.CASCADE, null=True, related_name="+", verbose_name=_("counter"))
    type = models.CharField(_("event"), max_length=20, choices=EventType.choices)
    created_at = models.DateTimeField(_("happened"), default=timezone.now, db_index=True)
    upload_id = models.UUIDField(null=True)
    first_change = models.UUIDField(null=True)
    last_change = models.UUIDField(null=True)
    change_ids = models.JSONField(null=True)
    job_id = models.UUIDField(null=True)
    code = models.CharField(max_length=64, blank=True)  # of a rejection or a hold
    message = models.TextField(blank=True)

    objects = tenant_manager(counter_path="counter__metrica_id")

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    FAILED = "failed", _("Will be tried again")
    DELIVERED = "delivered", _("Delivered")
    ABANDONED = "abandoned", _("Given up")


OPEN = (DeliveryState.WAITING, DeliveryState.FAILED)


class DeliveryQuerySet(TenantQuerySet["Delivery"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN)


class Delivery(models.Model):
    """A message about an event for one endpoint. The endpoint's oldest open one is the next to go."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, related_name="deliveries", db_index=False, verbose_name=_("webhook")
    )
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", verbose_name=_("event"))
    state = models.CharField(_("state"), max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    is_replay = models.BooleanField(_("sent again by a person"), default=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # Of the last attempt.
    headers = models.JSONField(default=dict, blank=True)
    body_bytes = models.PositiveIntegerField(null=True, blank=True)
    body_sha256 = models.CharField(max_length=64, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    answer = models.TextField(_("answer"), blank=True)
    seconds = models.FloatField(_("took"), null=True, blank=True)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)

    objects = tenant_manager(
        agency_path="endpoint__agency_id", counter_path="event__counter__metrica_id", base=DeliveryQuerySet
    )

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["endpoint", "id"], name="delivery_of_endpoint"),
            models.Index(fields=["endpoint", "id"], name="delivery_open", condition=Q(state__in=["waiting", "failed"])),
        ]

    def __str__(self) -> str:
        return f"{self.event.get_type_display()} · {timezone.localtime(self.created_at):%Y-%m-%d %H:%M:%S}"


class Round(RoundRow):
    """Who sends webhooks now: one worker at a time for all endpoints, so that they never take all workers."""
