"""JSON out of our own values: exact decimals, and files of one long list in flat memory. Page: uploadContactJson_1."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from itertools import islice
from json.encoder import encode_basestring
from types import TracebackType
from typing import BinaryIO, Generic, Self, TypeVar

from apps.metrica.problems import BadValue
from apps.metrica.wire.money import format_money
from apps.metrica.wire.rows import NOT_TEXT, ROWS_AT_A_TIME, UnwritableRow, encoded

T = TypeVar("T")


def json_text(value: object) -> str:
    """The JSON of a value made of mappings, lists, tuples, texts, numbers, bools and None. A Decimal goes out digit by
    digit, never through a float. Raises ValueError for NaN, infinities and NUL bytes, TypeError for other types.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise BadValue("nul", NOT_TEXT)
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, Decimal):
        return format_money(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("NaN and infinity are no JSON.")
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join([f"{json_text(str(key))}: {json_text(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([json_text(item) for item in value]) + "]"
    raise TypeError(f"{type(value).__name__} has no place in JSON.")


class JsonRowsWriter(Generic[T]):
    """Writes `{"<key>": [` at once, then records as they come, and the end by `finish()` or on leaving `with`.

    `rows`, `bytes_written` and `sha256()` tell what was written so far; the file is whole only when finished.
    `fields` gives a record as the JSON object to be; blank fields are left out by it.
    """

    def __init__(self, fp: BinaryIO, *, key: str, fields: Callable[[T], Mapping[str, object]]) -> None:
        self.rows = 0
        self.bytes_written = 0
        self.finished = False
        self._fp = fp
        self._fields = fields
        self._hash = hashlib.sha256()
        self._add(f"{{{json_text(key)}: [".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """A file that was broken off is left unfinished, so that nobody takes it for a whole one."""
        if exc_type is None:
            self.finish()

    def write(self, record: T) -> None:
        """Appends one object. Raises UnwritableRow and then has written nothing."""
        self._write_batch((record,))

    def write_many(self, records: Iterable[T]) -> None:
        """Appends objects in their order, in flat memory. Raises UnwritableRow; `rows` tells how many went before."""
        source = iter(records)
        while batch := list(islice(source, ROWS_AT_A_TIME)):
            self._write_batch(batch)

    def finish(self) -> None:
        """Writes the end. Calling it again does nothing."""
        if not self.finished:
            self._add(b"\n]}\n" if self.rows else b"]}\n")
            self.finished = True

    def sha256(self) -> str:
        """Hex digest of all bytes written so far."""
        return self._hash.hexdigest()

    def _write_batch(self, records: Iterable[T]) -> None:
        if self.finished:
            raise RuntimeError("The file is finished.")
        pieces: list[bytes] = []
        try:
            for record in records:
                pieces.append(self._piece(record, first=not (self.rows or pieces)))
        finally:
            # Objects before a culprit stay good, so they are written: the caller may drop it and go on.
            self._add(b"".join(pieces))
            self.rows += len(pieces)

    def _piece(self, record: T, *, first: bool) -> bytes:
        try:
            text = json_text(self._fields(record))
        except ValueError as error:
            raise UnwritableRow(record, getattr(error, "message", str(error))) from error
        data = encoded([text])
        if data is None:
            raise UnwritableRow(record, NOT_TEXT)
        return (b"\n" if first else b",\n") + data

    def _add(self, data: bytes) -> None:
        self._fp.write(data)
        self._hash.update(data)
        self.bytes_written += len(data)
