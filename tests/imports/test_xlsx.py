"""Excel workbooks: the first visible sheet as CSV, cell by cell; and those that are made to do harm."""

import csv
import io
import zipfile
from datetime import date, datetime

import pytest
from django.core.exceptions import ValidationError
from openpyxl import Workbook

from apps.imports import running, services, xlsx
from apps.imports.preview import preview
from apps.metrica.wire.csvio import UnusableFile
from apps.orders.models import Order, StatusChange
from tests.imports.conftest import DAY


def workbook(*rows, change=lambda book: None):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    kept = io.BytesIO()
    book.save(kept)
    kept.seek(0)
    return kept


def read(source, *, rows=1000):
    text = io.StringIO(newline="")
    sheet = xlsx.write_csv(source, text, rows=rows)
    return sheet, list(csv.reader(io.StringIO(text.getvalue(), newline="")))


def repacked(source, **members):
    """The same workbook with members replaced or added, by name."""
    made = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in members:
                new.writestr(name, old.read(name))
        for name, content in members.items():
            new.writestr(name, content)
    made.seek(0)
    return made


SHEET = "xl/worksheets/sheet1.xml"
XML = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def test_cells_become_the_text_that_the_same_csv_would_hold():
    def formats(book):
        book.active["C2"].number_format = "dd.mm.yyyy"
        book.active["D2"].number_format = 'dd.mm.yyyy "в" hh:mm'

    source = workbook(
        ["text", "number", "day", "moment", "float", "yes", "formula", "none", "lines"],
        [
            *("Анна", 79031234567, date(2026, 11, 4), datetime(2026, 11, 4, 14, 5, 30), 0.1 + 0.2),
            *(True, "=1+1", None, "one\ntwo"),
        ],
        change=formats,
    )
    _sheet, [_header, row] = read(source)
    assert row == [
        *("Анна", "79031234567", "2026-11-04", "2026-11-04 14:05:30", "0.3"),
        *("TRUE", "", "", "one two"),
    ]


def test_a_number_that_lost_digits_is_seen_as_such():
    """Excel keeps 15 digits: a ClientID in a number cell is another one."""
    _sheet, [[client_id]] = read(workbook([1700000000123456789.0]))
    assert client_id == "1.70000000012346E+18"
    cell = '<row r="1"><c r="A1"><v>1700000000123456789</v></c></row>'  # by a program that does keep them
    assert read(repacked(workbook(["id"]), **{SHEET: XML.format(cell)}))[1] == [["1700000000123456789"]]


def test_lines_are_the_sheets_rows_and_hidden_sheets_are_passed_over():
    def hide(book):
        book.active.sheet_state = "hidden"
        shown = book.create_sheet("Заказы")
        shown["A1"], shown["A4"], shown["C4"] = "id", "D-1", "beyond the header"

    sheet, rows = read(workbook(["secret"], change=hide))
    assert (sheet.name, sheet.rows, rows) == ("Заказы", 4, [["id"], [""], [""], ["D-1"]])
    assert read(workbook(*([n] for n in range(9))), rows=5)[0].cut


def test_dimensions_that_lie_cost_nothing():
    far = '<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c></row><row r="{}"><c r="XFD{}"><v>1</v></c></row>'
    for last in ("1048576", "999999999999"):
        _sheet, rows = read(repacked(workbook(["id"]), **{SHEET: XML.format(far.format(last, last))}), rows=50)
        assert len(rows) <= 50 and all(len(row) == 1 for row in rows)
    wide = "".join(f'<c r="{column}1"><v>1</v></c>' for column in ("A", "SG"))
    with pytest.raises(UnusableFile) as refused:
        read(repacked(workbook(["id"]), **{SHEET: XML.format(f'<row r="1">{wide}</row>')}))
    assert refused.value.errors[0].code == "too_many_columns"


def test_bombs_are_refused_before_they_are_unpacked(monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_SHEET_BYTES", 100_000)
    monkeypatch.setattr(xlsx, "MAX_STRINGS_BYTES", 50_000)
    monkeypatch.setattr(xlsx, "MAX_OTHER_BYTES", 200_000)
    monkeypatch.setattr(xlsx, "MAX_MEMBERS", 50)
    good = workbook(["id"])
    assert read(good)
    bombs = [
        {SHEET: XML.format(" " * 200_000)},
        {"xl/sharedStrings.xml": " " * 60_000},
        {"xl/styles.xml": " " * 300_000},
        {f"xl/media/{n}.png": "x" for n in range(60)},
    ]
    for members in bombs:
        with pytest.raises(UnusableFile) as refused:
            read(repacked(workbook(["id"]), **members))
        assert refused.value.errors[0].code == "xlsx_too_large"


def test_entities_do_not_multiply():
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 50 + '">'
    for n in range(8):
        bomb += f'<!ENTITY c{n} "' + (f"&c{n - 1};" if n else "&b;") * 50 + '">'
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&c7;</t></is></c></row>'
    with pytest.raises(UnusableFile) as refused:
        read(repacked(workbook(["id"]), **{SHEET: bomb + "]>" + XML.format(cell)}))
    assert refused.value.errors[0].code == "xlsx_damaged"


@pytest.mark.parametrize("spoil", [lambda data: data[:-300], lambda data: b"PK\x03\x04" + data[4:900]])
def test_a_damaged_workbook_is_told(spoil):
    with pytest.raises(UnusableFile) as refused:
        read(io.BytesIO(spoil(workbook(["id"]).getvalue())))
    assert refused.value.errors[0].code == "xlsx_damaged"


def test_parts_that_are_not_what_they_should_be_are_told():
    for members in (
        {SHEET: "no xml"},
        {"xl/workbook.xml": "<x/>"},
        {"xl/styles.xml": "<"},
        {SHEET: XML.format("<row r='x'/>")},
    ):
        with pytest.raises(UnusableFile):
            read(repacked(workbook(["id"]), **members))


@pytest.mark.django_db(transaction=True)
def test_a_workbook_comes_in_as_a_csv_does(counter, monkeypatch):
    day = datetime(DAY.year, DAY.month, DAY.day, 12)
    source = workbook(
        ["Номер", "Дата", "Статус", "ClientID", "Сумма"],
        ["D-1", day, "PAID", "1700000000123456789", 5000.5],
        ["D-2", day, "PAID", 1700000000123456789.0, "=5"],
        ["D-3", "2026-02-30", "PAID", "17000000001", 1],
    )
    job = services.receive(counter=counter, name="orders.xlsx", content=source)
    assert (job.kind, job.sheet, job.encoding) == ("xlsx", "Sheet", "")
    assert [line.result for line in preview(job).lines] == ["created", "created", "rejected"]
    services.start(job=job)
    running.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.created, job.rejected, job.reported) == ("partly_failed", 2, 1, 2)
    assert Order.objects.get(order_id="D-2").identifiers.get("client_ids") in (None, [])
    assert str(StatusChange.objects.get(order__order_id="D-1").revenue).startswith("5000.5")
    assert job.table.endswith(f"{job.pk}.table.csv.gz")
    monkeypatch.setattr(services, "MAX_ROWS", 2)
    again = services.receive(counter=counter, name="orders.xlsx", content=source)
    services.start(job=again)
    running.run(again.pk)
    again.refresh_from_db()
    assert (again.state, again.error_code) == ("failed", "too_many_rows")


@pytest.mark.django_db
def test_other_archives_are_refused(counter):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("orders.csv", "id")
    archive.seek(0)
    with pytest.raises(ValidationError) as refused:
        services.receive(counter=counter, name="orders.zip", content=archive)
    assert refused.value.error_list[0].code == "not_text"
