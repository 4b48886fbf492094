"""R12: what the ledger sees of bodies that hold people: no name, no birthday, nothing of a CRM's own, at any length."""

import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.client import MetricaClient, OrderStatus
from apps.metrica.redact import shown_csv, shown_json
from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire.contacts import Contact, ContactsJsonWriter, ContactsWriter
from apps.metrica.wire.orders import OrdersJsonWriter, OrdersWriter
from tests.metrica.detailed import LATER, MOSCOW, NOON, ORDER
from tests.metrica.servers import PASSED, answering
from tests.metrica.test_client import client_for
from tests.metrica.test_outcomes import Ledger

PERSON = Contact(
    uniq_id="C-77",
    name='Анна "Anka" Petrova, née Sidorova\nSecondline',
    birth_date=date(1990, 1, 2),
    create_date_time=NOON,
    update_date_time=LATER,
    client_ids=("1700000000123456789",),
    emails=("anna.k@shop.example",),
    phones=("79031234567",),
    emails_md5=("261b44f92b75954e9125a14bd8029285",),
    attributes={"notes": ("Call on Sunday", "Blue eyes")},
)
SECRETS = ("Анна", "Anka", "Petrova", "Sidorova", "Secondline", "1990", "anna.k", "79031234567", "Sunday", "Blue",
           "1700000000123456789", "261b44f92b75954e9125")  # fmt: skip


def kept(call: str, data: bytes, **options: Any) -> str:
    """What the ledger keeps of the body of this upload."""
    ledger = Ledger()
    with answering(200, PASSED) as server, client_for(server, ledger) as client:
        getattr(client, call)(7, io.BytesIO(data), **options)
    (exchange,) = ledger.done
    assert exchange.request_size == len(server.seen[0].body)
    assert len(exchange.request_excerpt) <= 2000
    return exchange.request_excerpt


def contacts(kind: str, count: int = 1, delimiter: Delimiter = Delimiter.COMMA) -> bytes:
    out = io.BytesIO()
    if kind == "json":
        with ContactsJsonWriter(out, zone=MOSCOW) as writer:
            writer.write_many([PERSON] * count)
    else:
        ContactsWriter(out, zone=MOSCOW, attributes=("notes",), delimiter=delimiter).write_many([PERSON] * count)
    return out.getvalue()


@pytest.mark.parametrize("delimiter", Delimiter)
@pytest.mark.parametrize("count", [1, 100])
def test_customers_in_csv(delimiter: Delimiter, count: int) -> None:
    data = contacts("csv", count, delimiter)
    excerpt = kept("upload_contacts", data, delimiter=delimiter)
    assert not [secret for secret in SECRETS if secret in excerpt]
    assert excerpt.startswith(f"uniq_id{delimiter.char}•••{delimiter.char}•••{delimiter.char}create_date_time")
    for open_ in ("C-77", "2026-03-04 12:00:00", "2026-03-05 09:30:00", "•••@•••.example", "•••67", "•••89"):
        assert open_ in excerpt


@pytest.mark.parametrize("count", [1, 100])
def test_customers_in_json(count: int) -> None:
    excerpt = kept("upload_contacts_json", contacts("json", count))
    assert not [secret for secret in SECRETS if secret in excerpt]
    for open_ in (
        '"uniq_id": "C-77"',
        '"name": "•••"',
        '"birth_date": "•••"',
        "2026-03-04 12:00:00",
        "•••@•••.example",
    ):
        assert open_ in excerpt
    assert '"attribute_values": {"notes": ["•••", "•••"]}' in excerpt


def test_orders_show_all_but_the_attributes() -> None:
    out = io.BytesIO()
    with OrdersJsonWriter(out, zone=MOSCOW) as writer:
        writer.write(ORDER)
    excerpt = kept("upload_orders_json", out.getvalue())
    assert excerpt == out.getvalue().decode().replace("Ivan, the second", "•••")
    out = io.BytesIO()
    OrdersWriter(out, zone=MOSCOW, attributes=("manager",)).write(ORDER)
    excerpt = kept("upload_orders", out.getvalue())
    assert excerpt == out.getvalue().decode().replace("\r\n", "\n").replace(",manager", ",•••").replace(
        '"Ivan, the second"', "•••"
    )


def test_columns_are_told_by_the_titles_of_the_mapping() -> None:
    data = b"No;Mail;name;Born\nC-1;anna.k@shop.example;uniq_id;1990-01-02\n"
    mapping = {"uniq_id": "No", "emails": "Mail", "birth_date": "Born"}
    excerpt = kept("upload_contacts", data, delimiter=Delimiter.SEMICOLON, columns_mapping=mapping)
    assert excerpt == "No;Mail;•••;•••\nC-1;•••@•••.example;•••;•••\n"
    crossed = {"name": "uniq_id", "uniq_id": "Kundennummer"}
    excerpt = kept("upload_contacts", b"uniq_id,Kundennummer\nAnna,C-1\n", columns_mapping=crossed)
    assert excerpt == "•••,Kundennummer\n•••,C-1\n"


