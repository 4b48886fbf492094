"""What is known of a client, as a file for the client."""

import json
from typing import Any

import pytest
from django.test import Client as Browser

from apps.agencies.models import Role
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.orders import known
from apps.orders.people import erase_client
from tests.factories import make_counter, make_member
from tests.uploads.conftest import Shop


@pytest.fixture
def sold(make_shop: Any) -> Shop:
    shop = make_shop()
    person = {"client_uniq_id": "C-1", "client_name": "Anna K.", "phones": ["79031234567"], "emails": ["a@b.example"]}
    shop.push("D-1", "IN_PROGRESS", "PAID", revenue="500", **person)
    shop.push("D-2", "IN_PROGRESS", **{**person, "client_ids": ["17000000000000001"]})
    shop.push("O-1", "PAID", client_uniq_id="C-2", emails=["else@b.example"])
    shop.upload()
    return shop


def taken(client: Client) -> Any:
    return json.loads("".join(known.told(client)))


def test_all_of_it_and_nothing_of_others(sold: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "ORDERS", 1)
    file = taken(Client.objects.get(uniq_id="C-1"))
    assert (file["client"]["client_uniq_id"], file["client"]["name"]) == ("C-1", "Anna K.")
    told = {one["value"]: one["first_told_by"] for one in file["client"]["identifiers"]}
    assert told == {
        "79031234567": "D-1",
        "a@b.example": "D-1",
        "1700000000123456789": "D-1",
        "17000000000000001": "D-2",
    }
    assert [order["id"] for order in file["orders"]] == ["D-1", "D-2"]
    assert [change["order_status"] for change in file["orders"][0]["timeline"]] == ["IN_PROGRESS", "PAID"]
    assert file["orders"][1]["identifiers"]["client_ids"] == ["17000000000000001"]
    carried = {change["upload"] for order in file["orders"] for change in order["timeline"]}
    assert {upload["id"] for upload in file["uploads"]} == carried
    assert all(upload["sha256"] and upload["file_kept"] for upload in file["uploads"])
    assert "else@b.example" not in json.dumps(file) and "O-1" not in json.dumps(file)


def test_it_leaves_a_trace_without_the_person(sold: Shop) -> None:
    client = Client.objects.get(uniq_id="C-1")
    taken(client)
    entry = AuditEntry.objects.get(action="client.data_exported")
    assert (entry.object_label, entry.details) == (f"#{client.pk}", {"orders": 2})


def test_of_who_was_erased_nothing_is_known(sold: Shop) -> None:
    client = Client.objects.get(uniq_id="C-1")
    erase_client(client=client)
    file = taken(Client.objects.get(pk=client.pk))
    assert (file["client"]["identifiers"], file["client"]["name"]) == ([], "")
    assert "79031234567" not in json.dumps(file)


@pytest.mark.parametrize(("role", "status"), [(Role.OWNER, 200), (Role.MANAGER, 200), (Role.ANALYST, 403)])
def test_who_may_take_it(sold: Shop, role: str, status: int) -> None:
    client = Client.objects.get(uniq_id="C-1")
    browser = Browser()
    browser.force_login(make_member(sold.counter.agency, role))
    page = browser.get(f"/admin/clients/client/{client.pk}/change/").content.decode()
    assert ("Download what is known" in page) is (status == 200)
    url = f"/admin/clients/client/{client.pk}/data/"
    answer = browser.post(url)
    assert answer.status_code == status
    assert browser.get(url).status_code == 405
    if status == 200:
        assert json.loads(b"".join(answer.streaming_content))["client"]["name"] == "Anna K."
        assert "no-store" in answer["Cache-Control"]


def test_somebody_elses_is_not_there(sold: Shop) -> None:
    browser = Browser()
    browser.force_login(make_member(make_counter().agency, Role.OWNER))
    client = Client.objects.get(uniq_id="C-1")
    assert browser.post(f"/admin/clients/client/{client.pk}/data/").status_code == 404
    assert not AuditEntry.objects.filter(action="client.data_exported").exists()
