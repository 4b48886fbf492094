"""amoCRM and Kommo end to end: their posts over real HTTP, contacts read with a token, the order's timeline."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.counters.encryption import decrypt
from apps.receivers import services, trying
from apps.receivers.mapping import USUAL
from apps.receivers.models import Receiver
from tests.receivers.conftest import FORM, JSON, Way, work
from tests.receivers.crm import Crm, sample

ADD, STATUS, UPDATE = (
    sample("amocrm_lead_add.form"),
    sample("amocrm_lead_status.form"),
    sample("kommo_lead_update.json"),
)
NAMES = {
    "4740529:43315792": "Новая заявка",
    "4740529:43315793": "Записан на приём",
    "4740529:142": "Успешно реализовано",
}
ID = "10701093"


def test_three_posts_in_any_order_make_one_timeline(make_way: Any) -> None:
    """R3, R4: the time of each change is the CRM's own."""
    way: Way = make_way("amocrm")
    way.change(statuses=NAMES)
    way.map(client_ids="lead.custom_fields[name=ClientID].values[0].value")
    assert way.send(STATUS).status_code == 200
    assert way.send(UPDATE, content_type=JSON).status_code == 200
    assert way.send(ADD).status_code == 200
    work()
    assert way.timeline(ID) == [
        ("Новая заявка", "24.11 10:00:00"),
        ("Записан на приём", "24.11 11:00:00"),
        ("Успешно реализовано", "24.11 12:00:00"),
    ]
    order = way.order(ID)
    assert order.order_status == "Успешно реализовано"
    assert order.identifiers == {"client_ids": ["1700000000123456789"]}
    assert {(post.state, post.error_code) for post in way.posts()} == {("done", "")}


def test_a_redelivered_post_is_counted_and_nothing_more(make_way: Any) -> None:
    way: Way = make_way("amocrm")
    first = way.send(STATUS).json()
    work()
    again = way.send(STATUS).json()
    assert (again["repeated"], again["post"]) == (True, first["post"])
    work()
    assert [(post.repeats, post.attempts) for post in way.posts()] == [(1, 1)]
    assert way.timeline(ID) == [("4740529:142", "24.11 12:00:00")]


def test_contacts_are_read_with_a_token(make_way: Any, account: Crm) -> None:
    way: Way = make_way("amocrm", crm_url=f"{account.address}/leads/list/", crm_token="invented.long.lived")
    way.send(STATUS)
    work()
    order = way.order(ID)
    assert order.identifiers == {"emails": ["anna@zaitseva.example"], "phones": ["79030001122"]}
    assert order.client is not None and (order.client.uniq_id, order.client.name) == ("7020", "Анна Зайцева")
    assert [asked.path for asked in account.asked] == [
        f"/api/v4/leads/{ID}?with=contacts",
        "/api/v4/contacts?filter[id][0]=7020&filter[id][1]=7021",
    ]
    assert {asked.headers["authorization"] for asked in account.asked} == {"Bearer invented.long.lived"}


def test_a_lead_without_contacts_and_one_that_is_gone(make_way: Any, account: Crm) -> None:
    way: Way = make_way("amocrm", crm_url=account.address, crm_token="token")
    account.answer = lambda asked: (204, b"")
    way.send(ADD)
    work()
    account.answer = lambda asked: (404, {"title": "Not Found", "status": 404, "detail": "Entity not found"})
    way.send(STATUS)
    work()
    assert [post.state for post in way.posts()] == ["done", "done"]  # what the post itself tells is taken in


def test_names_of_statuses_are_read_from_the_account(make_way: Any, account: Crm) -> None:
    way: Way = make_way("amocrm", crm_url=account.address, crm_token="token")
    found = services.read_statuses(receiver=way.receiver)
    assert found["4740529:142"] == "Успешно реализовано" and len(found) == 4
    account.answers["/api/v4/leads/pipelines"]["_embedded"]["pipelines"].append(
        {"id": 9, "name": "Второй", "_embedded": {"statuses": [{"id": 142, "name": "Успешно реализовано"}]}}
    )
    assert services.read_statuses(receiver=way.receiver)["9:142"] == "Второй: Успешно реализовано"


def test_a_token_that_is_over_is_for_a_person(make_way: Any, account: Crm) -> None:
    way: Way = make_way("amocrm", crm_url=account.address, crm_token="token")
    account.answer = lambda asked: (401, {"title": "Unauthorized", "status": 401, "detail": "Неверный логин"})
    way.send(STATUS)
    work()
    assert (way.last().state, way.last().error_code) == ("held", "crm_token")
    account.answer = None
    assert services.process_again(post=way.last())
    work()
    assert way.last().state == "done"


def test_a_token_is_kept_for_the_address_that_it_was_given_for(make_way: Any, account: Crm) -> None:
    """Whoever may change the address would else get the token sent to a host of their own."""
    way: Way = make_way("amocrm", crm_url="https://northclinics.amocrm.ru", crm_token="invented.long.lived")
    with pytest.raises(ValidationError) as refusal:
        way.change(crm_url=account.address)
    assert refusal.value.error_dict["crm_token"][0].code == "other_address"
    receiver = Receiver.objects.get()
    assert decrypt(receiver.crm_url_encrypted) == "https://northclinics.amocrm.ru"
    assert decrypt(receiver.crm_token_encrypted) == "invented.long.lived"
    way.change(crm_url="https://northclinics.amocrm.ru/leads/")  # the same one
    assert decrypt(Receiver.objects.get().crm_token_encrypted) == "invented.long.lived"
    with pytest.raises(ValidationError):
        way.change(crm_url="http://northclinics.amocrm.ru")
    way.change(crm_url=account.address, crm_token="")
    assert not Receiver.objects.get().crm_token_encrypted
    way.change(crm_token="invented.second")
    way.change(crm_url="")
    assert not Receiver.objects.get().crm_token_encrypted  # nothing is left for the address that comes next
    way.change(crm_url=account.address, crm_token="invented.third")
    way.send(STATUS)
    work()
    assert {asked.headers["authorization"] for asked in account.asked} == {"Bearer invented.third"}


def test_contacts_alone_are_nothing_to_take_in(make_way: Any) -> None:
    way: Way = make_way("amocrm")
    assert way.send(sample("amocrm_contact_add.form")).status_code == 200
    work()
    assert (way.last().state, way.last().error_code) == ("ignored", "other_event")


def test_a_mapping_is_tried_on_what_holds_no_deals(make_way: Any) -> None:
    way: Way = make_way("amocrm")
    for body, kind in ((sample("amocrm_contact_add.form"), FORM), (b"[1, 2]", JSON)):
        way.send(body, content_type=kind)
        assert trying.documents_of(way.receiver, way.last()) == []


def test_another_account_is_told_from_this_one(make_way: Any) -> None:
    way: Way = make_way("amocrm", crm_url="https://southclinics.amocrm.ru", crm_token="token")
    way.send(STATUS)
    work()
    assert (way.last().state, way.last().error_code) == ("held", "other_portal")


def test_ids_of_two_crms_are_kept_apart(make_way: Any, account: Crm) -> None:
    way: Way = make_way("amocrm", prefix="amo-", crm_url=account.address, crm_token="token")
    way.send(STATUS)
    work()
    client = way.order(f"amo-{ID}").client
    assert client is not None and client.uniq_id == "amo-7020"


def test_the_usual_fields_are_all_known() -> None:
    from apps.receivers.mapping import LABELS

    assert all(set(fields) <= set(LABELS) for fields in USUAL.values())
