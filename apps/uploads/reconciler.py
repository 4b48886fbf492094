"""After an unknown outcome: look before sending again (R6). Page: getLastUploadings.

Metrica's list says of each upload only when it came, how many elements it had and how it went. So an upload is taken
for ours if it passed, is nobody's yet, came while ours could have come, and has exactly our number of rows. Somebody
else's upload of which all this is true as well cannot be told from ours: where ours is absent, it is taken for ours.
That is the limit of what can be known; it takes another program that sends to the same counter, in the same seconds, as
many rows. Where more uploads fit than we have in doubt, nothing is taken, since to take somebody else's would lose
statuses, while to send once more does no harm: rows are keyed by an id, and the same row twice changes nothing under
SAVE. Nor is anything taken where another file of as many rows went more than once lately: what fits may be that one's.
So what cannot be decided is sent again, and so is what failed, since the answer then says why. The upload keeps the
reason, and pages show it.

Files of a counter go strictly one after another, and none goes before the outcome of the one before it is known. So
where several are in doubt at once (after a database came back from a backup), those that came, came in their order.

When ours could have come is counted on the database's clock. How far Metrica's is from it is told by the `Date` of its
answer; and whether its list is on the counter's clock or on another zone's, by our own earlier uploads in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from django.conf import settings

from apps.counters import clock
from apps.counters.gateway import metrica_client
from apps.counters.kept_back import KeptBack
from apps.counters.models import ApiCall, Counter
from apps.metrica.client import MetricaClient, Uploading
from apps.metrica.dates import DateError
from apps.metrica.errors import AuthorizationError, MetricaError, TransientError
from apps.metrica.vocabulary import MAX_UPLOADINGS_PER_PAGE
from apps.uploads import sender, settle
from apps.uploads.lease import Lease
from apps.uploads.models import SentAgain, Upload, UploadState
from apps.uploads.waits import LONGEST_CALL, backoff, seconds_for

CLOCK_SKEW = timedelta(minutes=1)
"""How far Metrica's clock may be from ours where it does not tell its time. More would take in more uploads of
others."""

ECHO = timedelta(seconds=LONGEST_CALL)
"""How long after it was given up a call may still reach Metrica's list."""

_LOOKUP_SECONDS = 4.0
_MOST_PAGES = 20
_SECOND = timedelta(seconds=1)
_ZONE_STEP = timedelta(minutes=15)
_LISTS = ("CUSTOM_LIST", "SYSTEM_LIST")
"""Entity types that no file of ours has."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the list says: the upload that is to be taken for ours; or how many could be, and whether one failed that
    could be ours."""

    ours: Uploading | None
    candidates: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """An upload of Metrica's list. `at`: when it came, on the database's clock; None where the list does not tell."""

    uploading: Uploading
    at: datetime | None


@dataclass(frozen=True, slots=True)
class _Window:
    """Between which times of Metrica's list (aware, read in the counter's zone) an upload must have come."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Start:
    """The first page of Metrica's list, and how to read its times. `heard`: when it was told, on the database's clock;
    `least`, `most`: by how much its times are at least, and at most, ahead of that clock."""

    page: Sequence[Uploading]
    heard: datetime
    least: timedelta
    most: timedelta

    def window(self, *, since: datetime, until: datetime) -> _Window:
        """In the list's times what is between these two of ours."""
        return _Window(since + self.least - _SECOND, until + self.most)  # the list leaves out fractions

    def ours(self, told: datetime) -> datetime:
        """On our clock what the list tells, as nearly as can be known."""
        return told - (self.least + self.most) / 2


