"""What is there at the end: in Goalpost's database and at the sandbox, as plain rows that the verdict compares."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos.crm import plain
from tests.chaos.script import Key
from tests.chaos.stage import Sandbox


@dataclass(frozen=True, slots=True)
class Change:
    """A status change of the timeline."""

    id: str
    counter: int
    order: str
    seq: int
    status: str
    at: datetime
    received_at: datetime
    mark: str
    delivery: str
    hold: str
    reject_code: str
    upload: str
    source: str

    @property
    def key(self) -> Key:
        return (self.counter, self.order, self.mark)

    @property
    def place(self) -> tuple[datetime, int]:
        """In the order's timeline."""
        return (self.at, self.seq)


@dataclass(frozen=True, slots=True)
class File:
    """An upload as Goalpost knows it."""

    id: str
    counter: int
    kind: str
    state: str
    rows: int
    sha256: str
    attempts: int
    uploading: str
    error: str
    created_at: datetime
    planned_at: datetime  # of the file from which it was cut, or its own


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row as the sandbox applied it."""

    order: str
    mark: str
    type: str
    uploading: str


@dataclass(slots=True)
class Evidence:
    changes: list[Change] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    resent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # change -> uploads
    trail: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # upload -> audit actions
    arrivals: list[Arrival] = field(default_factory=list)  # in the order of application
    uploadings: dict[str, dict[str, Any]] = field(default_factory=dict)
    leftovers: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)


def leftovers() -> dict[str, int]:
    """What is not at its end yet, by kind; all zero where everything has drained."""
    from apps.audit.models import AuditEntry
    from apps.clients.models import Client
    from apps.orders.models import Delivery, HoldReason, Order, StatusChange
    from apps.uploads.models import Upload, UploadJob

    changes = StatusChange.objects.all()
    return {
        "waiting": changes.filter(delivery=Delivery.WAITING).count(),
        "being sent": changes.filter(delivery=Delivery.SENDING).count(),
        "held for their account": changes.filter(hold_reason=HoldReason.ACCOUNT_DISCONNECTED).count(),
        "to be sent again": Order.objects.filter(resend_due=True).count(),
        "clients": Client.objects.due().filter(counter__mode="detailed").count(),
        "jobs": UploadJob.objects.unfinished().count(),
        "files": Upload.objects.unsettled().count(),
        "unsealed": AuditEntry.objects.filter(link=None).count(),
    }


def gather(sandbox: Sandbox) -> Evidence:
    """Reads both sides."""
    from django.db.models import Count

    from apps.audit.models import AuditEntry
    from apps.orders.models import StatusChange
    from apps.uploads.models import Resend, Upload, UploadJob

    found = Evidence(leftovers=leftovers())
    rows = StatusChange.objects.order_by("order_id", "status_date_time", "seq").values_list(
        *("id", "counter__metrica_id", "order__order_id", "seq", "order_status", "status_date_time", "received_at"),
        *("revenue", "delivery", "hold_reason", "reject_code", "upload_id", "source"),
    )
    for values in rows.iterator():
        change, counter, order, seq, status, at, received, revenue, delivery, hold, code, upload, source = values
        found.changes.append(
            Change(
                *(str(change), counter, order, seq, status, at, received, plain(revenue), delivery, hold, code),
                *("" if upload is None else str(upload), source),
            )
        )
    files = Upload.objects.values_list(
        *("id", "job__counter__metrica_id", "kind", "state", "rows", "sha256", "attempts", "uploading_id"),
        *("error_code", "created_at", "parent_id"),
    )
    planned: dict[str, datetime] = {}
    for upload_id, *facts, parent in files.order_by("id").iterator():  # a part comes after what it was cut from
        planned[str(upload_id)] = planned[str(parent)] if parent else facts[-1]
        found.files.append(File(str(upload_id), *facts, planned[str(upload_id)]))
    for upload, change in Resend.objects.values_list("upload_id", "change_id").iterator():
        found.resent[str(change)].add(str(upload))
    entries = AuditEntry.objects.filter(action__startswith="upload.").order_by("id")
    for upload_id, action in entries.values_list("object_id", "action").iterator():
        found.trail[upload_id].append(action)
    found.jobs = dict(
        UploadJob.objects.values_list("state").annotate(number=Count("pk")).values_list("state", "number")
    )
    found.arrivals = [
        Arrival(step["order"], plain(step["revenue"]), step["type"], step["uploading_id"])
        for step in sandbox.all("events")
    ]
    found.uploadings = {uploading["uploading_id"]: uploading for uploading in sandbox.all("uploadings")}
    return found
