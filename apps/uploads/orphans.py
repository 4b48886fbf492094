"""Kept files that the database does not know: made after the backup that was restored, and perhaps sent.

A file's name holds its upload's key, and the key the time at which it was made.
"""

import csv
import gzip
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, BinaryIO, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.files.storage import default_storage

from apps.counters.models import Counter
from apps.metrica.vocabulary import CONTACT_COLUMNS, ORDER_COLUMNS, SIMPLE_COLUMNS
from apps.metrica.wire.json_reading import FieldError
from apps.metrica.wire.orders import OrdersWriter, read_orders, read_orders_json
from apps.metrica.wire.simple_orders import SimpleOrdersWriter, read_simple_orders
from apps.uploads import files
from apps.uploads.cargo import KEY_COLUMN
from apps.uploads.models import Upload, UploadFormat, UploadKind
from apps.uploads.scissors import SCISSORS

_NAME: Final = re.compile(r"^([0-9a-f-]{36})(?:\.[0-9a-f]{8})?\.(csv|json)\.gz$")
_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 1024 * 1024
CONTENTS: Final = 2**256
_NO_DAYS: Final = {"create_date_only": False, "update_date_only": False, "finish_date_only": False}
_ROOMY: Final = timedelta(days=1)
"""A file may have been begun well before the backup that does not know it."""


class Unreadable(Exception):
    """The file is not what Goalpost writes, or is damaged."""


@dataclass(slots=True)
class Orphan:
    """`pk`: its upload's key; `rows`, `kind` and the like once it was read. `contents`: see `contents_of`.
    `settled`: it has its upload back already, from an attempt to recover that did not come to its end. `older`: names
    of files that it took the place of, where a worker died over that (see `blanking`)."""

    name: str
    pk: UUID
    format: UploadFormat
    kind: UploadKind = UploadKind.SIMPLE_ORDERS
    rows: int = 0
    contents: int = 0
    bytes: int = 0
    sha256: str = ""
    settled: bool = False
    older: tuple[str, ...] = ()

    @property
    def made_at(self) -> datetime:
        return made_at(self.pk)


def made_at(key: UUID) -> datetime:
    """When the upload with this key was made (aware, to the millisecond)."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def find(*, counter: Counter, since: datetime, until: datetime) -> list[Orphan]:
    """The counter's files between the two times (aware) of which the backup knows nothing, in the order in which they
    were made."""
    found = _newest([orphan for month in _months(since - _ROOMY, until) for orphan in _listed(counter, month)])
    keys = [orphan.pk for orphan in found]
    known: set[UUID] = set()
    for start in range(0, len(keys), 500):
        known.update(Upload.objects.filter(pk__in=keys[start : start + 500]).values_list("pk", flat=True))
    for orphan in found:
        orphan.settled = orphan.pk in known
    return sorted((one for one in found if not one.settled or one.made_at >= since), key=lambda one: one.pk)


def _newest(found: list[Orphan]) -> list[Orphan]:
    """One file for each upload."""
    of_upload: dict[UUID, list[Orphan]] = {}
    for orphan in found:
        of_upload.setdefault(orphan.pk, []).append(orphan)
    for several in of_upload.values():
        if len(several) > 1:
            several.sort(key=lambda one: (default_storage.get_modified_time(one.name), len(one.name)))
            several[-1].older = tuple(one.name for one in several[:-1])
    return [several[-1] for several in of_upload.values()]


@contextmanager
def opened(orphan: Orphan) -> Iterator[BinaryIO]:
    """Its plain bytes, at their start. Raises Unreadable."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as temporary:
        checksum = hashlib.sha256()
        try:
            with default_storage.open(orphan.name) as kept, gzip.GzipFile(fileobj=kept) as unpacked:
                while piece := unpacked.read(_PIECE):
                    checksum.update(piece)
                    temporary.write(piece)
        except (OSError, EOFError, ValueError) as error:
            raise Unreadable(str(error)) from error
        orphan.bytes, orphan.sha256 = temporary.tell(), checksum.hexdigest()
        temporary.seek(0)
        yield cast(BinaryIO, temporary)


def examine(orphan: Orphan) -> None:
    """Fill in what it is. Raises Unreadable."""
    with opened(orphan) as file:
        orphan.kind = _kind(file, orphan.format)
        file.seek(0)
        try:
            orphan.rows, orphan.contents = contents_of(file, orphan.kind, orphan.format)
        except (ValueError, csv.Error) as error:
            raise Unreadable(str(error)) from error


def contents_of(file: BinaryIO, kind: UploadKind, file_format: UploadFormat) -> tuple[int, int]:
    """How many rows the plain file has, and a number that tells which, in whatever order: the sum of their digests. So
    the parts of a file together have the file's number, and practically no other files do. In flat memory."""
    scissors = SCISSORS[file_format](file, KEY_COLUMN[kind])
    rows = contents = 0
    while True:
        pieces = list(scissors.next(1))
        if not any(piece.keys for piece in pieces):
            return rows, contents
        row = hashlib.sha256(b"".join(piece.data for piece in pieces))
        rows, contents = rows + 1, (contents + int.from_bytes(row.digest())) % CONTENTS


