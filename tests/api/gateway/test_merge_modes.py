"""SAVE, UPDATE and APPEND do what Metrica's table says (page: modes), by intake's own way of keeping and clearing."""

import pytest

from apps.clients import contacts
from apps.clients.models import Client
from apps.counters.models import Mode
from apps.counters.services import update_counter
from apps.orders.models import Order, StatusChange
from tests.api.gateway.conftest import WHEN, order

COLUMNS = "id,create_date_time,client_uniq_id,client_ids,emails,order_status,revenue,cost,goals,currency"
FULL = f'D-1,{WHEN},C-1,17,"a@b.example,c@d.example",PAID,100,40,"won:5,old",USD'


def state():
    one = order()
    change = one.current_change
    return {
        "client": one.client and one.client.uniq_id,
        "identifiers": one.identifiers,
        "status": one.order_status,
        "money": (change.revenue, change.cost, change.currency),
        "goals": {goal["goal_action_id"]: goal["price"] for goal in change.goals},
        "products": change.products,
        "attributes": change.attributes,
    }


@pytest.fixture
def stored(script):
    assert script.simple(FULL, header=COLUMNS).status == 200
    return state()


def test_save_clears_what_is_left_out(script, stored):
    script.simple(f"D-1,{WHEN},17", header="id,create_date_time,client_ids", merge_mode="SAVE")
    assert state() == {
        "client": None,
        "identifiers": {"client_ids": ["17"]},
        "status": "PAID",
        "money": (None, None, "RUB"),
        "goals": {},
        "products": {},
        "attributes": {},
    }


def test_save_clears_what_is_blank_and_replaces_lists(script, stored):
    script.simple(f'D-1,{WHEN},C-1,,"a@b.example,e@f.example",PAID,100,,won,', header=COLUMNS, merge_mode="SAVE")
    found = state()
    assert found["identifiers"] == {"emails": ["a@b.example", "e@f.example"]}
    assert (found["money"], found["goals"], found["client"]) == ((100, None, "RUB"), {"won": None}, "C-1")


@pytest.mark.parametrize("mode", ["UPDATE", "APPEND"])
def test_update_and_append_keep_what_is_left_out(script, stored, mode):
    script.simple(f"D-1,{WHEN},CANCELLED", header="id,create_date_time,order_status", merge_mode=mode)
    assert state() == stored | {"status": "CANCELLED"}
    script.simple(f"D-1,{WHEN},,,,CANCELLED,,,,", header=COLUMNS, merge_mode=mode)
    assert state() == stored | {"status": "CANCELLED"}
    assert order().changes.count() == 2


def test_update_replaces_what_is_given(script, stored):
    script.simple(f'D-1,{WHEN},C-2,18,e@f.example,PAID,5,,"new:1",', header=COLUMNS, merge_mode="UPDATE")
    assert state() == stored | {
        "client": "C-2",
        "identifiers": {"client_ids": ["18"], "emails": ["e@f.example"]},
        "money": (5, 40, "USD"),
        "goals": {"new": "1"},
    }


def test_append_unites_lists_and_replaces_scalars(script, stored):
    script.simple(f'D-1,{WHEN},,18,"a@b.example,e@f.example",PAID,5,,"old:3,new",', header=COLUMNS, merge_mode="APPEND")
    assert state() == stored | {
        "identifiers": {"client_ids": ["17", "18"], "emails": ["a@b.example", "c@d.example", "e@f.example"]},
        "money": (5, 40, "USD"),
        "goals": {"won": "5", "old": "3", "new": None},
    }
    changes = order().changes.count()
    script.simple(f"D-1,{WHEN},,18,,PAID,,,,", header=COLUMNS, merge_mode="APPEND")
    assert order().changes.count() == changes


def test_products_and_attributes_of_the_detailed_format(script, counter):
    script.orders({"products": {"a": 1, "b": 2}, "attribute_values": {"x": ["1"], "y": ["2"], "z": ["p", "q"]}})
    script.orders({"products": {"b": 3}, "attribute_values": {"y": ["5"]}}, mode="UPDATE")
    assert (state()["products"], state()["attributes"]) == ({"b": 3}, {"x": "1", "y": "5", "z": ["p", "q"]})
    script.orders({"products": {"c": 1}, "attribute_values": {"z": ["q", "r"], "x": ["2"]}}, mode="APPEND")
    assert state()["products"] == {"b": 3, "c": 1}
    assert state()["attributes"] == {"x": "2", "y": "5", "z": ["p", "q", "r"]}
    script.orders({}, mode="SAVE")
    assert (state()["products"], state()["attributes"]) == ({}, {})


