"""Merge modes of the detailed format, customers and orders, against a model that is nothing but the table in 3.1."""

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.metrica.vocabulary import MergeMode
from apps.metrica.wire.money import format_money
from apps.sandbox import schema, services
from apps.sandbox.models import EntityType, UploadFormat, UploadKind
from apps.sandbox.receiving import FileRefused
from tests.sandbox.conftest import NOW, Desk, as_file, local

_numbers = itertools.count(1)


def some(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=3)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A field that is null, or there."""
    return st.none() | values


amounts = st.integers(0, 10**6).map(lambda cents: cents / 100)
attributes = st.fixed_dictionaries(
    {}, optional={"city": some("Perm", "Tver").map(lambda v: v[:1]), "tags": some("a", "b", "c")}
)
contacts = st.fixed_dictionaries(
    {},
    optional={
        "name": maybe(st.sampled_from(["", "Anna", "Boris"])),
        "birth_date": maybe(st.sampled_from(["1990-02-28", "1991-01-01"])),
        "client_ids": maybe(some("17", "18", "19")),
        "emails": maybe(some("a@shop.example", "b@shop.example")),
        "phones": maybe(some("79031234567", "79031234568")),
        "attribute_values": maybe(attributes),
    },
)
orders = st.fixed_dictionaries(
    {
        "client_uniq_id": st.sampled_from(["C-1", "C-2"]),
        "order_status": st.sampled_from(["IN_PROGRESS", "PAID", "SPAM", "good_lead"]),
    },
    optional={
        "revenue": maybe(amounts),
        "cost": maybe(amounts),
        "currency": maybe(st.sampled_from(["", "RUB", "USD"])),
        "finish_date_time": maybe(st.sampled_from(["2026-03-09 10:00:00", "2026-03-08 10:00:00"])),
        "products": maybe(st.dictionaries(st.sampled_from(["sku 1", "sku:2", "sku,3"]), st.integers(1, 9))),
        "goals": maybe(st.dictionaries(st.sampled_from(["deal_won", "branch_2"]), st.none() | amounts)),
        "attribute_values": maybe(attributes),
    },
)
modes = st.sampled_from(MergeMode)
LISTS = ("client_ids", "emails", "phones")


def by_the_table(stored: dict[str, Any], uploaded: dict[str, Any], mode: MergeMode) -> dict[str, Any]:
    """What is stored after the upload; what is null is not in it."""
    after = {} if mode is MergeMode.SAVE else dict(stored)
    for name, value in uploaded.items():
        if value in (None, "", [], {}):
            continue
        held = after.get(name)
        if name == "attribute_values":
            given = {key: values for key, values in value.items() if values}
            after[name] = {**(held or {}), **given}
            if mode is MergeMode.APPEND and held and "tags" in held and "tags" in given:
                after[name]["tags"] = list(dict.fromkeys([*held["tags"], *given["tags"]]))
            if not after[name]:
                del after[name]
        elif mode is MergeMode.APPEND and held and name in LISTS:
            after[name] = list(dict.fromkeys([*held, *value]))
        elif mode is MergeMode.APPEND and held and name == "products":
            after[name] = {**held, **value}
        elif mode is MergeMode.APPEND and held and name == "goals":
            after[name] = {
                **held,
                **{goal: price for goal, price in value.items() if price is not None or goal not in held},
            }
        else:
            after[name] = value
    return after


@pytest.fixture
def shop(desk: Desk) -> Desk:
    for entity_type in (EntityType.CONTACT, EntityType.ORDER):
        schema.create_attributes(
            counter=desk.counter,
            entity_type=entity_type,
            attributes=[schema.Attribute(name="city"), schema.Attribute(name="tags", multivalued=True)],
        )
    return desk


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(contacts, modes), min_size=1, max_size=4))
def test_any_sequence_of_customers_follows_the_table(
    shop: Desk, uploads: list[tuple[dict[str, Any], MergeMode]]
) -> None:
    uniq_id = f"C-{next(_numbers)}"
    model: dict[str, Any] = {}
    for row, mode in uploads:
        model = by_the_table(model, row, mode)
        shop.contacts({"uniq_id": uniq_id, **row}, mode=mode)
        held = shop.customer(uniq_id)
        assert held.name == model.get("name", "")
        assert (held.birth_date.isoformat() if held.birth_date else None) == model.get("birth_date")
        for name in LISTS:
            assert getattr(held, name) == ",".join(model.get(name, [])), (name, mode)
        assert (held.attribute_values or {}) == model.get("attribute_values", {}), mode


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(orders, modes), min_size=1, max_size=4))
def test_any_sequence_of_orders_follows_the_table(shop: Desk, uploads: list[tuple[dict[str, Any], MergeMode]]) -> None:
    order_id = f"D-{next(_numbers)}"
    model: dict[str, Any] = {}
    for row, mode in uploads:
        model = by_the_table(model, row, mode)
        goals = row.get("goals") or {}
        wire = row | {"goals": [{"goal_action_id": goal, "price": price} for goal, price in goals.items()]}
        shop.orders({"id": order_id, **wire}, mode=mode)
        held = shop.order(order_id)
        for name in ("client_uniq_id", "order_status", "currency"):
            assert getattr(held, name) == model.get(name, ""), (name, mode)
        for name in ("revenue", "cost"):
            expected = model.get(name)
            assert getattr(held, name) == (None if expected is None else Decimal(str(expected))), (name, mode)
        finished = held.finish_date_time
        assert (local(finished) if finished else None) == model.get("finish_date_time")
        assert (held.products or {}) == model.get("products", {}), mode
        listed = dict([*item.split(":"), None][:2] for item in held.goals.split(",") if item)
        assert {goal: None if price is None else Decimal(price) for goal, price in listed.items()} == {
            goal: None if price is None else Decimal(str(price)) for goal, price in model.get("goals", {}).items()
        }
        assert (held.attribute_values or {}) == model.get("attribute_values", {}), mode


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(orders, modes), min_size=1, max_size=4))
def test_both_formats_of_a_row_do_the_same(shop: Desk, uploads: list[tuple[dict[str, Any], MergeMode]]) -> None:
    """uploadOrders, uploadOrdersJson: one row as CSV and as JSON."""
    number = next(_numbers)
    for row, mode in uploads:
        goals, values = row.get("goals") or {}, row.get("attribute_values") or {}
        products = {name: count for name, count in (row.get("products") or {}).items() if "," not in name}
        wire = row | {
            "goals": [{"goal_action_id": goal, "price": price} for goal, price in goals.items()],
            "products": products,
        }
        shop.orders({"id": f"J-{number}", **wire}, mode=mode)
        cells = {
            "id": f"C-{number}",
            "client_uniq_id": row["client_uniq_id"],
            "client_type": "CONTACT",
            "create_date_time": local(NOW),
            "order_status": row["order_status"],
            "revenue": _money(row.get("revenue")),
            "cost": _money(row.get("cost")),
            "currency": row.get("currency") or "",
            "finish_date_time": row.get("finish_date_time") or "",
            "products": ",".join(f"{name}:{count}" for name, count in products.items()),
            "goals": ",".join(goal if price is None else f"{goal}:{_money(price)}" for goal, price in goals.items()),
            "city": ",".join(values.get("city", [])),
            "tags": ",".join(values.get("tags", [])),
        }
        text = ",".join(cells) + "\n" + ",".join(f'"{cell}"' for cell in cells.values()) + "\n"
        services.receive(
            kind=UploadKind.ORDERS,
            counter=shop.counter,
            file=as_file(text),
            uploading_format=UploadFormat.CSV,
            merge_mode=mode,
            now=NOW,
        )
    same = ("client_uniq_id", "order_status", "type", "revenue", "cost", "currency", "goals", "products")
    same += ("finish_date_time", "first_paid_at", "attribute_values", "customer_key")
    by_json, by_csv = shop.order(f"J-{number}"), shop.order(f"C-{number}")
    assert {name: getattr(by_json, name) for name in same} == {name: getattr(by_csv, name) for name in same}


def _money(amount: float | None) -> str:
    return "" if amount is None else format_money(Decimal(str(amount)))


@pytest.mark.parametrize(
    ("mode", "name", "phones"),
    [
        (MergeMode.SAVE, "", "79031234567,79031234569"),
        (MergeMode.UPDATE, "Anna", "79031234567,79031234569"),
        (MergeMode.APPEND, "Anna", "79031234567,79031234568,79031234569"),
    ],
)
def test_the_table_itself(desk: Desk, mode: MergeMode, name: str, phones: str) -> None:
    """modes: 1 with nothing uploaded gives null, 1, 1; 1,2 with 1,3 gives 1,3; 1,3; 1,2,3."""
    desk.contacts({"uniq_id": "C-1", "name": "Anna", "phones": ["79031234567", "79031234568"]})
    desk.contacts({"uniq_id": "C-1", "phones": ["79031234567", "79031234569"]}, mode=mode)
    held = desk.customer("C-1")
    assert (held.name, held.phones) == (name, phones)


@pytest.mark.parametrize("mode", MergeMode)
def test_required_fields_are_required_in_every_mode(desk: Desk, mode: MergeMode) -> None:
    """modes: in every mode all required fields must be present, even unchanged ones."""
    desk.contacts({"uniq_id": "C-1"})
    desk.orders({})
    with pytest.raises(FileRefused):
        desk.contacts({"name": "Anna"}, mode=mode)
    for name in ("id", "client_uniq_id", "client_type", "create_date_time", "order_status"):
        with pytest.raises(FileRefused) as caught:
            desk.orders({name: None}, mode=mode)
        assert caught.value.problems[0].location == f"orders[0].{name}"


@pytest.mark.parametrize("mode", MergeMode)
def test_what_an_upload_does_not_name_is_not_touched(desk: Desk, mode: MergeMode) -> None:
    """modes: records absent from the upload are never touched, in any mode."""
    desk.contacts({"uniq_id": "C-1", "name": "Anna"})
    desk.orders({"id": "D-1", "order_status": "SPAM"})
    desk.contacts({"uniq_id": "C-2", "name": "Boris"}, mode=mode)
    desk.orders({"id": "D-2"}, mode=mode)
    assert desk.customer("C-1").name == "Anna"
    assert desk.order("D-1").type == "SPAM"


def test_creation_times_never_change(desk: Desk) -> None:
    """uploadOrders: immutable; uploadContacts: and modes: the date of a customer neither, by default of the switch."""
    first, later = "2026-03-01 10:00:00", "2026-03-02 10:00:00"
    desk.contacts({"uniq_id": "C-1", "create_date_time": first})
    desk.orders({"create_date_time": first})
    for mode in MergeMode:
        desk.contacts({"uniq_id": "C-1", "create_date_time": later}, {"uniq_id": "C-1"}, mode=mode)
        desk.orders({"create_date_time": later}, mode=mode)
    assert local(desk.customer("C-1").create_date_time) == local(desk.order("D-1").create_date_time) == first
    assert "created_kept" in {note for row in desk.customer("C-1").events.all() for note in row.notes.split(",")}
    services.set_switch(name="contact_created", value="changed")
    desk.contacts({"uniq_id": "C-1", "create_date_time": later})
    assert local(desk.customer("C-1").create_date_time) == later


def test_duplicates_of_one_upload_are_applied_in_random_order(desk: Desk) -> None:
    """modes: several rows with one identifier are applied in random order, customers and orders alike."""
    names = {"Anna", "Boris", "Vera"}
    last_names, last_types = set(), set()
    for number in range(40):
        desk.contacts(*({"uniq_id": f"C-{number}", "name": name} for name in sorted(names)))
        desk.orders(*({"id": f"D-{number}", "order_status": status} for status in ("IN_PROGRESS", "PAID", "SPAM")))
        last_names.add(desk.customer(f"C-{number}").name)
        last_types.add(desk.order(f"D-{number}").type)
        assert desk.customer(f"C-{number}").events.count() == len(desk.events(f"D-{number}")) == 3
    assert last_names == names
    assert last_types == {"IN_PROGRESS", "PAID", "SPAM"}


def test_an_order_of_the_other_format_keeps_to_the_table(desk: Desk) -> None:
    """modes: SAVE replaces everything that was sent about the record, whichever format it came in."""
    desk.send("D-1,2026-03-10,C-1,17,,,PAID,5,,,")
    desk.orders({"products": {"sku-1": 1}}, mode=MergeMode.UPDATE)
    both = desk.order("D-1")
    assert (both.client_ids, both.products, both.revenue) == ("17", {"sku-1": 1}, Decimal(5))
    desk.orders({})
    assert (desk.order("D-1").client_ids, desk.order("D-1").products) == ("", None)
    desk.orders({"products": {"sku-1": 1}})
    desk.send("D-1,2026-03-10,C-2,17,,,PAID,5,,,")
    simple = desk.order("D-1")
    assert (simple.products, simple.customer_key, simple.client_ids) == (None, None, "17")


def test_json_is_kept_as_text(desk: Desk) -> None:
    """What is uploaded is a stranger's text: quotes, dots and brackets come back as they were."""
    name = json.dumps({"a": ["<b>", "'"]})
    desk.contacts({"uniq_id": "C-1", "name": name})
    assert desk.customer("C-1").name == name
