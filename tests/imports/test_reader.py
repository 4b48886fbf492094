"""CSV in: what a CRM or a spreadsheet writes is read, the rest is refused by name, and lines are always right."""

import codecs
import csv
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.imports.columns import KNOWN, read_column_map, read_delimiter
from apps.imports.reader import MAX_LINE, OrdersFile
from apps.metrica.wire.csvio import UnusableFile

HEADER = "id,create_date_time,order_status,client_ids,revenue\n"
RUSSIAN = "id;create_date_time;order_status;client_name\n1;2026-11-04;Запись в филиал №1;«ООО» Ромашка — Ёлкин\n"


@pytest.fixture
def read(tmp_path):
    """Write bytes or text, read them as orders: (file, records)."""

    def go(content, **options):
        path = tmp_path / "orders.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with OrdersFile(path, **options) as file:
            return file, list(file.records())

    return go


@pytest.fixture
def refused(read):
    """The errors of a file that cannot be used, as (code, message) pairs."""

    def go(content, **options):
        with pytest.raises(UnusableFile) as caught:
            read(content, **options)
        return [(error.code, str(error.message)) for error in caught.value.errors]

    return go


def test_rows_are_mappings_with_their_line(read):
    file, [first, second] = read(HEADER + "D-1,2026-11-04 14:05:00,PAID,17000,5000.00\nD-2,04.11.2026,SPAM,,\n")
    assert first.row == {
        "_line": 2,
        "id": "D-1",
        "create_date_time": "2026-11-04 14:05:00",
        "order_status": "PAID",
        "client_ids": "17000",
        "revenue": "5000.00",
    }
    # An empty cell clears what the status holds and says nothing of the client; a missing column says nothing at all.
    assert second.row == {
        "_line": 3,
        "id": "D-2",
        "create_date_time": "04.11.2026",
        "order_status": "SPAM",
        "revenue": None,
    }
    assert (file.encoded.label, file.layout.delimiter_name, file.layout.unknown) == ("UTF-8", "comma", ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
def test_both_encodings_are_read(read, encoding):
    file, [record] = read(RUSSIAN.encode(encoding))
    assert file.encoded.encoding == encoding
    assert record.row["order_status"] == "Запись в филиал №1"
    assert record.row["client_name"] == "«ООО» Ромашка — Ёлкин"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (RUSSIAN.encode("utf-16"), "UTF-16"),
        (RUSSIAN.encode("utf-16-le"), "UTF-16"),
        (RUSSIAN.encode("utf-16-be"), "UTF-16"),
        (codecs.BOM_UTF32_LE + RUSSIAN.encode("utf-32-le"), "UTF-32"),
        (RUSSIAN.encode("utf-32-le"), "UTF-32"),
        (RUSSIAN.replace("№", "N").replace("«", "").replace("»", "").replace("—", "").encode("koi8-r"), "KOI8-R"),
        (RUSSIAN.replace("«", "").replace("»", "").replace("—", "").encode("cp866"), "CP866"),
        (RUSSIAN.encode("mac-cyrillic"), "Mac Cyrillic"),
        ("id,create_date_time,order_status\n1,2026-11-04,Müller größer Café\n".encode("cp1252"), "Windows-1252"),
        (RUSSIAN.encode("cp1251") + b"2;2026-11-04;\x98;\n", "not known"),
        (b"PK\x03\x04" + bytes(100), "Excel"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (bytes(1000), "UTF-32"),
    ],
)
def test_other_encodings_are_refused_by_name(refused, content, name):
    [(_code, message)] = refused(content)
    assert name in message
    assert "UTF-8" in message  # and says what to do


def test_one_broken_character_is_named_with_its_line(refused):
    lines = [HEADER.encode(), "1,2026-11-04,Новый,,\n".encode(), b"2,2026-11-04,\xd0\xd0\xbe,,\n"]
    assert refused(b"".join(lines))[0][0] == "broken_utf8"
    assert "line 3" in refused(b"".join(lines))[0][1]


def test_the_whole_file_is_looked_at_before_its_first_row(tmp_path):
    path = tmp_path / "late.csv"
    row = "D-1,2026-11-04,PAID,17000,5000.00\n"
    path.write_bytes(HEADER.encode() + row.encode() * 60_000 + "D-2,2026-11-04,Оплачен заказ,,\n".encode("koi8-r"))
    with pytest.raises(UnusableFile):
        OrdersFile(path)
    path.write_bytes(HEADER.encode() + row.encode() * 60_000 + "D-2,2026-11-04,Оплачен заказ,,\n".encode("cp1251"))
    with OrdersFile(path) as file:
        *_all, last = file.records()
    assert last.row["order_status"] == "Оплачен заказ"


