"""What a script uploads is taken in as by every other way (R1), and answered as Metrica answers."""

import json
import uuid
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.api import tick
from apps.api.models import ReceivedUpload
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.goals.models import Goal
from apps.goals.services import set_status
from apps.orders.models import Order, StatusChange
from tests.api.gateway.conftest import WHEN, csv, errors_of, local, order


def test_a_file_of_simple_orders(script, counter):
    answer = script.simple(
        f"D-1,{local(3, form='%d.%m.%Y %H:%M')},C-77,1700000000123456789,,,IN_PROGRESS,,,,",
        f'D-2,{WHEN},,,"buyer@shop.example,second@shop.example","79031234567",PAID,5000,3200,"deal_won:5000,branch_2",',
        f",{local(2, form='%d.%m.%Y')},,1700000000987654321,,,SPAM,,,bad_lead,",
    )
    assert answer.status == 200
    uploading = answer.body["uploading"]
    assert uuid.UUID(uploading.pop("uploading_id"))
    assert uploading.pop("datetime")[:13] == local(0)[:13]
    assert uploading == {
        "api_validation_status": "PASSED",
        "elements_count": 3,
        "entity_type": "SYSTEM",
        "uploading_format": "CSV",
        "uploading_source": "API",
    }
    one, two = order("D-1"), order("D-2")
    assert one.client.uniq_id == "C-77" and one.identifiers == {"client_ids": ["1700000000123456789"]}
    assert two.identifiers == {"emails": ["buyer@shop.example", "second@shop.example"], "phones": ["79031234567"]}
    change = two.current_change
    assert (change.order_status, change.revenue, change.cost, change.currency) == ("PAID", 5000, 3200, "RUB")
    assert change.goals == [
        {"goal_action_id": "deal_won", "price": "5000"},
        {"goal_action_id": "branch_2", "price": None},
    ]
    assert {change.source for change in StatusChange.objects.all()} == {"gateway"}
    third = Order.objects.get(order_id__startswith="goalpost-row-")
    assert third.create_date_only and third.order_status == "SPAM"
    # Nothing here needs a mapping: Metrica's own words are known.
    assert set(StatusChange.objects.values_list("delivery", flat=True)) == {"waiting"}


def test_the_line_of_the_upload(script, counter):
    answer = script.simple(f"D-1,{WHEN},,17,,,PAID,1,,,", f"D-2,{WHEN},,17,,,Booked,1,,,")
    upload = ReceivedUpload.objects.get()
    assert str(upload.pk) == answer.body["uploading"]["uploading_id"]
    assert (upload.state, upload.elements, upload.created, upload.held) == ("PASSED", 2, 2, 1)
    assert (upload.filename, upload.merge_mode, len(upload.sha256)) == ("orders.csv", "SAVE", 64)
    changes = StatusChange.objects.all()
    assert {change.request_id for change in changes} == {upload.request_id} == {answer.headers["X-Request-ID"]}
    assert {change.received_by for change in changes} == {upload.received_by}
    entry = AuditEntry.objects.get(action="orders.accepted")
    assert (entry.source, entry.request_id, entry.details["source"]) == ("api", upload.request_id, "gateway")


def test_the_same_bytes_again_change_nothing(script, counter):
    lines = [f"D-1,{WHEN},C-1,17,,,PAID,5,,,", f",{WHEN},,18,,,,7,,,", f",{WHEN},,18,,,,7,,,"]
    first, again = script.simple(*lines), script.simple(*lines)
    assert first.status == again.status == 200
    assert Order.objects.count() == StatusChange.objects.count() == 3  # two alike rows are two orders
    uploads = list(ReceivedUpload.objects.order_by("received_at"))
    assert [(row.created, row.unchanged) for row in uploads] == [(3, 0), (0, 3)]
    assert uploads[0].sha256 == uploads[1].sha256


