"""What intake does besides for a counter in detailed mode: every order has a client whom Metrica can know by all that
the order is known by (R5), clients that changed are due (R2), and custom attributes fit what is declared."""

from typing import Any

import pytest

from apps.clients.models import Client
from apps.clients.services import own_client_id
from apps.counters.declaring import set_attributes
from apps.counters.models import Counter
from apps.counters.services import update_counter
from apps.goals.resolve import Resolver
from apps.orders.models import Order
from apps.orders.preparing import prepare
from tests.factories import make_counter
from tests.orders.conftest import Send, later, row, the_order, timeline, told


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter(mode="detailed")


def client_of(order_id: str = "D-1") -> Client:
    client = the_order(order_id).client
    assert client is not None
    return client


def test_an_order_without_client_gets_one_of_its_own(send: Send) -> None:
    send(row(emails="a@x.example"), row(id="D-2", client_ids="5"))
    assert client_of().uniq_id == "goalpost-order-D-1"
    assert client_of().identifiers == {"client_ids": ["1700000000123456789"], "emails": ["a@x.example"]}
    assert client_of("D-2").identifiers == {"client_ids": ["5"]}, "no two orders share one"
    assert timeline()[0].changed == ["order_status", "identifiers"], "it is no news of the CRM's"


def test_two_long_order_ids_have_two_clients() -> None:
    one, other = own_client_id("x" * 255), own_client_id("x" * 254 + "y")
    assert one != other and len(one) <= 255
    assert own_client_id("D-1") == "goalpost-order-D-1"


def test_its_own_client_stands_for_none(send: Send) -> None:
    send(row(client_uniq_id=None))
    assert send(later(client_uniq_id=None)).unchanged == 1
    assert send(row()).unchanged == 1
    send(later(client_uniq_id="C-1"))
    assert (client_of().uniq_id, timeline()[-1].changed) == ("C-1", ["client"])
    send(later(client_uniq_id=None))
    assert (client_of().uniq_id, timeline()[-1].changed) == ("goalpost-order-D-1", ["client"])


def test_what_an_order_brings_its_client_learns(send: Send) -> None:
    """Orders carry no identifiers in detailed mode, so the client must."""
    send(row(client_uniq_id="C-1", client_ids="1"))
    send(later(phones="79031234567"))
    assert client_of().identifiers == {"client_ids": ["1"], "phones": ["79031234567"]}
    assert the_order().client_revision == client_of().revision == 2


def test_a_client_is_due_again_with_each_change_and_with_nothing_else(send: Send) -> None:
    send(row(client_uniq_id="C-1"))
    assert (client_of().revision, client_of().is_due) == (1, True)
    Client.objects.update(settled_revision=1)
    send(later(order_status="PAID"), row(client_uniq_id="C-1"))
    assert not client_of().is_due
    send(later(client_uniq_id="C-1", client_name="Anna"))
    assert (client_of().revision, client_of().is_due) == (2, True)


def test_an_order_needs_its_client_as_it_was_when_the_order_came(send: Send) -> None:
    """A client that changes all the time holds none of its orders up."""
    send(row(client_uniq_id="C-1", client_ids="1"))
    send(row(id="D-2", client_uniq_id="C-1", client_ids="2"), row(id="D-3", client_uniq_id="C-1", client_ids="3"))
    assert [the_order(order).client_revision for order in ("D-1", "D-2", "D-3")] == [1, 2, 2]


def test_a_changed_client_alone_asks_for_an_upload(send: Send, monkeypatch: Any) -> None:
    said: list[int] = []
    send(row(client_uniq_id="C-1"))
    monkeypatch.setattr("apps.orders.chunks.announce_accepted", lambda counter_id, _counter: said.append(counter_id))
    assert send(row(client_uniq_id="C-1")).unchanged == 1
    assert said == []
    assert send(row(client_uniq_id="C-1", client_name="Anna")).unchanged == 1
    assert len(said) == 1


