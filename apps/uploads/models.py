"""Upload jobs (what a person or the schedule asked for) and uploads (one file, one request at a time)."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.tenancy import tenant_manager
from apps.counters.models import Counter
from apps.orders.models import Order, StatusChange


class JobState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    PARTLY_FAILED = "partly_failed", _("Partly failed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class Trigger(models.TextChoices):
    PERSON = "person", _("A person")
    SCHEDULE = "schedule", _("The schedule")
    API = "api", _("API")
    COMMAND = "command", _("Command line")


class UploadJob(models.Model):
    """Delivers what is due of one counter, wave after wave. One job of a counter runs at a time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    counter = models.ForeignKey(Counter, models.CASCADE, related_name="upload_jobs", verbose_name=_("counter"))
    state = models.CharField(_("state"), max_length=14, choices=JobState.choices, default=JobState.QUEUED)
    trigger = models.CharField(_("started by"), max_length=10, choices=Trigger.choices)
    requested_by = models.CharField(_("who"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    # Only these orders (primary keys); null: everything due.
    only_orders = models.JSONField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    changes = models.PositiveIntegerField(_("status changes"), default=0)
    delivered = models.PositiveIntegerField(_("delivered"), default=0)
    held = models.PositiveIntegerField(_("held"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    resent = models.PositiveIntegerField(_("sent again"), default=0)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)
    # Whoever holds the lease owns the job; `fence` grows with each claim, so that a worker thought dead cannot write on.
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("upload job")
        verbose_name_plural = _("upload jobs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["counter"], condition=Q(state="running"), name="one_running_job_per_counter")
        ]
        indexes = [
            models.Index(
                fields=["state", "not_before"], name="job_unfinished", condition=Q(state__in=["queued", "running"])
            )
        ]

    def __str__(self) -> str:
        return f"{self.counter} · {timezone.localtime(self.created_at):%Y-%m-%d %H:%M:%S}"


class UploadState(models.TextChoices):
    PREPARED = "prepared", _("Prepared")
    SENDING = "sending", _("Being sent")
    UNKNOWN = "unknown", _("Outcome unknown")
    PASSED = "passed", _("Passed")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class UploadKind(models.TextChoices):
    SIMPLE_ORDERS = "simple_orders", _("Orders, simple format")


class Upload(models.Model):
    """One file and its requests. The exact bytes are kept, compressed, until the counter's retention ends."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(UploadJob, models.CASCADE, related_name="uploads", verbose_name=_("job"))
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="halves", verbose_name=_("half of")
    )
    wave = models.PositiveIntegerField(_("wave"))
    kind = models.CharField(_("kind"), max_length=16, choices=UploadKind.choices, default=UploadKind.SIMPLE_ORDERS)
    state = models.CharField(_("state"), max_length=10, choices=UploadState.choices, default=UploadState.PREPARED)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    bytes = models.BigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    file = models.CharField(_("file"), max_length=255, blank=True)  # name in the default storage, gzip; blank: not yet written
    # What each CRM status meant when this file was written: {crm_status: {"type", "order_status", "goal_action_ids"}}.
    mapping = models.JSONField(_("status mapping"), default=dict, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    uploading_id = models.CharField(_("upload id at Metrica"), max_length=64, blank=True)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = tenant_manager(agency_path="job__counter__agency_id", counter_path="job__counter__metrica_id")

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ["job", "wave", "id"]

    def __str__(self) -> str:
        return str(self.id)


class Resend(models.Model):
    """A delivered state sent once more, so that the last row Metrica got is the order's current state (R4)."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="resends", verbose_name=_("upload"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="resends", verbose_name=_("order"))
    change = models.ForeignKey(StatusChange, models.CASCADE, related_name="resends", verbose_name=_("status change"))

    objects = tenant_manager(
        agency_path="order__counter__agency_id", counter_path="order__counter__metrica_id"
    )

    class Meta:
        verbose_name = _("repeated state")
        verbose_name_plural = _("repeated states")
        constraints = [models.UniqueConstraint(fields=["upload", "order"], name="order_resent_once_per_upload")]
