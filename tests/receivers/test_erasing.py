"""Whoever was erased is in no kept post either, and no post that is processed again brings them back."""

import json
from typing import Any

import pytest

from apps.clients.models import Client
from apps.counters.encryption import decrypt
from apps.orders import erasing
from apps.orders.models import Erasure, Order
from apps.orders.people import erase_client
from apps.receivers import services
from apps.receivers.models import Post
from tests.receivers.conftest import JSON, Way, work

PLAIN = {
    "id": "id",
    "create_date_time": "created",
    "order_status": "status",
    "client_uniq_id": "client",
    "emails": "email",
}


@pytest.fixture
def way(make_way: Any) -> Way:
    made: Way = make_way()
    made.map(**PLAIN)
    return made


def tell(way: Way, order: str, client: str, **more: Any) -> None:
    row = {"id": order, "created": "2026-11-20 10:00:00", "status": "new", "client": client, **more}
    assert way.send(json.dumps(row), content_type=JSON).status_code == 200


def bodies(way: Way) -> list[dict[str, Any]]:
    return [json.loads(decrypt(post.body_encrypted)) for post in way.posts()]


def test_posts_that_tell_of_the_client_are_gone_and_others_stay(way: Way) -> None:
    tell(way, "1", "7", email="quill@marked.example")
    tell(way, "2", "8", email="else@other.example", count=7)
    tell(way, "", "9", note="ask Quill@marked.example")
    tell(way, "3", "77", email="joquill@marked.example")
    work_all(way)
    erase_client(client=Client.objects.get(uniq_id="7"))
    erasing.go_on()
    assert Erasure.objects.get().finished_at is not None
    assert [body["id"] for body in bodies(way)] == ["2", "3"]
    services.process_many_again(posts=way.posts())
    work_all(way)
    assert not Client.objects.filter(uniq_id="7").exists()
    assert Order.objects.filter(order_id="1").exists()
    tell(way, "1", "7", email="quill@marked.example")
    work_all(way)
    assert Client.objects.filter(uniq_id="7").exists(), "whom the CRM sends again is somebody new"


def test_a_post_that_waits_is_waited_for(way: Way) -> None:
    tell(way, "1", "7", email="quill@marked.example")
    tell(way, "2", "8", email="else@other.example")
    work_all(way)
    tell(way, "1", "7", email="quill@marked.example", status="paid")
    erase_client(client=Client.objects.get(uniq_id="7"))
    erasing.go_on()
    assert Erasure.objects.get().finished_at is None
    assert [body["status"] for body in bodies(way)] == ["new", "paid"]
    work_all(way)
    erasing.go_on()
    assert Erasure.objects.get().finished_at is not None
    assert [body["id"] for body in bodies(way)] == ["2"]


def test_a_post_that_cannot_be_opened_is_no_reason_to_leave_out_others(way: Way) -> None:
    tell(way, "2", "8", email="else@other.example")
    tell(way, "1", "7", email="quill@marked.example")
    work_all(way)
    first = way.posts()[0]
    Post.objects.filter(pk=first.pk).update(body_encrypted="of a key that is not there")
    erase_client(client=Client.objects.get(uniq_id="7"))
    erasing.go_on()
    erasure = Erasure.objects.get()
    assert (erasure.finished_at, erasure.error_code, erasure.failures) == (None, "unreadable_secret", 1)
    assert erasure.not_before is not None
    assert [post.pk for post in way.posts()] == [first.pk]
    Post.objects.filter(pk=first.pk).update(body_encrypted=first.body_encrypted)
    Erasure.objects.update(not_before=None)
    erasing.go_on()
    erasure.refresh_from_db()
    assert erasure.finished_at is not None and erasure.failures == 0
    assert [post.pk for post in way.posts()] == [first.pk]


def work_all(way: Way) -> None:
    for _turn in range(5):
        work()
        if not Post.objects.open().exists():
            return
    raise AssertionError("posts are left")
