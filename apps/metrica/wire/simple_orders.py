"""The simplified upload: customers and orders in one CSV file, written and read (R5). Page: uploadSimpleOrders.

Written: RFC 4180, UTF-8 without BOM, CRLF, the full header in the official order. Read: strictly, by header name.
What the writer writes, the reader reads back the same, up to fractions of a second and the second hour of an overlap.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from typing import BinaryIO
from zoneinfo import ZoneInfo

from apps.metrica.dates import Moment, format_local
from apps.metrica.rules import GoalPrice
from apps.metrica.text import _
from apps.metrica.vocabulary import IDENTIFIER_KINDS, SIMPLE_COLUMNS, Delimiter
from apps.metrica.wire import reading, values
from apps.metrica.wire.csvio import CellError, UnusableFile, unusable
from apps.metrica.wire.goals import format_goals, parse_goals
from apps.metrica.wire.money import format_money, parse_money
from apps.metrica.wire.rows import RowsWriter, UnwritableRow, joined

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


class UnwritableOrder(UnwritableRow):
    """The format has no way to say what this order holds, for instance a NUL byte. `order` is the culprit."""

    @property
    def order(self) -> SimpleOrder:
        assert isinstance(self.record, SimpleOrder)
        return self.record


class SimpleOrdersWriter(RowsWriter[SimpleOrder]):
    """Dates go out on the clock of `zone`. Raises UnwritableOrder."""

    unwritable = UnwritableOrder

    def __init__(self, fp: BinaryIO, *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> None:
        super().__init__(fp, columns=SIMPLE_COLUMNS, cells=_cells_on(zone), delimiter=delimiter)


def format_lines(orders: Iterable[SimpleOrder], *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> bytes:
    """The same bytes as the writer's for these rows, without the header. Raises UnwritableOrder."""
    buffer = BytesIO()
    writer = SimpleOrdersWriter(buffer, zone=zone, delimiter=delimiter)
    header = writer.bytes_written
    writer.write_many(orders)
    return buffer.getvalue()[header:]


def _cells_on(zone: ZoneInfo) -> Callable[[SimpleOrder], tuple[str, ...]]:
    """One call for each of a million rows: a zone that is handed on with every order would cost a tenth of it."""

    def cells(order: SimpleOrder) -> tuple[str, ...]:
        revenue, cost = order.revenue, order.cost
        return (
            order.id,
            format_local(order.create_date_time, zone, date_only=order.date_only),
            order.client_uniq_id,
            joined(order.client_ids) if order.client_ids else "",
            joined(order.emails) if order.emails else "",
            joined(order.phones) if order.phones else "",
            joined(order.emails_md5) if order.emails_md5 else "",
            joined(order.phones_md5) if order.phones_md5 else "",
            order.order_status,
            "" if revenue is None else format_money(revenue),
            "" if cost is None else format_money(cost),
            format_goals(order.goals) if order.goals else "",
            order.currency,
        )

    return cells


class ReadRow(reading.ReadRow[SimpleOrder]):
    """A row of a simple_orders file; `order` is its record."""

    __slots__ = ()

    @property
    def order(self) -> SimpleOrder | None:
        return self.record


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
    table = reading.Table(
        fp,
        known=SIMPLE_COLUMNS,
        required=("create_date_time",),
        parsers={
            "create_date_time": values.moment(zone),
            "revenue": parse_money,
            "cost": parse_money,
            "goals": parse_goals,
            "currency": values.currency,
            **{kind: values.listed(parse) for kind, parse in values.IDENTIFIERS.items()},
        },
        delimiter=delimiter,
        ignore_unknown_columns=ignore_unknown_columns,
    )
    if {column.attribute for column in table.columns}.isdisjoint(IDENTIFIER_KINDS):
        raise unusable(
            table.header_line,
            "missing_column",
            _("The header needs at least one of client_ids, emails, phones, emails_md5, phones_md5."),
        )
    return (_read_row(row) for row in table)


def _read_row(row: reading.Row) -> ReadRow:
    if row.given.isdisjoint(IDENTIFIER_KINDS) and not row.cut:
        row.errors.append(CellError(row.line, "client_ids", "no_identifiers", _NO_IDENTIFIERS))
    if row.errors:
        return ReadRow(row.line, None, tuple(row.errors))
    moment: Moment = row.values.pop("create_date_time")
    found = {"id": "", "order_status": "", **row.values}
    return ReadRow(row.line, SimpleOrder(create_date_time=moment.at, date_only=moment.date_only, **found), ())


_NO_IDENTIFIERS = _("The row names nobody: it needs a ClientID, an e-mail, a phone or a hash of one.")