def test_a_bad_row_refuses_all_of_the_file(script, counter):
    answer = script.simple(
        f"D-1,{WHEN},,17,,,PAID,5,,,",
        f"D-2,{WHEN},,17,,,PAID,much,,,",
        "D-3,yesterday,,17,,,PAID,5,,,",
        f"D-4,{WHEN},,17",
    )
    assert answer.status == 400
    assert errors_of(answer) == [
        ("invalid_uploading", "line 3, column revenue", "money_format"),
        ("invalid_uploading", "line 4, column create_date_time", "date_format"),
        ("invalid_uploading", "line 5", "cell_count"),
    ]
    assert answer.body["message"].startswith("line 3, column revenue: This is no amount. Write for example 5000.00.")
    assert not Order.objects.exists() and not StatusChange.objects.exists()
    upload = ReceivedUpload.objects.get()
    assert (upload.state, upload.created, len(upload.problems)) == ("FAILED", 0, 3)
    [listed] = script.get("last_uploadings").body["uploadings"]
    assert (listed["uploading_id"], listed["api_validation_status"]) == (str(upload.pk), "FAILED")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (csv(), "no_rows"),
        (csv(f"D-1,{WHEN},17", header="id,created,client_ids"), "missing_column"),
        (csv(f"D-1;{WHEN};17", header="id;create_date_time;client_ids"), "delimiter"),
        (csv(f'D-1,{WHEN},"17', header="id,create_date_time,client_ids"), "quoting"),
        ("id,create_date_time,order_status\nD-1,2026-01-01,Оплачен\n".encode("cp1251"), "encoding"),
        (csv(f"D-1,{WHEN},17", header="id,create_date_time,id"), "duplicate_column"),
    ],
    ids=["empty", "no rows", "missing column", "delimiter", "quoting", "encoding", "duplicate column"],
)
def test_a_file_that_cannot_be_used(script, counter, content, code):
    answer = script.csv("data/simple_orders", content)
    assert answer.status == 400
    assert errors_of(answer)[0][0] == "invalid_uploading" and errors_of(answer)[0][2] == code
    assert ReceivedUpload.objects.get().state == "FAILED" and not Order.objects.exists()


def test_what_is_written_otherwise_than_metrica_wants_is_taken_as_everywhere_here(script, counter):
    """R1: by REST the same row gives the same."""
    answer = script.simple(
        f'D-1,{WHEN},,,"Buyer@Shop.example, nobody","8 (903) 123-45-67",PAID,0.30000000000000004,,,usd',
        delimiter_type="COMMA",
    )
    assert answer.status == 200
    one = order()
    assert one.identifiers == {"emails": ["buyer@shop.example"], "phones": ["79031234567"]}
    assert (one.current_change.revenue, one.current_change.currency) == (Decimal("0.3"), "USD")
    [remark] = ReceivedUpload.objects.get().remarks
    assert (remark["location"], remark["count"]) == ("line 2, column emails", 1)


def test_a_byte_order_mark_semicolons_and_columns_that_mean_nothing(script, counter):
    content = b"\xef\xbb\xbf" + csv(
        f"D-1;{WHEN};17;PAID;hello", header="id;create_date_time;client_ids;order_status;comment"
    )
    assert script.csv("data/simple_orders", content, delimiter_type="SEMICOLON").status == 200
    assert order().order_status == "PAID"
    assert ReceivedUpload.objects.get().ignored == ["comment"]


def test_a_blank_status_is_paid(script, counter):
    script.simple(f"D-1,{WHEN},17", header="id,create_date_time,client_ids")
    assert order().order_status == "PAID"


