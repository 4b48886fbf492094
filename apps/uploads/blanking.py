"""Rows of an erased client in kept upload files: their cells that say who it is are blanked.

The digest of what was sent stays with the upload, so whoever has the sent bytes can still prove that they were these;
what is kept has a digest of its own. The new file is there under a name of its own before the upload's row points to
it, so nothing is lost on the way; both names are written down before that, so that whoever dies in between leaves no
file behind. Files whose end is not known yet are needed byte by byte (R6): the walk waits there.
"""

import csv
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import BinaryIO, Final
from uuid import UUID

import structlog
from django.db.models import F
from django.utils import timezone

from apps.agencies.ids import first_key
from apps.counters.models import ApiCall, Counter
from apps.metrica.redact import HIDDEN
from apps.orders.erasing import Place
from apps.orders.marks import Marks
from apps.orders.models import Erasure
from apps.uploads import files
from apps.uploads.models import UNSETTLED, Upload, UploadFormat, UploadKind
from apps.uploads.scissors import elements

log = structlog.get_logger(__name__)

KEPT: Final = frozenset(
    [
        *("id", "create_date_time", "update_date_time", "finish_date_time", "client_type", "order_status"),
        *("revenue", "cost", "currency", "products", "goals"),
    ]
)
"""Columns whose cells stay: what the order came to. Custom attributes do not."""

_IDS: Final = ("client_uniq_id", "uniq_id")
_JSON_ID: Final = re.compile(r'("(?:client_)?uniq_id"\s*:\s*")((?:[^"\\]|\\.)*)(")')
_ROOMY: Final = timedelta(minutes=1)
"""Clocks of machines differ by so much at the most."""

_AT_ONCE = 50
_PIECE = 256 * 1024


def blank(counter: Counter, marks: Marks, _erasure: Erasure, place: Place, end: float) -> None:
    """The part of an erasure that is about kept upload files; see `orders.erasing`. In the order in which they were
    made, beginning with the first trace of the client."""
    _tidy_up(place)
    last = UUID(place.rest["last"]) if "last" in place.rest else _first_after(marks)
    while time.monotonic() < end:
        rows = Upload.objects.filter(job__counter=counter, pk__gt=last).order_by("pk")
        some = list(rows[:_AT_ONCE])
        if not some:
            place.done = True
            return
        _blank_calls([upload.pk for upload in some], marks)
        for upload in some:
            if upload.state in UNSETTLED:
                return
            if number := _blank_file(upload, marks, place):
                place.files += 1
                place.rows += number
            last = upload.pk
            place.rest["last"] = str(last)
            if time.monotonic() > end:
                return


def _blank_calls(upload_ids: list[UUID], marks: Marks) -> None:
    """In the ledger identifiers and names are hidden from the start (see `metrica.redact`); the CRM's client id is not.
    Metrica's own words are kept with masks as well."""
    for call in ApiCall.objects.filter(subject__in=upload_ids).order_by():
        texts = {name: marks.hidden_in(getattr(call, name), by=HIDDEN) for name in ("url", "response_body")}
        texts["request_body"] = _without_ids(call.request_body, marks)
        if any(getattr(call, name) != text for name, text in texts.items()):
            ApiCall.objects.filter(pk=call.pk).update(**texts)


def _without_ids(body: str, marks: Marks) -> str:
    """The start of a file with the client's ids hidden: long ones wherever they stand, short ones in their field."""

    def field(found: re.Match[str]) -> str:
        return f"{found[1]}{HIDDEN}{found[3]}" if found[2] in marks.clients else found[0]

    body = _JSON_ID.sub(field, marks.hidden_in(body, by=HIDDEN))
    header = next(csv.reader(io.StringIO(body, newline="")), [])
    if (place := _place_of(header, *_IDS)) is None:
        return body
    rows = list(csv.reader(io.StringIO(body, newline="")))
    theirs = [cells for cells in rows if _cell(cells, place) in marks.clients]
    if not theirs:
        return body
    for cells in theirs:
        cells[place] = HIDDEN
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _first_after(marks: Marks) -> UUID:
    """A key below those of all uploads that may have a row of the client."""
    return first_key(marks.since - _ROOMY) if marks.since is not None else UUID(int=0)


