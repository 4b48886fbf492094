"""After an unknown outcome: look before sending again (R6). Page: getLastUploadings.

Metrica's list says of each upload only when it came, how many elements it had and how it went. So an upload is taken
for ours if it passed, is nobody's yet, came after our first attempt and has exactly our number of rows, and if it is
the only such one. To take somebody else's upload for ours would lose statuses; to send once more does no harm, since
rows are keyed by the order's id and the same row twice changes nothing under SAVE. So what cannot be decided is sent
again, and so is what failed: the answer then says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.utils import timezone

from apps.counters.gateway import metrica_client
from apps.counters.kept_back import KeptBack
from apps.counters.models import Counter
from apps.metrica.client import MetricaClient, Uploading
from apps.metrica.dates import DateError
from apps.metrica.errors import AuthorizationError, MetricaError, TransientError
from apps.metrica.vocabulary import MAX_UPLOADINGS_PER_PAGE
from apps.uploads import sender, settle
from apps.uploads.lease import Lease
from apps.uploads.models import Upload
from apps.uploads.waits import backoff

log = structlog.get_logger(__name__)

CLOCK_SKEW = timedelta(minutes=1)
"""How far Metrica's clock may be from ours. More would take in more uploads of others."""

_LOOKUP_SECONDS = 4.0
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What the list says: the one upload that can only be ours, or how many could be."""

    ours: Uploading | None
    candidates: int


def reconcile(*, lease: Lease, upload: Upload, counter: Counter) -> None:
    """Looks an upload of unknown outcome up and settles it, or plans the next look. Raises JobFailed, LeaseLost,
    and KeptBack where it may not be asked now: then nothing has happened."""
    account = counter.account
    assert account is not None, "a counter without an account is blocked"
    try:
        lease.extend(seconds=settings.METRICA_TIMEOUT_SECONDS)
        with metrica_client(account, counter=counter, subject=upload.pk) as metrica:
            found = look_up(metrica, upload=upload, counter=counter)
    except KeptBack:
        raise
    except TransientError as error:
        wait = backoff(upload.lookups + 1, retry_after=error.retry_after)
        settle.look_again(lease=lease, upload=upload, seconds=wait, error=error)
        return
    except MetricaError as error:
        if isinstance(error, AuthorizationError):
            sender.disconnect(account, error)
        # The upload stays undecided: its orders wait until somebody has removed the cause.
        wait = backoff(upload.lookups + 1)
        settle.look_again(lease=lease, upload=upload, seconds=wait, error=error)
        raise sender.JobFailed(code=error.code, message=str(error)) from error
    if found.ours is not None:
        settle.passed(lease=lease, upload=upload, counter=counter, uploading=found.ours, adopted=True)
    elif _may_still_appear(upload) and not found.candidates:
        settle.look_again(lease=lease, upload=upload, seconds=_next_look(upload))
    elif settle.exhausted(upload):
        sender.fail(lease=lease, upload=upload, counter=counter, code="unknown_outcome")
    else:
        if found.candidates:
            log.warning("several uploads could be ours", upload=str(upload.pk), candidates=found.candidates)
        settle.send_again(lease=lease, upload=upload, counter=counter)


def look_up(metrica: MetricaClient, *, upload: Upload, counter: Counter) -> Found:
    """Searches Metrica's list back to the upload's first attempt. Raises MetricaError."""
    zone, since = counter.zone, (upload.started_at or upload.created_at) - CLOCK_SKEW
    assert zone is not None, "a counter without a zone is blocked"
    latest = timezone.now() + CLOCK_SKEW
    fitting = {
        uploading.uploading_id: uploading
        for uploading in _listed(metrica, counter=counter, zone=zone, since=since, latest=latest)
        if uploading.passed
        and uploading.elements_count == upload.rows
        and uploading.uploading_format in (upload.format.upper(), "")
        and uploading.uploading_source in ("API", "")
    }
    # The number of a counter may be known to several agencies here: an upload of any of them is not ours.
    taken = Upload.objects.filter(uploading_id__in=fitting).values_list("uploading_id", flat=True)
    for uploading_id in list(taken):
        fitting.pop(uploading_id, None)
    only = next(iter(fitting.values())) if len(fitting) == 1 else None
    return Found(ours=only, candidates=len(fitting))


def _listed(
    metrica: MetricaClient, *, counter: Counter, zone: ZoneInfo, since: datetime, latest: datetime
) -> Iterator[Uploading]:
    """Metrica's list between the two times, page by page, newest first.

    The next page holds only what is strictly earlier, so each page asks from one second after the oldest row seen: of
    several uploads in one second none is missed, and the repeated ones do no harm.
    """
    before: str | None = None
    for _page in range(_MOST_PAGES):
        page = metrica.last_uploadings(counter.metrica_id, before=before)
        for uploading in page:
            came = _moment(uploading, zone)
            if came is None or since <= came <= latest:
                yield uploading
        oldest = _moment(page[-1], zone) if page else None
        if len(page) < MAX_UPLOADINGS_PER_PAGE or oldest is None or oldest < since:
            return
        following = _second_after(page[-1].datetime)
        # A whole page within one second: only strictly earlier ones are left to ask for.
        before = following if following != before else page[-1].datetime


def _moment(uploading: Uploading, zone: ZoneInfo) -> datetime | None:
    try:
        return uploading.moment(zone).at
    except DateError:
        return None


def _second_after(text: str) -> str:
    try:
        return (datetime.fromisoformat(text) + timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def _may_still_appear(upload: Upload) -> bool:
    sent_at = upload.sent_at or upload.created_at
    return timezone.now() < sent_at + timedelta(seconds=settings.UPLOAD_UNKNOWN_SECONDS)


def _next_look(upload: Upload) -> float:
    """A few looks within the time in which an upload may still appear, the last one at its end."""
    sent_at = upload.sent_at or upload.created_at
    left = sent_at + timedelta(seconds=settings.UPLOAD_UNKNOWN_SECONDS) - timezone.now()
    return max(0.05, min(left.total_seconds(), settings.UPLOAD_UNKNOWN_SECONDS / _LOOKUP_SECONDS))
