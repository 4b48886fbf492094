"""Where CRMs post what happened to their deals (Receiver), and every post that came (Post).

A post is kept before it is answered, and worked on by a worker: so the CRM never waits, and whatever goes wrong later
is seen, with its reason, and can be tried again.
"""

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter
from apps.counters.round_models import RoundRow


class Kind(models.TextChoices):
    BITRIX24 = "bitrix24", "Bitrix24"
    AMOCRM = "amocrm", "amoCRM / Kommo"
    GENERIC = "generic", _("Another CRM (JSON or a form)")


class Check(models.TextChoices):
    """What proves a post of another CRM besides its address."""

    NONE = "none", _("The address alone")
    HEADER = "header", _("A header with a secret")
    QUERY = "query", _("A parameter of the address with a secret")
    HMAC = "hmac", _("A signature of the body (HMAC-SHA256)")


class ReceiverQuerySet(TenantQuerySet["Receiver"]):
    def open(self) -> Self:
        """Those that take posts."""
        return self.filter(active=True, counter__agency__is_active=True)

    def workable(self, now: datetime) -> Self:
        """Receivers with a post that may be worked on at `now`, who waited longest first."""
        due = Post.objects.due(now).filter(receiver=OuterRef("pk"))
        ready = self.filter(Exists(due), counter__agency__is_active=True)
        return ready.order_by(F("last_worked_at").asc(nulls_first=True), "pk")


class Receiver(models.Model):
    """An address that a CRM posts to, and how its posts become orders of a counter.

    Of the secret in the address only its hash is kept. What is kept of the CRM's side (its REST address, tokens) is
    encrypted, and is not shown again.
    """

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="receivers", verbose_name=_("counter"))
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("CRM"), max_length=10, choices=Kind.choices)
    active = models.BooleanField(
        _("active"), default=True, help_text=_("While it is off, its address answers as if it were not there.")
    )
    public_id = models.CharField(max_length=16, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    # Opens along with the new one, so that the CRM can be changed over.
    old_secret_hash = models.CharField(max_length=64, blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    # What the post must prove besides: Bitrix24's application token, or the secret of a header, parameter or signature.
    check_kind = models.CharField(
        _("what proves a post"), max_length=6, choices=Check.choices, default=Check.NONE, blank=True
    )
    check_name = models.CharField(_("name of the header or parameter"), max_length=100, blank=True)
    check_secret_encrypted = models.TextField(blank=True, editable=False)
    # The CRM's side: where it is read (Bitrix24: the address is a secret by itself), and by which token.
    crm_url_encrypted = models.TextField(blank=True, editable=False)
    crm_token_encrypted = models.TextField(blank=True, editable=False)
    mapping = models.JSONField(_("fields"), default=dict, blank=True)  # see apps.receivers.mapping
    # What a status of the CRM ("123:142") is called in the counter's mapping.
    statuses = models.JSONField(_("names of statuses"), default=dict, blank=True)
    prefix = models.CharField(
        _("put before ids"),
        max_length=20,
        blank=True,
        help_text=_(
            "Where orders of several CRMs come to one counter and their ids might be the same: for example b24-."
        ),
    )
    created_by = models.CharField(_("made by"), max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # Posts that had the right address and could not prove themselves.
    refused = models.PositiveIntegerField(_("refused"), default=0, editable=False)
    refused_at = models.DateTimeField(_("last refused"), null=True, blank=True, editable=False)
    refused_for = models.CharField(max_length=20, blank=True, editable=False)
    last_worked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = tenant_manager(
        agency_path="counter__agency_id", counter_path="counter__metrica_id", base=ReceiverQuerySet
    )

    class Meta:
        verbose_name = _("receiver")
        verbose_name_plural = _("receivers")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["counter", "name"], name="receiver_name_per_counter")]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """Who is named in timelines and in the audit log."""
        return f"receiver {self.name}"

    @property
    def is_mapped(self) -> bool:
        """Whether it is said where the order's id and status stand."""
        fields: dict[str, Any] = self.mapping.get("fields", {})
        return bool(fields.get("id")) and bool(fields.get("order_status"))


class PostState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    FAILED = "failed", _("Will be tried again")
    DONE = "done", _("Taken in")
    IGNORED = "ignored", _("Nothing to take in")
    HELD = "held", _("Needs a person")


OPEN = (PostState.WAITING, PostState.FAILED)


class PostQuerySet(TenantQuerySet["Post"]):
    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def due(self, now: datetime) -> Self:
        return self.open().filter(Q(not_before=None) | Q(not_before__lte=now))

    def held(self) -> Self:
        return self.filter(state=PostState.HELD)


class Post(models.Model):
    """One post of a CRM: what came (encrypted, without the CRM's keys), and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    receiver = models.ForeignKey(
        Receiver, models.CASCADE, related_name="posts", db_index=False, verbose_name=_("receiver")
    )
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    bytes = models.PositiveIntegerField(_("size"), default=0)
    body_encrypted = models.TextField(editable=False)
    is_readable = models.BooleanField(default=True, editable=False)  # False: the body is neither JSON nor a form
    digest = models.CharField(max_length=64, editable=False)
    # By what the CRM tells this event from others; null where it does not, and the same may come for good reason.
    event_key = models.CharField(max_length=64, null=True, blank=True, editable=False)  # noqa: DJ001
    repeats = models.PositiveIntegerField(_("came again"), default=0)
    repeated_at = models.DateTimeField(null=True, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=PostState.choices, default=PostState.WAITING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    tries = models.PositiveIntegerField(default=0, editable=False)  # since it came or a person asked for it once more
    tried_at = models.DateTimeField(_("last tried"), null=True, blank=True)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # What was read from the CRM besides, and made the rows; encrypted like the body.
    documents_encrypted = models.TextField(blank=True, editable=False)
    results = models.JSONField(default=list, blank=True)  # of each row; see apps.receivers.working
    created = models.PositiveIntegerField(_("new"), default=0)
    updated = models.PositiveIntegerField(_("new statuses"), default=0)
    unchanged = models.PositiveIntegerField(_("known already"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    error_code = models.CharField(_("error"), max_length=40, blank=True)
    error_detail = models.CharField(max_length=300, blank=True)  # in the words of whoever refused it

    objects = tenant_manager(
        agency_path="receiver__counter__agency_id", counter_path="receiver__counter__metrica_id", base=PostQuerySet
    )

    class Meta:
        verbose_name = _("received post")
        verbose_name_plural = _("received posts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["receiver", "event_key"], condition=Q(event_key__isnull=False), name="post_once_per_event"
            )
        ]
        indexes = [
            models.Index(fields=["receiver", "id"], name="post_of_receiver"),
            models.Index(fields=["receiver", "id"], name="post_open", condition=Q(state__in=["waiting", "failed"])),
            models.Index(fields=["receiver", "id"], name="post_held", condition=Q(state="held")),
            models.Index(fields=["received_at"], name="post_age"),
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.received_at):%Y-%m-%d %H:%M:%S}"

    @property
    def rows(self) -> int:
        return self.created + self.updated + self.unchanged + self.rejected


class Round(RoundRow):
    """Who works on posts now: one worker at a time for all receivers, so that they never take all workers."""
