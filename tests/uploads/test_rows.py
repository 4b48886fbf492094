"""R5: what a row on the wire says, read back from the file that left."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.goals.resolve import Meaning
from apps.goals.services import set_status
from apps.metrica.identifiers import md5_of
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import OrderType
from apps.orders.models import Order
from apps.sandbox.models import SandboxUploading
from apps.uploads import files
from apps.uploads.dry_run import dry_run
from apps.uploads.rows import goals_of
from tests.uploads.conftest import Shop

MOSCOW = ZoneInfo("Europe/Moscow")


def sent(shop: Shop) -> dict[str, dict[str, str]]:
    """Rows of the last file, by order, as the sandbox got them."""
    upload = SandboxUploading.objects.filter(counter=shop.site).latest("pk")
    with upload.body.open() as body:
        rows = csv.DictReader(io.StringIO(body.read().decode()))
        return {row["id"]: row for row in rows}


def test_a_full_row(shop: Shop) -> None:
    shop.push(
        "R-1",
        "PAID",
        client_uniq_id="C-77",
        emails=["Buyer@Shop.example", "second@shop.example"],
        phones=["8 (903) 123-45-67"],
        revenue="5000",
        cost="3200.5",
        currency="USD",
        goals=[{"goal_action_id": "a1", "price": "10"}, {"goal_action_id": "a2"}],
    )
    shop.upload()
    row = sent(shop)["R-1"]
    assert Decimal(row.pop("revenue")) == 5000 and Decimal(row.pop("cost")) == Decimal("3200.5")
    assert row == {
        "id": "R-1",
        "create_date_time": f"{shop.began.astimezone(MOSCOW):%Y-%m-%d %H:%M:%S}",
        "client_uniq_id": "C-77",
        "client_ids": "1700000000123456789",
        "emails": "buyer@shop.example,second@shop.example",
        "phones": "79031234567",
        "emails_md5": "",
        "phones_md5": "",
        "order_status": "PAID",
        "goals": "a1:10,a2",
        "currency": "USD",
    }


def test_an_unknown_amount_is_blank_and_zero_is_zero(shop: Shop) -> None:
    shop.push("R-2", "PAID", revenue=None, cost=0)
    shop.upload()
    row = sent(shop)["R-2"]
    assert row["revenue"] == ""
    assert Decimal(row["cost"]) == 0


def test_kinds_that_the_order_lacks_come_from_its_client(shop: Shop) -> None:
    shop.push("R-3", "PAID", client_uniq_id="C-1", emails=["first@shop.example"], phones=["79030000001"])
    shop.push("R-4", "PAID", client_uniq_id="C-1", emails=["other@shop.example"])
    shop.upload()
    row = sent(shop)["R-4"]
    assert row["emails"] == "other@shop.example"
    assert row["phones"] == "79030000001"


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/New_York", "Asia/Kathmandu"])
def test_dates_go_out_on_the_counters_clock(make_shop: Callable[..., Shop], zone: str) -> None:
    """Half a second before midnight stays before midnight."""
    shop = make_shop(time_zone=zone)
    created = (timezone.now() - timedelta(days=3)).astimezone(ZoneInfo(zone))
    created = created.replace(hour=23, minute=59, second=59, microsecond=600_000)
    shop.push("R-5", "PAID", create_date_time=created.isoformat())
    shop.push("R-6", "PAID", create_date_time=f"{created:%d.%m.%Y}")
    shop.upload()
    rows = sent(shop)
    assert rows["R-5"]["create_date_time"] == f"{created:%Y-%m-%d} 23:59:59"
    assert rows["R-6"]["create_date_time"] == f"{created:%Y-%m-%d}"


def test_only_hashes_leave_where_the_counter_wants_it(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(hash_identifiers=True)
    known = "0123456789abcdef0123456789abcdef"
    shop.push("R-7", "PAID", emails=["buyer@shop.example"], phones=["79031234567"], emails_md5=[known])
    shop.upload()
    row = sent(shop)["R-7"]
    assert (row["emails"], row["phones"], row["client_ids"]) == ("", "", "1700000000123456789")
    assert row["emails_md5"] == f"{known},{md5_of('buyer@shop.example')}"
    assert row["phones_md5"] == md5_of("79031234567")


@pytest.mark.parametrize("mode", ["simple", "detailed"])
@pytest.mark.parametrize("json_rows", [0, 1000], ids=["csv", "json"])
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "plain"])
def test_no_contact_leaves_in_the_clear_by_any_way_out(
    make_shop: Callable[..., Shop],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    mode: str,
    json_rows: int,
    sealed: bool,
) -> None:
    """Orders and clients, the first time, sent again, and looked at before they go."""
    for module in ("formats", "planner", "dry_run"):
        monkeypatch.setattr(f"apps.uploads.{module}.JSON_ROWS", json_rows)
    settings.ENCRYPT_IDENTIFIERS = sealed
    shop = make_shop(mode=mode, hash_identifiers=True)
    own = {"emails": ["buyer@shop.example"], "phones": ["79031234567"]}
    shop.push("H-1", "IN_PROGRESS", "PAID", client_uniq_id="C-1", **own)
    shop.push("H-2", "PAID", **own)
    draft = dry_run(counter=shop.counter)
    drafts = [one.content for one in (draft.orders, draft.contacts) if one is not None]
    shop.upload()
    Order.objects.update(resend_due=True)
    shop.push("H-1", "CANCELLED", at=9, client_uniq_id="C-1", phones=["79031234567", "79037654321"])
    shop.upload()
    contents = drafts
    for upload in shop.uploads():
        with files.plain(upload) as stream:
            contents.append(stream.read())
    assert len(contents) >= 4
    for content in contents:
        for value in ("buyer@shop.example", "79031234567", "79037654321"):
            assert value.encode() not in content
    assert any(md5_of("79037654321").encode() in content for content in contents)


def test_a_mapped_status_goes_as_its_type_and_its_goals(shop: Shop) -> None:
    set_status(counter=shop.counter, crm_status="Запись", type="OTHER", goal_action_ids=["a1", "a2"])
    set_status(counter=shop.counter, crm_status="Оплата", type="PAID", goal_action_ids=["a3"])
    shop.push("R-8", "Запись")
    shop.push("R-9", "Оплата")
    shop.upload()
    rows = sent(shop)
    assert (rows["R-8"]["order_status"], rows["R-8"]["goals"]) == ("a1", "a2")
    assert (rows["R-9"]["order_status"], rows["R-9"]["goals"]) == ("PAID", "a3")
    mapping = shop.uploads()[0].mapping
    assert mapping["Запись"]["goal_action_ids"] == ["a1", "a2"]
    assert mapping["Оплата"]["type"] == "PAID"


def test_a_status_that_is_no_longer_mapped_is_held_with_its_reason(shop: Shop) -> None:
    from apps.goals.models import Goal

    shop.push("R-10", "a1")
    shop.push("R-11", "a2")
    Goal.objects.filter(identifier="a1").delete()
    job = shop.upload()
    assert (job.state, job.held, job.delivered) == ("partly_failed", 1, 1)
    [change] = shop.order("R-10").changes.all()
    assert (change.delivery, change.hold_reason) == ("held", "unmapped_status")


def test_a_row_without_identifiers_is_held_and_the_next_status_goes(shop: Shop) -> None:
    """Erased after it was accepted: the file must not be refused for it."""
    shop.push("R-12", "a1", "a2")
    shop.push("R-13", "a1")
    order = shop.order("R-12")
    order.identifiers = {"emails": []}
    order.save()
    job = shop.upload()
    assert job.held == 2
    assert {change.hold_reason for change in order.changes.all()} == {"no_identifiers"}


def test_what_no_file_can_hold_is_rejected_and_the_rest_goes(shop: Shop) -> None:
    shop.push("R-14", "a1")
    shop.push("R-15", "a1", "a2")
    shop.push("R-16", "a1")
    shop.order("R-15").changes.filter(order_status="a1").update(goals=[{"goal_action_id": "with,comma", "price": None}])
    job = shop.upload()
    assert (job.state, job.rejected, job.delivered) == ("partly_failed", 1, 3)
    [bad, good] = shop.order("R-15").changes.order_by("seq")
    assert (bad.delivery, bad.reject_code, good.delivery) == ("rejected", "unwritable", "delivered")


def test_a_file_of_nothing_but_what_cannot_be_written_leaves_no_file(shop: Shop) -> None:
    shop.push("R-17", "a1", "a2")
    shop.order("R-17").changes.filter(seq=1).update(goals=[{"goal_action_id": "with,comma", "price": None}])
    shop.upload()
    assert [upload.rows for upload in shop.uploads()] == [1]
    assert shop.arrived("R-17") == ["a2"]


def test_the_kept_bytes_are_those_that_left(shop: Shop) -> None:
    shop.push("R-18", "a1", client_uniq_id='Ключ "№1", и ещё')
    shop.upload()
    [upload] = shop.uploads()
    [received] = shop.received()
    assert (upload.sha256, upload.bytes, upload.rows) == (received.sha256, received.size, received.elements_count)
    with files.plain(upload) as file, received.body.open() as body:
        assert file.read() == body.read()


MEANING: Any = {"crm_status": "s", "source": "mapping"}
OTHER = Meaning(type=OrderType.OTHER, goal_action_ids=("g", "h"), wire_status="g", wire_goals=("h",), **MEANING)
PAID = Meaning(type=OrderType.PAID, goal_action_ids=("g",), wire_status="PAID", wire_goals=("g",), **MEANING)


@pytest.mark.parametrize(
    ("meaning", "extras", "expected"),
    [
        (OTHER, [], [("h", None)]),
        (OTHER, [("g", None)], [("h", None)]),
        (OTHER, [("g", "5")], [("h", None), ("g", "5")]),
        (OTHER, [("h", "7"), ("h", "8")], [("h", "7")]),
        (OTHER, [("x", None), ("x", "3")], [("h", None), ("x", "3")]),
        (PAID, [("g", "5")], [("g", "5")]),
        (PAID, [("PAID", None)], [("g", None), ("PAID", None)]),
    ],
)
def test_each_goal_is_named_once_and_a_price_wins(
    meaning: Meaning, extras: list[tuple[str, str | None]], expected: list[tuple[str, str | None]]
) -> None:
    found = goals_of(meaning, [{"goal_action_id": goal, "price": price} for goal, price in extras])
    assert list(found) == [GoalPrice(goal, None if price is None else Decimal(price)) for goal, price in expected]