def test_a_simple_file_leaves_what_its_format_does_not_know(script, counter):
    script.orders({"products": {"a": 1}})
    script.simple(f"D-1,{WHEN},17,PAID,9", header="id,create_date_time,client_ids,order_status,revenue")
    assert state()["products"] == {"a": 1} and state()["money"][0] == 9


class TestClients:
    FULL = {
        "uniq_id": "C-1",
        "name": "Anna",
        "emails": ["a@b.example"],
        "phones": ["79031234567"],
        "attribute_values": {"age": ["41"], "cities": ["Perm", "Omsk"]},
    }

    def stored(self, script):
        assert script.contacts(self.FULL).status == 200

    def known(self):
        client = Client.objects.get()
        return client.name, client.identifiers, client.attributes

    def test_save(self, script, counter):
        self.stored(script)
        script.contacts({"uniq_id": "C-1", "emails": ["c@d.example"]}, mode="SAVE")
        assert self.known() == ("", {"emails": ["c@d.example"]}, {})

    def test_update(self, script, counter):
        self.stored(script)
        given = {"uniq_id": "C-1", "emails": ["c@d.example"], "attribute_values": {"cities": ["Ufa"], "vip": ["yes"]}}
        script.contacts(given, mode="UPDATE")
        assert self.known() == (
            "Anna",
            {"emails": ["c@d.example"], "phones": ["79031234567"]},
            {"age": "41", "cities": "Ufa", "vip": "yes"},
        )

    def test_append(self, script, counter):
        self.stored(script)
        given = {"uniq_id": "C-1", "emails": ["c@d.example"], "attribute_values": {"cities": ["Omsk", "Ufa"]}}
        script.contacts(given, mode="APPEND")
        assert self.known() == (
            "Anna",
            {"emails": ["a@b.example", "c@d.example"], "phones": ["79031234567"]},
            {"age": "41", "cities": ["Perm", "Omsk", "Ufa"]},
        )

    def test_the_same_again_is_no_change(self, script, counter):
        self.stored(script)
        revision = Client.objects.get().revision
        for mode in ("SAVE", "UPDATE", "APPEND"):
            script.contacts(self.FULL, mode=mode)
        assert Client.objects.get().revision == revision

    def test_a_birth_date_is_kept(self, script, counter):
        script.contacts({"uniq_id": "C-1", "birth_date": "1990-05-04"})
        assert Client.objects.get().attributes == {"birth_date": "1990-05-04"}

    def test_orders_that_waited_for_their_clients_identifiers_go(self, script, counter):
        script.orders({})
        assert StatusChange.objects.get().hold_reason == "no_identifiers"
        script.contacts({"uniq_id": "C-1", "phones": ["+7 903 123-45-67"]})
        assert StatusChange.objects.get().delivery == "waiting"

    def test_orders_of_a_client_who_lost_all_identifiers_are_held(self, script, counter):
        self.stored(script)
        script.orders({})
        assert StatusChange.objects.get().delivery == "waiting"
        script.contacts({"uniq_id": "C-1", "name": "Anna"}, mode="SAVE")
        assert StatusChange.objects.get().hold_reason == "no_identifiers"

    def test_in_detailed_mode_the_client_is_due_again(self, script, counter):
        update_counter(counter=counter, mode=Mode.DETAILED)
        self.stored(script)
        Client.objects.update(settled_revision=1)
        script.contacts({"uniq_id": "C-1", "name": "Anna B."}, mode="UPDATE")
        assert list(Client.objects.due()) == [Client.objects.get()]
        script.orders({})
        assert Order.objects.get().client_revision == Client.objects.get().revision == 2


def test_what_cannot_be_read_takes_no_identifier_away(script, counter):
    script.contacts({"uniq_id": "C-1", "phones": ["+7 903 123-45-67"], "emails": ["a@b.example"]})
    answer = script.contacts({"uniq_id": "C-1", "phones": ["call me"]}, mode="SAVE")
    assert answer.status == 200
    assert Client.objects.get().identifiers == {"phones": ["79031234567"]}


def test_what_a_client_does_not_have_any_more_finds_nobody(script, counter):
    script.contacts({"uniq_id": "C-1", "emails": ["old@b.example", "both@b.example"]})
    script.contacts({"uniq_id": "C-2", "emails": ["old@b.example"]})
    script.orders({"id": "D-1", "client_uniq_id": "C-1"})
    script.contacts({"uniq_id": "C-1", "emails": ["both@b.example"]}, mode="SAVE")

    def found(term):
        told = contacts.who_told(counters=[counter.pk], digests=contacts.meant(term))
        return sorted(
            Client.objects.filter(pk__in=[client for _order, client in told]).values_list("uniq_id", flat=True)
        )

    assert (found("old@b.example"), found("both@b.example")) == (["C-2"], ["C-1"])