def rows_of(orphan: Orphan, *, zone: ZoneInfo, attributes: dict[str, bool]) -> Iterator[tuple[str, str]]:
    """(order id, digest) of each row, in the order of the file; none of a file of clients. Raises Unreadable."""
    if orphan.kind == UploadKind.CONTACTS:
        return
    digests = Digests(kind=orphan.kind, zone=zone, attributes=attributes)
    with opened(orphan) as file:
        try:
            for row in _records(file, orphan, zone, attributes):
                if row.record is None:
                    if _was_blanked(row.errors):
                        continue
                    raise Unreadable(str(row.errors))
                yield row.record.id, digests.of(row.record)
        except ValueError as error:
            raise Unreadable(str(error)) from error


def _was_blanked(errors: Iterable[Any]) -> bool:
    """Whether all that is wrong with a row is that nothing says whose it is: it is of an erased client, see
    `blanking`."""
    return all(
        error.code == "no_identifiers"
        or (error.code == "required" and _field_of(error).rpartition(".")[2] == "client_uniq_id")
        for error in errors
    )


def _field_of(error: Any) -> str:
    return str(error.location if isinstance(error, FieldError) else error.column)


class Digests:
    """Tells rows from one another by what Metrica is told with them, in whichever format: each as a line of CSV.

    The file may be of another database than the present one: PostgreSQL gives 101.0000 and sorts the keys of JSON,
    SQLite gives 101 and leaves them as they came.
    """

    def __init__(self, *, kind: UploadKind, zone: ZoneInfo, attributes: dict[str, bool]) -> None:
        self._buffer = BytesIO()
        self._writer: Any
        self._detailed = kind != UploadKind.SIMPLE_ORDERS
        if kind == UploadKind.SIMPLE_ORDERS:
            self._writer = SimpleOrdersWriter(self._buffer, zone=zone)
        else:
            self._writer = OrdersWriter(self._buffer, zone=zone, attributes=dict(sorted(attributes.items())))

    def of(self, record: Any) -> str:
        """Raises ValueError (UnwritableRow) for a record that no file can hold."""
        self._buffer.seek(0)
        self._buffer.truncate()
        self._writer.write(self._plain(record))
        return hashlib.sha256(self._buffer.getvalue()).hexdigest()

    def _plain(self, record: Any) -> Any:
        same: dict[str, Any] = {"revenue": _shortest(record.revenue), "cost": _shortest(record.cost)}
        if self._detailed:
            # JSON says a day without a time as its last minute, so that is what both formats are compared by.
            same |= {"products": dict(sorted(record.products.items())), **_NO_DAYS}
        return replace(record, **same)


def _shortest(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.normalize()


def _months(since: datetime, until: datetime) -> Iterator[str]:
    year, month = since.year, since.month
    while (year, month) <= (until.year, until.month):
        yield f"{year:04}-{month:02}"
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _listed(counter: Counter, month: str) -> Iterator[Orphan]:
    folder = files.folder_of(counter, month)
    try:
        _folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        if match := _NAME.match(name):
            yield Orphan(f"{folder}/{name}", UUID(match[1]), UploadFormat(match[2]))


def _kind(file: BinaryIO, file_format: UploadFormat) -> UploadKind:
    start = file.readline(_IN_MEMORY).decode("utf-8", "replace")
    if file_format == UploadFormat.JSON:
        kinds = {'{"orders"': UploadKind.ORDERS, '{"contacts"': UploadKind.CONTACTS}
        for beginning, kind in kinds.items():
            if start.replace(" ", "").startswith(beginning):
                return kind
        raise Unreadable("neither orders nor contacts")
    columns = tuple(start.strip().split(","))
    if columns == SIMPLE_COLUMNS:
        return UploadKind.SIMPLE_ORDERS
    for known, kind in ((ORDER_COLUMNS, UploadKind.ORDERS), (CONTACT_COLUMNS, UploadKind.CONTACTS)):
        if columns[: len(known)] == known:
            return kind
    raise Unreadable("an unknown header")


def _records(file: BinaryIO, orphan: Orphan, zone: ZoneInfo, attributes: dict[str, bool]) -> Iterator[Any]:
    if orphan.kind == UploadKind.SIMPLE_ORDERS:
        return read_simple_orders(file, zone=zone)
    if orphan.format == UploadFormat.JSON:
        return read_orders_json(file, zone=zone, attributes=attributes, ignore_unknown_fields=True)
    return read_orders(file, zone=zone, attributes=attributes, ignore_unknown_columns=True)
