"""Upload jobs (what a person or the schedule asked for) and uploads (one file, one request at a time)."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.models import Agency
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter
from apps.counters.turns import free
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


UNFINISHED_JOBS = (JobState.QUEUED, JobState.RUNNING)


class UploadJobQuerySet(TenantQuerySet["UploadJob"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED_JOBS)

    def claimable(self, now: datetime | Combinable) -> Self:
        """Jobs that a worker may take at `now`: nobody holds them, and they wait for nothing (or are to be stopped)."""
        due = Q(not_before=None) | Q(not_before__lte=now) | Q(cancel_requested_at__isnull=False)
        return self.unfinished().filter(free(now), due)

    def in_hand(self, now: datetime | Combinable) -> Self:
        """Jobs that a worker holds at `now`."""
        return self.filter(state=JobState.RUNNING, lease_until__gt=now)


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
    clients = models.PositiveIntegerField(_("clients delivered"), default=0)
    clients_refused = models.PositiveIntegerField(_("clients refused"), default=0)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)
    # Where planning stands: the wave, and the order (primary key) up to which the wave has been put into files.
    wave = models.PositiveIntegerField(_("wave"), default=1, editable=False)
    wave_cursor = models.BigIntegerField(default=0, editable=False)
    # Detailed mode: the clients that were due have been put into files, so orders come next.
    clients_planned = models.BooleanField(default=False, editable=False)
    # Whoever holds the lease owns the job; `fence` grows with each claim, so a worker thought dead cannot write on.
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)
    # Since when it waits for its turn, so that whoever chooses the next job knows who has waited longest.
    waiting_since = models.DateTimeField(default=timezone.now, editable=False)
    # The counter has orders whose window closes soon, as the last tick saw it.
    urgent = models.BooleanField(default=False, db_default=False, editable=False)
    # How often in a row the work broke off without getting any further.
    breakdowns = models.PositiveIntegerField(default=0, editable=False)
    cancel_requested_at = models.DateTimeField(_("cancelled by a person"), null=True, blank=True, editable=False)

    objects = tenant_manager(
        agency_path="counter__agency_id", counter_path="counter__metrica_id", base=UploadJobQuerySet
    )

    class Meta:
        verbose_name = _("upload job")
        verbose_name_plural = _("upload jobs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["counter"], condition=Q(state="running"), name="one_running_job_per_counter"
            ),
            models.UniqueConstraint(
                fields=["counter"],
                condition=Q(state="queued", only_orders__isnull=True),
                name="one_queued_job_per_counter",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "not_before"], name="job_unfinished", condition=Q(state__in=["queued", "running"])
            ),
            models.Index(fields=["counter", "-id"], name="job_newest"),
            # The few that somebody looks for among the many that the schedule started and that went well.
            models.Index(fields=["counter", "state", "-id"], name="job_not_well", condition=~Q(state="succeeded")),
            models.Index(fields=["counter", "trigger", "-id"], name="job_asked_for", condition=~Q(trigger="schedule")),
            models.Index(fields=["request_id"], name="job_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.counter} · {timezone.localtime(self.created_at):%Y-%m-%d %H:%M:%S}"

    @property
    def asked_by(self) -> str:
        """The person, API key or command that asked for it; empty where it was the schedule, which `trigger` says."""
        return "" if self.trigger == Trigger.SCHEDULE else self.requested_by


class UploadState(models.TextChoices):
    PREPARED = "prepared", _("Prepared")
    SENDING = "sending", _("Being sent")
    UNKNOWN = "unknown", _("Outcome unknown")
    PASSED = "passed", _("Passed")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class UploadKind(models.TextChoices):
    SIMPLE_ORDERS = "simple_orders", _("Orders, simple format")
    CONTACTS = "contacts", _("Clients")
    ORDERS = "orders", _("Orders, detailed format")


class UploadFormat(models.TextChoices):
    CSV = "csv", "CSV"
    JSON = "json", "JSON"


class Part(models.TextChoices):
    """What a file is of the refused one that it was cut from."""

    HALF = "half", _("half of a refused file")
    NAMED = "named", _("a row that Metrica named as bad, by itself")
    REST = "rest", _("the rest of a refused file, without the rows that Metrica named")


class SentAgain(models.TextChoices):
    """Why a file of unknown outcome went once more (R6)."""

    NOT_LISTED = "not_listed", _("Metrica's list of uploads did not have it")
    SEVERAL_FIT = "several_fit", _("several uploads in Metrica's list could have been it")
    LISTED_AS_FAILED = "listed_as_failed", _("Metrica's list has it as failed, and its answer was lost")


UNSETTLED = (UploadState.PREPARED, UploadState.SENDING, UploadState.UNKNOWN)


class UploadQuerySet(TenantQuerySet["Upload"]):
    def unsettled(self) -> Self:
        """Files whose end is not known yet; the changes in them are `sending`."""
        return self.filter(state__in=UNSETTLED)


class Upload(models.Model):
    """One file and its requests. The exact bytes are kept, compressed, until the counter's retention ends or a client
    in it is erased; after that their digest says what they were."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(UploadJob, models.CASCADE, related_name="uploads", verbose_name=_("job"))
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="parts", verbose_name=_("cut from")
    )
    part = models.CharField(_("part"), max_length=5, choices=Part.choices, blank=True)
    wave = models.PositiveIntegerField(_("wave"))
    kind = models.CharField(_("kind"), max_length=16, choices=UploadKind.choices, default=UploadKind.SIMPLE_ORDERS)
    format = models.CharField(_("format"), max_length=4, choices=UploadFormat.choices, default=UploadFormat.CSV)
    state = models.CharField(_("state"), max_length=10, choices=UploadState.choices, default=UploadState.PREPARED)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    bytes = models.BigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    file = models.CharField(
        _("file"), max_length=255, blank=True
    )  # name in the default storage, gzip; blank: not yet written
    # What is kept is no longer what was sent, whose digest `sha256` stays: rows of erased clients were blanked in it.
    kept_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    blanked_rows = models.PositiveIntegerField(_("rows of erased clients"), default=0, db_default=0, editable=False)
    blanked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Its time was over (see `retention`): the file is kept no longer.
    file_gone_at = models.DateTimeField(_("file no longer kept since"), null=True, blank=True, editable=False)
    # What each CRM status meant when this file was written: {crm_status: {"type", "order_status", "goal_action_ids"}}.
    mapping = models.JSONField(_("status mapping"), default=dict, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # Of a file that went more than once because nobody knew whether Metrica had it: why it went again.
    sent_again = models.CharField(_("sent again because"), max_length=16, choices=SentAgain.choices, blank=True)
    # How often Metrica's list of uploads was read in vain since the outcome is unknown.
    lookups = models.PositiveIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    uploading_id = models.CharField(_("upload id at Metrica"), max_length=64, blank=True)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = tenant_manager(
        agency_path="job__counter__agency_id", counter_path="job__counter__metrica_id", base=UploadQuerySet
    )

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ["job", "wave", "id"]
        indexes = [
            models.Index(
                fields=["job"], name="upload_unsettled", condition=Q(state__in=["prepared", "sending", "unknown"])
            ),
            models.Index(
                fields=["finished_at"], name="upload_keeps_file", condition=Q(file_gone_at__isnull=True) & ~Q(file="")
            ),
            models.Index(fields=["uploading_id"], name="upload_at_metrica", condition=~Q(uploading_id="")),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Resend(models.Model):
    """A delivered state sent once more, so that the last row Metrica got is the order's current state (R4)."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="resends", verbose_name=_("upload"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="resends", verbose_name=_("order"))
    change = models.ForeignKey(StatusChange, models.CASCADE, related_name="resends", verbose_name=_("status change"))

    objects = tenant_manager(agency_path="order__counter__agency_id", counter_path="order__counter__metrica_id")

    class Meta:
        verbose_name = _("repeated state")
        verbose_name_plural = _("repeated states")
        constraints = [models.UniqueConstraint(fields=["upload", "order"], name="order_resent_once_per_upload")]


class Recovery(models.Model):
    """A counter whose database was put back to an older state: what went out in between is looked for before anything
    else goes (R6).

    `taken_at`: the time of the backup; `restored_at`: up to when uploads that nobody knows may be the counter's own.
    `nobodys`: those of Metrica's list, where no kept file is left that would explain them, until the first file after
    the restore has gone.
    """

    counter = models.OneToOneField(Counter, models.CASCADE, primary_key=True, related_name="+")
    taken_at = models.DateTimeField()
    restored_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    nobodys = models.JSONField(default=list, blank=True)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("recovery")
        verbose_name_plural = _("recoveries")

    def __str__(self) -> str:
        return f"{self.counter_id} {self.taken_at:%Y-%m-%d %H:%M:%S}"


class Retention(models.Model):
    """How far the orders of a counter, and its clients without any, have been gone through whose identifiers are kept
    for long enough, see `retention`: up to which last change, and since when."""

    counter = models.OneToOneField(Counter, models.CASCADE, primary_key=True, related_name="+")
    began_at = models.DateTimeField()
    up_to = models.DateTimeField(null=True)
    last_key = models.BigIntegerField(default=0)
    clients_up_to = models.DateTimeField(null=True)
    last_client = models.BigIntegerField(default=0, db_default=0)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("retention")
        verbose_name_plural = _("retentions")

    def __str__(self) -> str:
        return str(self.counter_id)


class CarriedRow(models.Model):
    """A row that a file carried to Metrica after the backup that was restored, told by its digest. Newer rows of an
    order have higher keys. It is forgotten once its order's change is found again, or goes anew."""

    counter = models.ForeignKey(Counter, models.CASCADE, related_name="+", db_index=False)
    upload = models.ForeignKey(Upload, models.CASCADE, related_name="+", db_index=False)
    order_id = models.CharField(max_length=255)  # as Metrica has it: the order need not be known here yet
    digest = models.CharField(max_length=64)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("carried row")
        verbose_name_plural = _("carried rows")
        indexes = [models.Index(fields=["counter", "order_id"], name="carried_of_order")]

    def __str__(self) -> str:
        return self.order_id


class Tally(models.Model):
    """A total that only grows, see `tallies`. `part`: a counter's primary key, kept when the counter is gone; or 0."""

    name = models.CharField(max_length=60)
    part = models.BigIntegerField()
    value = models.FloatField(default=0)

    class Meta:
        verbose_name = _("total")
        verbose_name_plural = _("totals")
        constraints = [models.UniqueConstraint(fields=["name", "part"], name="tally_once_per_part")]

    def __str__(self) -> str:
        return f"{self.name} {self.part}"


class Heartbeat(models.Model):
    """When a part of the machinery last gave a sign of life: `tick`, `queue`, `worker <host> <pid>`.

    `slots`: how many jobs a worker can have in hand at once.
    """

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    slots = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.name


class Permit(models.Model):
    """A message on its way that lets a worker take a job; gone once a worker has it in hand."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sent_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("permit to work")
        verbose_name_plural = _("permits to work")

    def __str__(self) -> str:
        return str(self.id)


class WorkDone(models.Model):
    """How much the workers did for an agency lately; see choosing.HALF_LIFE. None has a row before its first job."""

    agency = models.OneToOneField(Agency, models.CASCADE, primary_key=True, related_name="upload_work")
    weight = models.FloatField(editable=False)

    objects = tenant_manager()

    class Meta:
        verbose_name = _("work done")
        verbose_name_plural = _("work done")

    def __str__(self) -> str:
        return str(self.agency_id)
