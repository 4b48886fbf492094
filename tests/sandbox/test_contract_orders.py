"""`/data/orders/csv`, `/data/orders/json` and the old `/data/orders` over real HTTP. Each line of a table: the fact of
the contract, what is sent, what must come of it."""

from typing import Any

import pytest

from apps.sandbox import detailed
from apps.sandbox.models import SandboxOrder
from tests.sandbox.conftest import NUMBER, Api, error_of

SAVE = "merge_mode=SAVE"
HEADER = "id,client_uniq_id,client_type,create_date_time,order_status"
ROW = "D-1,C-1,CONTACT,2026-03-04 10:00:00,PAID"
ORDER = {
    "id": "D-1",
    "client_uniq_id": "C-1",
    "client_type": "CONTACT",
    "create_date_time": "2026-03-04 10:00:00",
    "order_status": "PAID",
}


def csv(more: str = "", cells: str = "", row: str = ROW) -> str:
    return f"{HEADER}{',' if more else ''}{more}\n{row}{',' if more else ''}{cells}\n"


def without(name: str) -> str:
    """The file without one of its required columns."""
    kept = [place for place, column in enumerate(HEADER.split(",")) if column != name]
    return "\n".join(",".join(line.split(",")[place] for place in kept) for line in (HEADER, ROW)) + "\n"


def blank(name: str) -> str:
    """The file with a required cell left blank."""
    cells = ["" if column == name else cell for column, cell in zip(HEADER.split(","), ROW.split(","), strict=True)]
    return f"{HEADER}\n{','.join(cells)}\n"


@pytest.fixture
def shop(api: Api) -> Api:
    """The counter knows two attributes of orders and a mapped status."""
    attributes = [
        {"name": "channel", "multivalued": False, "type_name": "text"},
        {"name": "tags", "multivalued": True, "type_name": "text"},
    ]
    assert api.cdp("POST", "schema/attributes?entity_type=order", {"attributes": attributes}).status_code == 200
    statuses = [{"id": "meeting", "type": "OTHER", "goal_action_ids": ["good_lead"]}]
    assert api.cdp("POST", "schema/order_statuses", {"order_statuses": statuses}).status_code == 200
    return api


def order(api: Api, order_id: str = "D-1") -> dict[str, Any]:
    (found,) = api.look("orders", counter=NUMBER, id=order_id)["orders"]
    return found


GOOD_CSV = [
    ("uploadOrders: five columns are required", csv(), {"type": "PAID", "client_uniq_id": "C-1", "revenue": None}),
    ("uploadOrders: order_status: the id of a mapped status",
     csv(row=ROW.replace("PAID", "meeting")), {"type": "OTHER"}),
    ("uploadOrders: order_status: the id of a JavaScript goal",
     csv(row=ROW.replace("PAID", "deal_won")), {"type": "OTHER"}),
    ("uploadOrders: order_status: an arbitrary string", csv(row=ROW.replace("PAID", "Новый")),
     {"type": "OTHER", "unknown_status": True}),
    ("uploadOrders: revenue, cost, currency", csv("revenue,cost,currency", "5000.50,3200,USD"),
     {"revenue": "5000.5", "cost": "3200", "currency": "USD"}),
    ("uploadOrders: products: id and quantity, ids with spaces", csv("products", '"Laptop TG12:1,Bag:2"'),
     {"products": {"Laptop TG12": 1, "Bag": 2}}),
    ("uploadOrders: products: only the last colon is the quantity's",
     csv("products", "a:b:3"), {"products": {"a:b": 3}}),
    ("uploadOrders: goals with prices or without",
     csv("goals", '"deal_won:5000,branch_2"'), {"goals": "deal_won:5000,branch_2"}),
    ("uploadOrders: update_date_time and finish_date_time", csv("update_date_time,finish_date_time",
     "05.03.2026 09:30,06.03.2026"),
     {"update_date_time": "2026-03-05T06:30:00+00:00", "finish_date_time": "2026-03-06T20:59:00+00:00"}),
    ("uploadOrders: custom attributes", csv("channel,tags", 'shop,"a,b"'),
     {"attribute_values": {"channel": ["shop"], "tags": ["a", "b"]}}),
    ("date: a date without time counts as 23:59", csv(row=ROW.replace(" 10:00:00", "")),
     {"date_only": True, "create_date_time": "2026-03-04T20:59:00+00:00"}),
]  # fmt: skip

