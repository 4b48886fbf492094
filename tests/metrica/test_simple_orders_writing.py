"""R5, R9: what is written is RFC 4180 in UTF-8 without BOM, and is read back the same (page: uploadSimpleOrders)."""

import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import CURRENCIES, SIMPLE_COLUMNS, Delimiter
from apps.metrica.wire.rows import Lines, row_writer
from apps.metrica.wire.simple_orders import (
    SimpleOrder,
    SimpleOrdersWriter,
    UnwritableOrder,
    format_lines,
    read_simple_orders,
)

MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 3, 4, 9, tzinfo=UTC)

FULL = SimpleOrder(
    id="D-1",
    create_date_time=NOON,
    date_only=False,
    order_status="PAID",
    client_uniq_id="C-77",
    client_ids=("1700000000123456789",),
    emails=("buyer@shop.example", "b@shop.example"),
    phones=("79031234567",),
    emails_md5=("261b44f92b75954e9125a14bd8029285",),
    phones_md5=("62341e1d75b4f662d8f14d4a9a89ca18",),
    revenue=Decimal("5000.00"),
    cost=Decimal("3.2E+3"),
    goals=(GoalPrice("deal_won", Decimal(5000)), GoalPrice("branch_2")),
    currency="RUB",
)
HEADER = ",".join(SIMPLE_COLUMNS).encode() + b"\r\n"


def an_order(**changes: object) -> SimpleOrder:
    order = SimpleOrder(id="D-1", create_date_time=NOON, date_only=False, order_status="PAID", client_ids=("7",))
    for name, value in changes.items():
        setattr(order, name, value)
    return order


def written(*orders: SimpleOrder, delimiter: Delimiter = Delimiter.COMMA) -> bytes:
    out = io.BytesIO()
    SimpleOrdersWriter(out, zone=MOSCOW, delimiter=delimiter).write_many(orders)
    return out.getvalue()


def test_a_full_row() -> None:
    assert written(FULL) == HEADER + (
        b"D-1,2026-03-04 12:00:00,C-77,1700000000123456789,"
        b'"buyer@shop.example,b@shop.example",79031234567,'
        b"261b44f92b75954e9125a14bd8029285,62341e1d75b4f662d8f14d4a9a89ca18,"
        b'PAID,5000.00,3200,"deal_won:5000,branch_2",RUB\r\n'
    )


def test_a_full_row_with_semicolons() -> None:
    assert written(FULL, delimiter=Delimiter.SEMICOLON).split(b"\r\n")[1] == (
        b"D-1;2026-03-04 12:00:00;C-77;1700000000123456789;"
        b"buyer@shop.example,b@shop.example;79031234567;"
        b"261b44f92b75954e9125a14bd8029285;62341e1d75b4f662d8f14d4a9a89ca18;"
        b"PAID;5000.00;3200;deal_won:5000,branch_2;RUB"
    )


def test_what_is_unknown_stays_blank_and_is_never_zero() -> None:
    assert written(an_order()) == HEADER + b"D-1,2026-03-04 12:00:00,,7,,,,,PAID,,,,\r\n"
    assert written(an_order(revenue=Decimal(0))).endswith(b",PAID,0,,,\r\n")


def test_the_header_is_there_before_any_row() -> None:
    out = io.BytesIO()
    writer = SimpleOrdersWriter(out, zone=MOSCOW)
    assert out.getvalue() == HEADER
    assert (writer.rows, writer.bytes_written) == (0, len(HEADER))
    assert writer.sha256() == hashlib.sha256(HEADER).hexdigest()


def test_a_day_without_time_stays_one() -> None:
    late = datetime(2026, 3, 4, 20, 59, tzinfo=UTC)
    assert b"D-1,2026-03-04,," in written(an_order(create_date_time=late, date_only=True))