def test_statuses_as_a_script_knows_them(script, counter):
    """Metrica's own words, ids of goals and ids of mapped statuses need no further mapping; another word is held."""
    Goal.objects.create(counter=counter, identifier="good_lead")
    set_status(counter=counter, crm_status="Запись в филиал №1", type="PAID", metrica_id="zapis1")
    statuses = ["IN_PROGRESS", "CANCELLED", "good_lead", "zapis1", "Запись в филиал №1", "paid"]
    script.simple(*(f"D-{number},{WHEN},,17,,,{status},,,," for number, status in enumerate(statuses)))
    found = StatusChange.objects.order_by("order__order_id").values_list("order_status", "delivery", "hold_reason")
    assert list(found) == [
        ("IN_PROGRESS", "waiting", ""),
        ("CANCELLED", "waiting", ""),
        ("good_lead", "waiting", ""),
        ("Запись в филиал №1", "waiting", ""),
        ("Запись в филиал №1", "waiting", ""),
        ("paid", "held", "unmapped_status"),
    ]


def test_several_rows_of_one_order_are_changes_one_after_the_other(script, counter):
    script.simple(f"D-1,{WHEN},,17,,,IN_PROGRESS,,,,", f"D-1,{WHEN},,17,,,PAID,5,,,")
    assert list(order().changes.order_by("seq").values_list("order_status", flat=True)) == ["IN_PROGRESS", "PAID"]


def test_orders_and_clients_in_json(script, counter):
    assert (
        script.contacts({"uniq_id": "C-1", "name": "Anna", "emails": ["A@b.example"], "client_ids": [17]}).status == 200
    )
    answer = script.orders(
        {
            "revenue": 7000,
            "cost": 4500.5,
            "currency": "EUR",
            "goals": [{"goal_action_id": "meeting_done", "price": 150.5}],
            "products": {"sku-1": 2},
            "update_date_time": local(1),
            "attribute_values": {"branch": ["north"]},
            "user_comment": "hello",
        }
    )
    assert answer.body["uploading"]["uploading_format"] == "JSON" and answer.body["uploading"]["elements_count"] == 1
    one = order()
    assert (one.client.name, one.client.identifiers) == ("Anna", {"emails": ["a@b.example"], "client_ids": ["17"]})
    change = one.current_change
    assert (change.revenue, change.cost, change.currency) == (7000, Decimal("4500.5"), "EUR")
    assert change.goals == [{"goal_action_id": "meeting_done", "price": "150.5"}]
    assert (change.products, change.attributes) == ({"sku-1": 2}, {"branch": "north"})
    assert change.status_date_time > one.create_date_time
    assert change.delivery == "waiting"  # its client has what the order lacks
    assert ReceivedUpload.objects.get(kind="orders").ignored == ["user_comment"]


def test_orders_and_clients_in_csv_with_titles_of_ones_own(script, counter):
    people = csv("C-1,Anna,a@b.example,41", header="Client No,Full name,Mail,Age")
    mapping = '"uniq_id":"Client No","name":"Full name","emails":"Mail","age":"Age"'
    assert script.csv("data/contacts/csv", people, columns_mapping=mapping).status == 200
    client = Client.objects.get()
    assert (client.uniq_id, client.name, client.attributes) == ("C-1", "Anna", {"age": "41"})
    deals = csv(
        f"D-1;C-1;CONTACT;{WHEN};PAID;10;Laptop TG12:1,Bag:2;won:5,lost",
        header="id;client_uniq_id;client_type;create_date_time;order_status;revenue;products;goals",
    )
    assert script.csv("data/orders/csv", deals, delimiter_type="SEMICOLON").status == 200
    assert order().client == client and order().current_change.products == {"Laptop TG12": 1, "Bag": 2}
    bad = csv(
        f"D-2;C-1;COMPANY;{WHEN};PAID;-1", header="id;client_uniq_id;client_type;create_date_time;order_status;Sum"
    )
    answer = script.csv("data/orders/csv", bad, delimiter_type="SEMICOLON", columns_mapping='"revenue":"Sum"')
    assert errors_of(answer) == [("invalid_uploading", "line 2, column client_type", "client_type")]
    bad = bad.replace(b"COMPANY", b"CONTACT")
    answer = script.csv("data/orders/csv", bad, delimiter_type="SEMICOLON", columns_mapping='"revenue":"Sum"')
    assert errors_of(answer) == [("invalid_uploading", "line 2, column Sum", "money_negative")]


