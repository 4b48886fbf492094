"""The simplified upload: customers and orders in one CSV file, written and read (R5). Page: uploadSimpleOrders.

Written: RFC 4180, UTF-8 without BOM, CRLF, the full header in the official order. Read: strictly, by header name.
What the writer writes, the reader reads back the same, up to fractions of a second and the second hour of an overlap.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO, NoReturn
from zoneinfo import ZoneInfo

from apps.metrica.dates import Moment, format_local, parse_csv
from apps.metrica.identifiers import normalize_client_id, normalize_email, normalize_md5
from apps.metrica.phones import is_digits
from apps.metrica.problems import BadValue
from apps.metrica.rules import GoalPrice
from apps.metrica.text import Text, _, filled
from apps.metrica.vocabulary import CURRENCIES, IDENTIFIER_KINDS, SIMPLE_COLUMNS, Delimiter
from apps.metrica.wire.csvio import CellError, Records, UnusableFile, check_header, unusable
from apps.metrica.wire.goals import format_goals, parse_goals
from apps.metrica.wire.money import format_money, parse_money

__all__ = [
    "CellError",
    "ReadRow",
    "SimpleOrder",
    "SimpleOrdersWriter",
    "UnusableFile",
    "UnwritableOrder",
    "format_lines",
    "read_simple_orders",
]

_ROWS_AT_A_TIME = 1000
_BETWEEN = "\x1f"


@dataclass(slots=True)
class SimpleOrder:
    """One row. `create_date_time` is aware; a `date_only` row carries 23:59:00 and shows the day alone.

    Identifiers are normalised already. A blank `order_status` is legal here and means PAID to Metrica, so who
    delivers orders never leaves it blank.
    """

    id: str
    create_date_time: datetime
    date_only: bool
    order_status: str
    client_uniq_id: str = ""
    client_ids: Sequence[str] = ()
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    emails_md5: Sequence[str] = ()
    phones_md5: Sequence[str] = ()
    revenue: Decimal | None = None
    cost: Decimal | None = None
    goals: Sequence[GoalPrice] = ()
    currency: str = ""


class UnwritableOrder(ValueError):
    """The format has no way to say what this order holds, for instance a NUL byte. `order` is the culprit."""

    def __init__(self, order: SimpleOrder, message: Text) -> None:
        super().__init__(message)
        self.order = order
        self.message = message


class _Lines:
    """What csv.writer writes into: one list entry for each row."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.write = self.held.append


def _row_writer(lines: _Lines, delimiter: str) -> Callable[[Sequence[str]], None]:
    """Writes what csv.writer would, byte for byte; a row without anything to quote, as most are, goes a shorter way."""
    write_quoted = csv.writer(lines, delimiter=delimiter).writerow
    add = lines.held.append

    def write(cells: Sequence[str]) -> None:
        text = _BETWEEN.join(cells)
        if (
            delimiter in text
            or '"' in text
            or "\n" in text
            or "\r" in text
            or text.count(_BETWEEN) != len(cells) - 1
            or not text
        ):
            write_quoted(cells)
        else:
            add(text.replace(_BETWEEN, delimiter) + "\r\n")

    return write


