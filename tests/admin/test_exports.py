"""Every list as a file: what it shows to this person, all of it, safe in a spreadsheet, and never more in memory."""

import csv
import inspect
import io
import itertools
import re
import tracemalloc
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies import exporting
from apps.agencies.models import Agency, Role, SavedFilter, User
from apps.agencies.tenancy import counter_path_of
from apps.audit import trace
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders.admin_pages import changes, work_filter
from apps.orders.models import HeldChange, Order, StatusChange
from apps.uploads.models import Heartbeat
from tests.admin.access.table import OBJECTS, PLATFORM
from tests.admin.conftest import Place
from tests.admin.pages import csv_rows, messages, sheet, text_of, words
from tests.admin.test_limited_member import both, limited  # noqa: F401
from tests.factories import make_member, make_staff

pytestmark = pytest.mark.django_db

KINDS = ("csv", "xlsx")
KEPT_TO_COUNTERS = {model for model in OBJECTS if counter_path_of(model)}


def address(model: type[models.Model], kind: str = "csv") -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/export.{kind}"


def cells(answer: Any) -> list[list[str]]:
    """The lines of the file, the titles among them."""
    content = b"".join(answer.streaming_content)
    if content.startswith(b"PK"):
        return sheet(content)
    return list(csv.reader(io.StringIO(content.decode().removeprefix("\ufeff"))))


# Who gets what


ROLES = ("owner", "manager", "analyst")


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_each_role_takes_along_its_own_agency_and_nothing_else(full: Place, other: Place, login: Any, model: Any):
    OBJECTS[model](full)
    for role, kind in itertools.product(ROLES, KINDS):
        insider, outsider = login(getattr(full, role)), login(getattr(other, role))
        if model in PLATFORM:
            assert insider.get(address(model, kind)).status_code == 403
            continue
        text = text_of(insider.get(address(model, kind)))
        assert full.mark.lower() in text.lower()
        assert other.mark not in text
        for query in ("", f"?q={full.mark}", f"?counter__id__exact={full.counter.pk}"):
            answer = outsider.get(address(model, kind) + query, follow=True)
            assert answer.status_code in (200, 400)  # 400: what this list does not filter by
            # What they asked for stands in their own log.
            lines = [line for line in text_of(answer).splitlines() if "list.export" not in line]
            assert not answer.streaming or full.mark not in "".join(lines), query


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_who_is_limited_to_counters_takes_these_along(both: Place, login: Any, model: Any):  # noqa: F811
    browser = login(limited(both.agency, Role.ANALYST).user)
    OBJECTS[model](both)
    both.push("Y-1", "unheard of", counter=Counter.objects.get(name="Yours"))
    for kind in KINDS:
        answer = browser.get(address(model, kind))
        if model not in KEPT_TO_COUNTERS:
            assert answer.status_code == 403
            continue
        text = text_of(answer)
        assert both.mark not in text
        assert model not in (Order, HeldChange) or "Y-1" in text


def test_staff_take_along_what_is_theirs_to_see(full: Place, other: Place, login: Any):
    browser = login(make_staff())
    for model in OBJECTS:
        OBJECTS[model](full)
        answer = browser.get(address(model))
        assert answer.status_code == 200, model
        assert len(cells(answer)) > 1, model
    agencies = {row["Name"] for row in csv_rows(browser.get(address(Agency)))}
    assert {"Mine Agency", "Zeta Agency"} <= agencies
    assert "show_" not in text_of(browser.get(address(Heartbeat)))


def test_strangers_are_led_to_the_login(client: Browser):
    for model in OBJECTS:
        assert client.get(address(model)).headers["Location"].startswith("/admin/login/")