def test_the_old_addresses_go_by_content_type(script, counter):
    body = {"contacts": [{"uniq_id": "C-1"}]}
    assert script.json("data/contacts?merge_mode=APPEND", body).body["uploading"]["uploading_format"] == "JSON"
    answer = script.csv("data/contacts", csv("C-2", header="uniq_id"))
    assert answer.body["uploading"]["uploading_format"] == "CSV"
    deals = csv(f"D-1,C-1,CONTACT,{WHEN},PAID", header="id,client_uniq_id,client_type,create_date_time,order_status")
    assert script.csv("data/orders", deals).status == 200
    assert script("POST", "data/orders?merge_mode=SAVE", deals.replace(b"D-1", b"D-2"), "text/csv").status == 200
    assert Client.objects.count() == 2 and Order.objects.count() == 2


@pytest.mark.parametrize(
    ("row", "location", "code"),
    [
        ({"id": None}, "orders[1].id", "required"),
        ({"client_uniq_id": ""}, "orders[1].client_uniq_id", "required"),
        ({"client_type": "COMPANY"}, "orders[1].client_type", "client_type"),
        ({"revenue": "much"}, "orders[1].revenue", "money_format"),
        ({"revenue": True}, "orders[1].revenue", "wrong_type"),
        ({"create_date_time": "31.02.2026"}, "orders[1].create_date_time", "date_nonexistent"),
        ({"update_date_time": "soon"}, "orders[1].update_date_time", "date_format"),
        ({"goals": {"a": 1}}, "orders[1].goals", "wrong_type"),
        ({"products": {"a": 0}}, "orders[1].products", "bad_quantity"),
        ({"attribute_values": ["x"]}, "orders[1].attribute_values", "object_expected"),
        ({"order_status": ["PAID"]}, "orders[1].order_status", "wrong_type"),
    ],
)
def test_a_bad_object_is_named(script, counter, row, location, code):
    answer = script.orders({}, {"id": "D-2", **row})
    assert (answer.status, errors_of(answer)) == (400, [("invalid_uploading", location, code)])
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("body", "error_type", "location"),
    [
        (b"", "invalid_json", ""),
        (b'{"orders": [', "invalid_json", "orders[0]"),
        (b"\xff", "invalid_json", ""),
        (b"[]", "invalid_uploading", ""),
        (b"{}", "invalid_uploading", "orders"),
        (b'{"orders": {}}', "invalid_uploading", "orders"),
        (b'{"orders": [1]}', "invalid_uploading", "orders[0]"),
        (b'{"orders": []}', "invalid_uploading", ""),
    ],
)
def test_a_body_that_cannot_be_used(script, counter, body, error_type, location):
    answer = script.json("data/orders/json?merge_mode=SAVE", body)
    assert answer.status == 400
    assert errors_of(answer)[0][:2] == (error_type, location)


def test_parameters_are_read_as_metrica_reads_them(script, counter):
    good = csv(f"D-1,{WHEN},17", header="id,create_date_time,client_ids")
    for query, error_type, location in (
        ({"merge_mode": ""}, "missing_parameter", "merge_mode"),
        ({"merge_mode": "REPLACE"}, "invalid_parameter", "merge_mode"),
        ({"delimiter_type": "TAB"}, "invalid_parameter", "delimiter_type"),
        ({"columns_mapping": "id=No"}, "invalid_parameter", "columns_mapping"),
    ):
        answer = script.csv("data/simple_orders", good, **query)
        assert answer.status == 400 and answer.body["errors"][0]["error_type"] == error_type
        assert answer.body["errors"][0]["location"] == location
    answer = script("POST", "data/simple_orders?merge_mode=SAVE", {"other": "x"})
    assert (answer.status, answer.body["errors"][0]["error_type"]) == (400, "invalid_uploading")
    assert not ReceivedUpload.objects.exists()


