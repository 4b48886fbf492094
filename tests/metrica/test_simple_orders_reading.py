"""Strict reading of simple_orders: what is wrong is said with line and column (page: uploadSimpleOrders)."""

import codecs
import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.csvio import MAX_ROW_BYTES
from apps.metrica.wire.simple_orders import ReadRow, SimpleOrder, UnusableFile, read_simple_orders

MOSCOW = ZoneInfo("Europe/Moscow")
HEADER = "id,create_date_time,client_uniq_id,client_ids,emails,phones,order_status,revenue,cost,goals,currency\n"
SAMPLE = (
    HEADER
    + """\
D-1001,04.03.2026 14:05,C-77,1700000000123456789,,,IN_PROGRESS,,,,
D-1002,2026-03-04 16:40:00,,,"buyer@shop.example,b@shop.example","79031234567",PAID,5000,3200,"deal_won:5000,branch_2",
,05.03.2026,,1700000000987654321,,,SPAM,,,bad_lead,
"""
)


def read(data: str | bytes, delimiter: Delimiter = Delimiter.COMMA, **options: Any) -> list[ReadRow]:
    content = data if isinstance(data, bytes) else data.encode()
    return list(read_simple_orders(io.BytesIO(content), zone=MOSCOW, delimiter=delimiter, **options))


def problems(data: str | bytes, delimiter: Delimiter = Delimiter.COMMA) -> list[tuple[int, str, str]]:
    """(line, column, code) of everything that is wrong with the rows."""
    found = [error for row in read(data, delimiter) for error in row.errors]
    assert all(len(str(error.message)) > 15 for error in found)
    return [(error.line, error.column, error.code) for error in found]


def unusable(data: str | bytes, delimiter: Delimiter = Delimiter.COMMA) -> list[tuple[int, str, str]]:
    """(line, column, code) of why the file as a whole cannot be used."""
    with pytest.raises(UnusableFile) as caught:
        read(data, delimiter)
    assert all(len(str(error.message)) > 15 for error in caught.value.errors)
    return [(error.line, error.column, error.code) for error in caught.value.errors]


def test_a_file_of_the_published_shape() -> None:
    assert read(SAMPLE) == [
        ReadRow(
            2,
            SimpleOrder(
                id="D-1001",
                create_date_time=datetime(2026, 3, 4, 11, 5, tzinfo=UTC),
                date_only=False,
                order_status="IN_PROGRESS",
                client_uniq_id="C-77",
                client_ids=("1700000000123456789",),
            ),
            (),
        ),
        ReadRow(
            3,
            SimpleOrder(
                id="D-1002",
                create_date_time=datetime(2026, 3, 4, 13, 40, tzinfo=UTC),
                date_only=False,
                order_status="PAID",
                emails=("buyer@shop.example", "b@shop.example"),
                phones=("79031234567",),
                revenue=Decimal(5000),
                cost=Decimal(3200),
                goals=(GoalPrice("deal_won", Decimal(5000)), GoalPrice("branch_2")),
            ),
            (),
        ),
        ReadRow(
            4,
            SimpleOrder(
                id="",
                create_date_time=datetime(2026, 3, 5, 20, 59, tzinfo=UTC),
                date_only=True,
                order_status="SPAM",
                client_ids=("1700000000987654321",),
                goals=(GoalPrice("bad_lead"),),
            ),
            (),
        ),
    ]


def test_semicolons_with_lists_inside_joined_by_commas() -> None:
    data = (
        "id;create_date_time;client_uniq_id;client_ids;emails;phones;order_status;revenue\n"
        'D-1;2026-03-04 10:00:00;;1,2;"a@b.ru,c@d.ru";;;100.50\n'
    )
    (row,) = read(data, Delimiter.SEMICOLON)
    assert row.order is not None
    assert (row.order.client_ids, row.order.emails) == (("1", "2"), ("a@b.ru", "c@d.ru"))
    assert (row.order.order_status, row.order.revenue) == ("", Decimal("100.50"))