def reconcile(*, lease: Lease, upload: Upload, counter: Counter) -> None:
    """Looks an upload of unknown outcome up and settles it, or plans the next look. Raises JobFailed, LeaseLost,
    and KeptBack where it may not be asked now: then nothing has happened.

    One that was never sent as far as we know (no attempt, no `sent_at`) is looked for since it was made.
    """
    account = counter.account
    assert account is not None, "a counter without an account is blocked"
    seconds = settings.METRICA_TIMEOUT_SECONDS
    try:
        with metrica_client(
            account,
            counter=counter,
            subject=upload.pk,
            total_timeout=seconds,
            before_call=lambda: lease.extend(seconds=seconds),
        ) as metrica:
            found = look_up(metrica, upload=upload, counter=counter)
    except KeptBack:
        raise
    except TransientError as error:
        wait = backoff(upload.lookups + 1, retry_after=error.retry_after)
        settle.look_again(lease=lease, upload=upload, seconds=wait, error=error)
        return
    except MetricaError as error:
        if isinstance(error, AuthorizationError):
            sender.disconnect(lease, account, error)
        # The upload stays undecided: its orders wait until somebody has removed the cause.
        wait = backoff(upload.lookups + 1)
        settle.look_again(lease=lease, upload=upload, seconds=wait, error=error)
        raise sender.JobFailed(code=error.code, message=str(error)) from error
    if found.ours is not None:
        settle.passed(lease=lease, upload=upload, counter=counter, uploading=found.ours, adopted=True)
    elif not (found.candidates or found.failed) and (wait := _next_look(upload)) > 0:
        settle.look_again(lease=lease, upload=upload, seconds=wait)
    elif settle.exhausted(upload):
        sender.fail(lease=lease, upload=upload, counter=counter, code="unknown_outcome")
    else:
        because = SentAgain.LISTED_AS_FAILED if found.failed else SentAgain.NOT_LISTED
        if found.candidates:
            because = SentAgain.SEVERAL_FIT
        settle.send_again(lease=lease, upload=upload, counter=counter, because=because, candidates=found.candidates)


def look_up(metrica: MetricaClient, *, upload: Upload, counter: Counter) -> Found:
    """Searches Metrica's list back to the upload's first attempt. Raises MetricaError."""
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    start = _start(metrica, counter=counter, zone=zone)
    window = start.window(since=upload.started_at or upload.created_at, until=_latest(upload, start.heard))
    fitting: dict[str, Uploading] = {}
    failed = False
    for uploading in _listed(metrica, start.page, counter=counter, zone=zone, window=window):
        if fits(uploading, rows=upload.rows, file_format=upload.format):
            if uploading.passed:
                fitting[uploading.uploading_id] = uploading
            else:
                failed = True
    # The number of a counter may be known to several agencies here: an upload of any of them is not ours.
    taken = Upload.objects.filter(uploading_id__in=fitting).values_list("uploading_id", flat=True)
    for uploading_id in list(taken):
        fitting.pop(uploading_id, None)
    if not 0 < len(fitting) <= _in_doubt(upload, counter) or _may_echo(upload, counter):
        return Found(ours=None, candidates=len(fitting), failed=failed)
    # Newest first, and of several in doubt this one went first (see runner).
    return Found(ours=list(fitting.values())[-1], candidates=len(fitting))


def _latest(upload: Upload, heard: datetime) -> datetime:
    """Until when Metrica may have entered our upload: whatever came later is not ours, however late we ask."""
    if upload.sent_at is None:
        return heard
    seconds = seconds_for(upload.bytes) + settings.UPLOAD_UNKNOWN_SECONDS
    return min(heard, upload.sent_at + timedelta(seconds=seconds))


def fits(uploading: Uploading, *, rows: int, file_format: str) -> bool:
    """Whether one of Metrica's list can be a file of so many rows, by anything but its time."""
    return (
        uploading.elements_count == rows
        and uploading.uploading_format in (file_format.upper(), "")
        and uploading.uploading_source in ("API", "")
        and uploading.entity_type not in _LISTS
    )


def _in_doubt(upload: Upload, counter: Counter) -> int:
    """How many uploads of unknown outcome the counter has that look the same in Metrica's list, this one among them."""
    alike = Upload.objects.filter(
        job__counter=counter, state=UploadState.UNKNOWN, rows=upload.rows, format=upload.format
    )
    return max(alike.count(), 1)


def _may_echo(upload: Upload, counter: Counter) -> bool:
    """True if one of the list's uploads may be another file of ours that looks the same: it went more than once lately,
    so it may have come more than once, the first time long after nobody waited for it any more."""
    since = (upload.started_at or upload.created_at) - ECHO
    again = Upload.objects.filter(job__counter__metrica_id=counter.metrica_id, rows=upload.rows, format=upload.format)
    return again.exclude(sent_again="").exclude(pk=upload.pk).filter(sent_at__gte=since).exists()


def _skew(told: datetime | None, *, asked: datetime, heard: datetime) -> tuple[timedelta, timedelta]:
    """By how much Metrica's clock is at least, and at most, ahead of ours. `told`: what it showed at some moment
    between the two of ours, without the fraction of its second."""
    if told is None:
        return -CLOCK_SKEW, CLOCK_SKEW
    return told - heard, told + _SECOND - asked


