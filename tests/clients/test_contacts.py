"""The look-up of people: whoever told an identifier is found by it, in any writing, and only by who may see it."""

from typing import Any

import pytest
from django.db import connection

from apps.agencies.actor import Actor
from apps.clients import contacts
from apps.clients.models import Client, Contact
from apps.metrica.identifiers import md5_of
from apps.orders import search
from apps.orders.models import Order
from tests.factories import SYSTEM, make_counter
from tests.orders.conftest import Send, counter, later, row, send, the_order

__all__ = ["counter", "send"]
PHONE = "79031234567"


def found(term: str, actor: Actor = SYSTEM) -> set[str]:
    meant = search.find(Order.objects.all(), term, actor=actor)
    return set(Order.objects.filter(pk__in=meant.keys).values_list("order_id", flat=True))


@pytest.mark.parametrize(
    "term",
    ["8 (903) 123-45-67", "+7 903 123-45-67", "8-903-123-45-67", "89031234567", "9031234567", "903 123 45 67",
     "tel:+7(903)1234567", "007 903 1234567", "  7 903 1234567\u00a0", md5_of(PHONE), md5_of(PHONE).upper()],
)  # fmt: skip
def test_a_phone_is_found_in_any_writing(send: Send, term: str) -> None:
    send(row(phones=[PHONE]), row(id="D-2", phones=["79990000000"]))
    assert found(term) == {"D-1"}


@pytest.mark.parametrize("term", ["Anna@Example.com", "mailto:anna@example.com", "Anna K. <anna@example.com>"])
def test_an_address_is_found_as_mail_programs_write_it(send: Send, term: str) -> None:
    send(row(emails=["anna@example.com"]))
    assert found(term) == {"D-1"}


def test_a_hash_that_a_crm_sent_is_found_by_its_phone(send: Send) -> None:
    send(row(client_ids=..., phones_md5=[md5_of(PHONE)]))
    assert found("8 903 123-45-67") == {"D-1"}


def test_a_phone_and_a_client_id_of_the_same_digits_are_two(send: Send) -> None:
    assert contacts.digest("phones", PHONE) != contacts.digest("client_ids", PHONE)
    assert contacts.digest("phones", PHONE) == contacts.digest("phones_md5", md5_of(PHONE))


def test_an_order_is_found_by_what_its_client_was_told_by_another_order(send: Send) -> None:
    send(row(client_uniq_id="C-1", phones=[PHONE]), row(id="D-2", client_uniq_id="C-1"))
    assert found(PHONE) == {"D-1", "D-2"}


def test_an_order_that_got_another_client_is_still_found_by_its_own(send: Send) -> None:
    send(row(client_uniq_id="C-1", phones=[PHONE]), row(id="D-2", client_uniq_id="C-1", phones=[PHONE]))
    send(later(id="D-2", client_uniq_id="C-2"))
    assert found(PHONE) == {"D-1", "D-2"}
    assert Contact.objects.filter(order_key=the_order("D-2").pk, client=None).exists()


def test_what_is_known_already_takes_no_further_line(send: Send) -> None:
    given = row(client_uniq_id="C-1", phones=[PHONE])
    send(given)
    lines = Contact.objects.count()
    send(given, {**given, "id": "D-2"}, later(order_status="PAID", phones=[PHONE], client_uniq_id="C-1"))
    assert Contact.objects.count() == lines == 2, "the ClientID and the phone"


def test_where_each_identifier_came_from(send: Send) -> None:
    send(row(client_uniq_id="C-1", phones=[PHONE]), row(id="D-2", client_uniq_id="C-1", emails=["anna@example.com"]))
    came = {value: order for (_kind, value), (order, _at) in contacts.origins(Client.objects.get()).items()}
    assert came[PHONE] == the_order("D-1").pk
    assert came["anna@example.com"] == the_order("D-2").pk


def test_what_a_client_does_not_have_any_more_goes_and_moves_with_it_as_well(send: Send) -> None:
    send(row(client_uniq_id="C-1", phones=[PHONE]), row(id="D-2", client_uniq_id="C-2", emails=["a@b.example"]))
    had, other = Client.objects.get(uniq_id="C-1"), Client.objects.get(uniq_id="C-2")
    Client.objects.update(identifiers={})
    had.refresh_from_db()
    contacts.hand_over(source=had, target=other)
    assert found(PHONE) >= {"D-2"}
    other.refresh_from_db()
    contacts.forget(client=other, order_keys=())
    assert not Contact.objects.filter(client__isnull=False).exists()


def test_lines_of_a_client_come_from_an_index(send: Send) -> None:
    plan = Contact.objects.filter(client=1).explain()
    if connection.vendor == "postgresql":  # which would rather read the few lines of this test one by one
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Contact.objects.filter(client=1).explain()
    assert "contact_by_client" in plan


def test_nobody_finds_people_of_counters_that_are_not_theirs(send: Send, counter: Any) -> None:
    send(row(phones=[PHONE]))
    other = make_counter()
    assert found(PHONE, Actor(kind="person", id="1", label="x", agencies=frozenset({other.agency_id}))) == set()
    assert found(PHONE, Actor(kind="person", id="1", label="x", agencies=frozenset({counter.agency_id}))) == {"D-1"}
