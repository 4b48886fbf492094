"""Detailed mode: clients go before their orders and again when they change (R2, R4), and rows are whole (R5)."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db.models.signals import post_save
from django.utils import timezone

from apps.clients.models import Client
from apps.counters.declaring import set_attributes, set_products
from apps.counters.models import ApiCall
from apps.counters.services import update_counter
from apps.goals.models import StepState
from apps.goals.services import set_status
from apps.goals.status_sync import push
from apps.metrica.identifiers import md5_of
from apps.orders import crowds
from apps.orders.models import Delivery, Order
from apps.sandbox.models import SandboxStatus, SandboxUploading
from apps.uploads import runner
from apps.uploads.models import JobState, UploadJob, UploadKind, UploadState
from apps.uploads.modes import switch_mode
from apps.uploads.problems import describe
from apps.uploads.runner import run_job
from apps.uploads.selection import something_due
from apps.uploads.services import request_if_wanted
from tests.uploads.conftest import Shop

MOSCOW = ZoneInfo("Europe/Moscow")
Row = dict[str, Any]


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop(mode="detailed")


def kinds(shop: Shop) -> list[tuple[str, str, int]]:
    """(kind, format, rows) of the files that passed, in the order in which they went."""
    uploads = shop.uploads(state=UploadState.PASSED)
    uploads.sort(key=lambda upload: upload.finished_at or timezone.now())
    return [(upload.kind, upload.format, upload.rows) for upload in uploads]


def rows(shop: Shop, kind: str) -> list[Row]:
    """Rows of all files of the kind, in the order in which the sandbox took them."""
    found: list[Row] = []
    for upload in SandboxUploading.objects.filter(counter=shop.site, kind=kind, status="PASSED").order_by("pk"):
        with upload.body.open() as body:
            text = body.read().decode()
        if upload.uploading_format == "JSON":
            [(_name, items)] = json.loads(text, parse_float=Decimal).items()
            found += items
        else:
            found += csv.DictReader(io.StringIO(text))
    return found


def client(uniq_id: str) -> Client:
    return Client.objects.get(uniq_id=uniq_id)


def test_clients_go_first_and_each_wave_of_orders_after(shop: Shop) -> None:
    shop.push("D-1", "IN_PROGRESS", "PAID", client_uniq_id="C-1")
    shop.push("D-2", "IN_PROGRESS")
    job = shop.upload()
    assert (job.state, job.delivered, job.clients) == (JobState.SUCCEEDED, 3, 2)
    assert kinds(shop) == [("contacts", "json", 2), ("orders", "json", 2), ("orders", "json", 1)]
    assert [row["uniq_id"] for row in rows(shop, "contacts")] == ["C-1", "goalpost-order-D-2"]
    assert [row["client_uniq_id"] for row in rows(shop, "orders")] == ["C-1", "goalpost-order-D-2", "C-1"]
    assert shop.arrived("D-1") == ["IN_PROGRESS", "PAID"]
    assert not something_due(counter=shop.counter)


def test_a_worker_that_dies_before_the_first_file_keeps_its_job_from_others_for_one_call_at_most(shop: Shop) -> None:
    """The lease is renewed call by call while Metrica learns statuses, attributes and products."""
    set_status(counter=shop.counter, crm_status="Lead", type="IN_PROGRESS")
    set_attributes(counter=shop.counter, attributes=[{"entity": "CONTACT", "name": "age", "type": "numeric"}])
    set_products(counter=shop.counter, products=[{"name": "sku-1", "humanized": "Mug"}])
    shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1")
    left: dict[str, float] = {}

    def look(instance: ApiCall, created: bool, **_more: Any) -> None:
        if created:
            until = UploadJob.objects.get(counter=shop.counter).lease_until
            assert until is not None
            left[f"{instance.method} {instance.url.rpartition('/')[2].partition('?')[0]}"] = (
                until - timezone.now()
            ).total_seconds()

    post_save.connect(look, sender=ApiCall)
    try:
        shop.upload()
    finally:
        post_save.disconnect(look, sender=ApiCall)
    asked = {"GET order_statuses", "POST order_statuses", "GET attributes", "POST attributes", "POST products"}
    assert asked <= set(left)
    longest = settings.UPLOAD_LEASE_SECONDS + settings.METRICA_TIMEOUT_SECONDS
    assert all(0 < left[call] <= longest for call in asked), left


def test_the_first_upload_of_clients_is_noted_once(shop: Shop) -> None:
    assert shop.counter.first_clients_at is None
    shop.push("D-1", "IN_PROGRESS")
    shop.upload()
    shop.counter.refresh_from_db()
    first = shop.counter.first_clients_at
    assert first is not None and timezone.now() - first < timedelta(minutes=1)
    shop.push("D-2", "IN_PROGRESS")
    shop.upload()
    shop.counter.refresh_from_db()
    assert shop.counter.first_clients_at == first


def test_a_whole_order(shop: Shop) -> None:
    shop.push(
        "D-1",
        "PAID",
        client_uniq_id="C-1",
        revenue="5000",
        cost="3200.5",
        currency="USD",
        goals=[{"goal_action_id": "a1", "price": "10"}, {"goal_action_id": "a2"}],
        products={"sku-1": 2, "sku-9": 1},
    )
    shop.upload()
    [row] = rows(shop, "orders")
    happened = f"{shop.began.astimezone(MOSCOW):%Y-%m-%d %H:%M:%S}"
    assert row == {
        "id": "D-1",
        "client_uniq_id": "C-1",
        "client_type": "CONTACT",
        "create_date_time": happened,
        "update_date_time": happened,
        "finish_date_time": happened,
        "order_status": "PAID",
        "revenue": 5000,
        "cost": Decimal("3200.5"),
        "currency": "USD",
        "products": {"sku-1": 2, "sku-9": 1},
        "goals": [{"goal_action_id": "a1", "price": 10}, {"goal_action_id": "a2"}],
    }


def test_a_whole_client(shop: Shop) -> None:
    shop.push("D-1", "PAID", client_uniq_id="C-1", client_name="Anna", emails=["A@x.example"], phones="79031234567")
    shop.upload()
    [row] = rows(shop, "contacts")
    times = {row.pop("create_date_time"), row.pop("update_date_time")}
    assert len(times) == 1
    assert row == {
        "uniq_id": "C-1",
        "name": "Anna",
        "client_ids": ["1700000000123456789"],
        "emails": ["a@x.example"],
        "phones": ["79031234567"],
    }


def test_only_hashes_of_clients_leave_where_the_counter_wants_it(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(mode="detailed", hash_identifiers=True)
    shop.push("D-1", "PAID", emails=["buyer@shop.example"])
    shop.upload()
    [row] = rows(shop, "contacts")
    assert "emails" not in row
    assert row["emails_md5"] == [md5_of("buyer@shop.example")]


def test_the_first_payment_ends_an_order_for_good(shop: Shop) -> None:
    shop.push("D-1", "IN_PROGRESS", "PAID", "CANCELLED", "PAID")
    shop.upload()
    paid = f"{(shop.began + timedelta(hours=1)).astimezone(MOSCOW):%Y-%m-%d %H:%M:%S}"
    assert [row.get("finish_date_time") for row in rows(shop, "orders")] == [None, paid, paid, paid]
    updated = [row["update_date_time"] for row in rows(shop, "orders")]
    assert updated == sorted(set(updated))


def test_a_large_file_is_csv_and_says_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.uploads.formats.JSON_ROWS", 2)
    monkeypatch.setattr("apps.uploads.planner.JSON_ROWS", 2)
    for number in range(3):
        shop.push(f"D-{number}", "PAID", client_uniq_id=f"C-{number}", products={"a": 1, "b": 2}, phones="79031234567")
    job = shop.upload()
    assert kinds(shop) == [("contacts", "csv", 3), ("orders", "csv", 3)]
    assert job.delivered == 3
    assert [row["products"] for row in rows(shop, "orders")] == ["a:1,b:2"] * 3
    assert [row["phones"] for row in rows(shop, "contacts")] == ["79031234567"] * 3
    shop.push("D-9", "PAID")
    shop.upload()
    assert kinds(shop)[2:] == [("contacts", "json", 1), ("orders", "json", 1)]


def test_custom_attributes_are_made_at_metrica_and_sent(shop: Shop) -> None:
    set_attributes(
        counter=shop.counter,
        attributes=[
            {"entity": "ORDER", "name": "branch"},
            {"entity": "CONTACT", "name": "cities", "multivalued": True, "humanized": "Города"},
        ],
    )
    set_products(counter=shop.counter, products=[{"name": "sku-1", "humanized": "Mug"}])
    shop.push("D-1", "PAID", attributes={"branch": "north"}, client_attributes={"cities": ["Perm", "Omsk"]})
    assert shop.upload().state == JobState.SUCCEEDED
    assert rows(shop, "orders")[0]["attribute_values"] == {"branch": ["north"]}
    assert rows(shop, "contacts")[0]["attribute_values"] == {"cities": ["Perm", "Omsk"]}
    shop.counter.refresh_from_db()
    assert (shop.counter.attributes_sent, shop.counter.products_sent) == (1, 1)
    schema = ApiCall.objects.filter(counter=shop.counter, method="POST", url__contains="/schema/")
    assert schema.count() == 3
    shop.push("D-2", "PAID")
    shop.upload()
    assert schema.count() == 3, "what Metrica has is not sent again"


def test_a_large_file_has_a_column_for_each_attribute(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.uploads.formats.JSON_ROWS", 0)
    monkeypatch.setattr("apps.uploads.planner.JSON_ROWS", 0)
    set_attributes(
        counter=shop.counter,
        attributes=[{"entity": "ORDER", "name": "branch"}, {"entity": "ORDER", "name": "tags", "multivalued": True}],
    )
    shop.push("D-1", "PAID", attributes={"branch": "north, left", "tags": ["a", "b"]})
    assert shop.upload().state == JobState.SUCCEEDED
    [row] = rows(shop, "orders")
    assert (row["branch"], row["tags"]) == ("north, left", "a,b")


def test_an_attribute_that_metrica_has_otherwise_stops_the_job_in_words(shop: Shop) -> None:
    set_attributes(counter=shop.counter, attributes=[{"entity": "ORDER", "name": "floor", "type": "numeric"}])
    shop.push("D-1", "PAID")
    shop.upload()
    set_attributes(counter=shop.counter, attributes=[{"entity": "ORDER", "name": "floor", "type": "text"}])
    shop.push("D-2", "PAID")
    job = shop.upload()
    assert (job.state, job.error_code) == (JobState.FAILED, "attribute_differs")
    assert "floor" in job.error_message
    assert shop.states("D-2") == [("PAID", "waiting")]


class TestAgain:
    def test_a_changed_client_goes_again_without_any_order(self, shop: Shop) -> None:
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.upload()
        shop.push("D-1", "PAID", client_uniq_id="C-1", client_name="Anna")
        assert something_due(counter=shop.counter)
        job = shop.upload()
        assert (job.state, job.clients, job.delivered) == (JobState.SUCCEEDED, 1, 0)
        assert [row.get("name") for row in rows(shop, "contacts")] == [None, "Anna"]

    def test_a_client_that_changes_while_its_file_is_under_way_goes_again(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """R2: the file settles what it carried, not what has come since."""
        shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1", client_name="Ann")
        forward = runner._forward

        def changing(lease: Any, upload: Any, counter: Any) -> None:
            if upload.kind == UploadKind.CONTACTS and client("C-1").name == "Ann":
                shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1", client_name="Anna")
            forward(lease, upload, counter)

        monkeypatch.setattr(runner, "_forward", changing)
        job = shop.upload()
        assert [row["name"] for row in rows(shop, "contacts")] == ["Ann", "Anna"]
        assert (job.state, job.clients) == (JobState.SUCCEEDED, 2)
        assert not client("C-1").is_due

    def test_an_order_that_comes_while_clients_are_under_way_waits_for_its_own(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1")
        forward = runner._forward

        def pushing(lease: Any, upload: Any, counter: Any) -> None:
            if upload.kind == UploadKind.CONTACTS and not Order.objects.filter(order_id="D-2").exists():
                shop.push("D-2", "IN_PROGRESS", client_uniq_id="C-2")
            forward(lease, upload, counter)

        monkeypatch.setattr(runner, "_forward", pushing)
        shop.upload()
        assert kinds(shop) == [("contacts", "json", 1), ("orders", "json", 1)] * 2
        assert [row["uniq_id"] for row in rows(shop, "contacts")] == ["C-1", "C-2"]
        assert [row["id"] for row in rows(shop, "orders")] == ["D-1", "D-2"]

    def test_a_counter_that_sends_as_they_come_sends_changed_clients_too(self, make_shop: Callable[..., Shop]) -> None:
        shop = make_shop(mode="detailed", schedule="as they come")
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.upload(request_if_wanted(shop.counter))
        assert request_if_wanted(shop.counter) is None
        shop.push("D-1", "PAID", client_uniq_id="C-1", client_name="Anna")
        job = shop.counter.upload_jobs.unfinished().get()
        assert shop.upload(job).clients == 1


class TestTrouble:
    def test_a_refused_client_is_split_off_and_its_orders_are_held(self, shop: Shop) -> None:
        """R7, R8: the others go; when the CRM corrects the client, its orders go by themselves."""
        for number in range(5):
            shop.push(f"D-{number}", "PAID", client_uniq_id=f"C-{number}")
        shop.fault("refuse_row", order_id="C-3", count=None)
        job = shop.upload()
        assert (job.state, job.error_code) == (JobState.PARTLY_FAILED, "clients_refused")
        assert (job.clients, job.clients_refused, job.delivered, job.held) == (4, 1, 4, 1)
        assert shop.order("D-3").changes.get().hold_reason == "client_refused"
        refused = client("C-3")
        assert refused.reject_code and refused.reject_message and refused.delivered_at is None
        assert not something_due(counter=shop.counter), "it is not tried again by itself"
        self.mend(shop)
        shop.push("D-3", "PAID", client_uniq_id="C-3", client_name="Correct")
        assert shop.order("D-3").changes.get().delivery == Delivery.WAITING
        assert shop.upload().state == JobState.SUCCEEDED
        assert shop.all_delivered()
        assert client("C-3").reject_code == ""

    def test_a_refused_order_is_split_off(self, shop: Shop) -> None:
        for number in range(5):
            shop.push(f"D-{number}", "PAID")
        shop.fault("refuse_row", order_id="D-3", count=None)
        job = shop.upload()
        assert (job.state, job.delivered, job.rejected) == (JobState.PARTLY_FAILED, 4, 1)
        assert shop.states("D-3") == [("PAID", "rejected")]
        split = shop.uploads(kind="orders", state=UploadState.REFUSED)
        assert {upload.format for upload in split} == {"json"}

    def test_large_files_are_split_as_well(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("apps.uploads.formats.JSON_ROWS", 0)
        monkeypatch.setattr("apps.uploads.planner.JSON_ROWS", 0)
        for number in range(5):
            shop.push(f"D-{number}", "PAID", client_uniq_id=f"C-{number}", client_name='A "name", with signs')
        shop.fault("refuse_row", order_id="C-1", count=None)
        shop.fault("refuse_row", order_id="D-4", count=None)
        job = shop.upload()
        assert (job.clients, job.clients_refused, job.delivered, job.rejected, job.held) == (4, 1, 3, 1, 1)

    @pytest.mark.parametrize("fault", ["cut_after", "cut_before", "quota_429", "server_error"])
    def test_a_fault_loses_no_client_and_sends_none_twice(self, shop: Shop, fault: str) -> None:
        shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1")
        shop.push("D-2", "IN_PROGRESS", client_uniq_id="C-2")
        shop.fault(fault, count=1, **({"retry_after": 0} if fault == "quota_429" else {}))
        assert shop.upload().state == JobState.SUCCEEDED
        assert kinds(shop) == [("contacts", "json", 2), ("orders", "json", 2)]
        assert len(rows(shop, "contacts")) == 2

    def test_a_job_that_fails_gives_its_clients_back(self, shop: Shop, quick: Any) -> None:
        quick.UPLOAD_MAX_ATTEMPTS = 2
        shop.push("D-1", "PAID")
        shop.fault("server_error", count=None)
        assert shop.upload().state == JobState.FAILED
        assert Client.objects.due().count() == 1
        self.mend(shop)
        assert shop.upload().state == JobState.SUCCEEDED
        assert shop.all_delivered()

    def test_a_worker_that_dies_between_clients_and_orders_loses_nothing(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.push("D-1", "PAID")
        job = shop.ask()

        class Killed(BaseException):
            pass

        def dying(**_arguments: Any) -> Any:
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr("apps.uploads.planner._plan_orders", dying)
            with pytest.raises(Killed):
                run_job(job.pk)
        assert kinds(shop) == [("contacts", "json", 1)]
        type(job).objects.filter(pk=job.pk).update(lease_until=timezone.now())
        assert shop.upload(job).state == JobState.SUCCEEDED
        assert kinds(shop) == [("contacts", "json", 1), ("orders", "json", 1)]

    def test_a_client_that_no_file_can_hold_is_refused_and_the_rest_goes(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.uploads.formats.JSON_ROWS", 0)
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.push("D-2", "PAID", client_uniq_id="C-2")
        Client.objects.filter(uniq_id="C-1").update(identifiers={"client_ids": ["a list, not one"]})
        job = shop.upload()
        assert (job.clients, job.clients_refused, job.delivered, job.held) == (1, 1, 1, 1)
        assert client("C-1").reject_code == "unwritable"

    def test_nothing_goes_while_somebody_else_has_changed_the_mapping(self, shop: Shop) -> None:
        set_status(counter=shop.counter, crm_status="Запись", type="OTHER", goal_action_ids=["a1"])
        shop.push("D-1", "Запись")
        assert shop.upload().state == JobState.SUCCEEDED
        assert shop.arrived("D-1") == ["zapis"]
        [mapped] = SandboxStatus.objects.filter(counter=shop.site)
        SandboxStatus.objects.filter(pk=mapped.pk).update(type="PAID")
        StepState.objects.update(looked_at=timezone.now() - timedelta(days=1))
        shop.push("D-2", "Запись")
        job = shop.upload()
        assert (job.state, job.error_code) == (JobState.FAILED, "statuses_out_of_step")
        problem = describe(job.error_code)
        assert problem is not None and "Compare statuses" in str(problem.next_step)
        assert shop.states("D-2") == [("Запись", "waiting")]
        push(counter=shop.counter, take=["zapis"])
        assert shop.upload().state == JobState.SUCCEEDED
        assert shop.all_delivered()

    def test_a_status_that_is_mapped_anew_goes_to_metrica_before_its_orders(self, shop: Shop) -> None:
        set_status(counter=shop.counter, crm_status="Отказ", type="CANCELLED", metrica_id="no")
        shop.push("D-1", "Отказ")
        shop.upload()
        set_status(counter=shop.counter, crm_status="Отказ", type="SPAM", metrica_id="no")
        shop.push("D-2", "Отказ")
        assert shop.upload().state == JobState.SUCCEEDED
        assert SandboxStatus.objects.get(counter=shop.site).type == "SPAM"

    @staticmethod
    def mend(shop: Shop) -> None:
        from apps.sandbox import services as sandbox

        sandbox.clear_faults()


class TestCrowds:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(crowds, "ORDERS_PER_CLIENT", 10)

    def test_a_client_that_is_nearly_full_is_marked_and_a_full_one_takes_no_more(self, shop: Shop) -> None:
        for number in range(8):
            shop.push(f"D-{number}", "IN_PROGRESS", client_uniq_id="C-1")
        shop.upload()
        assert client("C-1").crowded_at is None
        for number in range(8, 12):
            shop.push(f"D-{number}", "IN_PROGRESS", client_uniq_id="C-1")
        job = shop.upload()
        assert (job.delivered, job.held) == (2, 2)
        assert client("C-1").crowded_at is not None
        assert shop.order("D-11").changes.get().hold_reason == "client_full"
        shop.push("D-3", "PAID", at=5, client_uniq_id="C-1")
        assert shop.upload().delivered == 1, "the first ones are still changed"

    def test_an_order_with_another_client_goes(self, shop: Shop) -> None:
        for number in range(11):
            shop.push(f"D-{number}", "IN_PROGRESS", client_uniq_id="C-1")
        assert shop.upload().held == 1
        shop.push("D-10", "IN_PROGRESS", client_uniq_id="C-2")
        shop.upload()
        assert shop.all_delivered()


class TestSwitching:
    def test_what_waited_in_simple_mode_goes_in_detail_with_all_that_was_known(
        self, make_shop: Callable[..., Shop]
    ) -> None:
        shop = make_shop()
        shop.push("D-1", "IN_PROGRESS", emails="a@x.example")
        shop.push("D-2", "IN_PROGRESS", client_uniq_id="C-1", client_ids=["1"])
        shop.push("D-2", "IN_PROGRESS", client_ids=["2"], phones="79031234567")
        shop.upload(shop.ask(only_orders=[shop.order("D-1").pk]))
        shop.push("D-1", "PAID", at=3)
        shop.counter = switch_mode(counter=shop.counter, mode="detailed")
        job = shop.upload()
        assert (job.state, job.delivered) == (JobState.SUCCEEDED, 3)
        clients = {row["uniq_id"]: row for row in rows(shop, "contacts")}
        assert clients["goalpost-order-D-1"]["emails"] == ["a@x.example"]
        assert sorted(clients["C-1"]["client_ids"]) == ["1", "2"]
        assert clients["C-1"]["phones"] == ["79031234567"]
        assert {row["id"] for row in rows(shop, "orders")} == {"D-1", "D-2"}

    def test_a_late_status_repeats_the_current_state_of_an_order_of_the_simple_mode(
        self, make_shop: Callable[..., Shop]
    ) -> None:
        shop = make_shop()
        shop.push("D-1", "PAID", at=5)
        shop.upload()
        shop.counter = switch_mode(counter=shop.counter, mode="detailed")
        shop.push("D-1", "IN_PROGRESS", at=1)
        job = shop.upload()
        assert (job.state, job.delivered, job.resent) == (JobState.SUCCEEDED, 1, 1)
        assert shop.arrived("D-1") == ["PAID", "IN_PROGRESS", "PAID"]

    def test_a_payment_that_went_in_simple_mode_is_the_end_of_its_order(self, make_shop: Callable[..., Shop]) -> None:
        """However the order's next status comes: with its client, with another value, or without a client."""
        shop = make_shop()
        for number in (1, 2, 3):
            shop.push(f"D-{number}", "PAID", client_uniq_id=f"C-{number}")
        shop.upload()
        shop.counter = switch_mode(counter=shop.counter, mode="detailed")
        shop.push("D-1", "CANCELLED", client_uniq_id="C-1", at=5)
        shop.push("D-2", "PAID", client_uniq_id="C-2", at=5, revenue="77")
        shop.push("D-3", "CANCELLED", at=5)
        assert shop.upload().delivered == 3
        paid = f"{shop.began.astimezone(MOSCOW):%Y-%m-%d %H:%M:%S}"
        assert [row["finish_date_time"] for row in rows(shop, "orders")] == [paid] * 3

    def test_so_it_is_after_there_and_back(self, shop: Shop) -> None:
        """An end that detailed mode froze stays; one of simple mode is learnt."""
        shop.push("D-1", "IN_PROGRESS", client_uniq_id="C-1")
        shop.push("D-2", "PAID", client_uniq_id="C-2")
        shop.upload()
        shop.push("D-3", "PAID", client_uniq_id="C-3", at=2)
        shop.push("D-1", "PAID", client_uniq_id="C-1", at=2)
        frozen = shop.order("D-2").finish_date_time
        shop.counter = switch_mode(counter=shop.counter, mode="simple")
        shop.push("D-2", "CANCELLED", "PAID", client_uniq_id="C-2", at=2)
        shop.upload()
        shop.counter = switch_mode(counter=shop.counter, mode="detailed")
        for number in (1, 2, 3):
            shop.push(f"D-{number}", "CANCELLED", client_uniq_id=f"C-{number}", at=9)
        assert shop.upload().delivered == 3
        ends = [shop.order(f"D-{number}").finish_date_time for number in (1, 2, 3)]
        assert ends == [shop.began + timedelta(hours=2), frozen, shop.began + timedelta(hours=2)]

    def test_back_in_simple_mode_orders_carry_their_identifiers_again(self, shop: Shop) -> None:
        shop.push("D-1", "IN_PROGRESS")
        shop.upload()
        shop.counter = switch_mode(counter=shop.counter, mode="simple")
        shop.push("D-1", "PAID", at=3)
        shop.upload()
        assert kinds(shop)[2:] == [("simple_orders", "csv", 1)]
        [row] = rows(shop, "simple_orders")
        assert (row["client_ids"], row["order_status"]) == ("1700000000123456789", "PAID")

    def test_a_file_under_way_is_finished_as_it_was(self, make_shop: Callable[..., Shop]) -> None:
        shop = make_shop()
        shop.push("D-1", "IN_PROGRESS", "PAID")
        shop.fault("server_error", retry_after=600)
        job = shop.ask()
        run_job(job.pk)
        shop.counter = switch_mode(counter=shop.counter, mode="detailed")
        type(job).objects.filter(pk=job.pk).update(not_before=None)
        job.uploads.update(not_before=None)
        assert shop.upload(job).state == JobState.SUCCEEDED
        assert [kind for kind, _format, _rows in kinds(shop)] == ["simple_orders", "contacts", "orders"]
        assert shop.arrived("D-1") == ["IN_PROGRESS", "PAID"]

    def test_a_job_for_some_orders_takes_their_clients_alone(self, shop: Shop) -> None:
        shop.push("D-1", "PAID", client_uniq_id="C-1")
        shop.push("D-2", "PAID", client_uniq_id="C-2")
        shop.upload(shop.ask(only_orders=[shop.order("D-1").pk]))
        assert [row["uniq_id"] for row in rows(shop, "contacts")] == ["C-1"]
        assert shop.states("D-2") == [("PAID", "waiting")]

    def test_a_mode_that_there_is_not_is_refused(self, shop: Shop) -> None:
        from django.core.exceptions import ValidationError

        with pytest.raises(ValidationError):
            switch_mode(counter=shop.counter, mode="both")
        with pytest.raises(ValidationError):
            update_counter(counter=shop.counter, mode="both")
