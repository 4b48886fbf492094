"""The audit log as a CSV file, as long as it may be: written while it is read, in flat memory."""

import csv
import json
from collections.abc import Iterator
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.cells import guarded
from apps.audit.models import AuditEntry

CHUNK: Final = 1_000

COLUMNS: Final = (
    _("time"),
    _("agency"),
    _("who"),
    _("kind of actor"),
    _("action"),
    _("object type"),
    _("object id"),
    _("object"),
    _("before"),
    _("after"),
    _("details"),
    _("source"),
    _("address"),
    _("request id"),
    _("place in the chain"),
    _("hash"),
)


def csv_of(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """Pieces of the file, the newest entries first, times on the reader's clock. Each chunk is read by itself, so
    nothing is kept open while the reader is slow. No cell begins a formula."""
    zone = timezone.get_current_timezone()  # what runs later may run under another clock
    header = [str(name) for name in COLUMNS]
    return _pieces(entries.select_related("agency", "link").order_by("-id"), header, zone)


def _pieces(entries: QuerySet[AuditEntry], header: list[str], zone: Any) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff"  # spreadsheets take a file without it for another encoding
    yield writer.writerow([guarded(name) for name in header])
    chunk = list(entries[:CHUNK])
    while chunk:
        yield "".join(writer.writerow([guarded(cell) for cell in _cells(entry, zone)]) for entry in chunk)
        chunk = list(entries.filter(id__lt=chunk[-1].pk)[:CHUNK]) if len(chunk) == CHUNK else []


def _cells(entry: AuditEntry, zone: Any) -> list[str]:
    link = getattr(entry, "link", None)
    return [
        entry.at.astimezone(zone).isoformat(timespec="seconds"),
        entry.agency.slug if entry.agency else "",
        *(entry.actor_label, entry.actor_kind, entry.action),
        *(entry.object_type, entry.object_id, entry.object_label),
        *(_json(entry.before), _json(entry.after), _json(entry.details or None)),
        *(entry.source, entry.ip or "", entry.request_id),
        *((str(link.position), link.hash) if link else ("", "")),
    ]


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text