def test_limits_of_size_and_rows(script, counter, settings):
    lines = [f"D-{number},{WHEN},,17,,,PAID,,,," for number in range(5)]
    settings.GATEWAY_MAX_ROWS = 4
    assert errors_of(script.simple(*lines)) == [("invalid_uploading", "line 6", "too_many_rows")]
    settings.GATEWAY_MAX_ROWS, settings.GATEWAY_MAX_FILE_BYTES = 5, len(csv(*lines)) - 1
    assert script.simple(*lines).body["errors"][0]["location"] == "file"
    body = json.dumps({"contacts": [{"uniq_id": "x" * 200}] * 10}).encode()
    assert script.json("data/contacts/json?merge_mode=SAVE", body).status == 400
    settings.GATEWAY_MAX_FILE_BYTES += 1
    assert script.simple(*lines).status == 200


def test_dates_are_the_counters(script, counter):
    Counter.objects.update(time_zone="Asia/Vladivostok")
    script.simple("D-1,2026-11-20 10:00:00,,17,,,PAID,,,,")
    assert order().create_date_time.isoformat() == "2026-11-20T00:00:00+00:00"
    [listed] = script.get("last_uploadings").body["uploadings"]
    assert listed["datetime"][:13] == timezone.now().astimezone(ZoneInfo("Asia/Vladivostok")).strftime("%Y-%m-%d %H")


def test_last_uploadings_page_by_page(script, counter):
    for number in range(4):
        script.simple(f"D-{number},{WHEN},,17,,,PAID,,,,")
    uploads = list(ReceivedUpload.objects.order_by("received_at"))
    for number, upload in enumerate(uploads):
        ReceivedUpload.objects.filter(pk=upload.pk).update(received_at=upload.received_at - timedelta(hours=4 - number))
    first = script.get("last_uploadings?limit=2&source=API").body["uploadings"]
    assert [row["uploading_id"] for row in first] == [str(uploads[3].pk), str(uploads[2].pk)]
    rest = script.get(f"last_uploadings?datetime_offset={first[-1]['datetime']}").body["uploadings"]
    assert [row["uploading_id"] for row in rest] == [str(uploads[1].pk), str(uploads[0].pk)]
    early = "datetime_offset=0001-01-01 00:00:00"
    for query in ("limit=0", "limit=1001", "source=UI", "datetime_offset=today", early):
        assert script.get(f"last_uploadings?{query}").status == 400


def test_names_that_no_database_keeps(script, counter):
    """What a file calls its columns is told back, but never in a form that breaks."""
    script.csv("data/simple_orders", csv(f"D-1,{WHEN},17,x", header="id,create_date_time,client_ids,a\0b"))
    body = json.dumps({"contacts": [{"uniq_id": "C-1", "a\0\ud800": 1}]}).encode()
    assert script.json("data/contacts/json?merge_mode=SAVE", body).status == 200
    answer = script.csv("data/contacts/csv", csv("C-1", header="uniq_id"), columns_mapping='"name":"a%00b"')
    assert answer.status == 400 and answer.body["errors"][0]["error_type"] == "invalid_uploading"
    assert [row.ignored for row in ReceivedUpload.objects.filter(kind="contacts", state="PASSED")] == [["a\ufffd?"]]


def test_its_line_goes_after_the_days_that_are_set_and_the_order_stays(script, counter, settings):
    for number in (1, 2):
        assert script.simple(f"D-{number},{WHEN},,1700000000123456789,,,PAID,,,,").status == 200
    first, second = ReceivedUpload.objects.order_by("received_at")
    ReceivedUpload.objects.filter(pk=first.pk).update(received_at=timezone.now() - timedelta(days=181))
    tick.on_tick(now=timezone.now())
    assert list(ReceivedUpload.objects.all()) == [second]
    assert Order.objects.count() == 2