@pytest.mark.parametrize(
    "data",
    [
        "C-1,Anna Petrova,anna.k@shop.example\n",
        "uniq_id,name\nC-1,Pet\u2028rova Anna\n",
        "uniq_id,name\nC-1,Pet\rrova Anna\n",
        "uniq_id,name,emails\nC-1,Anna, Petrova,a@b.ru\n",
        'uniq_id,name\n"C-1,Anna\nPetrova,C-2\n',
        'uniq_id,name\nC-1,"Anna\nPetrova',
        "uniq_id;name\nC-1;Anna Petrova\n",
        "Petrova",
        "\ufeffuniq_id,name\nC-1,Anna Petrova\n",
    ],
)
def test_files_that_are_none_show_nothing(data: str) -> None:
    excerpt = kept("upload_contacts", data.encode())
    assert not [secret for secret in ("Petr", "rova", "Anna", "anna") if secret in excerpt]


@pytest.mark.parametrize(
    "data",
    [
        '{"contacts": [{"name" "Anna Petrova"}]}',
        '{"contacts": [{"uniq_id", "Anna Petrova": 1, "name": "Petrova"}',
        '{"contacts": [{"n\\u0061me": "Anna Petrova"}]}',
        '{"contacts": [{"attribute_values": {"uniq_id": "Anna", "emails": {"uniq_id": ["Petrova"]}}}]}',
        '{"contacts": ["Anna Petrova"]}',
        '{"contacts": [{"uniq_id": "C-1", "Anna Petrova"}]}',
        '{"contacts": [{"client_ids": ["1"], "Anna Petrova", {"uniq_id": "C-1"}}]}',
        '{"contacts": "Anna Petrova", "uniq_id": "x"}',
        '{"contacts": [{"uniq_id": {"uniq_id": "Anna Petrova"}}]}',
        '{"contacts": [{"uniq_id": "x", "goals": {"uniq_id": "Anna Petrova"}}]}',
        '{"people": [{"uniq_id": "Anna Petrova"}]}',
        '[{"uniq_id": "Anna Petrova"}]',
        '"Anna Petrova"',
        "Anna, Petrova",
        "uniq_id,name\nC-1,Anna Petrova",
        '{"contacts": [{"uniq_id": "C-1"}}, "Anna Petrova"',
        '{"contacts": [{"name": \'Anna Petrova\'}]}',
        '{"contacts": [{"name": "Anna \\" Petrova", "x": Petrova}]}',
    ],
)  # fmt: skip
def test_json_that_is_none_shows_nothing(data: str) -> None:
    excerpt = kept("upload_contacts_json", data.encode())
    said = excerpt.replace('"Anna Petrova": ', "")  # the name of a field is no value
    assert not [secret for secret in ("Petrova", "Anna") if secret in said]


@given(st.integers(0, 700), st.booleans())
def test_wherever_it_is_cut_no_half_of_a_secret_is_left(end: int, whole: bool) -> None:
    shown = ("uniq_id", "create_date_time", "update_date_time")
    data = contacts("json", 2).decode()
    text = shown_json(data[:end], whole, shown=shown, inside=("contacts",))
    assert not [secret for secret in (*SECRETS, "Anna", "shop", "790312", "17000", "261b") if secret[:4] in text]
    data = contacts("csv", 2).decode()
    text = shown_csv(data[:end], whole, delimiter=",", shown=shown)
    assert not [secret for secret in (*SECRETS, "shop", "790312", "17000", "261b") if secret[:4] in text]


DOCUMENTS = st.recursive(
    st.text("ab \\\"'{}[]:,\n", max_size=6) | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "contacts", "id"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_all_of_a_document_is_shown_where_all_fields_are(document: Any) -> None:
    """Nothing is lost or changed, so what is hidden is hidden by its field alone; and all is hidden where none is."""
    text = json.dumps({"contacts": document})
    assert shown_json(text, True, shown=(), inside=(), with_all=("contacts",)) == text
    assert json.loads(shown_json(text, True, shown=(), inside=("contacts", "a", "b"))) == {
        "contacts": _hidden(document)
    }


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _hidden(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return "•••"


def test_small_bodies_are_kept_with_the_masks_alone() -> None:
    ledger = Ledger()
    with answering(200, {"success": True}) as server, client_for(server, ledger) as client:
        client.map_order_statuses(7, [OrderStatus("call", "OTHER", "Позвонить 79031234567 или anna.k@shop.example")])
    excerpt = ledger.done[0].request_excerpt
    assert '"id": "call", "humanized": "Позвонить •••67 или •••@•••.example", "type": "OTHER"' in excerpt


def test_the_token_is_hidden_in_every_body() -> None:
    ledger = Ledger()
    token = "y0_AgAAAAsecretsecretsecret"
    data = json.dumps({"contacts": [{"uniq_id": token}]}).encode()
    with (
        answering(200, PASSED) as server,
        MetricaClient(base_url=server.url, token=token, recorder=ledger) as client,
    ):
        client.upload_contacts_json(7, io.BytesIO(data))
        client.upload_contacts(7, io.BytesIO(f"uniq_id\n{token}\n".encode()), columns_mapping={"name": token})
    for exchange in ledger.done:
        assert token not in exchange.request_excerpt + exchange.url
