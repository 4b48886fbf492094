"""Checking a chain from a page: by the piece, so that no request lasts, however long the log has become (R12).

Where the check stands goes to the browser and comes back, signed: it can neither be forged nor begun in the middle.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

from django.core import signing

from apps.agencies.models import Agency
from apps.audit import chain
from apps.audit.models import AuditEntry, AuditLink
from apps.audit.services import record

ACTION: Final = "audit.verified"
PIECE: Final = 2_000
UNSEALED_LIMIT: Final = 1_000
SECONDS: Final = 1.5
_VALID_SECONDS: Final = 24 * 3600
_LINK: Final = AuditLink._meta.label_lower


@dataclass(frozen=True, slots=True)
class Check:
    """A check under way or at its end. `agency_id`: whose chain; None: the platform's own. `place`: up to where it
    holds; `until`: where the chain ended when the check began."""

    agency_id: int | None
    place: chain.End
    until: chain.End
    broken: chain.Broken | None = None

    @property
    def done(self) -> bool:
        return self.broken is not None or self.place.position >= self.until.position

    @property
    def percent(self) -> int:
        return 100 * self.place.position // self.until.position if self.until.position else 100

    @property
    def token(self) -> str:
        facts = [self.agency_id, self.place.position, self.place.hash, self.until.position, self.until.hash]
        return signing.dumps(facts, salt=ACTION, compress=True)


def begin(agency_id: int | None) -> Check:
    return Check(agency_id, chain.START, chain.end_of(agency_id))


def resumed(token: str, agency_id: int | None) -> Check | None:
    """The check that the token tells of; None where it is none of ours, or is about another chain."""
    try:
        facts: Any = signing.loads(token, salt=ACTION, max_age=_VALID_SECONDS)
    except signing.BadSignature:
        return None
    of, position, hash_, end, end_hash = facts
    return Check(of, chain.End(position, hash_), chain.End(end, end_hash)) if of == agency_id else None


def go_on(check: Check) -> Check:
    """Walk on for a moment. A check that comes to its end leaves an entry in the log that it is about."""
    stop = time.monotonic() + SECONDS
    while not check.done:
        walked = chain.stretch(check.agency_id, since=check.place, until=check.until, limit=PIECE)
        check = Check(check.agency_id, walked.place, check.until, walked.broken)
        if time.monotonic() >= stop:
            break
    if check.done:
        _record(check)
    return check


def _record(check: Check) -> None:
    link = AuditLink.objects.filter(agency=check.agency_id, position=check.until.position).first()
    broken = check.broken
    record(
        action=ACTION,
        agency=check.agency_id,
        obj=link,
        details={
            "holds": broken is None,
            "checked": check.place.position,
            "hash": check.place.hash,
            **({"broken_at": broken.position, "broken_entry": broken.entry_id} if broken else {}),
        },
    )


def last_check(agency_id: int | None) -> AuditEntry | None:
    """The newest finished check of this chain."""
    checks = AuditEntry.objects.filter(object_type=_LINK, agency=agency_id, action=ACTION)
    return checks.order_by("-id").first()


def unsealed(agency_id: int | None) -> int:
    """How many newer entries are not in the chain yet, at most UNSEALED_LIMIT."""
    newest = AuditLink.objects.filter(agency=agency_id).order_by("-position").values_list("entry_id", flat=True).first()
    newer = AuditEntry.objects.filter(agency=agency_id, id__gt=newest or 0).order_by()
    return len(newer.values_list("pk")[:UNSEALED_LIMIT])


def chain_name(agency_id: int | None) -> str:
    """The agency's name; empty for the platform's own chain."""
    return "" if agency_id is None else Agency.objects.values_list("name", flat=True).get(pk=agency_id)
