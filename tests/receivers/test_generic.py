"""Any other CRM end to end: RetailCRM's trigger, 1C's lists, a plain form; the mapping, and three kinds of proof."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from apps.orders.models import StatusChange
from apps.receivers import services, working
from apps.receivers.models import Check
from tests.receivers.conftest import JSON, Way, later, work
from tests.receivers.crm import sample

RETAIL = {
    "id": "order.number",
    "create_date_time": "order.createdAt",
    "order_status": "order.status",
    "status_date_time": "order.statusUpdatedAt",
    "client_uniq_id": "order.customer.id",
    "client_name": "order.customer.firstName + order.customer.lastName",
    "client_ids": "order.customFields.metrika_client_id",
    "emails": "order.customer.email",
    "phones": "order.customer.phones[*].number",
    "revenue": "order.totalSumm",
    "cost": "order.purchaseSumm",
    "currency": "order.currency | =RUB",
    "products": "order.items",
    "product_id": "offer.externalId",
    "product_quantity": "quantity",
}
ONE_C = {
    "orders": "Заказы",
    "id": "Номер",
    "create_date_time": "Дата",
    "order_status": "Статус",
    "status_date_time": "ДатаСтатуса",
    "client_uniq_id": "Контрагент.Код",
    "phones": "Контрагент.Телефон",
    "revenue": "Сумма",
    "currency": "=RUB",
}
PLAIN = {"id": "id", "create_date_time": "created", "order_status": "status", "emails": "email"}


@pytest.fixture
def way(make_way: Any) -> Way:
    return make_way()


def test_retailcrm(way: Way) -> None:
    way.map(event_id="delivery", **RETAIL)
    assert way.send(sample("retailcrm_trigger.json"), content_type=JSON).status_code == 200
    work()
    change = StatusChange.objects.get(order=way.order("1042A"))
    assert way.timeline("1042A") == [("send-to-delivery", "24.11 12:00:00")]
    assert (str(change.revenue), str(change.cost), change.currency) == ("4990.5000", "3100.0000", "RUB")
    assert change.products == {"sku-1": 2, "sku-9": 1}
    order = way.order("1042A")
    assert order.identifiers["phones"] == ["79030001122", "74950001122"]
    assert order.client is not None and (order.client.uniq_id, order.client.name) == ("557", "Анна Зайцева")
    assert "invented-key-of-the-shop" not in working.body_of(way.last())
    assert way.send(sample("retailcrm_trigger.json"), content_type=JSON).json()["repeated"] is True


def test_1c_sends_several_and_a_bad_one_hurts_nobody_else(way: Way) -> None:
    """R7, and "process again" after the CRM's data or the mapping was corrected."""
    way.map(**ONE_C)
    way.send(sample("1c_orders.json"), content_type="application/json; charset=utf-8")
    work()
    post = way.last()
    assert (post.state, post.error_code, post.created, post.rejected) == ("held", "rows_rejected", 1, 2)
    assert [(row["id"], row["errors"][0][:2]) for row in post.results[:2]] == [
        ("БП-000128", ["order_status", "required"]),
        ("БП-000129", ["create_date_time", "date_format"]),
    ]
    assert way.timeline("БП-000127") == [("К выполнению", "24.11 11:20:00")]
    way.map(order_status="Статус | =Без статуса")
    assert services.process_again(post=post)
    assert not services.process_again(post=post)  # it waits for that already
    work()
    post = way.last()
    assert (post.created, post.unchanged, post.rejected) == (1, 1, 1)
    assert way.order("БП-000128").order_status == "Без статуса"


def test_a_plain_form_with_names_in_brackets(way: Way) -> None:
    way.map(**{**PLAIN, "id": "order.id", "order_status": "order.status", "emails": "order.emails[*]"})
    way.send(
        "order[id]=F-1&order[status]=new&created=2026-11-24+10%3A00&order[emails][]=a@x.example&order[emails][]=b@x.example"
    )
    work()
    assert way.order("F-1").identifiers == {"emails": ["a@x.example", "b@x.example"]}


def test_a_state_without_a_time_that_comes_back_is_heard(way: Way) -> None:
    """New, paid and new again are three changes, though two of the bodies are the same to the letter."""
    way.map(**PLAIN)
    body = {"id": "T-1", "created": "2026-11-24 10:00", "email": "t@x.example"}
    for status in ("new", "new", "paid", "new"):
        way.send(json.dumps({**body, "status": status}), content_type=JSON)
        work()
    assert [post.repeats for post in way.posts()] == [1, 0, 0]  # only the one right after it was a repetition
    assert [status for status, _when in way.timeline("T-1")] == ["new", "paid", "new"]


def test_posts_without_times_that_are_worked_on_late_find_their_place(way: Way) -> None:
    """R4: the post that came first is not the newer one because it was worked on last."""
    from apps.receivers.models import Post

    body = {"id": "T-2", "created": "2026-11-24 10:00", "email": "t@x.example"}
    way.send(json.dumps({**body, "status": "new"}), content_type=JSON)
    work()  # no mapping yet: held
    assert (way.last().state, way.last().error_code) == ("held", "no_mapping")
    way.map(**PLAIN)
    way.send(json.dumps({**body, "status": "paid"}), content_type=JSON)
    work()
    assert services.process_held_again(receiver=way.receiver) == 1
    work()
    assert [status for status, _when in way.timeline("T-2")] == ["new", "paid"]
    assert way.order("T-2").order_status == "paid"
    assert Post.objects.held().count() == 0