def test_any_order_and_subset_of_columns() -> None:
    (row,) = read("phones_md5,currency,create_date_time\n62341E1D75B4F662D8F14D4A9A89CA18,USD,04.03.26\n")
    assert row.order is not None
    assert row.order.phones_md5 == ("62341e1d75b4f662d8f14d4a9a89ca18",)
    assert (row.order.id, row.order.currency, row.order.date_only) == ("", "USD", True)


def test_crlf_lf_blank_lines_and_a_missing_last_line_end() -> None:
    data = "id,create_date_time,client_ids\r\n\r\n1,2026-03-04,7\n\n\n2,2026-03-04,8\r\n3,2026-03-04,9"
    assert [(row.line, row.order.id) for row in read(data) if row.order] == [(3, "1"), (6, "2"), (7, "3")]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    data = 'id,create_date_time,client_ids\n"a\nb\n\nc",2026-03-04,7\nx,2026-03-04,8\ny,never,9\n'
    assert [row.line for row in read(data)] == [2, 6, 7]
    assert problems(data) == [(7, "create_date_time", "date_format")]


def test_a_header_alone_is_a_file_without_rows() -> None:
    assert read(HEADER) == []


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\n"])
def test_an_empty_file(data: bytes) -> None:
    assert unusable(data) == [(1, "", "empty")]


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("create_date_time", "", "required"),
        ("create_date_time", "2026-02-30", "date_nonexistent"),
        ("create_date_time", "2026-03-04T10:00:00", "date_format"),
        ("create_date_time", "1969-01-01", "date_before_1970"),
        ("create_date_time", " 2026-03-04", "date_format"),
        ("client_ids", "17x", "client_id_format"),
        ("client_ids", "1.7E+18", "client_id_number"),
        ("client_ids", "1,,2", "empty"),
        ("client_ids", "1, 2", "spaces"),
        ("emails", "Buyer@shop.example", "not_normalised"),
        ("emails", "buyer", "email_format"),
        ("emails", "почта@пример.рф", "email_not_latin"),
        ("emails", "a@b.ru;c@d.ru", "email_format"),
        ("phones", "+79031234567", "phone_format"),
        ("phones", "7903", "phone_length"),
        ("phones", "7 903 123 45 67", "spaces"),
        ("emails_md5", "zz", "md5_format"),
        ("phones_md5", "d41d8cd98f00b204e9800998ecf8427e", "md5_of_nothing"),
        ("revenue", "5000,50", "money_format"),
        ("revenue", "-1", "money_negative"),
        ("cost", "1e3", "money_format"),
        ("cost", "9" * 16, "money_too_large"),
        ("goals", "a,,b", "goals_empty_item"),
        ("goals", "a:-1", "money_negative"),
        ("goals", "a&b", "goals_id"),
        ("currency", "RUR", "currency"),
        ("currency", "rub", "currency"),
        ("id", "a\0b", "nul"),
        ("order_status", "\0", "nul"),
        ("client_uniq_id", "\0", "nul"),
        ("emails", "a\0@b.ru", "nul"),
    ],
)
def test_a_bad_cell_is_named_by_line_and_column(column: str, text: str, code: str) -> None:
    cells = {"id": "D-1", "create_date_time": "2026-03-04 10:00:00", "client_ids": "7", "order_status": "PAID"}
    out = io.StringIO()
    writer = csv.DictWriter(out, [*dict.fromkeys([*cells, column])])
    writer.writeheader()
    writer.writerow(cells)
    writer.writerow({**cells, column: text})
    writer.writerow(cells)
    rows = read(out.getvalue())
    assert [(error.line, error.column, error.code) for error in rows[1].errors] == [(3, column, code)]
    assert rows[1].order is None
    assert rows[0].order is not None
    assert rows[2].order is not None, "a bad row must not hurt its neighbours"


