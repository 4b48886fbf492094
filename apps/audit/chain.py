"""The hash chain of each agency's audit entries: sealing them in batches, and walking it to see that it holds (R12).

A link's hash is SHA-256 over the previous link's hash and the canonical form of the link and its entry, every column of
both. Whoever changes, removes or reorders sealed entries breaks it. Cutting off the newest links leaves a shorter chain
that holds: so each batch's end goes to the log, and `verify` returns where each chain ends, to be compared with that.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agencies.models import Agency
from apps.audit.models import AuditEntry, AuditLink

log = structlog.get_logger(__name__)

# How far below the newest sealed entry the usual sealing looks for ones that were committed late.
LATE_ENTRIES = 100_000
_CHUNK = 500
_LATER_COLUMNS = {"counter"}  # null in all entries from before
_ENTRY_COLUMNS = tuple(column.attname for column in AuditEntry._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a chain breaks first."""

    agency_id: int | None
    position: int
    entry_id: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The newest link of a chain."""

    position: int
    hash: str


START = End(0, "")
"""Before the first link."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a chain that was walked. `place`: the last link that holds; `broken`: what comes after it does not."""

    place: End
    broken: Broken | None = None


@dataclass(slots=True)
class Report:
    """What a walk found. `ends`: by agency (None: the platform's own chain), for comparing with the log."""

    checked: int = 0
    unsealed: int = 0
    first_broken: Broken | None = None
    ends: dict[int | None, End] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.first_broken is None


def seal(limit: int = 5_000, *, thorough: bool = False) -> int:
    """Link up to `limit` unsealed entries to the ends of their chains, oldest first; returns how many.

    An entry that was committed after younger ones had been sealed goes to the end like any other. Such ones are looked
    for among the last 100,000 ids; `thorough` looks at all of them. Two at once do no harm: one of them links nothing.
    """
    unsealed = AuditEntry.objects.filter(link=None).order_by("id")
    newest = AuditLink.objects.aggregate(newest=Max("entry_id"))["newest"]
    if newest is not None and not thorough:
        unsealed = unsealed.filter(id__gt=newest - LATE_ENTRIES)
    waiting: dict[int | None, list[int]] = {}
    for entry_id, agency_id in unsealed.values_list("id", "agency_id")[:limit]:
        waiting.setdefault(agency_id, []).append(entry_id)
    return sum(_seal_agency(agency_id, entry_ids) for agency_id, entry_ids in waiting.items())


def _seal_agency(agency_id: int | None, entry_ids: list[int]) -> int:
    try:
        with transaction.atomic():
            end = end_of(agency_id)
            for chunk in _chunks(entry_ids):
                entries = AuditEntry.objects.filter(id__in=chunk).order_by("id")
                links = list(_links(entries, agency_id, end))
                AuditLink.objects.bulk_create(links)
                end = End(links[-1].position, links[-1].hash)
    except IntegrityError:
        # Another sealer took these places; what it left is for the next time.
        return 0
    log.info("audit sealed", agency=agency_id, position=end.position, hash=end.hash)
    return len(entry_ids)


def _links(entries: Iterable[AuditEntry], agency_id: int | None, end: End) -> Iterator[AuditLink]:
    position, previous = end.position, end.hash
    for entry in entries:
        position += 1
        link = AuditLink(entry=entry, agency_id=agency_id, position=position, sealed_at=timezone.now())
        link.hash = previous = link_hash(previous=previous, link=link, entry=entry)
        yield link


def end_of(agency_id: int | None) -> End:
    """Where the chain ends now; START where nothing is sealed."""
    newest = AuditLink.objects.filter(agency=agency_id).order_by("-position").values_list("position", "hash").first()
    return End(*newest) if newest else START


def link_hash(*, previous: str, link: AuditLink, entry: AuditEntry) -> str:
    """The hash of a link: hex of SHA-256. `entry` has to be as the database gives it back, not as it was written."""
    form = {
        "link": {"agency_id": link.agency_id, "position": link.position, "sealed_at": _plain(link.sealed_at)},
        "entry": {column: _plain(getattr(entry, column)) for column in _ENTRY_COLUMNS if _is_hashed(entry, column)},
    }
    text = json.dumps(form, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _is_hashed(entry: AuditEntry, column: str) -> bool:
    """Entries that were sealed before a column was there hash as they did then."""
    return column not in _LATER_COLUMNS or getattr(entry, column) is not None


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def verify(agency: Agency | None = None) -> Report:
    """Walk the chain of the agency, or of every agency and the platform itself, in flat memory."""
    report = Report()
    if agency is not None:
        chains: list[int | None] = [agency.pk]
        unsealed = AuditEntry.objects.filter(link=None, agency=agency)
    else:
        chains = [*Agency.objects.order_by("pk").values_list("pk", flat=True), None]
        unsealed = AuditEntry.objects.filter(link=None)
    for agency_id in chains:
        broken = _walk(agency_id, report)
        report.first_broken = report.first_broken or broken
    report.unsealed = unsealed.count()
    return report


def _walk(agency_id: int | None, report: Report) -> Broken | None:
    # Links may be added while we walk: the chain is judged up to where it ended when we set out.
    end = end_of(agency_id)
    if end.position:
        report.ends[agency_id] = end
    walked = stretch(agency_id, since=START, until=end)
    report.checked += walked.place.position
    return walked.broken


def stretch(agency_id: int | None, *, since: End, until: End, limit: int | None = None) -> Stretch:
    """Walk the chain from after `since`, a link that was found to hold, to `until`, or for `limit` links. One query."""
    last = until.position if limit is None else min(until.position, since.position + limit)
    links = AuditLink.objects.filter(agency=agency_id, position__gt=since.position, position__lte=last)
    rows = links.select_related("entry").order_by("position").iterator(chunk_size=_CHUNK)
    place = since
    missing = _("the entry at this place is missing")
    try:
        for link in rows:
            following = place.position + 1
            if link.position != following:
                return Stretch(place, Broken(agency_id, following, None, missing))
            if link_hash(previous=place.hash, link=link, entry=link.entry) != link.hash:
                wrong = Broken(agency_id, link.position, link.entry_id, _("the entry is not what was sealed"))
                return Stretch(place, wrong)
            place = End(link.position, link.hash)
    except (ValueError, TypeError, AttributeError):
        # A column holds what its type never gives, a date that is none for example.
        return Stretch(place, Broken(agency_id, place.position + 1, None, _("the entry cannot be read")))
    if place.position != last:
        return Stretch(place, Broken(agency_id, place.position + 1, None, missing))
    return Stretch(place)


def _chunks(items: list[int]) -> Iterator[list[int]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
