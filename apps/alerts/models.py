"""Alerts (what is wrong, from when to when), the rules by which they arise, and the channels by which people learn."""

from datetime import datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.models import Agency, Membership
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter, MetricaAccount
from apps.counters.turns import free


class Severity(models.TextChoices):
    URGENT = "urgent", _("Urgent")
    WARNING = "warning", _("Warning")


def _bounded(name: Any, default: int, least: int, most: int, **more: Any) -> Any:
    limits = [MinValueValidator(least), MaxValueValidator(most)]
    return models.PositiveIntegerField(name, default=default, validators=limits, **more)


class AlertRulesQuerySet(TenantQuerySet["AlertRules"]):
    def due(self, *, looked_before: datetime) -> Self:
        """Of active agencies that nobody has looked at since that moment (aware), the longest unseen first."""
        waiting = Q(looked_at=None) | Q(looked_at__lte=looked_before)
        return self.filter(waiting, agency__is_active=True).order_by(F("looked_at").asc(nulls_first=True))


class AlertRules(models.Model):
    """From when on something is worth an alert in an agency, and when somebody last looked. One row an agency."""

    agency = models.OneToOneField(
        Agency, models.CASCADE, primary_key=True, related_name="alert_rules", verbose_name=_("agency")
    )
    token_days = _bounded(_("days before a token expires"), 14, 1, 90)
    failed_jobs = _bounded(_("upload jobs failed in a row"), 3, 1, 20)
    unreachable_minutes = _bounded(_("minutes without Metrica"), 10, 1, 1440)
    quota_percent = _bounded(_("percent of a day's calls used"), 90, 10, 100)
    queue_minutes = _bounded(_("minutes that a status change waits longer than its schedule says"), 60, 5, 10080)
    worker_minutes = _bounded(_("minutes without a sign of life of a worker"), 10, 5, 720)
    held_count = _bounded(_("status changes held for one reason"), 100, 1, 1000)
    held_hours = _bounded(_("hours that a status change is held"), 24, 1, 720)
    rejected_percent = _bounded(_("percent of a day's rows rejected"), 5, 1, 100)
    window_days = _bounded(_("days before a window closes"), 3, 1, 20)
    window_orders = _bounded(_("orders whose window closes"), 1, 1, 1000)
    match_drop_points = _bounded(_("percentage points fewer than the week before"), 20, 5, 100)
    remind_hours = _bounded(_("hours between reminders"), 24, 24, 720)
    # Codes of causes that nobody wants to know of.
    off = models.JSONField(_("switched off"), default=list, blank=True)
    # Who moves it on has the look, so of many machines one has.
    looked_at = models.DateTimeField(_("last looked"), null=True, blank=True, editable=False)
    thorough_at = models.DateTimeField(null=True, blank=True, editable=False)  # with the causes that change slowly

    objects = tenant_manager(base=AlertRulesQuerySet)

    class Meta:
        verbose_name = _("alert rules")
        verbose_name_plural = _("alert rules")

    def __str__(self) -> str:
        return str(self.agency)


class Ending(models.TextChoices):
    OVER = "over", _("Over")
    UNWATCHED = "unwatched", _("No longer watched")


