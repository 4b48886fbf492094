"""Two clients become one by a person's word (R5), and one is forgotten: what moves, what is due again, what stays."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.clients.models import Client, Contact
from apps.counters.models import Counter
from apps.orders import search
from apps.orders.models import Order, StatusChange
from apps.orders.people import erase_client, merge_clients
from tests.factories import SYSTEM, make_counter
from tests.orders.conftest import Send, later, row, the_order

PHONE = "79031234567"


def client(uniq_id: str) -> Client:
    return Client.objects.get(uniq_id=uniq_id)


@pytest.fixture
def two(send: Send) -> None:
    send(
        row(id="D-1", client_uniq_id="C-1", client_name="Anna", emails=["anna@example.com"], client_ids=...),
        row(id="D-2", client_uniq_id="C-2", client_name="Anna K.", phones=[PHONE], client_ids=...),
    )


def merge() -> int:
    return merge_clients(kept=client("C-1"), duplicate=client("C-2"))


def found(term: str) -> set[str]:
    meant = search.find(Order.objects.all(), term, actor=SYSTEM)
    return set(Order.objects.filter(pk__in=meant.keys).values_list("order_id", flat=True))


def test_orders_move_and_identifiers_unite(two: None) -> None:
    assert merge() == 1
    kept = client("C-1")
    assert set(kept.orders.values_list("order_id", flat=True)) == {"D-1", "D-2"}
    assert (kept.name, kept.identifiers) == ("Anna", {"emails": ["anna@example.com"], "phones": [PHONE]})
    assert [one.uniq_id for one in Client.objects.present()] == ["C-1"]
    assert found(PHONE) == found("C-2") == {"D-1", "D-2"}
    entry = AuditEntry.objects.get(action="client.merged")
    assert (entry.object_id, entry.object_label, entry.details["orders"]) == (str(kept.pk), f"#{kept.pk}", 1)
    assert PHONE not in str(entry.details)


def test_what_the_crm_goes_on_to_send_under_the_old_id_comes_to_the_one_that_stayed(two: None, send: Send) -> None:
    merge()
    send(
        later(id="D-2", order_status="PAID", client_uniq_id="C-2"),
        row(id="D-3", client_uniq_id="C-2", emails=["k@example.com"], client_ids=...),
    )
    assert {the_order(one).client for one in ("D-1", "D-2", "D-3")} == {client("C-1")}
    assert client("C-1").identifiers["emails"] == ["anna@example.com", "k@example.com"]
    assert client("C-2").identifiers == {}


def test_a_duplicate_of_a_duplicate_leads_to_the_one_that_stayed(two: None, send: Send) -> None:
    send(row(id="D-3", client_uniq_id="C-3"))
    merge_clients(kept=client("C-2"), duplicate=client("C-3"))
    merge()
    send(row(id="D-4", client_uniq_id="C-3"))
    assert {the_order(one).client for one in ("D-2", "D-3", "D-4")} == {client("C-1")}


def test_in_detailed_mode_metrica_is_told_again(two: None, counter: Counter) -> None:
    Counter.objects.filter(pk=counter.pk).update(mode="detailed")
    StatusChange.objects.update(delivery="delivered")
    Client.objects.update(settled_revision=1, delivered_at=timezone.now())
    merge()
    assert list(Client.objects.due()) == [client("C-1")]
    assert (the_order("D-1").resend_due, the_order("D-2").resend_due) == (False, True)


def test_in_simple_mode_nothing_goes_again(two: None) -> None:
    StatusChange.objects.update(delivery="delivered")
    merge()
    assert not the_order("D-2").resend_due


def test_what_was_held_for_want_of_an_identifier_is_free(two: None, send: Send) -> None:
    send(row(id="D-5", client_uniq_id="C-5", client_ids=...))
    assert the_order("D-5").changes.get().hold_reason == "no_identifiers"
    merge_clients(kept=client("C-1"), duplicate=client("C-5"))
    assert the_order("D-5").changes.get().delivery == "waiting"


@pytest.mark.parametrize("code", ["same_client", "other_counter", "being_sent", "client_gone"])
def test_what_cannot_be_one(two: None, code: str) -> None:
    kept, duplicate = client("C-1"), client("C-2")
    if code == "same_client":
        duplicate = kept
    elif code == "other_counter":
        duplicate = Client.objects.create(counter=make_counter(), uniq_id="X")
    elif code == "being_sent":
        the_order("D-2").changes.update(delivery="sending")
    else:
        merge()
    with pytest.raises(ValidationError) as refused:
        merge_clients(kept=kept, duplicate=duplicate)
    assert refused.value.code == code


def test_who_is_erased_is_nowhere(two: None, send: Send, counter: Counter) -> None:
    send(later(id="D-2", order_status="PAID", revenue="500", attributes={"who": "Anna K."}))
    one = client("C-2")
    merge_clients(kept=one, duplicate=client("C-1"))
    erased = erase_client(client=client("C-2"))
    assert (erased.orders, erased.held) == (2, 3)
    kept: list[Any] = [*Client.objects.values(), *Order.objects.values(), *StatusChange.objects.values()]
    for secret in (PHONE, "anna@example.com", "Anna", "C-1", "C-2"):
        assert secret not in str(kept), secret
    assert not Contact.objects.exists()
    assert found(PHONE) == found("C-2") == set()
    assert {one.client_id for one in Order.objects.all()} == {one.pk}
    assert {change.hold_reason for change in StatusChange.objects.all()} == {"no_identifiers"}
    paid = StatusChange.objects.get(order_status="PAID")
    assert int(paid.revenue or 0) == 500, "orders stay as numbers"
    entry = AuditEntry.objects.get(action="client.erased")
    assert PHONE not in str(entry.__dict__) and entry.object_label == f"#{one.pk}"
    chain.seal(thorough=True)


def test_the_same_row_without_a_client_brings_nobody_back(two: None, send: Send) -> None:
    erase_client(client=client("C-1"))
    report = send(row(id="D-1", emails=["anna@example.com"], client_ids=...))
    assert (report.unchanged, report.results[0].result) == (1, "unchanged")
    assert Order.objects.get(order_id="D-1").identifiers == {} and found("anna@example.com") == set()
    assert not Client.objects.filter(name="Anna").exists()


def test_nothing_of_who_was_erased_is_due(two: None, counter: Counter) -> None:
    Counter.objects.filter(pk=counter.pk).update(mode="detailed")
    erase_client(client=client("C-1"))
    assert list(Client.objects.due()) == [client("C-2")]
    with pytest.raises(ValidationError):
        erase_client(client=Client.objects.get(erased_at__isnull=False))


def test_who_comes_again_is_somebody_new(two: None, send: Send) -> None:
    erase_client(client=client("C-2"))
    send(later(id="D-2", order_status="PAID", client_uniq_id="C-2", phones=[PHONE]))
    assert the_order("D-2").client == client("C-2")