def test_what_is_no_json_is_kept_and_shown(way: Way) -> None:
    way.map(**PLAIN)
    for body, code in ((b'{"id": 1,', "unreadable_body"), (b"\xff\xfe", "unreadable_body"), (b"", "empty_body")):
        assert way.send(body, content_type=JSON).status_code == 200
        work()
        assert way.last().error_code == code
    way.send("[]", content_type=JSON)
    work()
    assert (way.last().state, way.last().error_code) == ("held", "no_orders")


def test_names_of_statuses_and_attributes(way: Way) -> None:
    way.change(statuses={"7": "Оплачен"})
    way.map(**PLAIN, attributes={"branch": "office.name", "tags": "tags[*]"})  # type: ignore[arg-type]
    content = {
        "id": 5,
        "created": 1795503600,
        "status": 7,
        "email": "",
        "office": {"name": "North"},
        "tags": ["a", "b"],
    }
    way.send(json.dumps(content), content_type=JSON)
    work()
    change = StatusChange.objects.get(order=way.order("5"))
    assert (change.order_status, change.attributes) == ("Оплачен", {"branch": "North", "tags": ["a", "b"]})
    assert f"{way.order('5').create_date_time:%Y-%m-%d %H:%M}" == "2026-11-24 07:00"


BODY = json.dumps({"id": "P-1", "created": "2026-11-24 10:00", "status": "new"})
SECRET = "a-long-secret-of-the-crm"


def _hmac(body: str, secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"),
    [
        (Check.HEADER, "X-Secret", {"X_Secret": SECRET}, [{}, {"X_Secret": ""}, {"X_Secret": SECRET + "x"}]),
        (Check.HEADER, "Authorization", {"Authorization": f"Bearer {SECRET}"}, [{"Authorization": "Bearer x"}]),
        (Check.QUERY, "token", {"tail": f"?token={SECRET}"}, [{}, {"tail": "?token="}, {"tail": "?token=wrong"}]),
        (Check.HMAC, "X-Signature", {"X_Signature": _hmac(BODY).hex()}, [{}, {"X_Signature": _hmac(BODY, "x").hex()}]),
        (
            Check.HMAC,
            "X-Signature",
            {"X_Signature": "sha256=" + _hmac(BODY).hex().upper()},
            [{"X_Signature": "sha256=zz"}, {"X_Signature": _hmac(BODY + " ").hex()}],
        ),
        (
            Check.HMAC,
            "X-Signature",
            {"X_Signature": base64.b64encode(_hmac(BODY)).decode()},
            [{"X_Signature": "!!!"}, {"X_Signature": base64.b64encode(b"x" * 32).decode()}],
        ),
    ],
)
def test_what_proves_a_post(way: Way, kind: str, name: str, good: dict[str, str], bad: list[dict[str, str]]) -> None:
    way.change(check_kind=kind, check_name=name, check_secret=SECRET)
    for wrong in bad:
        assert way.send(BODY, content_type=JSON, **wrong).status_code == 404
    assert way.posts() == []
    way.receiver.refresh_from_db()
    assert way.receiver.refused == len(bad)
    assert way.send(BODY, content_type=JSON, **good).status_code == 200


def test_a_worker_that_dies_leaves_a_post_that_is_worked_on_again(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    way.map(**PLAIN)
    way.send(BODY, content_type=JSON)

    def die(*args: Any, **options: Any) -> Any:
        raise SystemExit

    monkeypatch.setattr(working, "_read", die)
    with pytest.raises(SystemExit):
        working.work_next(way.receiver.pk)
    monkeypatch.undo()
    work()
    assert (way.last().state, way.last().attempts) == ("waiting", 1)  # not before its time
    later()
    work()
    assert (way.last().state, way.last().attempts) == ("done", 2)


def test_what_breaks_again_and_again_is_for_a_person(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    way.map(**PLAIN)
    way.send(BODY, content_type=JSON)

    def fail(*args: Any, **options: Any) -> Any:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(working, "_read", fail)
    for _attempt in range(working.MOST_TRIES_OF_OURS):
        later()
        work()
    assert (way.last().state, way.last().error_code) == ("held", "gave_up")


def test_the_outcome_and_the_orders_are_committed_together(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """R2: what is taken from a worker meanwhile leaves no orders behind."""
    from apps.orders.models import Order
    from apps.receivers.models import Post

    way.map(**PLAIN)
    way.send(BODY, content_type=JSON)
    read = working._read

    def meanwhile(receiver: Any, post: Any) -> Any:
        Post.objects.filter(pk=post.pk).update(attempts=9)
        return read(receiver, post)

    monkeypatch.setattr(working, "_read", meanwhile)
    working.work_next(way.receiver.pk)
    assert not Order.objects.exists()
    assert way.last().state == "waiting"
