"""R2 for clients: a file settles the revision that it took, so what changes while it is under way is due again."""

from uuid import uuid4

import pytest
from django.utils import timezone

from apps.clients import outbox
from apps.clients.models import Client
from tests.factories import make_counter

NOW = timezone.now()


@pytest.fixture
def client(db: None) -> Client:
    return Client.objects.create(counter=make_counter(), uniq_id="C-1")


def due() -> bool:
    return Client.objects.due().exists()


def changed(client: Client) -> None:
    Client.objects.filter(pk=client.pk).update(name="Anna", revision=client.revision + 1)


def test_what_passed_is_due_no_longer(client: Client) -> None:
    upload = uuid4()
    assert due()
    assert outbox.claim(client_keys=[client.pk], upload_id=upload) == 1
    assert not due(), "it is under way"
    assert outbox.claim(client_keys=[client.pk], upload_id=uuid4()) == 0, "no other file takes it"
    assert outbox.settle_delivered(upload_id=upload, at=NOW) == 1
    client.refresh_from_db()
    assert not due()
    assert (client.settled_revision, client.delivered_at) == (1, NOW)


def test_a_change_under_way_is_due_again(client: Client) -> None:
    upload = uuid4()
    outbox.claim(client_keys=[client.pk], upload_id=upload)
    changed(client)
    outbox.settle_delivered(upload_id=upload, at=NOW)
    assert due()
    client.refresh_from_db()
    assert (client.settled_revision, client.revision) == (1, 2)


def test_what_did_not_arrive_is_due_again(client: Client) -> None:
    upload = uuid4()
    outbox.claim(client_keys=[client.pk], upload_id=upload)
    assert outbox.give_back(upload_id=upload) == 1
    assert due()
    assert outbox.settle_delivered(upload_id=upload, at=NOW) == 0


def test_a_refused_client_waits_for_its_change(client: Client) -> None:
    upload = uuid4()
    outbox.claim(client_keys=[client.pk], upload_id=upload)
    assert outbox.refuse(upload_id=upload, code="invalid_uploading", message="bad phone") == 1
    client.refresh_from_db()
    assert not due()
    assert (client.reject_code, client.delivered_at) == ("invalid_uploading", None)
    changed(client)
    upload = uuid4()
    outbox.claim(client_keys=[client.pk], upload_id=upload)
    outbox.settle_delivered(upload_id=upload, at=NOW)
    client.refresh_from_db()
    assert (client.reject_code, client.delivered_at) == ("", NOW)


def test_a_half_takes_its_clients_along(client: Client) -> None:
    other = Client.objects.create(counter=client.counter, uniq_id="C-2")
    whole, half = uuid4(), uuid4()
    outbox.claim(client_keys=[client.pk, other.pk], upload_id=whole)
    assert outbox.move(from_upload=whole, to_upload=half, client_keys=[other.pk]) == 1
    assert outbox.settle_delivered(upload_id=half, at=NOW) == 1
    assert list(Client.objects.filter(settled_revision=1)) == [other]
