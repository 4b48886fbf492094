"""Reading `{"<key>": [ {…}, {…} ]}` object by object in flat memory. Pages: uploadContactJson_1, uploadOrdersJson_1.

The standard decoder does the work; only what stands between the objects is read here. Numbers with a fraction come
out as Decimal, so no amount passes through a float.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import BinaryIO, Generic, NoReturn, TypeVar

from apps.metrica.text import Text, _, filled

MAX_ITEM_CHARACTERS = 1024 * 1024
"""One object longer than this is no customer and no order."""

_PIECE = 64 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a JSON body. `location`: `contacts[3].emails[0]`, or "" for the body as a whole."""

    location: str
    code: str
    message: Text


@dataclass(frozen=True, slots=True)
class ReadItem(Generic[T]):
    """One object of the list, counted from 0: the record or else what is wrong with it."""

    index: int
    record: T | None
    errors: tuple[FieldError, ...]


class UnusableJson(ValueError):
    """The body cannot be read as what it should be, so none of its objects counts.

    Codes: empty, bom, encoding, invalid_json, object_expected, missing_field, list_expected, unknown_field,
    duplicate_field, item_too_long.
    """

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.location or 'body'}: {error.code}" for error in errors))
        self.errors = list(errors)


class JsonItems:
    """Iterates the values of the list under `key` with their numbers. Raises UnusableJson where reading ends early.

    Other fields beside `key` are refused unless `ignore_unknown`.
    """

    def __init__(self, fp: BinaryIO, *, key: str, ignore_unknown: bool = False) -> None:
        self._fp = fp
        self._key = key
        self._ignore_unknown = ignore_unknown
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False
        self._begun = False

    def __iter__(self) -> Iterator[tuple[int, object]]:
        if not self._peek():
            self._stop("", "empty", _("The body is empty."))
        if not self._takes("{"):
            self._stop("", "object_expected", filled(_('The body must be an object: {"%(key)s": […]}'), key=self._key))
        found = False
        if not self._takes("}"):
            while True:
                name = self._name()
                if name == self._key:
                    if found:
                        self._stop(name, "duplicate_field", _("The list is in the body twice."))
                    found = True
                    yield from self._items()
                else:
                    if not self._ignore_unknown:
                        self._stop(name, "unknown_field", _("This field is not known in this format. Remove it."))
                    self._value(name)
                if not self._takes(","):
                    break
            if not self._takes("}"):
                self._broken("")
        if self._peek():
            self._broken("")
        if not found:
            self._stop(self._key, "missing_field", _("This list is required but is not in the body."))

    def _items(self) -> Iterator[tuple[int, object]]:
        if not self._takes("["):
            self._stop(self._key, "list_expected", _("A list is expected here."))
        if self._takes("]"):
            return
        index = 0
        while True:
            yield index, self._value(f"{self._key}[{index}]")
            if self._takes("]"):
                return
            if not self._takes(","):
                self._broken(f"{self._key}[{index}]")
            index += 1

    def _name(self) -> str:
        if self._peek() != '"':
            self._broken("")
        name = self._value("")
        assert isinstance(name, str)
        if not self._takes(":"):
            self._broken("")
        return name

    def _value(self, location: str) -> object:
        """The value that begins here. Reads on until it is whole: twice as much each time, up to the limit."""
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                if self._ended:
                    self._broken(location)
            else:
                # A number at the very end of what was read may go on.
                if end < len(self._text) or self._ended:
                    self._at = end
                    return value
            self._drop()
            if len(self._text) > MAX_ITEM_CHARACTERS:
                if self._text[0] in '{["':
                    self._stop(location, "item_too_long", _("This is longer than a megabyte, or a mark is not closed."))
                self._broken(location)
            self._fill(max(_PIECE, len(self._text)))

    def _takes(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._at += 1
        return True

    def _peek(self) -> str:
        """The next character that is not space, or "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._drop()
            self._fill(_PIECE)

    def _drop(self) -> None:
        """Forgets what has been read."""
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :], 0

    def _fill(self, size: int) -> None:
        data = self._fp.read(size)
        self._ended = not data
        if not self._begun and data:
            self._begun = True
            if data.startswith(codecs.BOM_UTF8):
                self._stop("", "bom", _("The body starts with a byte order mark (BOM). Save it as UTF-8 without BOM."))
            if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:2]:
                self._stop("", "encoding", _("The body is in UTF-16. Metrica takes UTF-8 only."))
        try:
            self._text += self._decode(data, final=self._ended)
        except UnicodeDecodeError:
            self._stop("", "encoding", _("The body is not UTF-8. Save it as UTF-8."))

    def _broken(self, location: str) -> NoReturn:
        line = self._line + self._text.count("\n", 0, self._at)
        message = filled(_("This is no valid JSON, in or after line %(line)s."), line=line)
        self._stop(location, "invalid_json", message)

    def _stop(self, location: str, code: str, message: Text) -> NoReturn:
        raise UnusableJson([FieldError(location, code, message)]) from None


def _integer(text: str) -> int | Decimal:
    """Python refuses to read integers of thousands of digits, and no field holds one of more than 20."""
    return int(text) if len(text) < 40 else _fraction(text)


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("Infinity")


def _constant(text: str) -> NoReturn:
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_float=_fraction, parse_int=_integer, parse_constant=_constant)