BAD_CSV = [
    *((f"uploadOrders: {name} is a required column",
     without(name), f"line 1, column {name}") for name in HEADER.split(",")),
    *((f"uploadOrders: {name} is required in every row",
     blank(name), f"line 2, column {name}") for name in HEADER.split(",")),
    ("uploadOrders: client_type: only CONTACT is valid", csv(row=ROW.replace("CONTACT", "COMPANY")),
     "line 2, column client_type"),
    ("uploadOrders: revenue is a decimal", csv("revenue", "5 000"), "line 2, column revenue"),
    ("orders-data: a decimal comma is not documented", csv("cost", '"5,5"'), "line 2, column cost"),
    ("uploadOrders: currency: ISO 4217", csv("currency", "RUR"), "line 2, column currency"),
    ("uploadOrders: products have a quantity", csv("products", "Bag"), "line 2, column products"),
    ("uploadOrders: a quantity is a whole number", csv("products", "Bag:1.5"), "line 2, column products"),
    ("goals: forbidden characters of goals", csv("goals", "a&b"), "line 2, column goals"),
    ("createAttributes: an attribute must exist before", csv("colour", "red"), "line 1, column colour"),
    ("uploadSimpleOrders: identifiers are no columns of orders here",
     csv("client_ids", "17"), "line 1, column client_ids"),
    ("date: not ISO with T", csv(row=ROW.replace(" 10", "T10")), "line 2, column create_date_time"),
    ("uploadOrders: an id longer than an id can be", csv(row=ROW.replace("D-1", "D" * 256)), "line 2, column id"),
    ("uploadOrders: a customer's id too", csv(row=ROW.replace("C-1", "C" * 256)), "line 2, column client_uniq_id"),
    ("5.7 a header alone", HEADER + "\n", "line 1"),
]  # fmt: skip

GOOD_JSON = [
    ("uploadOrdersJson: five fields are required", {}, {"type": "PAID", "client_uniq_id": "C-1"}),
    ("uploadOrdersJson: the published sample", {
        "update_date_time": "2026-03-05 09:30:00", "order_status": "meeting", "revenue": 7000, "cost": 4500,
        "currency": "RUB", "goals": [{"goal_action_id": "deal_won", "price": 150.5}], "products": {"sku-1": 2,
        "sku-9": 1},
     }, {"type": "OTHER", "revenue": "7000", "cost": "4500", "currency": "RUB", "goals": "deal_won:150.5",
         "products": {"sku-1": 2, "sku-9": 1}, "update_date_time": "2026-03-05T06:30:00+00:00"}),
    ("uploadOrdersJson: amounts are doubles", {"revenue": 5000.55}, {"revenue": "5000.55"}),
    ("uploadOrdersJson: a goal without a price", {"goals": [{"goal_action_id": "deal_won"}]}, {"goals": "deal_won"}),
    ("uploadOrdersJson: finish_date_time", {"finish_date_time": "2026-03-06 10:00:00"},
     {"finish_date_time": "2026-03-06T07:00:00+00:00"}),
    ("uploadOrdersJson: attribute_values",
     {"attribute_values": {"tags": ["a", "b"]}}, {"attribute_values": {"tags": ["a", "b"]}}),
    ("uploadOrdersJson: user_comment is taken", {"user_comment": "calls"}, {"type": "PAID"}),
]  # fmt: skip

BAD_JSON = [
    *((f"uploadOrdersJson: {name} is required", {name: None}, f"orders[0].{name}") for name in ORDER),
    ("uploadOrdersJson: client_type: only CONTACT", {"client_type": "COMPANY"}, "orders[0].client_type"),
    ("uploadOrdersJson: id is a text", {"id": 1}, "orders[0].id"),
    ("uploadOrdersJson: revenue is a number", {"revenue": "7000"}, "orders[0].revenue"),
    ("uploadOrdersJson: goals is a list", {"goals": "deal_won"}, "orders[0].goals"),
    ("uploadOrdersJson: of objects with goal_action_id",
     {"goals": [{"price": 5}]}, "orders[0].goals[0].goal_action_id"),
    ("uploadOrdersJson: a price is a number",
     {"goals": [{"goal_action_id": "a", "price": "5"}]}, "orders[0].goals[0].price"),
    ("uploadOrdersJson: products is an object", {"products": ["sku-1"]}, "orders[0].products"),
    ("uploadOrdersJson: quantities are whole", {"products": {"sku-1": 1.5}}, "orders[0].products.sku-1"),
    ("createAttributes: an attribute must exist before", {"attribute_values": {"colour": ["red"]}},
     "orders[0].attribute_values.colour"),
    ("date: JSON has no other dates", {"create_date_time": "04.03.2026 10:00"}, "orders[0].create_date_time"),
    ("uploadOrdersJson: a goal that no upload could name in CSV",
     {"goals": [{"goal_action_id": "a,b"}]}, "orders[0].goals"),
]  # fmt: skip


