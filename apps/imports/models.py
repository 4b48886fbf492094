"""Imports: a file that a person brought, how its columns are read, how far it is taken in, and what was wrong in it."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.ids import uuid7
from apps.agencies.tenancy import TenantQuerySet, tenant_manager
from apps.counters.models import Counter
from apps.counters.turns import free
from apps.metrica.text import Text


class ImportState(models.TextChoices):
    DRAFT = "draft", _("Not started")
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("All rows taken in")
    PARTLY_FAILED = "partly_failed", _("Some rows rejected")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class FileKind(models.TextChoices):
    CSV = "csv", "CSV"
    XLSX = "xlsx", "XLSX"


UNDER_WAY = (ImportState.QUEUED, ImportState.RUNNING)
ENDED = (ImportState.SUCCEEDED, ImportState.PARTLY_FAILED, ImportState.FAILED, ImportState.CANCELLED)


class ImportJobQuerySet(TenantQuerySet["ImportJob"]):
    def claimable(self, now: datetime | Combinable) -> Self:
        """Imports that a worker may take at `now`: nobody holds them, and they wait for nothing."""
        due = Q(not_before=None) | Q(not_before__lte=now) | Q(cancel_requested_at__isnull=False)
        return self.filter(free(now), due, state__in=UNDER_WAY)


class ImportJob(models.Model):
    """A file of orders on its way into a counter. One import of a counter runs at a time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    counter = models.ForeignKey(Counter, models.CASCADE, related_name="imports", verbose_name=_("counter"))
    state = models.CharField(_("state"), max_length=14, choices=ImportState.choices, default=ImportState.DRAFT)
    name = models.CharField(_("file"), max_length=255)  # as the person's machine calls it
    kind = models.CharField(_("format"), max_length=4, choices=FileKind.choices)
    size = models.BigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    # Names in the default storage, blank once they are deleted: the file itself, and the table read out of a workbook.
    file = models.CharField(max_length=255, blank=True, editable=False)
    table = models.CharField(max_length=255, blank=True, editable=False)
    sample = models.BinaryField(default=bytes, editable=False)  # its first rows as CSV, compressed
    sheet = models.CharField(_("sheet"), max_length=255, blank=True)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    delimiter = models.CharField(_("delimiter"), max_length=1, default=",")
    columns = models.JSONField(_("columns"), default=dict, blank=True)  # {header: column, or "" where it is not used}
    # The import whose report this file is, corrected and brought back.
    corrects = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="corrections")
    language = models.CharField(max_length=10, default="en", editable=False)  # of the reasons in the report
    requested_by = models.CharField(_("who"), max_length=255, blank=True)
    request_id = models.CharField(_("request id"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # Where it stands: the last line that is settled, how many bytes that is of how many, what became of the rows.
    line = models.PositiveIntegerField(_("line"), default=1)
    position = models.BigIntegerField(default=0, editable=False)
    whole = models.BigIntegerField(default=0, editable=False)
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    reported = models.PositiveIntegerField(_("rows in the report"), default=0)
    held = models.JSONField(default=dict, blank=True, editable=False)  # {reason: rows}
    warned = models.JSONField(default=dict, blank=True, editable=False)  # {code: rows}
    # Only checked: what an import would come to, and nothing of it is kept.
    dry_run = models.BooleanField(_("only checked"), default=False, db_default=False)
    error_code = models.CharField(_("error"), max_length=64, blank=True)
    error_message = models.TextField(_("what went wrong"), blank=True)
    # Whoever holds the lease works; `fence` grows with each claim, so a worker thought dead cannot write on.
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    not_before = models.DateTimeField(_("next attempt"), null=True, blank=True)
    enqueued_at = models.DateTimeField(null=True, blank=True, editable=False)
    # How often in a row the work broke off without getting any further.
    breakdowns = models.PositiveIntegerField(default=0, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = tenant_manager(
        agency_path="counter__agency_id", counter_path="counter__metrica_id", base=ImportJobQuerySet
    )

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["counter"], condition=Q(state="running"), name="one_running_import_per_counter"
            )
        ]
        indexes = [
            models.Index(
                fields=["state", "not_before"], name="import_under_way", condition=Q(state__in=["queued", "running"])
            ),
            models.Index(fields=["counter", "-id"], name="import_newest"),
            models.Index(fields=["created_at"], name="import_keeps_file", condition=~Q(file="")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def rows(self) -> int:
        return self.created + self.updated + self.unchanged + self.rejected

    @property
    def percent(self) -> int:
        """How much of the file is read."""
        if self.state in (ImportState.SUCCEEDED, ImportState.PARTLY_FAILED):
            return 100
        return min(100 * self.position // self.whole, 100) if self.whole else 0

    @property
    def state_label(self) -> Text:
        """Of a file that was only checked nothing was taken in."""
        if self.dry_run and self.state in (ImportState.SUCCEEDED, ImportState.PARTLY_FAILED):
            return _("Only checked")
        return ImportState(self.state).label

    @property
    def is_draft(self) -> bool:
        return self.state == ImportState.DRAFT

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY


class ReportPart(models.Model):
    """Lines of an import's report, written in the transaction that settled their rows: CSV, compressed."""

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="report_parts", db_index=False)
    first_line = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    body = models.BinaryField()

    objects = tenant_manager(agency_path="job__counter__agency_id", counter_path="job__counter__metrica_id")

    class Meta:
        verbose_name = _("part of a report")
        verbose_name_plural = _("parts of reports")
        ordering = ["job", "first_line"]
        constraints = [models.UniqueConstraint(fields=["job", "first_line"], name="report_part_by_line")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.first_line}"


class RememberedColumns(models.Model):
    """How the counter's last file was read; the next one is taken to be like it."""

    counter = models.OneToOneField(Counter, models.CASCADE, primary_key=True, related_name="+")
    delimiter = models.CharField(max_length=1)
    columns = models.JSONField(default=dict)  # {header: column, or "" where it is not used}
    updated_at = models.DateTimeField(default=timezone.now)

    objects = tenant_manager(agency_path="counter__agency_id", counter_path="counter__metrica_id")

    class Meta:
        verbose_name = _("remembered columns")
        verbose_name_plural = _("remembered columns")

    def __str__(self) -> str:
        return str(self.counter_id)