def test_all_faults_of_a_row_are_said_at_once() -> None:
    data = HEADER + "D-1,never,,x,,+7903,PAID,many,,,RUR\n"
    assert problems(data) == [
        (2, "create_date_time", "date_format"),
        (2, "client_ids", "client_id_format"),
        (2, "phones", "phone_format"),
        (2, "revenue", "money_format"),
        (2, "currency", "currency"),
    ]


def test_a_row_must_name_somebody() -> None:
    assert problems(HEADER + "D-1,2026-03-04,C-1,,,,PAID,,,,\n") == [(2, "client_ids", "no_identifiers")]


@pytest.mark.parametrize("row", ["D-1,2026-03-04,7", "D-1,2026-03-04,,7,,,PAID,,,,RUB,", "x"])
def test_a_row_with_too_few_or_too_many_cells(row: str) -> None:
    assert problems(f"{HEADER}{row}\nD-2,2026-03-04,,7,,,PAID,,,,\n") == [(2, "", "cell_count")]


def test_ids_and_statuses_may_hold_anything() -> None:
    odd = ["=cmd|' /C calc'!A0", "🎯", 'a"b', "a,b;c", "a\nb", "a\r\nb", " outer ", "x" * 300, "-1", "@SUM(1)"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "create_date_time", "client_ids", "order_status", "client_uniq_id"])
    for text in odd:
        writer.writerow([text, "2026-03-04", "7", text, text])
    orders = [row.order for row in read(out.getvalue())]
    assert [(o.id, o.order_status, o.client_uniq_id) for o in orders if o] == [(text, text, text) for text in odd]


@pytest.mark.parametrize(
    ("header", "errors"),
    [
        ("id,client_ids", [(1, "create_date_time", "missing_column")]),
        ("id,create_date_time", [(1, "", "missing_column")]),
        ("create_date_time,client_ids,client_ids", [(1, "client_ids", "duplicate_column")]),
        ("create_date_time,client_ids,age", [(1, "age", "unknown_column")]),
        ("ID,create_date_time,client_ids", [(1, "ID", "unknown_column")]),
        (
            "id,date,client_ids,id",
            [(1, "date", "unknown_column"), (1, "id", "duplicate_column"), (1, "create_date_time", "missing_column")],
        ),
        (" id,create_date_time,client_ids", [(1, " id", "unknown_column")]),
        ("create_date_time,client_ids,", [(1, "", "unknown_column")]),
    ],
)  # fmt: skip
def test_a_bad_header(header: str, errors: list[tuple[int, str, str]]) -> None:
    assert unusable(header + "\n1,2,3\n") == errors


def test_a_bad_header_is_said_at_the_call() -> None:
    with pytest.raises(UnusableFile):
        read_simple_orders(io.BytesIO(b"x,y\n"), zone=MOSCOW)


def test_unknown_columns_are_passed_over_on_request() -> None:
    data = "update_date_time,create_date_time,age,client_ids,age\nnever,2026-03-04,x,7,\n"
    (row,) = read(data, ignore_unknown_columns=True)
    assert row.order is not None
    assert row.order.client_ids == ("7",)
    assert unusable("age,client_ids\n") == [(1, "age", "unknown_column"), (1, "create_date_time", "missing_column")]


@pytest.mark.parametrize(
    ("separator", "delimiter"),
    [(";", Delimiter.COMMA), ("\t", Delimiter.COMMA), ("|", Delimiter.COMMA), (",", Delimiter.SEMICOLON)],
)
def test_the_wrong_delimiter_is_named(separator: str, delimiter: Delimiter) -> None:
    data = HEADER.replace(",", separator) + SAMPLE
    assert unusable(data, delimiter) == [(1, "", "delimiter")]
    quoted = '"' + HEADER.strip().replace(",", f'"{separator}"') + '"\n'
    assert unusable(quoted, delimiter)[0][2] in ("delimiter", "quoting")