class SimpleOrdersWriter:
    """Writes the header at once, then rows as they come, into `fp`; counts and hashes what it wrote.

    After every call all that was accepted is in `fp`. Dates go out on the clock of `zone`.
    """

    def __init__(self, fp: BinaryIO, *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> None:
        self.rows = 0
        self.bytes_written = 0
        self._fp = fp
        self._zone = zone
        self._hash = hashlib.sha256()
        self._lines = _Lines()
        self._write_row = _row_writer(self._lines, delimiter.char)
        self._write_row(SIMPLE_COLUMNS)
        self._flush(())

    def write(self, order: SimpleOrder) -> None:
        """Appends one row. Raises UnwritableOrder and then has written nothing."""
        self._write_batch((order,))

    def write_many(self, orders: Iterable[SimpleOrder]) -> None:
        """Appends rows in their order, in flat memory. Raises UnwritableOrder; `rows` tells how many went before."""
        source = iter(orders)
        while batch := list(islice(source, _ROWS_AT_A_TIME)):
            self._write_batch(batch)

    def sha256(self) -> str:
        """Hex digest of all bytes written so far, the header included."""
        return self._hash.hexdigest()

    def _write_batch(self, orders: Sequence[SimpleOrder]) -> None:
        write_row, zone = self._write_row, self._zone
        order = orders[0]
        try:
            for order in orders:
                write_row(_cells(order, zone))
        except ValueError as error:
            # Rows before the culprit stay good, so they are written: the caller may drop it and go on.
            self._flush(orders)
            raise UnwritableOrder(order, getattr(error, "message", str(error))) from error
        self._flush(orders)

    def _flush(self, orders: Sequence[SimpleOrder]) -> None:
        lines = self._lines.held
        data = _encoded(lines)
        if data is None:
            number = next(number for number, line in enumerate(lines) if _encoded([line]) is None)
            del lines[number:]
            self._flush(orders)
            raise UnwritableOrder(
                orders[number], _("The order holds a NUL byte or half a character, which no file can hold.")
            )
        self._fp.write(data)
        self._hash.update(data)
        self.bytes_written += len(data)
        if orders:
            self.rows += len(lines)
        lines.clear()


def format_lines(orders: Iterable[SimpleOrder], *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> bytes:
    """The same bytes as the writer's for these rows, without the header. Raises UnwritableOrder."""
    buffer = BytesIO()
    writer = SimpleOrdersWriter(buffer, zone=zone, delimiter=delimiter)
    header = writer.bytes_written
    writer.write_many(orders)
    return buffer.getvalue()[header:]


def _encoded(lines: Sequence[str]) -> bytes | None:
    """UTF-8, or None if a NUL or a lone surrogate is among the characters."""
    text = "".join(lines)
    if "\0" in text:
        return None
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _cells(order: SimpleOrder, zone: ZoneInfo) -> tuple[str, ...]:
    revenue, cost = order.revenue, order.cost
    return (
        order.id,
        format_local(order.create_date_time, zone, date_only=order.date_only),
        order.client_uniq_id,
        _joined(order.client_ids) if order.client_ids else "",
        _joined(order.emails) if order.emails else "",
        _joined(order.phones) if order.phones else "",
        _joined(order.emails_md5) if order.emails_md5 else "",
        _joined(order.phones_md5) if order.phones_md5 else "",
        order.order_status,
        "" if revenue is None else format_money(revenue),
        "" if cost is None else format_money(cost),
        format_goals(order.goals) if order.goals else "",
        order.currency,
    )


def _joined(values: Sequence[str]) -> str:
    text = values[0] if len(values) == 1 else ",".join(values)
    if "," in text and text.count(",") >= len(values):
        raise ValueError("An identifier holds a comma, so a list of them cannot be written.")
    return text


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row of a file: its first line (the header is line 1), and the order or else what is wrong with it."""

    line: int
    order: SimpleOrder | None
    errors: tuple[CellError, ...]


def read_simple_orders(
    fp: BinaryIO,
    *,
    zone: ZoneInfo,
    delimiter: Delimiter = Delimiter.COMMA,
    ignore_unknown_columns: bool = False,
) -> Iterator[ReadRow]:
    """Rows in file order, in flat memory. `create_date_time` comes back in UTC; `zone` is the counter's.

    An empty `id` and a blank `order_status` are legal; at least one identifier is needed. Blank lines are skipped.
    Whether Metrica takes unknown columns is not documented: they are refused unless the caller says otherwise.
    Raises UnusableFile at the call for the header, and while iterating where the file stops being readable.
    """
    records = iter(Records(fp, delimiter=delimiter))
    if (first := next(records, None)) is None:
        raise unusable(1, "empty", _("The file is empty. Its first line must name the columns."))
    line, header = first
    check_header(
        header,
        line=line,
        known=SIMPLE_COLUMNS,
        required=("create_date_time",),
        delimiter=delimiter,
        ignore_unknown=ignore_unknown_columns,
    )
    if not set(IDENTIFIER_KINDS) & set(header):
        raise unusable(
            line,
            "missing_column",
            _("The header needs at least one of client_ids, emails, phones, emails_md5, phones_md5."),
        )
    reader = _RowReader(header, zone)
    return (reader.read(line, cells) for line, cells in records)


class _RowReader:
    """Turns the cells of one record into an order, collecting all that is wrong with it."""

    def __init__(self, header: Sequence[str], zone: ZoneInfo) -> None:
        self._width = len(header)
        parsers: dict[str, Callable[[str], object]] = {
            "create_date_time": lambda text: parse_csv(text, zone),
            "client_ids": _listed(_client_id),
            "emails": _listed(_email),
            "phones": _listed(_phone),
            "emails_md5": _listed(_md5),
            "phones_md5": _listed(_md5),
            "revenue": parse_money,
            "cost": parse_money,
            "goals": parse_goals,
            "currency": _currency,
        }
        self._columns = [
            (number, column, parsers.get(column, str))
            for number, column in enumerate(header)
            if column in SIMPLE_COLUMNS
        ]

    def read(self, line: int, cells: list[str]) -> ReadRow:
        if len(cells) != self._width:
            message = filled(
                _("The row has %(found)s cells, the header has %(expected)s. A cell with a comma needs quotes."),
                found=len(cells),
                expected=self._width,
            )
            return ReadRow(line, None, (CellError(line, "", "cell_count", message),))
        errors: list[CellError] = []
        given: set[str] = set()
        values: dict[str, Any] = {}
        for number, column, parse in self._columns:
            if text := cells[number]:
                given.add(column)
                try:
                    values[column] = parse(text) if "\0" not in text else _refuse_nul()
                except BadValue as problem:
                    errors.append(CellError(line, column, problem.code, problem.message))
        if "create_date_time" not in given:
            errors.append(CellError(line, "create_date_time", "required", _("The creation time is missing.")))
        if given.isdisjoint(IDENTIFIER_KINDS):
            errors.append(CellError(line, "client_ids", "no_identifiers", _NO_IDENTIFIERS))
        if errors:
            return ReadRow(line, None, tuple(errors))
        moment: Moment = values.pop("create_date_time")
        values["create_date_time"], values["date_only"] = moment.at, moment.date_only
        return ReadRow(line, SimpleOrder(**{"id": "", "order_status": "", **values}), ())


_NO_IDENTIFIERS = _("The row names nobody: it needs a ClientID, an e-mail, a phone or a hash of one.")


def _listed(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def parse_list(text: str) -> tuple[str, ...]:
        if " " in text:
            raise BadValue("spaces", _("The values of a list are joined by commas without spaces."))
        return tuple(parse(item) for item in text.split(","))

    return parse_list


def _client_id(text: str) -> str:
    return _as_it_is(text, normalize_client_id(text))


def _email(text: str) -> str:
    return _as_it_is(text, normalize_email(text))


def _phone(text: str) -> str:
    if not is_digits(text):
        raise BadValue("phone_format", _("A phone number has digits only here: country code first, no signs."))
    if not 7 <= len(text) <= 15:
        raise BadValue("phone_length", _("A phone number has 7 to 15 digits with its country code."))
    return text


def _md5(text: str) -> str:
    return _as_it_is(text.lower(), normalize_md5(text))


def _as_it_is(text: str, normalised: str) -> str:
    if text != normalised:
        raise BadValue("not_normalised", _("The value must be lower-case and without outer spaces."))
    return text


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise BadValue("currency", _("This is no currency code of ISO 4217, such as RUB."))
    return text


def _refuse_nul() -> NoReturn:
    raise BadValue("nul", _("The cell holds a NUL byte."))