@pytest.mark.parametrize(("sign", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab")])
def test_the_delimiter_shows_in_the_header(read, refused, sign, name):
    content = HEADER.replace(",", sign) + sign.join(("D-1", "2026-11-04", "PAID", '"1,2;3"', "")) + "\n"
    file, [record] = read(content)
    assert file.layout.delimiter_name == name
    assert record.row["client_ids"] == "1,2;3"
    assert read(content, delimiter=sign)[1][0].row == record.row
    wrong = ";" if sign != ";" else ","
    [(code, message)] = refused(content, delimiter=wrong)
    assert code == "wrong_delimiter" and name in message


def test_a_delimiter_that_is_not_read_is_named(refused):
    [(code, message)] = refused("id|create_date_time|order_status\n1|2026-11-04|PAID\n")
    assert code == "wrong_delimiter" and "vertical bar" in message


def test_excels_own_first_line_names_the_delimiter(read):
    _file, [record] = read("sep=;\nid;create_date_time;order_status\n1;2026-11-04;PAID\n")
    assert (record.row["id"], record.line) == ("1", 3)


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ("", ["empty_file"]),
        ("\n\n", ["no_header"]),
        ("id,order_status\n", ["missing_column"]),
        ("name,phone\n", ["missing_column"] * 3),
        ("id,create_date_time,order_status,id\n", ["duplicate_column"]),
        ("id,create_date_time,order_status, ID \n", ["duplicate_column"]),
        ("id,id,create_date_time\n", ["duplicate_column", "missing_column"]),
        ('"id,create_date_time,order_status\n', ["missing_column"] * 3),
    ],
)
def test_a_header_that_cannot_be_used_says_all_that_is_wrong(refused, content, codes):
    assert [code for code, _message in refused(content)] == codes


def test_unknown_columns_are_told_once_and_passed_over(read):
    file, [record] = read("manager,id,create_date_time,order_status,,Комментарий\nIvan,1,2026-11-04,PAID,x,y\n")
    assert file.layout.unknown == ("manager", "column 5, without a name", "Комментарий")
    assert set(record.row) == {"_line", "id", "create_date_time", "order_status"}


def test_columns_are_mapped_by_name(read, refused):
    content = "Номер сделки;Дата;Статус;id;Phones\n1;2026-11-04;PAID;internal;79031234567\n"
    mapping = read_column_map(["id=номер сделки", "create_date_time=Дата", "order_status = Статус"])
    file, [record] = read(content, column_map=mapping)
    assert (record.row["id"], record.row["phones"], file.layout.unknown) == ("1", "79031234567", ("id",))
    [(code, message)] = refused(content, column_map={**mapping, "revenue": "Сумма"})
    assert code == "missing_column" and "Сумма" in message


@pytest.mark.parametrize("pairs", [["id"], ["id="], ["=x"], ["price=x"], ["id=a", "id=b"], ["id=a", "phones=A"]])
def test_a_mapping_that_is_none_is_refused(pairs):
    with pytest.raises(ValueError, match="“"):
        read_column_map(pairs)


def test_delimiters_by_name_and_by_sign():
    assert [read_delimiter(text) for text in ("comma", "Semicolon", "tab", ",", ";", "\t", "\\t", "")] == [
        *",;\t,;\t\t",
        "",
    ]
    with pytest.raises(ValueError, match="comma, semicolon or tab"):
        read_delimiter("|")


def test_cells_over_several_lines_keep_the_line_numbers(read):
    _file, records = read(
        HEADER + '1,2026-11-04,"a\nb\n\nc",,\n2,2026-11-04,x,,\n\n"3\n",2026-11-04,x,,\n4,2026-11-04,x,,'
    )
    assert [(record.line, record.row["id"]) for record in records] == [(2, "1"), (6, "2"), (8, "3\n"), (10, "4")]
    assert records[0].row["order_status"] == "a\nb\n\nc"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(read, end):
    _file, records = read((HEADER + "1,2026-11-04,x,,\n\n2,2026-11-04,y,,\n").replace("\n", end))
    assert [(record.line, record.row["id"]) for record in records] == [(2, "1"), (4, "2")]