def _blank_file(upload: Upload, marks: Marks, place: Place) -> int:
    """How many rows were blanked. Where somebody else has rewritten the file meanwhile, theirs is gone through."""
    seen = ""
    while upload.file not in ("", seen) and upload.file_gone_at is None:
        seen = upload.file
        try:
            with files.plain(upload) as source:
                if not _any(source, upload, marks):
                    return 0
                source.seek(0)
                if number := _rewrite(upload, source, marks, place):
                    return number
        except files.FileUnusable as error:
            log.warning("a kept file cannot be gone through", upload=str(upload.pk), code=error.code)
        except (ValueError, csv.Error) as error:
            log.error("a kept file is not what Goalpost writes", upload=str(upload.pk), error=str(error))
        upload.refresh_from_db(fields=["file", "kept_sha256", "file_gone_at"])
    return 0


def _any(source: BinaryIO, upload: Upload, marks: Marks) -> bool:
    return any(number for _data, number in _pieces(source, upload, marks))


def _rewrite(upload: Upload, source: BinaryIO, marks: Marks, place: Place) -> int:
    checksum = hashlib.sha256()
    number = 0
    name = files.name_of_rewritten(upload)
    place.rest["rewriting"] = {"upload": str(upload.pk), "names": [upload.file, name]}
    place.save()
    with files.Draft() as draft:
        for data, blanked in _pieces(source, upload, marks):
            checksum.update(data)
            draft.stream.write(data)
            number += blanked
        name = draft.keep(name)
    mine = Upload.objects.filter(pk=upload.pk, file=upload.file)
    done = mine.update(
        file=name,
        kept_sha256=checksum.hexdigest(),
        blanked_rows=F("blanked_rows") + number,
        blanked_at=timezone.now(),
    )
    _tidy_up(place)
    return number if done else 0


def _tidy_up(place: Place) -> None:
    """Of the names of a file that was rewritten, or was to be, the one stays that its upload points to."""
    if (rewriting := place.rest.get("rewriting")) is None:
        return
    kept = Upload.objects.filter(pk=rewriting["upload"]).values_list("file", flat=True).first()
    for name in rewriting["names"]:
        if name != kept:
            files.forget(name)
    del place.rest["rewriting"]


def _pieces(source: BinaryIO, upload: Upload, marks: Marks) -> Iterator[tuple[bytes, int]]:
    """The file anew, and how many rows of each piece are the client's."""
    if upload.format == UploadFormat.JSON:
        return _json_pieces(source, upload, marks)
    return _csv_pieces(source, upload, marks)


def _csv_pieces(source: BinaryIO, upload: Upload, marks: Marks) -> Iterator[tuple[bytes, int]]:
    text = io.TextIOWrapper(source, encoding="utf-8", newline="")
    try:
        records = csv.reader(text, strict=True)
        header = next(records)
        stays = [title in _kept(upload) for title in header]
        order, client = _place_of(header, "id"), _place_of(header, *_IDS)
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow(header)
        number = 0
        for cells in records:
            if _is_theirs(_cell(cells, order), _cell(cells, client), marks):
                blanked = [cell if stay else "" for cell, stay in zip(cells, stays, strict=False)]
                number += blanked != cells
                cells = blanked
            writer.writerow(cells)
            if buffer.tell() > _PIECE:
                yield buffer.getvalue().encode(), number
                number = 0
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode(), number
    finally:
        text.detach()


def _json_pieces(source: BinaryIO, upload: Upload, marks: Marks) -> Iterator[tuple[bytes, int]]:
    """JSON goes in small files only, so this one is read whole."""
    text = source.read().decode()
    [(name, _rows)] = json.loads(text).items()
    kept = _kept(upload)
    # Blank cells of these stay, so that a row can be told for one that was blanked.
    stays = kept.union(_IDS)
    number = 0
    rows: list[str] = []
    for row, as_it_was in elements(text):
        if _is_theirs(str(row.get("id", "")), str(row.get("client_uniq_id") or row.get("uniq_id") or ""), marks):
            blanked = {title: value if title in kept else "" for title, value in row.items() if title in stays}
            number += blanked != row
            as_it_was = json.dumps(blanked, ensure_ascii=False)
        rows.append(as_it_was)
    yield f"{{{json.dumps(name)}:[{','.join(rows)}]}}".encode(), number


def _is_theirs(order: str, client: str, marks: Marks) -> bool:
    return (bool(order) and order in marks.orders) or (bool(client) and client in marks.clients)


def _kept(upload: Upload) -> frozenset[str]:
    # Of a client, its times: they say nothing, and the row is still to be read.
    return KEPT if upload.kind != UploadKind.CONTACTS else KEPT - {"id"}


def _place_of(header: list[str], *titles: str) -> int | None:
    return next((header.index(title) for title in titles if title in header), None)


def _cell(cells: list[str], place: int | None) -> str:
    return "" if place is None or place >= len(cells) else cells[place]