def test_orders_of_the_simple_mode_are_made_ready(counter: Counter, send: Send) -> None:
    update_counter(counter=counter, mode="simple")
    send(row(), row(id="D-2", client_uniq_id="C-1", client_ids="2"), later(id="D-2", phones="79031234567"))
    assert the_order().client is None
    assert client_of("D-2").identifiers == {"client_ids": ["2"]}
    counter = update_counter(counter=counter, mode="detailed")
    keys = list(Order.objects.values_list("pk", flat=True))
    prepare(counter=counter, order_keys=keys, resolver=Resolver.for_counter(counter))
    assert client_of().uniq_id == "goalpost-order-D-1"
    assert client_of("D-2").identifiers == {"client_ids": ["2"], "phones": ["79031234567"]}
    assert [the_order(order).client_revision for order in ("D-1", "D-2")] == [1, 2]
    prepare(counter=counter, order_keys=keys, resolver=Resolver.for_counter(counter))
    assert Client.objects.filter(revision__gt=2).count() == 0, "once more changes nothing"


def test_the_first_payment_that_was_sent_is_the_end_of_an_order(counter: Counter, send: Send) -> None:
    update_counter(counter=counter, mode="simple")
    send(row(), *(later(order_status=status) for status in ("PAID", "CANCELLED")))
    counter = update_counter(counter=counter, mode="detailed")
    order = the_order()
    prepare(counter=counter, order_keys=[order.pk], resolver=Resolver.for_counter(counter))
    assert the_order().finish_date_time is None, "nothing of it was sent"
    order.changes.update(delivery="delivered")
    prepare(counter=counter, order_keys=[order.pk], resolver=Resolver.for_counter(counter))
    assert the_order().finish_date_time == order.changes.get(order_status="PAID").status_date_time


def test_back_in_simple_mode_orders_are_no_longer_ready(counter: Counter, send: Send) -> None:
    send(row())
    assert the_order().client_revision == 1
    update_counter(counter=counter, mode="simple")
    send(later(order_status="PAID", phones="79031234567"))
    assert the_order().client_revision == 0
    assert client_of().identifiers == {"client_ids": ["1700000000123456789"]}
    assert send(later(order_status="PAID", client_uniq_id=None)).unchanged == 1


class TestAttributes:
    @pytest.fixture(autouse=True)
    def _declared(self, counter: Counter) -> None:
        set_attributes(
            counter=counter,
            attributes=[
                {"entity": "ORDER", "name": "branch"},
                {"entity": "ORDER", "name": "floor", "type": "numeric"},
                {"entity": "CONTACT", "name": "age", "type": "numeric"},
                {"entity": "CONTACT", "name": "cities", "multivalued": True},
            ],
        )

    def test_those_that_fit_are_kept_as_metrica_takes_them(self, send: Send) -> None:
        report = send(
            row(
                client_uniq_id="C-1",
                attributes={"branch": "north", "floor": 2},
                client_attributes={"age": "41", "cities": ["Perm", "Omsk"]},
            )
        )
        assert told(report) == ([], [])
        assert timeline()[0].attributes == {"branch": "north", "floor": "2"}
        assert client_of().attributes == {"age": "41", "cities": ["Perm", "Omsk"]}

    def test_one_of_the_wrong_type_keeps_its_row_out(self, send: Send) -> None:
        report = send(row(attributes={"floor": "second"}), row(id="D-2", client_attributes={"age": [1, 2]}))
        assert told(report, 0) == ([("attributes.floor", "attribute_number")], [])
        assert told(report, 1) == ([("client_attributes.age", "attribute_single")], [])
        assert not Order.objects.exists()

    def test_one_that_nobody_declared_is_kept_and_told(self, send: Send) -> None:
        report = send(row(attributes={"colour": "red"}, client_attributes={"pet": "cat"}))
        assert told(report) == (
            [],
            [("attributes.colour", "undeclared_attribute"), ("client_attributes.pet", "undeclared_attribute")],
        )
        assert timeline()[0].attributes == {"colour": "red"}
        assert client_of().attributes == {"pet": "cat"}

    def test_a_client_keeps_what_a_row_leaves_out_and_loses_what_it_clears(self, send: Send) -> None:
        send(row(client_uniq_id="C-1", client_attributes={"age": 41, "cities": "Perm"}))
        send(later(client_attributes={"age": None}))
        assert client_of().attributes == {"cities": ["Perm"]}
        assert client_of().revision == 2

    def test_simple_mode_takes_anything(self, counter: Counter, send: Send) -> None:
        counter = update_counter(counter=counter, mode="simple")
        report = send(row(attributes={"floor": "second"}, client_attributes={"age": "old"}), counter=counter)
        assert told(report) == ([], [("client_attributes", "no_client")])