def _start(metrica: MetricaClient, *, counter: Counter, zone: ZoneInfo) -> _Start:
    asked = clock.now()
    page = metrica.last_uploadings(counter.metrica_id)
    heard = clock.now()
    least, most = _skew(metrica.server_date, asked=asked, heard=heard)
    shift = _shift(page, counter=counter, zone=zone, ahead=(least + most) / 2)
    return _Start(page, heard, least + shift, most + shift)


def _shift(page: Sequence[Uploading], *, counter: Counter, zone: ZoneInfo, ahead: timedelta) -> timedelta:
    """By how much Metrica's list is off the counter's clock, in whole quarters of an hour: another zone's clock.
    Learned from uploads of ours in it that were answered at once; nothing where it has none. `ahead`: by how much
    Metrica's clock is ahead of ours, which is another matter."""
    mine = Upload.objects.filter(job__counter=counter, attempts=1, sent_at__isnull=False)
    mine = mine.filter(uploading_id__in=[uploading.uploading_id for uploading in page if uploading.uploading_id])
    sent = dict(mine.values_list("uploading_id", "sent_at"))
    off = [
        (came - sent_at - ahead).total_seconds()
        for uploading in page
        if (sent_at := sent.get(uploading.uploading_id)) and (came := _moment(uploading, zone))
    ]
    return round(median(off) / _ZONE_STEP.total_seconds()) * _ZONE_STEP if off else timedelta()


def nobodys(metrica: MetricaClient, *, counter: Counter, since: datetime, until: datetime) -> list[Arrival]:
    """Passed uploads of the counter in Metrica's list between the two times (aware, on the database's clock) that no
    upload here is known to be, oldest first. Raises MetricaError."""
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    start = _start(metrica, counter=counter, zone=zone)
    window = start.window(since=since, until=until)
    listed = _listed(metrica, start.page, counter=counter, zone=zone, window=window)
    found = {
        uploading.uploading_id: uploading
        for uploading in listed
        if uploading.passed and uploading.uploading_source in ("API", "")
    }
    known = Upload.objects.filter(uploading_id__in=found).values_list("uploading_id", flat=True)
    for uploading_id in list(known):
        found.pop(uploading_id, None)
    return [
        Arrival(uploading, start.ours(came) if (came := _moment(uploading, zone)) else None)
        for uploading in reversed(found.values())
    ]


def _listed(
    metrica: MetricaClient, page: Sequence[Uploading], *, counter: Counter, zone: ZoneInfo, window: _Window
) -> Iterator[Uploading]:
    """What Metrica's list has between the two times, newest first. `page`: its first page; the others are asked for.

    The next page holds only what is strictly earlier, so each page asks from one second after the oldest row seen: of
    several uploads in one second none is missed, and the repeated ones do no harm.
    """
    before: str | None = None
    for _page in range(_MOST_PAGES):
        for uploading in page:
            came = _moment(uploading, zone)
            if came is None or window.since <= came <= window.until:
                yield uploading
        oldest = _moment(page[-1], zone) if page else None
        if len(page) < MAX_UPLOADINGS_PER_PAGE or oldest is None or oldest < window.since:
            return
        following = _second_after(page[-1].datetime)
        # A whole page within one second: only strictly earlier ones are left to ask for.
        before = following if following != before else page[-1].datetime
        page = metrica.last_uploadings(counter.metrica_id, before=before)


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


def _next_look(upload: Upload) -> float:
    """Seconds until the next of a few looks within the time in which an upload may still appear, the last one at its
    end; 0 where that time is over."""
    left = (_call_ended(upload) - clock.now()).total_seconds() + settings.UPLOAD_UNKNOWN_SECONDS
    return max(0.05, min(left, settings.UPLOAD_UNKNOWN_SECONDS / _LOOKUP_SECONDS)) if left > 0 else 0.0


def _call_ended(upload: Upload) -> datetime:
    """When we stopped waiting for the answer, on the database's clock. A call that took too long is one that Metrica
    may still be at: were the file sent again at once, both would come, the first one perhaps after the next file (R4).
    Of a worker that died nobody knows when; its job was free only long after the call had to be over."""
    if upload.sent_at is None:
        return upload.created_at
    call = ApiCall.objects.filter(subject=upload.pk, method="POST").order_by("-started_at").first()
    took = call.finished_at - call.started_at if call is not None and call.finished_at else timedelta()
    return upload.sent_at + took