class AlertQuerySet(TenantQuerySet["Alert"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def with_subjects(self) -> Self:
        """With the counter or the account that each is about."""
        return self.select_related("counter", "account")

    def worst_first(self) -> Self:
        """Urgent ones first, then the newest."""
        return self.order_by("severity", "-opened_at")


class Alert(models.Model):
    """One cause at one counter, account or machine, from when it was seen until it was over. Never one an order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agency = models.ForeignKey(Agency, models.CASCADE, related_name="+", db_index=False, verbose_name=_("agency"))
    cause = models.CharField(_("cause"), max_length=24)
    # What it is about: the counter or account where there is one, and a name that stays when they are renamed.
    subject = models.CharField(max_length=200, editable=False)
    label = models.CharField(_("about"), max_length=300, blank=True)
    counter = models.ForeignKey(
        Counter, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("counter")
    )
    account = models.ForeignKey(
        MetricaAccount, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("Metrica account")
    )
    severity = models.CharField(_("severity"), max_length=8, choices=Severity.choices)
    facts = models.JSONField(_("numbers"), default=dict, blank=True)  # what the cause's sentence is made of
    opened_at = models.DateTimeField(_("since"), default=timezone.now)
    last_seen = models.DateTimeField(_("last seen"), default=timezone.now)
    closed_at = models.DateTimeField(_("until"), null=True, blank=True)
    ending = models.CharField(_("how it ended"), max_length=10, choices=Ending.choices, blank=True)

    objects = tenant_manager(counter_path="counter__metrica_id", base=AlertQuerySet)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "cause", "subject"], condition=Q(closed_at=None), name="one_open_alert_per_cause"
            )
        ]
        indexes = [
            models.Index(fields=["agency", "-id"], name="alert_newest"),
            models.Index(fields=["agency", "closed_at"], name="alert_closed", condition=Q(closed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        from apps.alerts.causes import title_of

        title = str(title_of(self.cause))
        return f"{title}: {self.label}" if self.label else title

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_urgent(self) -> bool:
        return self.severity == Severity.URGENT


class AlertMute(models.Model):
    """Until a day nobody is told of this cause at this counter, account or machine."""

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="+", verbose_name=_("agency"))
    cause = models.CharField(_("cause"), max_length=24)
    subject = models.CharField(max_length=200)
    until = models.DateTimeField(_("until"))
    muted_by = models.CharField(_("who"), max_length=255, blank=True)

    objects = tenant_manager()

    class Meta:
        verbose_name = _("muted cause")
        verbose_name_plural = _("muted causes")
        constraints = [
            models.UniqueConstraint(fields=["agency", "cause", "subject"], name="one_mute_per_cause_and_subject")
        ]

    def __str__(self) -> str:
        return f"{self.cause} · {self.subject}"


class ChannelKind(models.TextChoices):
    EMAIL = "email", _("E-mail")
    TELEGRAM = "telegram", _("Telegram")
    WEBHOOK = "webhook", _("Signed webhook")


class ChannelQuerySet(TenantQuerySet["Channel"]):
    def claimable(self, now: datetime | Combinable) -> Self:
        """Channels with something to tell that a worker may take at `now`."""
        due = Q(not_before=None) | Q(not_before__lte=now)
        return self.filter(free(now), due, due=True, is_active=True, agency__is_active=True)


class Channel(models.Model):
    """A way to people: whom it reaches, which alerts it wants, when it keeps quiet, and how its last message went.

    What it has to tell is not queued but found out each time: what is true and was not told. So a message that failed
    is made anew by what is true by then.
    """

    agency = models.ForeignKey(Agency, models.CASCADE, related_name="alert_channels", verbose_name=_("agency"))
    kind = models.CharField(_("kind"), max_length=8, choices=ChannelKind.choices, default=ChannelKind.EMAIL)
    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(_("active"), default=True)
    language = models.CharField(_("language"), max_length=5, default="en")
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Moscow")
    # Whom it reaches.
    members = models.ManyToManyField(Membership, blank=True, related_name="+", verbose_name=_("people of the agency"))
    addresses = models.JSONField(_("other addresses"), default=list, blank=True)
    chat_id = models.CharField(_("chat id"), max_length=64, blank=True)
    chat_title = models.CharField(_("chat"), max_length=255, blank=True, editable=False)
    url = models.CharField(_("address"), max_length=2000, blank=True)
    secret_encrypted = models.TextField(blank=True, editable=False)
    # What it wants.
    urgent_only = models.BooleanField(_("only urgent alerts"), default=False)
    causes = models.JSONField(_("only these causes"), default=list, blank=True)  # codes; none: all
    counters = models.ManyToManyField(Counter, blank=True, related_name="+", verbose_name=_("only these counters"))
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    urgent_breaks_quiet = models.BooleanField(_("urgent alerts come in quiet hours as well"), default=True)
    # How it stands.
    due = models.BooleanField(default=False, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)  # in a row
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=64, blank=True, editable=False)
    error_message = models.CharField(_("last error"), max_length=500, blank=True, editable=False)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True, editable=False)
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True, editable=False)
    # Whoever holds the lease tells; `fence` grows with each claim, so a worker thought dead cannot write on.
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    enqueued_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = tenant_manager(base=ChannelQuerySet)

    class Meta:
        verbose_name = _("alert channel")
        verbose_name_plural = _("alert channels")
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["agency", "name"], name="channel_name_per_agency")]
        indexes = [models.Index(fields=["not_before"], name="channel_due", condition=Q(due=True))]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def is_quiet(self, now: datetime) -> bool:
        """Whether `now` (aware) lies in the channel's quiet hours, which may pass midnight."""
        begin, end = self.quiet_from, self.quiet_to
        if begin is None or end is None or begin == end:
            return False
        clock: time = now.astimezone(self.zone).time()
        return begin <= clock < end if begin < end else clock >= begin or clock < end


class Stage(models.TextChoices):
    """What a message says of an alert."""

    OPENED = "opened", _("New")
    STILL = "still", _("Still so")
    OVER = "over", _("Resolved")


class Told(models.Model):
    """What a channel was last told of an alert: it arrived, or was accepted by whoever carries it there."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="told", verbose_name=_("channel"))
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="told", verbose_name=_("alert"))
    stage = models.CharField(_("message"), max_length=6, choices=Stage.choices)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    at = models.DateTimeField(_("sent"), default=timezone.now)

    objects = tenant_manager(agency_path="channel__agency_id")

    class Meta:
        verbose_name = _("alert that was told")
        verbose_name_plural = _("alerts that were told")
        constraints = [models.UniqueConstraint(fields=["channel", "alert"], name="told_once_per_channel")]
        indexes = [models.Index(fields=["channel"], name="told_and_open", condition=~Q(stage="over"))]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.stage}"


class DeliveryState(models.TextChoices):
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    WAITING = "waiting", _("Will be tried again")
    FAILED = "failed", _("Failed")
    REPLACED = "replaced", _("Replaced by what was true later")


class AlertDelivery(models.Model):
    """One message of a channel: what it said, how often it was tried, and what came of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.ForeignKey(
        Channel, models.CASCADE, related_name="deliveries", db_index=False, verbose_name=_("channel")
    )
    is_test = models.BooleanField(default=False)
    items = models.JSONField(default=list)  # [[alert, stage, severity], …]
    subject = models.CharField(_("subject"), max_length=300)
    text = models.TextField(_("text"))
    html = models.TextField(blank=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=DeliveryState.choices, default=DeliveryState.SENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    # Of an e-mail: who is still to get it, where others have it already.
    left = models.JSONField(default=list, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(_("what went wrong"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    tried_at = models.DateTimeField(_("last tried"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = tenant_manager(agency_path="channel__agency_id")

    class Meta:
        verbose_name = _("alert message")
        verbose_name_plural = _("alert messages")
        ordering = ["-id"]
        indexes = [models.Index(fields=["channel", "-id"], name="alert_delivery_newest")]

    def __str__(self) -> str:
        return self.subject
