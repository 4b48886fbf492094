"""The simplified upload: customers and orders in one CSV file, written and read. Page: uploadSimpleOrders."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO
from zoneinfo import ZoneInfo

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.csvio import CellError, UnusableFile

__all__ = [
    "CellError",
    "ReadRow",
    "SimpleOrder",
    "SimpleOrdersWriter",
    "UnusableFile",
    "format_lines",
    "read_simple_orders",
]


@dataclass(slots=True)
class SimpleOrder:
    """One row. `create_date_time` is aware; a `date_only` row carries 23:59:00 and shows the day alone."""

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


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row of a file: its first line (the header is line 1), and the order or what is wrong with it."""

    line: int
    order: SimpleOrder | None
    errors: tuple[CellError, ...]


class SimpleOrdersWriter:
    """Writes the header at once, then rows as they come, into `fp`; counts and hashes what it wrote."""

    rows: int
    bytes_written: int

    def __init__(self, fp: BinaryIO, *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> None:
        raise NotImplementedError

    def write(self, order: SimpleOrder) -> None:
        raise NotImplementedError

    def write_many(self, orders: Iterable[SimpleOrder]) -> None:
        raise NotImplementedError

    def sha256(self) -> str:
        raise NotImplementedError


def format_lines(orders: Iterable[SimpleOrder], *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> bytes:
    """The rows without a header."""
    raise NotImplementedError


def read_simple_orders(fp: BinaryIO, *, zone: ZoneInfo, delimiter: Delimiter = Delimiter.COMMA) -> Iterator[ReadRow]:
    """Rows of a file, strictly. Raises UnusableFile at the call (header) or while iterating."""
    raise NotImplementedError
