"""Every write about imports but the work itself, which is in `running`: a file comes in, its columns are named, the
import is started or stopped (R12)."""

import contextlib
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from apps.audit import trace
from apps.audit.services import record
from apps.counters.models import Counter
from apps.imports import files, xlsx
from apps.imports.claims import enqueue
from apps.imports.columns import (
    DELIMITERS,
    KNOWN,
    REPORT_COLUMNS,
    REQUIRED,
    attribute_column,
    has_key,
    read_delimiter,
    report_width,
)
from apps.imports.guessing import guess, known_headers
from apps.imports.models import FileKind, ImportJob, ImportState, RememberedColumns
from apps.imports.reader import Peek, peek
from apps.metrica.wire.csvio import UnusableFile

MAX_CSV_BYTES = 200 * 1024 * 1024
MAX_XLSX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 1_000_000
SAMPLE_BYTES = 512 * 1024
SAMPLE_ROWS = 200
_PIECE = 1024 * 1024
_UNSAFE = re.compile(r"[^\w .()\[\]+,№-]+")


@dataclass(frozen=True, slots=True)
class Said:
    """How the one who brings a file says that it is to be read; what is blank is found out.

    `delimiter`: comma, semicolon, tab or the sign; `encoding`: utf-8 or windows-1251, and a file in another one is
    refused; `columns`: {column: header}, an empty header for a column that is not to be used. `dry_run`: the file is
    only checked, and nothing of it is kept.
    """

    delimiter: str = ""
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


def receive(*, counter: Counter, name: str, content: IO[bytes], said: Said | None = None) -> ImportJob:
    """Keep a file, as a draft: how it is read is guessed, nothing of it is taken in. With `said` it is read so, and
    started at once; of a file that cannot be read so nothing is kept.

    Raises ValidationError, whose codes are those of UnusableFile, or file_too_large, too_many_rows; about what was
    said, by its name.
    """
    with _on_disk(content) as file:
        kind = _kind_of(file)
        job = ImportJob(counter=counter, name=safe_name(name), kind=kind)
        with _as_refusal():
            _read_sample(job, file)
            if said is not None:
                _read_as(job, said)
        job.requested_by = trace.current().actor.label[:255]
        job.request_id = trace.current().request_id[:64]
        job.language = (get_language() or "en")[:10]
        job.file = files.keep(job, file)
    try:
        with transaction.atomic():
            job.corrects = _corrected_by(job)
            job.save()
            details = {"file": job.name, "sha256": job.sha256, "bytes": job.size, "import": str(job.pk)}
            record(action="import.received", agency=counter.agency_id, obj=counter, details=details)
            if said is not None:
                start(job=job)
    except BaseException:
        files.forget(job)
        raise
    return job


def name_columns(*, job: ImportJob, delimiter: str, columns: Mapping[str, str]) -> ImportJob:
    """Say how a draft is read. `columns`: {header: column, or "" where it is not used}.

    Raises ValidationError where columns are missing or named twice; ImportJob keeps what it had then.
    """
    check_columns(columns)
    if delimiter not in DELIMITERS.values():
        raise ValidationError({"delimiter": ValidationError(_("Choose a delimiter."), code="delimiter")})
    drafts = ImportJob.objects.filter(pk=job.pk, state=ImportState.DRAFT)
    if not drafts.update(delimiter=delimiter, columns=dict(columns)):
        raise _changed_meanwhile()
    job.delimiter, job.columns = delimiter, dict(columns)
    return job


def check_columns(columns: Mapping[str, str]) -> None:
    """Raises ValidationError with all that is wrong."""
    used = [column for column in columns.values() if column]
    errors = []
    for column in dict.fromkeys(used):
        if column not in KNOWN and not attribute_column(column):
            errors.append(
                ValidationError(_("There is no such column: %(column)s.") % {"column": column}, code="unknown")
            )
        elif used.count(column) > 1:
            text = _("Two columns of the file are taken for “%(column)s”. Leave one of them out.")
            errors.append(ValidationError(text % {"column": column}, code="duplicate_column"))
    for column in REQUIRED:
        if column not in used:
            text = _("No column of the file is taken for “%(column)s”, which every order needs. Choose one below.")
            errors.append(ValidationError(text % {"column": column}, code="missing_column"))
    if errors:
        raise ValidationError(errors)