def test_rows_with_too_many_or_too_few_cells(read):
    _file, records = read(HEADER + "1,2026-11-04,x,,,extra\n2,2026-11-04\n3,2026-11-04,x,,\n,,,,\n  \n;;;;\n")
    told = [(record.line, record.error.code if record.error else "") for record in records]
    assert told == [(2, "too_many_cells"), (3, "too_few_cells"), (4, ""), (7, "too_few_cells")]
    assert records[0].cells == ["1", "2026-11-04", "x", "", "", "extra"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('2,2026-11-04,"open,,', "unclosed_quote"),
        ('2,2026-11-04,"open"x,,', "bad_quoting"),
        (f"2,2026-11-04,{'x' * 140_000},,", "cell_too_long"),
        (f"2,2026-11-04,{'x' * MAX_LINE},,", "line_too_long"),
        (f"2,2026-11-04,{'x' * (3 * MAX_LINE)},,", "line_too_long"),
    ],
)
@pytest.mark.parametrize("after", ["", '3,2026-11-04,"whole",,\n4,2026-11-04,x,,\n', "3,2026-11-04,x,,\n" * 20_000])
def test_a_spoiled_line_spoils_no_other(read, line, code, after):
    _file, records = read(HEADER + "1,2026-11-04,x,,\n" + line + "\n" + after)
    assert [record.error.code for record in records if record.error] == [code]
    assert [record.line for record in records if record.error] == [3]
    assert [record.line for record in records] == list(range(2, 4 + after.count("\n")))


def test_two_open_quotes_are_two_spoiled_lines(read):
    _file, records = read(HEADER + '1,2026-11-04,"a,,\n2,2026-11-04,"b,,\n3,2026-11-04,c,,\n')
    told = [(record.line, record.error.code if record.error else "") for record in records]
    assert [line for line, _code in told] == [2, 3, 4] and [bool(code) for _line, code in told] == [True, True, False]


def test_zero_bytes_emoji_and_formulas_are_cells_like_others(read):
    _file, [record] = read(HEADER + "a\0b,2026-11-04,😀,=cmd|' /C calc'!A0,-5\n")
    assert record.row["id"] == "a\0b"
    assert (record.row["order_status"], record.row["client_ids"]) == ("😀", "=cmd|' /C calc'!A0")


def test_a_file_that_changes_under_our_hands(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "1,2026-11-04,x,,\n" * 5000)
    with OrdersFile(path) as file:
        rows = file.records()
        next(rows)
        with path.open("r+b") as other:
            other.seek(80_000)
            other.write(b"\xff\xfe")
        with pytest.raises(UnusableFile) as caught:
            list(rows)
    assert caught.value.errors[0].code == "file_changed"


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(rows):
        path = tmp_path / f"{rows}.csv"
        path.write_text(HEADER + "D-1,2026-11-04 10:00:00,Новый лид,1700000000123456789,5000.00\n" * rows)
        tracemalloc.start()
        with OrdersFile(path) as file:
            assert sum(1 for _record in file.records()) == rows
        _now, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    peak(100)
    small, large = peak(20_000), peak(100_000)  # 1.4 MB and 7 MB
    assert large < small + 500_000
    assert large < 4_000_000


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(rows=st.lists(st.lists(CELLS, min_size=5, max_size=5), max_size=8), sign=st.sampled_from(",;\t"))
def test_what_a_csv_writer_wrote_is_read_back_cell_by_cell(tmp_path_factory, rows, sign):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=sign)
    writer.writerow(["id", "create_date_time", "order_status", "client_name", "revenue"])
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("csv") / "orders.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    with OrdersFile(path, delimiter=sign) as file:
        records = list(file.records())
    assert [record.cells for record in records] == [row for row in rows if any(cell.strip() for cell in row)]
    assert not any(record.error for record in records)


@given(content=st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("csv") / "orders.csv"
    path.write_bytes(b"id,create_date_time,order_status\n" + content)
    try:
        with OrdersFile(path) as file:
            for record in file.records():
                assert (record.row is None) == (record.error is not None)
                assert record.row is None or set(record.row) <= {*KNOWN, "_line"}
    except UnusableFile as error:
        assert error.errors and all(str(problem.message) for problem in error.errors)
