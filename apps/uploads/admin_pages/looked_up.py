"""How the outcome of a file that was in doubt was found out: what of Metrica's list was looked at, what could be ours
there, and what was decided (R6). Read from what the reconciler left behind: its calls and its entries in the log."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.audit.models import AuditEntry
from apps.counters.models import ApiCall
from apps.metrica.answers import Uploading, read_uploadings
from apps.metrica.dates import DateError
from apps.metrica.parts import Unreadable
from apps.metrica.text import Text
from apps.uploads.models import SentAgain, Upload, UploadState
from apps.uploads.problems import describe
from apps.uploads.reconciler import fits

SHOWN_OF_LIST: Final = 8
_UPLOAD: Final = Upload._meta.label_lower

OURS = "ours"
VERDICTS: Final[Mapping[str, tuple[str, Text]]] = {
    OURS: ("good", _("this file")),
    "fits": ("warn", _("could be this file")),
    "taken": ("quiet", _("another file of this counter")),
    "failed": ("bad", _("Metrica has it as failed")),
    "other": ("quiet", _("not this file: other rows or another format")),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """An upload of Metrica's list. `at`: on the counter's clock, None where the list does not tell. `verdict`: see
    VERDICTS."""

    uploading: Uploading
    at: datetime | None
    verdict: str

    @property
    def tone(self) -> str:
        return VERDICTS[self.verdict][0]

    @property
    def says(self) -> Text:
        return VERDICTS[self.verdict][1]


@dataclass(frozen=True, slots=True)
class Decision:
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Of one file. `looks`: the calls that read Metrica's list, newest first; `listed`: what the newest answer had,
    newest first; `cut`: the ledger kept only the beginning of that answer."""

    looks: list[ApiCall]
    listed: list[Listed]
    decisions: list[Decision]
    cut: bool
    open: bool


def looked_up(uploads: Iterable[Upload], looks: Mapping[UUID, Sequence[ApiCall]]) -> dict[UUID, LookedUp]:
    """By the keys of those of the uploads (which come with their job and counter) that were ever in doubt. No query
    where none was, else two."""
    doubtful = [one for one in uploads if looks.get(one.pk) or one.sent_again or one.state == UploadState.UNKNOWN]
    if not doubtful:
        return {}
    decisions: dict[str, list[Decision]] = defaultdict(list)
    entries = AuditEntry.objects.filter(
        object_type=_UPLOAD, object_id__in=[str(one.pk) for one in doubtful], action__in=_SENTENCES
    )
    for entry in entries.order_by("id"):
        decisions[entry.object_id].append(Decision(entry.at, _SENTENCES[entry.action](entry.details)))
    lists = {one.pk: _list_of(looks.get(one.pk, ())) for one in doubtful}
    named = {uploading.uploading_id for listed, _cut in lists.values() for uploading in listed}
    taken = dict(Upload.objects.filter(uploading_id__in=named - {""}).values_list("uploading_id", "pk"))
    return {
        one.pk: LookedUp(
            looks=list(looks.get(one.pk, ())),
            listed=[_judged(one, uploading, taken) for uploading in lists[one.pk][0][:SHOWN_OF_LIST]],
            decisions=decisions[str(one.pk)],
            cut=lists[one.pk][1],
            open=one.state == UploadState.UNKNOWN,
        )
        for one in doubtful
    }


def _judged(upload: Upload, uploading: Uploading, taken: Mapping[str, UUID]) -> Listed:
    verdict = "other"
    if uploading.uploading_id and taken.get(uploading.uploading_id) == upload.pk:
        verdict = OURS
    elif uploading.uploading_id in taken:
        verdict = "taken"
    elif fits(uploading, rows=upload.rows, file_format=upload.format):
        verdict = "fits" if uploading.passed else "failed"
    return Listed(uploading, _moment(uploading, upload.job.counter.zone), verdict)


def _moment(uploading: Uploading, zone: ZoneInfo | None) -> datetime | None:
    try:
        return uploading.moment(zone).at if zone else None
    except DateError:
        return None


def _list_of(looks: Sequence[ApiCall]) -> tuple[list[Uploading], bool]:
    """The newest answer that can be read, and whether its end is missing: the ledger keeps no long answer whole."""
    for call in looks:
        if call.status != 200:
            continue
        try:
            return read_uploadings(json.loads(call.response_body)), False
        except (ValueError, Unreadable):
            if beginning := _beginning(call.response_body):
                return read_uploadings({"uploadings": beginning}), True
    return [], False


def _beginning(body: str) -> list[dict[str, Any]]:
    """The whole entries that a list begins with whose text was cut."""
    found: list[dict[str, Any]] = []
    place = body.find("[") + 1
    decoder = json.JSONDecoder()
    while place:
        try:
            entry, place = decoder.raw_decode(body, place)
        except ValueError:
            break
        if not isinstance(entry, dict):
            break
        found.append(entry)
        place = len(body) - len(body[place:].lstrip(" \r\n\t,"))
    return found


def _unknown(details: Mapping[str, Any]) -> str:
    text = _now("Attempt %(number)s: no answer came, so nobody knew whether Metrica had it.")
    return text % {"number": details.get("attempt", "?")}


def _adopted(details: Mapping[str, Any]) -> str:
    text = _now("Found in Metrica's list as %(id)s and taken for this file. It was not sent again.")
    return text % {"id": details.get("uploading_id", "?")}


def _sent_again(details: Mapping[str, Any]) -> str:
    because = details.get("because")
    why = str(SentAgain(because).label) if because in SentAgain.values else str(because)
    return _now("The same bytes were sent again: %(why)s.") % {"why": why}


def _given_up(details: Mapping[str, Any]) -> str:
    problem = describe(details.get("code", ""))
    text = _now("The file was given up; what it carried waits again. %(why)s")
    return (text % {"why": problem.message if problem else ""}).strip()


def _came_after_all(details: Mapping[str, Any]) -> str:
    return _now("It came after all, late, so the present states of its orders were sent again.")


_SENTENCES: Final[Mapping[str, Any]] = {
    "upload.unknown": _unknown,
    "upload.adopted": _adopted,
    "upload.sent_again": _sent_again,
    "upload.failed": _given_up,
    "upload.came_after_all": _came_after_all,
}
