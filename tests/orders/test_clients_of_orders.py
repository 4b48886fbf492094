"""R5: the client is who the row says; identifiers unite under one id, and clients are never merged by guess."""

from apps.clients.models import Client
from tests.orders.conftest import Send, later, row, statuses, the_order, timeline


def test_rows_of_one_client_unite_their_identifiers(send: Send) -> None:
    send(
        row(id="D-1", client_uniq_id="C-1", client_name="Anna", client_ids="1", emails="a@x.example"),
        row(id="D-2", client_uniq_id="C-1", client_ids="2", phones="79031234567"),
        row(id="D-3", client_uniq_id="C-2", client_ids="1"),
    )
    anna, other = Client.objects.order_by("uniq_id")
    assert (anna.name, anna.identifiers) == (
        "Anna",
        {"client_ids": ["1", "2"], "emails": ["a@x.example"], "phones": ["79031234567"]},
    )
    assert other.identifiers == {"client_ids": ["1"]}, "a shared ClientID makes them no one"
    assert the_order("D-2").identifiers == {"client_ids": ["2"], "phones": ["79031234567"]}, "the order's own"
    assert the_order("D-1").client == the_order("D-2").client == anna


def test_another_client_is_a_change_and_null_takes_the_client_away(send: Send) -> None:
    send(row(client_uniq_id="C-1"))
    assert timeline()[0].changed[-1] == "client"
    assert send(later(client_uniq_id="C-1")).unchanged == 1
    assert send(later()).unchanged == 1, "left out, it stays"
    send(later(client_uniq_id="C-2"))
    assert timeline()[-1].changed == ["client"]
    client = the_order().client
    assert client is not None and client.uniq_id == "C-2"
    send(later(client_uniq_id=None))
    assert the_order().client is None
    assert timeline()[-1].changed == ["client"]


def test_the_name_follows_the_rows_and_stays_where_they_say_nothing(send: Send) -> None:
    send(row(client_uniq_id="C-1", client_name="Ann"))
    send(later(client_uniq_id="C-1", client_name="Anna"))
    send(later(client_uniq_id="C-1"))
    assert Client.objects.get().name == "Anna"
    assert statuses() == ["IN_PROGRESS"], "a name is no state of the order"
    send(later(client_uniq_id="C-1", client_name=None))
    assert Client.objects.get().name == ""


def test_a_late_row_names_a_client_only_where_none_is_known(send: Send) -> None:
    late = {"status_date_time": "2026-11-18 10:00", "order_status": "good_lead"}
    send(row(client_uniq_id="C-1", client_name="Anna"))
    send(later(**late, client_uniq_id="C-1", client_name="Old"))
    send(later(**late, client_uniq_id="C-2", client_name="Bob", phones="79031234567"))
    client = the_order().client
    assert client is not None and (client.uniq_id, client.name) == ("C-1", "Anna")
    send(later(**late, client_uniq_id=None))
    assert the_order().client == client

    send(row(id="D-2"), later(id="D-2", **late, client_uniq_id="C-3"))
    client = the_order("D-2").client
    assert client is not None and client.uniq_id == "C-3"


def test_a_client_that_stands_for_everybody_does_not_grow_for_ever(send: Send) -> None:
    send(*(row(id=f"D-{number}", client_uniq_id="0", client_ids=str(number + 1)) for number in range(150)))
    assert Client.objects.get().identifiers["client_ids"] == [str(number + 1) for number in range(50, 150)]


def test_clients_of_two_counters_are_two(send: Send) -> None:
    from tests.factories import make_counter

    send(row(client_uniq_id="C-1", client_ids="1"))
    send(row(client_uniq_id="C-1", client_ids="2"), counter=make_counter())
    assert [client.identifiers for client in Client.objects.order_by("pk")] == [
        {"client_ids": ["1"]},
        {"client_ids": ["2"]},
    ]