def start(*, job: ImportJob) -> None:
    """draft → queued, and the counter's next file will be read in the same way. Raises ValidationError."""
    check_columns(job.columns)
    with transaction.atomic():
        drafts = ImportJob.objects.filter(pk=job.pk, state=ImportState.DRAFT)
        current = trace.current()
        who = {"requested_by": current.actor.label[:255], "request_id": current.request_id[:64]}
        if not drafts.update(state=ImportState.QUEUED, language=(get_language() or "en")[:10], **who):
            raise _changed_meanwhile()
        if not job.dry_run:
            own = {header: column for header, column in job.columns.items() if header.strip()}
            remembered = {"delimiter": job.delimiter, "columns": own, "updated_at": timezone.now()}
            RememberedColumns.objects.update_or_create(counter_id=job.counter_id, defaults=remembered)
        used = {column: header for header, column in job.columns.items() if column}
        details: dict[str, Any] = {"file": job.name, "import": str(job.pk), "columns": used}
        if job.dry_run:
            details["dry_run"] = True
        record(action="import.started", agency=job.counter.agency_id, obj=job.counter, details=details)
        enqueue(job.pk)


def cancel(*, job: ImportJob) -> None:
    """Stop it: at once where nobody works on it, else after the rows that are being taken in.

    Raises ValidationError.
    """
    with transaction.atomic():
        now = timezone.now()
        waiting = ImportJob.objects.filter(pk=job.pk, state__in=[ImportState.DRAFT, ImportState.QUEUED])
        ended = {"state": ImportState.CANCELLED, "finished_at": now, "error_code": "cancelled"}
        if not waiting.update(cancel_requested_at=now, **ended):
            running = ImportJob.objects.filter(pk=job.pk, state=ImportState.RUNNING)
            if not running.update(cancel_requested_at=now):
                raise _changed_meanwhile()
            enqueue(job.pk)
        details = {"file": job.name, "import": str(job.pk)}
        record(action="import.cancelled", agency=job.counter.agency_id, obj=job.counter, details=details)


def column_map(job: ImportJob) -> dict[str, str]:
    """What `OrdersFile` looks for: {column: header}. What nobody chose is not looked for, whatever it is called."""
    unused = {attribute_column(header): "" for header, column in job.columns.items() if not column}
    used = {column: header for header, column in job.columns.items() if column}
    return {**dict.fromkeys(KNOWN, ""), **unused, **used}


def peek_at(job: ImportJob, *, delimiter: str = "") -> Peek:
    """What the file shows before its columns are named, cut by this delimiter or by the job's own. Raises
    UnusableFile."""
    with files.local_sample(job) as path:
        return peek(path, delimiter=delimiter or job.delimiter)


def about_rows(job: ImportJob) -> int | None:
    """How many rows the file has, by its sample; None where the sample does not tell."""
    head = files.sample_of(job)
    lines = max(head.count(b"\n") - 1, 0)
    if job.kind == FileKind.XLSX:
        return lines if lines < SAMPLE_ROWS else None
    return round(lines * job.size / len(head)) if head else 0


def guessed(job: ImportJob, header: list[str]) -> dict[str, str]:
    """What each header is taken for: as the counter's last file had it, else by its words. One query."""
    remembered = RememberedColumns.objects.filter(counter=job.counter_id).values_list("columns", flat=True).first()
    return guess(header, remembered or {})


def safe_name(name: str) -> str:
    """What a person's file is called, without a path and without signs that mean something somewhere."""
    plain = os.path.basename(name.replace("\\", "/")).strip()
    plain = _UNSAFE.sub("_", plain).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    short = f"{stem[:140]}{dot}{ending[:10]}" if dot else plain[:150]
    return short or "orders.csv"