def test_files_of_orders(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, text, expected in GOOD_CSV:
        with subtests.test(fact):
            SandboxOrder.objects.all().delete()
            response = shop.send_csv("data/orders/csv", text)
            assert response.status_code == 200, response.text
            assert {name: order(shop)[name] for name in expected} == expected


def test_files_that_are_refused(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, text, location in BAD_CSV:
        with subtests.test(fact):
            response = shop.send_csv("data/orders/csv", text)
            assert error_of(response) == (400, "invalid_uploading"), response.text
            assert response.json()["errors"][0]["location"] == location, response.text
            assert not SandboxOrder.objects.exists()


def test_json_of_orders(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, fields, expected in GOOD_JSON:
        with subtests.test(fact):
            SandboxOrder.objects.all().delete()
            response = shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": [ORDER | fields]})
            assert response.status_code == 200, response.text
            assert {name: order(shop)[name] for name in expected} == expected


def test_json_that_is_refused(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, fields, location in BAD_JSON:
        with subtests.test(fact):
            response = shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": [ORDER | fields]})
            assert error_of(response) == (400, "invalid_uploading"), response.text
            assert response.json()["errors"][0]["location"] == location, response.text
            assert not SandboxOrder.objects.exists()


def test_the_answers(shop: Api) -> None:
    """2, common answer: SYSTEM for orders, in the format of the upload; merge_mode is required."""
    assert error_of(shop.send_csv("data/orders/csv", csv(), "")) == (400, "missing_parameter")
    assert error_of(shop.cdp("POST", "data/orders/json", {"orders": [ORDER]})) == (400, "missing_parameter")
    shop.send_csv("data/orders/csv", csv())
    shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": [ORDER, ORDER | {"id": "D-2"}]})
    listed = shop.uploadings().json()["uploadings"]
    assert [(row["entity_type"], row["uploading_format"], row["elements_count"]) for row in listed] == [
        ("SYSTEM", "JSON", 2),
        ("SYSTEM", "CSV", 1),
    ]


def test_the_old_address_takes_both_formats(shop: Api) -> None:
    """2, OLD paths: CSV or JSON by Content-Type."""
    assert shop.send_csv("data/orders", csv()).status_code == 200
    assert shop.cdp("POST", f"data/orders?{SAVE}", {"orders": [ORDER | {"id": "D-2"}]}).status_code == 200
    assert SandboxOrder.objects.count() == 2


def test_columns_mapping_and_semicolons(shop: Api) -> None:
    """uploadOrders: several goals or products in a cell go well with SEMICOLON between the columns."""
    text = f"No;{HEADER[3:].replace(',', ';')};products\n{ROW.replace(',', ';')};Laptop TG12:1,Bag:2\n"
    response = shop.cdp(
        "POST",
        "data/orders/csv",
        params={"merge_mode": "SAVE", "delimiter_type": "SEMICOLON", "columns_mapping": '"id":"No"'},
        files={"file": ("a.csv", text, "text/csv")},
    )
    assert response.status_code == 200, response.text
    assert order(shop)["products"] == {"Laptop TG12": 1, "Bag": 2}


def test_a_customer_has_at_most_so_many_orders(shop: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """uploadOrders, uploadOrdersJson: at most 100,000 orders per customer. What goes beyond is refused whole, and the
    row is named."""
    assert detailed.MAX_ORDERS_PER_CLIENT == 100_000
    monkeypatch.setattr(detailed, "MAX_ORDERS_PER_CLIENT", 3)
    rows = [ORDER | {"id": f"D-{number}"} for number in range(3)]
    assert shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": rows}).status_code == 200
    again = shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": rows})
    assert again.status_code == 200, "the same orders again are no new ones"
    more = [ORDER | {"id": "E-1", "client_uniq_id": "C-2"}, ORDER | {"id": "E-2"}]
    response = shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": more})
    assert error_of(response) == (400, "invalid_uploading")
    assert response.json()["errors"][0]["location"] == "orders[1].client_uniq_id"
    as_csv = shop.send_csv("data/orders/csv", csv(row=ROW.replace("D-1", "E-2")))
    assert as_csv.json()["errors"][0]["location"] == "line 2, column client_uniq_id"
    assert SandboxOrder.objects.count() == 3
    last = shop.look("uploadings", counter=NUMBER)["uploadings"][-1]
    assert (last["status"], last["errors"][0]["code"]) == ("REFUSED", "too_many_orders")
    freed = shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": [rows[0] | {"client_uniq_id": "C-2"}]})
    assert freed.status_code == 200, "uploadSimpleOrders: an id lets you bind the order to another customer"
    assert shop.send_csv("data/orders/csv", csv(row=ROW.replace("D-1", "E-2"))).status_code == 200


def test_the_list_of_uploads_holds_every_kind(shop: Api) -> None:
    """getLastUploadings: all kinds of one counter, newest first, strictly before datetime_offset, at most `limit`."""
    shop.upload("id,create_date_time,client_ids\nD-9,2026-03-04,17\n")
    shop.cdp("POST", f"data/contacts/json?{SAVE}", {"contacts": [{"uniq_id": "C-1"}]})
    shop.cdp("POST", f"data/orders/json?{SAVE}", {"orders": [ORDER]})
    shop.cdp("POST", "schema/products", {"attributes": [], "items": [{"name": "sku-1"}]})
    listed = shop.uploadings().json()["uploadings"]
    assert [(row["entity_type"], row["uploading_format"]) for row in listed] == [
        ("SYSTEM_LIST", "JSON"),
        ("SYSTEM", "JSON"),
        ("SYSTEM", "JSON"),
        ("SYSTEM", "CSV"),
    ]
    assert [row["uploading_id"] for row in shop.uploadings("limit=2").json()["uploadings"]] == [
        row["uploading_id"] for row in listed[:2]
    ]
    oldest = listed[-1]["datetime"]
    before = shop.uploadings(f"datetime_offset={oldest}").json()["uploadings"]
    assert before == []
