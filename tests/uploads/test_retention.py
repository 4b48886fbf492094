"""What is kept of people goes when its time is over, and nothing that is still needed goes with it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clients.models import Client, Contact
from apps.counters.services import create_counter, update_counter
from apps.orders.clients_in import accept_all as accept_clients
from apps.orders.intake import accept_all
from apps.orders.models import Order, StatusChange
from apps.uploads import files, retention, scheduler
from apps.uploads.models import Recovery, Retention, Upload
from tests.factories import make_agency, make_counter
from tests.uploads.conftest import Shop

PERSON = {"client_uniq_id": "C-1", "client_name": "Anna K.", "phones": ["79031234567"], "emails": ["a@b.example"]}


@pytest.fixture(params=[True, False], ids=["sealed", "plain"])
def kept(request: Any, make_shop: Callable[..., Shop], settings: Any) -> Shop:
    """A shop with an order that was delivered; both times are thirty days."""
    settings.ENCRYPT_IDENTIFIERS = request.param
    shop = make_shop(keep_files_days=30, keep_people_days=30)
    shop.push("D-1", "IN_PROGRESS", "PAID", revenue="500", **PERSON)
    shop.upload()
    return shop


def pass_days(days: int, *, orders: Any = None) -> None:
    """So long ago all of it was."""
    then = timezone.now() - timedelta(days=days)
    Upload.objects.update(finished_at=then)
    (Order.objects.all() if orders is None else orders).update(updated_at=then)
    Client.objects.update(updated_at=then)


def stored() -> list[str]:
    return [path.name for path in Path(django_settings.MEDIA_ROOT).rglob("uploads/**/*.gz")]


class TestFiles:
    def test_they_go_and_their_digest_stays(self, kept: Shop) -> None:
        before = {upload.pk: upload.sha256 for upload in kept.uploads()}
        pass_days(31)
        scheduler.forget_in_time()
        assert not stored()
        for upload in kept.uploads():
            assert (upload.file, upload.sha256) == ("", before[upload.pk])
            assert upload.file_gone_at is not None
            with pytest.raises(files.FileUnusable, match="file_gone"), files.plain(upload):
                pass

    def test_not_before_their_time(self, kept: Shop) -> None:
        pass_days(29)
        scheduler.forget_in_time()
        assert len(stored()) == len(kept.uploads())

    @pytest.mark.parametrize("state", ["prepared", "sending", "unknown"])
    def test_not_while_they_may_be_sent_or_looked_up(self, kept: Shop, state: str) -> None:
        pass_days(31)
        Upload.objects.update(state=state)
        scheduler.forget_in_time()
        assert len(stored()) == len(kept.uploads())

    def test_not_while_a_restored_counter_looks_for_what_went(self, kept: Shop) -> None:
        pass_days(31)
        now = timezone.now()
        Recovery.objects.create(counter=kept.counter, taken_at=now, restored_at=now)
        scheduler.forget_in_time()
        assert stored()

    def test_a_counter_without_a_time_keeps_them(self, kept: Shop) -> None:
        update_counter(counter=kept.counter, keep_files_days=None, keep_people_days=None)
        pass_days(10_000)
        scheduler.forget_in_time()
        assert stored() and Order.objects.get().identifiers


class TestPeople:
    def test_who_it_was_is_forgotten_and_what_it_came_to_stays(self, kept: Shop) -> None:
        pass_days(31)
        scheduler.forget_in_time()
        order, client = Order.objects.get(), Client.objects.get()
        assert (order.identifiers, client.identifiers, client.name) == ({}, {}, "")
        assert client.uniq_id == "C-1", "what the CRM sends of it still finds its client"
        assert not Contact.objects.exists()
        assert [int(change.revenue or 0) for change in order.changes.all()] == [500, 500]
        assert kept.all_delivered()

    def test_not_before_its_time(self, kept: Shop) -> None:
        pass_days(29)
        scheduler.forget_in_time()
        assert Order.objects.get().identifiers and Client.objects.get().name

    @pytest.mark.parametrize("delivery", ["waiting", "held", "sending"])
    def test_not_while_something_is_to_go(self, kept: Shop, delivery: str) -> None:
        StatusChange.objects.filter(seq=2).update(
            delivery=delivery, hold_reason="by_hand" if delivery == "held" else ""
        )
        pass_days(31)
        scheduler.forget_in_time()
        assert Order.objects.get().identifiers and Client.objects.get().identifiers

    def test_not_while_a_state_is_to_go_again(self, kept: Shop) -> None:
        Order.objects.update(resend_due=True)
        pass_days(31)
        scheduler.forget_in_time()
        assert Order.objects.get().identifiers

    def test_what_could_not_go_in_time_goes_with_a_later_walk(self, kept: Shop) -> None:
        StatusChange.objects.filter(seq=2).update(delivery="held", hold_reason="by_hand")
        pass_days(31)
        scheduler.forget_in_time()
        StatusChange.objects.update(delivery="delivered", hold_reason="")
        scheduler.forget_in_time()
        assert Order.objects.get().identifiers, "the walk stands behind it"
        Retention.objects.update(began_at=timezone.now() - timedelta(days=8))
        scheduler.forget_in_time()
        assert not Order.objects.get().identifiers

    def test_a_client_with_a_newer_order_is_known_still(self, kept: Shop) -> None:
        kept.push("D-2", "IN_PROGRESS", **PERSON)
        kept.upload()
        pass_days(31, orders=Order.objects.filter(order_id="D-1"))
        Order.objects.filter(order_id="D-2").update(updated_at=timezone.now())
        scheduler.forget_in_time()
        assert Order.objects.get(order_id="D-1").identifiers == {}
        assert Order.objects.get(order_id="D-2").identifiers
        assert Client.objects.get().identifiers and Client.objects.get().name
        assert Contact.objects.filter(client=Client.objects.get()).exists(), "and is found"

    def test_it_goes_by_the_batch_and_leaves_one_entry(self, kept: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "ORDERS", 3)
        kept.take(
            [
                {"id": f"M-{n}", "create_date_time": kept.began.isoformat(), "order_status": "PAID", **PERSON}
                for n in range(10)
            ]
        )
        kept.upload()
        pass_days(31)
        assert retention.prune()["orders"] == 11
        assert retention.prune() == {"files": 0, "orders": 0, "clients": 0}
        [entry] = AuditEntry.objects.filter(action="retention.applied")
        assert (entry.details["orders"], entry.details["clients"]) == (11, 1)
        assert entry.details["keep_people_days"] == 30


@pytest.fixture
def told(db: None) -> Shop:
    """As `kept`, without a Metrica: what was delivered is only said to have been."""
    shop = Shop(make_counter(keep_people_days=30), site=cast(Any, None))
    shop.push("D-1", "IN_PROGRESS", "PAID", revenue="500", **PERSON)
    StatusChange.objects.update(delivery="delivered", delivered_at=timezone.now())
    return shop


class TestPeopleWhoComeAgain:
    def test_the_same_row_again_is_unchanged_and_brings_nobody_back(self, told: Shop) -> None:
        def again(**more: Any) -> tuple[str, list[str]]:
            """What each of these three rows made: what was told last, that without a time, and an older one."""
            row = {"id": "D-1", "create_date_time": told.began.isoformat(), "revenue": "500", **PERSON, **more}
            rows = [
                {**row, "order_status": "PAID", "status_date_time": (told.began + timedelta(hours=1)).isoformat()},
                {**row, "order_status": "PAID"},
                {**row, "order_status": "IN_PROGRESS", "status_date_time": told.began.isoformat()},
            ]
            report = accept_all(counter=told.counter, rows=rows, source="api")
            return told.states("D-1")[-1][0], [result.result for result in report.results]

        pass_days(31)
        scheduler.forget_in_time()
        assert again() == ("PAID", ["unchanged"] * 3)
        client = Client.objects.get()
        assert (Order.objects.get().identifiers, client.identifiers, client.name, client.revision) == ({}, {}, "", 1)
        assert not Contact.objects.exists()
        assert again(client_uniq_id="C-2")[1][0] == "updated", "somebody else is new"

    def test_a_new_status_brings_its_identifiers_along(self, told: Shop) -> None:
        pass_days(31)
        scheduler.forget_in_time()
        told.push("D-1", "CANCELLED", at=2)
        told.push("D-1", "CANCELLED", at=2, phones=["79031234567"])
        assert told.order("D-1").identifiers.keys() == {"client_ids", "phones"}
        assert [change.changed for change in told.order("D-1").changes.order_by("seq")][2:] == [
            ["order_status", "identifiers"],
            ["identifiers"],
        ]

    def test_what_came_without_identifiers_after_they_went_gets_them_with_the_next_row(self, told: Shop) -> None:
        pass_days(31)
        scheduler.forget_in_time()
        nobody: dict[str, Any] = {"client_ids": [], "client_uniq_id": "C-1"}
        told.push("D-1", "CANCELLED", at=2, **nobody)
        assert told.states("D-1")[-1] == ("CANCELLED", "held")
        told.push("D-1", "CANCELLED", at=2)
        assert {state for _status, state in told.states("D-1")[2:]} == {"waiting"}

    def test_clients_without_orders_go_as_well(self, told: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "ORDERS", 2)
        people = [{"uniq_id": f"A-{n}", "name": "Boris", "phones": [f"7903123450{n}"]} for n in range(5)]
        assert not accept_clients(counter=told.counter, rows=people, source="api").rejected
        alone = Client.objects.filter(uniq_id__startswith="A-")
        pass_days(31)
        alone.filter(uniq_id="A-4").update(updated_at=timezone.now())
        assert retention.prune(seconds=0)["clients"] == 0, "no longer than a tick may take"
        assert retention.prune()["clients"] == 5
        assert list(alone.exclude(name="").values_list("uniq_id", flat=True)) == ["A-4"]
        assert [client.identifiers for client in alone.exclude(uniq_id="A-4")] == [{}] * 4
        assert Contact.objects.count() == 1, "that of the one who is known still"
        assert retention.prune()["clients"] == 0


def test_new_counters_begin_with_what_the_installation_says(db: None, settings: Any) -> None:
    assert create_counter(agency=make_agency(), metrica_id=1, name="one").keep_files_days is None
    settings.KEEP_UPLOAD_FILES_DAYS, settings.KEEP_IDENTIFIERS_DAYS = 90, 400
    counter = create_counter(agency=make_agency(), metrica_id=2, name="two")
    assert (counter.keep_files_days, counter.keep_people_days) == (90, 400)


def test_identifiers_are_needed_as_long_as_metrica_binds(db: None) -> None:
    counter = create_counter(agency=make_agency(), metrica_id=1, name="one")
    with pytest.raises(ValidationError, match="21"):
        update_counter(counter=counter, keep_people_days=5)