def test_rows_bytes_and_hash_are_those_of_the_file_after_every_call() -> None:
    out = io.BytesIO()
    writer = SimpleOrdersWriter(out, zone=MOSCOW)
    for count, step in enumerate([1, 999, 1000, 1001, 2500]):
        if count % 2:
            writer.write_many(an_order(id=f"{step}-{n}") for n in range(step))
        else:
            for n in range(step):
                writer.write(an_order(id=f"{step}-{n} 🎯"))
        assert out.getvalue().count(b"\r\n") == writer.rows + 1
        assert len(out.getvalue()) == writer.bytes_written
        assert hashlib.sha256(out.getvalue()).hexdigest() == writer.sha256()
    assert writer.rows == 1 + 999 + 1000 + 1001 + 2500


def test_one_by_one_or_all_at_once_gives_the_same_bytes() -> None:
    orders = [an_order(id=f"заказ {n}\n") for n in range(2100)]
    out = io.BytesIO()
    writer = SimpleOrdersWriter(out, zone=MOSCOW)
    for order in orders:
        writer.write(order)
    assert out.getvalue() == written(*orders) == HEADER + format_lines(orders, zone=MOSCOW)


def test_lines_alone() -> None:
    assert format_lines([], zone=MOSCOW) == b""
    assert format_lines([an_order()], zone=MOSCOW, delimiter=Delimiter.SEMICOLON) == (
        b"D-1;2026-03-04 12:00:00;;7;;;;;PAID;;;;\r\n"
    )


@pytest.mark.parametrize(
    "bad",
    [
        an_order(id="a\0b"),
        an_order(client_uniq_id="\0"),
        an_order(order_status="\0"),
        an_order(id="half \ud83d"),
        an_order(client_ids=("1,2",)),
        an_order(emails=("a@b.ru", "c,d@e.ru")),
        an_order(revenue=Decimal("NaN")),
        an_order(cost=Decimal("Infinity")),
        an_order(goals=(GoalPrice("a,b"),)),
        an_order(goals=(GoalPrice("plan:5"),)),
        an_order(goals=(GoalPrice("a#b"),)),
        an_order(create_date_time=datetime(2026, 3, 4)),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 999, 1000, 1500])
def test_an_order_that_cannot_be_written_is_named_and_hurts_nobody(bad: SimpleOrder, place: int) -> None:
    good = [an_order(id=str(n)) for n in range(2000)]
    out = io.BytesIO()
    writer = SimpleOrdersWriter(out, zone=MOSCOW)
    with pytest.raises(UnwritableOrder) as caught:
        writer.write_many([*good[:place], bad, *good[place:]])
    assert caught.value.order is bad
    assert len(str(caught.value.message)) > 15
    assert writer.rows == place
    writer.write_many(good[place:])
    assert out.getvalue() == written(*good)
    assert writer.sha256() == hashlib.sha256(out.getvalue()).hexdigest()


def test_a_single_bad_row_writes_nothing() -> None:
    out = io.BytesIO()
    writer = SimpleOrdersWriter(out, zone=MOSCOW)
    with pytest.raises(UnwritableOrder):
        writer.write(an_order(id="\0"))
    assert out.getvalue() == HEADER
    assert writer.rows == 0


TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(",;\"'\n\r\t =+-@|", max_size=12),
    st.sampled_from(
        ["=cmd|' /C calc'!A0", "🎯🦷", "Запись в филиал №1", '""', "\r", "\n", "\r\n", "\u2028", "x" * 300]
    ),
).filter(lambda text: "\0" not in text)
WHOLE_SECONDS = st.datetimes(datetime(1970, 1, 3), datetime(2037, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
MONEY = st.none() | st.decimals(0, 10**14, places=2)


def some(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, max_size=3).map(tuple)


HASHES = st.integers().map(lambda number: hashlib.md5(str(number).encode()).hexdigest())
IDENTIFIERS = {
    "client_ids": some(st.integers(1, 10**20 - 1).map(str)),
    "emails": some(st.sampled_from(["buyer@shop.example", "a.b+c@x.ru", "o'neil@x.co"])),
    "phones": some(st.integers(79030000000, 79039999999).map(str)),
    "emails_md5": some(HASHES),
    "phones_md5": some(HASHES),
}
GOAL_IDS = st.sampled_from(["deal_won", "цель", "a:b", "x y", "%2B"])
GOALS = st.lists(st.builds(GoalPrice, GOAL_IDS, st.none() | st.decimals(0, 999, places=2)), max_size=3).map(tuple)
ORDERS = st.builds(
    SimpleOrder,
    id=TEXTS,
    create_date_time=WHOLE_SECONDS,
    date_only=st.just(False),
    order_status=TEXTS,
    client_uniq_id=TEXTS,
    revenue=MONEY,
    cost=MONEY,
    goals=GOALS,
    currency=st.sampled_from(["", *sorted(CURRENCIES)]),
    **IDENTIFIERS,
).filter(lambda order: any((order.client_ids, order.emails, order.phones, order.emails_md5, order.phones_md5)))


def unambiguous(at: datetime, zone: ZoneInfo) -> datetime:
    """A clock shows the second hour of an overlap as the first."""
    return at.astimezone(zone).replace(fold=0).astimezone(UTC)


@given(
    st.lists(ORDERS, max_size=5),
    st.sampled_from(Delimiter),
    st.sampled_from(["Europe/Moscow", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"]).map(ZoneInfo),
)
def test_what_is_written_is_read_the_same(orders: list[SimpleOrder], delimiter: Delimiter, zone: ZoneInfo) -> None:
    out = io.BytesIO()
    writer = SimpleOrdersWriter(out, zone=zone, delimiter=delimiter)
    writer.write_many(orders)
    rows = list(read_simple_orders(io.BytesIO(out.getvalue()), zone=zone, delimiter=delimiter))
    for order in orders:
        order.create_date_time = unambiguous(order.create_date_time, zone)
    assert [row.errors for row in rows] == [()] * len(orders)
    assert [row.order for row in rows] == orders


@given(st.lists(ORDERS, max_size=5), st.sampled_from(Delimiter))
def test_any_other_program_reads_the_same_cells(orders: list[SimpleOrder], delimiter: Delimiter) -> None:
    """The csv module stands for them: dialect of RFC 4180, doubled quotes, CRLF between rows."""
    data = written(*orders, delimiter=delimiter)
    assert not data.startswith(b"\xef\xbb\xbf")
    text = data.decode("utf-8")
    cells = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter.char, strict=True))
    assert cells[0] == list(SIMPLE_COLUMNS)
    assert [row[0] for row in cells[1:]] == [order.id for order in orders]
    assert [row[8] for row in cells[1:]] == [order.order_status for order in orders]
    assert all(len(row) == len(SIMPLE_COLUMNS) for row in cells)


@given(st.integers(0, 20_000))
def test_days_are_read_back_as_days(day: int) -> None:
    end_of_day = (datetime(1971, 1, 1, 23, 59, tzinfo=MOSCOW) + timedelta(days=day)).astimezone(UTC)
    order = an_order(create_date_time=end_of_day, date_only=True)
    (row,) = read_simple_orders(io.BytesIO(written(order)), zone=MOSCOW)
    assert row.order == order


@given(
    st.lists(st.lists(st.text(st.sampled_from('ab ,;"\n\r\t\x1f\x1eЯ😀'), max_size=5), min_size=1, max_size=4)),
    st.sampled_from(Delimiter),
)
def test_the_shorter_way_writes_what_the_csv_module_writes(rows: list[list[str]], delimiter: Delimiter) -> None:
    out, lines = io.StringIO(newline=""), Lines()
    csv.writer(out, delimiter=delimiter.char).writerows(rows)
    write = row_writer(lines, delimiter.char)
    for row in rows:
        write(row)
    assert "".join(lines.held) == out.getvalue()