def test_a_byte_order_mark_is_named() -> None:
    assert unusable(codecs.BOM_UTF8 + SAMPLE.encode()) == [(1, "", "bom")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(encoding: str) -> None:
    assert unusable(SAMPLE.encode(encoding)) == [(1, "", "encoding")]


def test_cp1251_is_named_with_line_and_byte() -> None:
    data = (HEADER + "D-1,2026-03-04,,7,,,PAID,,,,\nD-2,2026-03-04,Анна,7,,,PAID,,,,\n").encode("cp1251")
    with pytest.raises(UnusableFile) as caught:
        read(data)
    (error,) = caught.value.errors
    assert (error.line, error.code) == (3, "encoding")
    assert "16" in str(error.message)
    assert "Windows-1251" in str(error.message)


def test_rows_before_the_place_where_a_file_breaks_are_given_out() -> None:
    data = (HEADER + "D-1,2026-03-04,,7,,,PAID,,,,\n").encode() + b"D-2,\xff"
    rows = read_simple_orders(io.BytesIO(data), zone=MOSCOW)
    first = next(rows)
    assert first.order is not None
    assert first.order.id == "D-1"
    with pytest.raises(UnusableFile):
        next(rows)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ('"D-1"x,2026-03-04,,7,,,PAID,,,,\n', (2, "", "quoting")),
        ('"D-1,2026-03-04,,7,,,PAID,,,,\n', (2, "", "quoting")),
        ("D-1\rD-2,2026-03-04,,7,,,PAID,,,,\n", (2, "", "line_ends")),
    ],
)
def test_broken_quoting_and_line_ends_are_named(row: str, error: tuple[int, str, str]) -> None:
    assert unusable(HEADER + row) == [error]


def test_a_file_with_the_line_ends_of_old_macs() -> None:
    assert unusable(SAMPLE.replace("\n", "\r")) == [(1, "", "line_ends")]


def test_an_unclosed_quote_ends_the_reading_soon() -> None:
    line = "D-2,2026-03-04,,7,,,PAID,,,,\n"
    data = HEADER + '"D-1,2026-03-04,,7,,,PAID,,,,\n' + line * 20_000
    ((number, _column, code),) = unusable(data)
    assert code == "row_too_long"
    assert number * len(line) < MAX_ROW_BYTES + 1000


@pytest.mark.parametrize("lowered", [False, True])
def test_a_cell_of_unbelievable_length(lowered: bool) -> None:
    """Also when another part of the program has set the csv module's own limit lower."""
    before = csv.field_size_limit()
    try:
        if lowered:
            csv.field_size_limit(1000)
        size = 2000 if lowered else MAX_ROW_BYTES
        assert unusable(HEADER + "x" * size + ",2026-03-04,,7,,,PAID,,,,\n")[0][2] == "row_too_long"
    finally:
        csv.field_size_limit(before)


class Endless(io.RawIOBase):
    """A gigabyte without a line end, or a gigabyte of rows, that nobody has to hold."""

    def __init__(self, line: bytes, size: int) -> None:
        self._line = line
        self._left = size
        self._header = HEADER.encode()

    def readline(self, size: int | None = -1, /) -> bytes:
        if self._header:
            header, self._header = self._header, b""
            return header
        if self._left <= 0:
            return b""
        line = self._line if size is None or size < 0 else self._line[:size]
        self._left -= len(line)
        return line


def grown(rows: Iterator[ReadRow]) -> int:
    """Peak of the memory used while reading, bytes."""
    tracemalloc.start()
    try:
        for _row in rows:
            pass
    except UnusableFile:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(("line", "size"), [(b"x" * (1 << 20), 1 << 30), (b"D-2,2026-03-04,,7,,,PAID,,,,\n", 1 << 19)])
def test_reading_takes_little_memory_whatever_comes(line: bytes, size: int) -> None:
    stream: Any = Endless(line, size)
    assert grown(read_simple_orders(stream, zone=MOSCOW)) < 2_000_000