# What is in it


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_cells_are_plain_and_both_files_say_the_same(full: Place, login: Any, model: Any):
    OBJECTS[model](full)
    browser = login(make_staff() if model in PLATFORM else full.owner)
    table = cells(browser.get(address(model)))
    titles = table[0]
    assert all(titles)
    assert all(len(row) == len(titles) for row in table)
    for row in table[1:]:
        for title, cell in zip(titles, row, strict=True):
            assert not re.search(r"<\w+|</|&\w+;|check_circle|pan_tool|gp-", cell), (title, cell)
    book = cells(browser.get(address(model, "xlsx")))
    # Each export adds to the log.
    table, book = ([row for row in rows if "list.export" not in "".join(row)] for rows in (table, book))
    assert len(book) == len(table)
    for row, told in zip(table, book, strict=True):
        assert [_same(cell) for cell in told] == [_same(cell) for cell in row]


def _same(cell: str) -> Any:
    return Decimal(cell) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", cell) and not cell.startswith("0") else cell


def test_a_model_with_a_list_says_what_its_columns_are(place: Place, login: Any):
    """A column whose value is drawn for the page needs a cell of its own, or it would leave as the page's words."""
    drawn = re.compile(r"moment|since|duration|money\(|format_html")
    for model, pages in admin.site._registry.items():
        for name in pages.list_display:
            method = getattr(type(pages), name, None)
            if callable(method) and name not in pages.export_cells:  # type: ignore[attr-defined]
                assert not drawn.search(inspect.getsource(method)), f"{model.__name__}.{name} needs export_cells"


def test_an_order_leaves_with_its_keys_money_and_times(place: Place, login: Any):
    User.objects.filter(pk=place.analyst.pk).update(time_zone="Asia/Vladivostok")
    place.push("D-1001", "new", "won", revenue="5000.50", currency="USD", client_uniq_id="C-7", client_name="Anna")
    [row] = csv_rows(login(place.analyst).get(address(Order)))
    assert (row["Order"], row["Counter"]) == ("D-1001", "Mine shop")
    assert row["Counter number"] == str(place.counter.metrica_id)
    assert (row["Status"], row["Order type"], row["Delivery"]) == ("won", "Paid", "Waiting")
    assert (row["Revenue"], row["Currency"]) == ("5000.5", "USD")
    assert (row["Client"], row["Client id"]) == ("Anna", "C-7")
    assert row["Created in the CRM"].endswith("+10:00")
    assert datetime.fromisoformat(row["Created in the CRM"]) == place.began.replace(microsecond=0)


def test_titles_and_words_are_in_the_readers_language(place: Place, login: Any):
    User.objects.filter(pk=place.owner.pk).update(language="ru")
    place.push("D-1", "new")
    [row] = csv_rows(login(place.owner).get(address(Order)))
    assert "Waiting" not in row.values()
    assert "Заказ" in row