@contextlib.contextmanager
def _on_disk(content: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile() as file:
        size = 0
        content.seek(0)
        while piece := content.read(_PIECE):
            size += len(piece)
            if size > MAX_CSV_BYTES:
                raise too_large()
            file.write(piece)
        file.flush()
        file.seek(0)
        yield cast(IO[bytes], file)


def too_large(limit: int = MAX_CSV_BYTES) -> ValidationError:
    text = _("A file may have %(limit)s MB at most. Split it, and import the parts one after the other.")
    return ValidationError(text % {"limit": limit // (1024 * 1024)}, code="file_too_large")


def too_many_rows() -> str:
    text = ngettext(
        "The file has more than %(limit)s row. Split it, and import the parts one after the other.",
        "The file has more than %(limit)s rows. Split it, and import the parts one after the other.",
        MAX_ROWS,
    )
    return text % {"limit": f"{MAX_ROWS:,}".replace(",", "\N{NO-BREAK SPACE}")}


def _kind_of(file: IO[bytes]) -> FileKind:
    if not file.read(4).startswith(b"PK\x03\x04"):
        return FileKind.CSV
    with _as_refusal():
        if xlsx.is_workbook(cast(BinaryIO, file)):
            if file.seek(0, io.SEEK_END) > MAX_XLSX_BYTES:
                raise too_large(MAX_XLSX_BYTES)
            return FileKind.XLSX
    message = _("This is an archive, no Excel workbook (.xlsx). Unpack it and upload the CSV or XLSX that is in it.")
    raise ValidationError(message, code="not_text")


def _read_sample(job: ImportJob, file: IO[bytes]) -> None:
    """The first rows, and all that can be told of the file before its columns are named. Raises UnusableFile."""
    path = Path(cast(Any, file).name)
    remembered = RememberedColumns.objects.filter(counter=job.counter).first()
    with tempfile.NamedTemporaryFile("w+", suffix=".csv", encoding="utf-8", newline="") as sample:
        if job.kind == FileKind.XLSX:
            sheet = xlsx.write_csv(cast(BinaryIO, file), sample, rows=SAMPLE_ROWS + 1)
            job.sheet, job.encoding = sheet.name[:255], ""
            job.size, job.sha256 = _digest(file)
            sample.flush()
            seen, delimiter = peek(Path(sample.name), delimiter=","), ","
            head = Path(sample.name).read_bytes()
        else:
            names = {*known_headers(), *(header.casefold() for header in (remembered.columns if remembered else ()))}
            seen = peek(path, names=names)
            delimiter = seen.delimiter
            if seen.encoded.line_feeds > MAX_ROWS + 1:
                raise ValidationError(too_many_rows(), code="too_many_rows")
            job.encoding, job.size, job.sha256 = seen.encoded.label, seen.encoded.size, seen.encoded.sha256
            file.seek(0)
            head = _whole_lines(file.read(SAMPLE_BYTES), cut=job.size > SAMPLE_BYTES)
    job.delimiter, job.whole = delimiter, job.size
    job.sample = files.pack_sample(head)
    job.columns = guess(seen.header, remembered.columns if remembered else {})


def _read_as(job: ImportJob, said: Said) -> None:
    """Raises UnusableFile, and ValidationError by what was said."""
    job.dry_run = said.dry_run
    seen = peek_at(job)
    if job.kind == FileKind.CSV:
        _check_encoding(job, said.encoding)
        try:
            sign = read_delimiter(said.delimiter)
        except ValueError as error:
            raise ValidationError({"delimiter": ValidationError(str(error), code="delimiter")}) from None
        if sign and sign != job.delimiter:
            seen = peek_at(job, delimiter=sign)
            job.delimiter, job.columns = sign, guessed(job, seen.header)
    job.columns = _named(job, said.columns, seen.header)
    try:
        check_columns(job.columns)
    except ValidationError as error:
        raise ValidationError({"columns": error.error_list}) from None


def _check_encoding(job: ImportJob, wanted: str) -> None:
    if not wanted:
        return
    known = {"utf-8": "UTF-8", "utf8": "UTF-8", "windows-1251": "Windows-1251", "cp1251": "Windows-1251"}
    label = known.get(wanted.strip().lower())
    if label is None:
        text, code = _("“%(encoding)s” is not read. Write utf-8 or windows-1251, or leave it out."), "unknown_encoding"
        raise ValidationError({"encoding": ValidationError(text % {"encoding": wanted[:50]}, code=code)})
    if label != job.encoding:
        text = _(
            "The file is in %(found)s, not in %(said)s. Leave the encoding out, or save the file in the one named."
        )
        refused = ValidationError(text % {"found": job.encoding, "said": label}, code="wrong_encoding")
        raise ValidationError({"encoding": refused})


def _named(job: ImportJob, said: Mapping[str, str], header: list[str]) -> dict[str, str]:
    """What the columns are taken for once some are named. Raises ValidationError where the file lacks a header, or a
    required column is taken from none."""
    own = {text.strip().casefold(): text.strip() for text in header[report_width(header) :] if text.strip()}
    found, taken = dict(job.columns), set[str]()
    errors = []
    told = ", ".join(own.values())[:300]
    for given, wanted in said.items():
        column = attribute_column(given) or given.strip()
        found = {text: "" if known == column else known for text, known in found.items()}
        if not wanted.strip():
            continue
        if (text := own.get(wanted.strip().casefold())) is None:
            message = _("The file has no column “%(header)s”. It has: %(found)s.")
            parameters = {"header": wanted.strip()[:100], "found": told}
            errors.append(ValidationError(message % parameters, code="missing_header"))
        elif text in taken:
            message = _("The column “%(header)s” is named for two things. Leave one of them out.")
            errors.append(ValidationError(message % {"header": text[:100]}, code="duplicate_header"))
        else:
            found[text] = column
            taken.add(text)
    for column in REQUIRED:
        if column not in found.values() and not errors:
            message = _("No column of the file is taken for “%(column)s”, which every order needs. It has: %(found)s.")
            errors.append(ValidationError(message % {"column": column, "found": told}, code="missing_column"))
    if errors:
        raise ValidationError({"columns": errors})
    return found


def _whole_lines(head: bytes, *, cut: bool) -> bytes:
    end = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
    return head[:end] if cut and end else head


def _digest(file: IO[bytes]) -> tuple[int, str]:
    file.seek(0)
    digest = hashlib.file_digest(cast(Any, file), "sha256")
    return file.tell(), digest.hexdigest()


def _corrected_by(job: ImportJob) -> ImportJob | None:
    """The import whose report this file is, corrected and brought back: the one that its lines name. A report without a
    key (an earlier one, or one that `import_orders` wrote) is known only where the counter has a single import that
    wrote any."""
    with files.local_sample(job) as path:
        seen = peek(path, delimiter=job.delimiter)
    if not report_width(seen.header):
        return None
    reported = ImportJob.objects.filter(counter=job.counter, reported__gt=0)
    if not has_key(seen.header):
        candidates = list(reported.order_by("-id")[:2])
        return candidates[0] if len(candidates) == 1 else None
    keys = {key for row in seen.rows if (key := _key_of(row)) is not None}
    return reported.filter(pk__in=keys).first() if len(keys) == 1 else None


def _key_of(row: list[str]) -> UUID | None:
    try:
        return UUID(row[len(REPORT_COLUMNS)].strip())
    except (ValueError, IndexError):
        return None


@contextlib.contextmanager
def _as_refusal() -> Iterator[None]:
    """What is wrong with a file, as the form tells it."""
    try:
        yield
    except UnusableFile as error:
        raise ValidationError([ValidationError(str(one.message), code=one.code) for one in error.errors]) from error


def _changed_meanwhile() -> ValidationError:
    message = _("The import has gone on meanwhile. Look at its page.")
    return ValidationError(message, code="changed_meanwhile")