def test_no_cell_begins_a_formula_and_text_stays_text(place: Place, browser: Browser):
    evil = ["=1+1", "+1", "-1", "@x", "\t=1", "=cmd|' /C calc'!A0", "#REF!"]
    for number, text in enumerate(evil):
        place.push(f"E-{number}", "new", client_uniq_id=text.strip() or "x", client_name=text)
    place.push("=HYPERLINK(1)", "=1+2")
    for model in (Order, Client, HeldChange):
        for row in cells(browser.get(address(model))):
            assert not [cell for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")], row
        content = b"".join(browser.get(address(model, "xlsx")).streaming_content)  # type: ignore[attr-defined]
        from openpyxl import load_workbook

        for line in load_workbook(io.BytesIO(content)).worksheets[0].iter_rows():
            assert not [cell.value for cell in line if cell.data_type in ("f", "e")]
    assert "'=HYPERLINK(1)" in text_of(browser.get(address(Order)))


def test_it_is_the_list_with_its_search_filters_and_order(place: Place, browser: Browser):
    for number in range(3):
        place.push(f"A-{number}", "new", client_uniq_id=f"C-{number}", phones=[f"+7903000000{number}"])
    place.push("B-1", "unheard of")
    found = lambda query: [row["Order"] for row in csv_rows(browser.get(address(Order) + query))]  # noqa: E731
    assert found("") == ["B-1", "A-2", "A-1", "A-0"]
    assert found("?q=A-") == ["A-2", "A-1", "A-0"]
    assert found("?q=8 (903) 000-00-01") == ["A-1"]
    assert found("?delivery=held") == ["B-1"]
    assert found("?status=new&p=2") == ["A-2", "A-1", "A-0"]
    names = lambda query: [row["Counter"] for row in csv_rows(browser.get(address(Counter) + query))]  # noqa: E731
    from tests.factories import make_counter

    make_counter(place.agency, account=place.account, name="Another")
    listed = browser.get("/admin/counters/counter/?o=-0").context["cl"].result_list
    assert names("?o=-0") == [counter.name for counter in listed] == ["Mine shop", "Another"]
    assert names("") == ["Another", "Mine shop"]


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_every_order_of_every_list_can_be_read_on(full: Place, login: Any, model: Any, monkeypatch: Any):
    monkeypatch.setattr(exporting, "CHUNK", 1)
    OBJECTS[model](full)
    browser = login(make_staff())
    pages = admin.site._registry[model]
    for number in range(len(pages.list_display) + 2):
        for sign in ("", "-"):
            assert browser.get(f"{address(model)}?o={sign}{number}").status_code == 200
            assert len(cells(browser.get(f"{address(model)}?o={sign}{number}"))) > 1


def test_wrong_parameters_lead_to_the_list_and_nothing_is_posted(browser: Browser):
    for kind in KINDS:
        answer = browser.get(f"{address(Order, kind)}?nonsense__x=1")
        assert answer.headers["Location"] == "/admin/orders/order/"
        assert browser.post(address(Order, kind)).status_code == 405
        assert browser.head(address(Order, kind)).status_code == 405


# How it is made


def test_a_chunk_costs_the_same_however_many_rows(place: Place, browser: Browser, django_assert_num_queries: Any):
    """20,000 orders: three queries for each thousand (keys, rows, meanings of statuses), and memory for one."""
    first = place.push("D-0", "new", client_uniq_id="C-1")
    change = first.changes.get()
    many = [
        Order(
            counter=place.counter,
            order_id=f"M-{number}",
            client=first.client,
            create_date_time=first.create_date_time,
            order_status="new",
            status_date_time=first.status_date_time,
            current_change=change,
            identifiers={"emails": [f"{number}@mail.example"]},
        )
        for number in range(1, 20_000)
    ]
    Order.objects.bulk_create(many, batch_size=2_000)
    del many
    answer: Any = browser.get(address(Order))
    pieces = iter(answer.streaming_content)
    next(pieces)
    next(pieces)
    next(pieces)
    written, most = 0, 0
    tracemalloc.start()
    with django_assert_num_queries(59):  # 19 chunks more, and the entry at the end
        for piece in pieces:
            written += piece.count(b"\r\n")
            most = max(most, len(piece))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written == 19_000
    assert most < 300_000
    assert peak < 40_000_000
    entry = AuditEntry.objects.get(action="list.exported")
    assert entry.details["rows"] == 20_000


def test_a_sheet_has_an_end_and_says_so(place: Place, browser: Browser, settings: Any):
    settings.EXPORT_XLSX_ROWS = 2
    for number in range(3):
        place.push(f"A-{number}", "new")
    answer = browser.get(f"{address(Order, 'xlsx')}?q=A-", follow=True)
    assert answer.redirect_chain == [("/admin/orders/order/?q=A-", 302)]
    assert "A sheet takes 2 rows at most here" in messages(answer)
    assert not AuditEntry.objects.filter(action="list.exported").exists()
    assert len(cells(browser.get(f"{address(Order, 'xlsx')}?q=A-1"))) == 2
    assert len(cells(browser.get(address(Order)))) == 4
    settings.EXPORT_XLSX_ROWS = 10_000_000
    assert len(cells(browser.get(address(Order, "xlsx")))) == 4


def test_each_leaves_its_trace(place: Place, login: Any):
    browser = login(place.analyst)
    place.push("A-1", "new")
    place.push("B-1", "new")
    text_of(browser.get(f"{address(Order)}?q=A-1"))
    text_of(browser.get(address(Order, "xlsx")))
    begun, ended, book = AuditEntry.objects.filter(action__startswith="list.").order_by("pk")
    assert (begun.action, ended.action, book.action) == ("list.export_begun", "list.exported", "list.exported")
    asked = {"list": "orders.order", "format": "csv", "parameters": "q=(hidden)"}
    assert begun.details == asked
    assert ended.details == {**asked, "rows": 1, "complete": True}
    assert book.details == {**asked, "format": "xlsx", "parameters": "", "rows": 2, "complete": True}
    for entry in (begun, ended, book):
        assert (entry.agency, entry.actor_label, entry.source) == (place.agency, place.analyst.email, "web")
    assert begun.request_id == ended.request_id != book.request_id
    assert trace.current().source == "worker"  # the end of the file was written under the request's trace alone


def test_rows_that_no_filter_came_to_are_told_of(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    for number in range(3):
        place.push(f"A-{number}", "unheard of")
    query = {"delivery": "held"}
    assert "All rows of the list" in words(browser.get("/admin/orders/order/", query))
    monkeypatch.setattr(work_filter, "MOST_WITH_WORK", 2)
    assert "only the rows that its filters and its search have come to" in words(
        browser.get("/admin/orders/order/", query)
    )
    for kind in KINDS:
        assert len(cells(browser.get(f"{address(Order, kind)}?delivery=held"))) == 3
    assert {entry.details["cut"] for entry in AuditEntry.objects.filter(action__startswith="list.")} == {True}
    cells(browser.get(f"{address(Order)}?delivery=held&status=unheard+of"))
    assert "cut" not in AuditEntry.objects.filter(action="list.exported").latest("pk").details


def test_a_search_of_what_waits_leaves_whole(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    for number in range(4):
        place.push(f"A-{number}", "new")
    monkeypatch.setattr(changes, "MOST_FOUND", 2)
    assert len(browser.get("/admin/orders/statuschange/?q=new").context["cl"].result_list) == 2
    assert len(cells(browser.get(f"{address(StatusChange)}?q=new"))) == 5


def test_a_reader_who_leaves_is_told_of_as_well(place: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr(exporting, "CHUNK", 2)
    for number in range(5):
        place.push(f"A-{number}", "new")
    answer: Any = browser.get(address(Order))
    pieces = iter(answer.streaming_content)
    for _piece in range(4):
        next(pieces)
    answer._resource_closers[0]()  # as a server does; the whole answer would take the test's connection along
    entry = AuditEntry.objects.get(action="list.exported")
    assert (entry.details["complete"], entry.details["rows"]) == (False, 2)


def test_the_list_leads_to_its_files_and_costs_no_query_more(place: Place, browser: Browser):
    page = browser.get("/admin/orders/order/?q=a%26b").content.decode()
    assert "/admin/orders/order/export.csv?q=a%26b" in page
    assert "/admin/orders/order/export.xlsx?q=a%26b" in page
    SavedFilter.objects.create(agency=place.agency, user=place.owner, list_name="orders_order", name="x", query="q=x")
    assert "Saved filters" in page


def test_who_looks_at_nothing_gets_titles_only(login: Any, place: Place):
    newcomer = make_member(place.agency, Role.ANALYST, "new@mine.example")
    assert len(cells(login(newcomer).get(address(Order)))) == 1


def test_names_of_files_say_what_and_when(browser: Browser):
    for kind in KINDS:
        answer = browser.get(address(Order, kind))
        named = f'attachment; filename="order-{timezone.localtime():%Y-%m-%d}'
        assert answer.headers["Content-Disposition"].startswith(named)
        assert "no-store" in answer.headers["Cache-Control"]
        assert cells(answer)
