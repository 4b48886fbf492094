"""After a restore: uploads since the backup are recognised by the kept files and Metrica's list, and what they carried
is not sent again (R6); the last row that Metrica got of an order is its present state all the same (R4)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, models, transaction
from django.utils import timezone

from apps.agencies.ids import uuid7
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.metrica.wire.orders import DetailedOrder
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.orders import erasing
from apps.orders.models import Erasure, Order, StatusChange
from apps.orders.people import erase_client
from apps.uploads import files, orphans, recovering
from apps.uploads.making import FileInMaking
from apps.uploads.models import CarriedRow, JobState, Recovery, Resend, Upload, UploadJob, UploadKind, UploadState
from apps.uploads.orphans import Digests
from apps.uploads.restored import mark_restored
from apps.uploads.runner import run_job
from tests.factories import make_counter
from tests.uploads.conftest import Shop


@dataclass
class Backup:
    """Goalpost's own tables as they are now; Metrica and the kept files go on."""

    taken_at: datetime = field(default_factory=timezone.now)
    rows: dict[type[models.Model], list[Any]] = field(default_factory=dict)

    MODELS = (Counter, Client, Order, StatusChange, UploadJob, Upload, Resend)

    def __post_init__(self) -> None:
        self.rows = {model: list(model._default_manager.order_by("pk")) for model in self.MODELS}

    def restore(self) -> None:
        with transaction.atomic():
            if connection.vendor == "sqlite":
                connection.cursor().execute("PRAGMA defer_foreign_keys = ON")
            for model in reversed(self.MODELS[1:]):
                model._default_manager.all()._raw_delete(using="default")
            for model, rows in self.rows.items():
                if model is Counter:
                    for row in rows:
                        row.save()
                else:
                    model._default_manager.bulk_create(rows)
        mark_restored(taken_at=self.taken_at)


def telling(shop: Shop) -> Callable[[], None]:
    """An hour of a CRM: two orders with two states each, a new state of an older one. The same each time."""

    def tell() -> None:
        shop.push("H-1", "a1", "a2")
        shop.push("H-2", "a1", "a3")
        shop.push("OLD", "a2", at=5)

    return tell


def arrived(shop: Shop) -> dict[str, list[str]]:
    return {order: shop.arrived(order) for order in ("OLD", "H-1", "H-2")}


def before(shop: Shop) -> Backup:
    shop.push("OLD", "a1")
    shop.upload()
    return Backup()


def test_a_missing_hour_that_is_told_again_is_settled_without_a_request(shop: Shop) -> None:
    backup, tell = before(shop), telling(shop)
    tell()
    shop.upload()
    went, sends = arrived(shop), shop.sends()
    backup.restore()
    assert not Order.objects.filter(order_id="H-1").exists()
    tell()
    job = shop.upload()
    assert (job.state, job.delivered) == (JobState.SUCCEEDED, 5)
    assert (arrived(shop), shop.sends()) == (went, sends)
    assert shop.all_delivered() and not CarriedRow.objects.exists()
    assert not Order.objects.filter(resend_due=True).exists()
    for upload in shop.uploads():
        assert upload.state == UploadState.PASSED and upload.uploading_id and default_storage.exists(upload.file)
    shop.push("H-1", "a4", at=9)
    shop.upload()
    assert shop.arrived("H-1") == [*went["H-1"], "a4"]


def test_what_the_backup_held_as_waiting_is_settled_likewise(shop: Shop) -> None:
    tell = telling(shop)
    shop.push("OLD", "a1")
    tell()
    backup = Backup()
    shop.upload()
    went, sends = arrived(shop), shop.sends()
    backup.restore()
    assert shop.upload().delivered == 6
    assert (arrived(shop), shop.sends()) == (went, sends)


def test_a_file_that_was_ready_at_the_backup_is_looked_up_and_not_sent_blindly(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push("OLD", "a1", "a2")
    job = shop.ask()
    taken: list[Backup] = []
    plain = files.plain

    def backing_up(upload: Upload) -> Any:
        if not taken:
            taken.append(Backup())
        return plain(upload)

    monkeypatch.setattr("apps.uploads.sender.files.plain", backing_up)
    shop.upload(job)
    monkeypatch.undo()
    went, sends = shop.arrived("OLD"), shop.sends()
    assert sends == 2
    taken[0].restore()
    [upload] = shop.uploads()
    assert (upload.state, upload.attempts) == (UploadState.UNKNOWN, 0)
    job.refresh_from_db()
    assert shop.upload(job).state == JobState.SUCCEEDED
    assert (shop.arrived("OLD"), shop.sends()) == (went, sends)
    assert shop.states("OLD") == [("a1", "delivered"), ("a2", "delivered")]


def test_a_file_that_was_being_written_at_the_backup_is_found_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push("OLD", "a1")
    shop.push("H-1", "a1", "a2")
    taken: list[Backup] = []
    store = FileInMaking.store

    def backing_up(file: FileInMaking) -> dict[str, Any]:
        if not taken:
            taken.append(Backup())
        return store(file)

    monkeypatch.setattr(FileInMaking, "store", backing_up)
    job = shop.ask()
    shop.upload(job)
    monkeypatch.undo()
    went, sends = arrived(shop), shop.sends()
    taken[0].restore()
    assert shop.states("OLD") == [("a1", "waiting")]
    job.refresh_from_db()
    shop.upload(job)
    assert (arrived(shop), shop.sends()) == (went, sends)
    assert shop.all_delivered()


def test_a_crm_that_tells_only_the_present_state_causes_nothing(shop: Shop) -> None:
    backup, tell = before(shop), telling(shop)
    tell()
    shop.upload()
    went, sends = arrived(shop), shop.sends()
    backup.restore()
    shop.push("H-1", "a2", at=1)
    shop.upload()
    assert (arrived(shop), shop.sends()) == (went, sends)


def test_a_crm_that_forgot_the_latest_state_gets_what_it_tells(shop: Shop) -> None:
    """Metrica has a2 of H-1; by the CRM's second telling it is a1, so that goes once more (R4)."""
    backup, tell = before(shop), telling(shop)
    tell()
    shop.upload()
    backup.restore()
    shop.push("H-1", "a1")
    shop.push("OLD", "a5", at=6)  # another state than the one that went
    shop.upload()
    assert shop.arrived("H-1") == ["a1", "a2", "a1"]
    assert shop.arrived("OLD") == ["a1", "a2", "a5"]
    assert shop.all_delivered()


def test_a_refused_file_and_its_halves_are_told_apart(shop: Shop) -> None:
    """The file that was open at the backup was refused and cut; its halves passed under names of their own."""
    for number in range(8):
        shop.push(f"S-{number}", "a1")
    shop.fault("refuse_row", order_id="S-7", count=None)
    backup = Backup()
    shop.upload()
    went = {number: shop.arrived(f"S-{number}") for number in range(8)}
    sends = shop.sends()
    backup.restore()
    job = shop.upload()
    assert (job.delivered, job.rejected) == (7, 1)
    assert {number: shop.arrived(f"S-{number}") for number in range(8)} == went
    assert shop.sends() == sends + 1, "more went than the row that Metrica refuses"


@pytest.mark.parametrize("known", [False, True], ids=["made after the backup", "open at the backup"])
@pytest.mark.parametrize("bad", [(0, 1), (6, 7)], ids=["in the first half", "in the second half"])
def test_halves_of_halves_are_told_apart_whichever_went_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, known: bool, bad: tuple[int, int]
) -> None:
    """The whole was refused, and so were a half, its half, and the two rows in it."""
    for number in range(8):
        shop.push(f"S-{number}", "a1")
    for number in bad:
        shop.fault("refuse_row", order_id=f"S-{number}", count=None, location=False)
    taken = [] if known else [Backup()]
    job = shop.ask() if known else None
    plain = files.plain

    def backing_up(upload: Upload) -> Any:
        if not taken:
            taken.append(Backup())
        return plain(upload)

    monkeypatch.setattr("apps.uploads.sender.files.plain", backing_up)
    shop.upload(job)
    monkeypatch.undo()
    went = {number: shop.arrived(f"S-{number}") for number in range(8)}
    sends = shop.sends()
    taken[0].restore()
    shop.upload(UploadJob.objects.get(pk=job.pk) if job else None)
    for number in range(8):
        state = "rejected" if number in bad else "delivered"
        assert shop.states(f"S-{number}") == [("a1", state)]
    assert {number: shop.arrived(f"S-{number}") for number in range(8)} == went
    assert shop.sends() == sends + 3, "more went than the two rows that Metrica refuses, together and alone"


def test_a_row_that_was_refused_is_not_taken_for_the_one_that_passed_after_it(shop: Shop) -> None:
    """Two files of one row and one upload in the list: to take the wrong one for delivered would lose its status."""
    shop.fault("refuse_row", order_id="BAD", count=None)
    backup = Backup()
    for order in ("BAD", "GOOD"):
        shop.push(order, "a1")
        shop.upload()
    backup.restore()
    for order in ("BAD", "GOOD"):
        shop.push(order, "a1")
    shop.upload()
    assert shop.states("BAD") == [("a1", "rejected")]
    assert shop.states("GOOD") == [("a1", "delivered")]


def test_nor_is_a_refused_state_that_waits_again_taken_for_the_next_one_by_its_size(shop: Shop) -> None:
    """Both waited at the backup; then Metrica refused the first one, which has its file as the second one has."""
    shop.push("A-1", "a1", "a2")
    shop.fault("refuse_row", order_id="A-1")
    backup = Backup()
    shop.upload()
    assert shop.states("A-1") == [("a1", "rejected"), ("a2", "delivered")]
    backup.restore()
    shop.upload()
    assert shop.states("A-1") == [("a1", "delivered"), ("a2", "delivered")]
    assert shop.arrived("A-1") == ["a2", "a1", "a2"], "a status was lost"


def test_nor_is_a_part_that_was_open_at_the_backup(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parts waited then; the first one to go was refused, and the second one passed."""
    for number in range(2):
        shop.push(f"P-{number}", "a1")
    shop.fault("refuse_row", contains="P-", location=False)
    job = shop.ask()
    with monkeypatch.context() as patch:
        patch.setattr("apps.uploads.pacing.TURN_SECONDS", -1.0)  # one step a turn
        while len(shop.uploads(part="half")) < 2:
            run_job(job.pk)
    first = min(shop.uploads(part="half"), key=lambda one: one.pk)
    bad = StatusChange.objects.get(upload_id=first.pk).order.order_id
    good = "P-1" if bad == "P-0" else "P-0"
    shop.fault("refuse_row", order_id=bad, count=None)
    backup = Backup()
    shop.upload(job)
    assert (shop.states(bad), shop.states(good)) == ([("a1", "rejected")], [("a1", "delivered")])
    backup.restore()
    job.refresh_from_db()
    shop.upload(job)
    assert (shop.states(bad), shop.states(good)) == ([("a1", "rejected")], [("a1", "delivered")])


def test_what_was_found_before_a_worker_died_over_it_is_not_sought_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part has its upload back already; the refused whole is not taken for a later file of its size all the same."""
    shop.fault("refuse_row", order_id="S-0", count=None)
    backup = Backup()
    for batch in ("S", "T"):
        for number in range(4):
            shop.push(f"{batch}-{number}", "a1")
        shop.upload()
    backup.restore()
    with monkeypatch.context() as patch:
        adopt, adopted = recovering._adopt, []

        def once(**named: Any) -> None:
            if adopted:
                raise KeyboardInterrupt
            adopted.append(adopt(**named))

        patch.setattr(recovering, "_adopt", once)
        job = shop.ask()
        with pytest.raises(KeyboardInterrupt):
            run_job(job.pk)
    UploadJob.objects.update(lease_until=None)
    for batch in ("S", "T"):
        for number in range(4):
            shop.push(f"{batch}-{number}", "a1")
    sends = shop.sends()
    shop.upload(job)
    assert shop.states("S-0") == [("a1", "rejected")]
    assert shop.sends() == sends + 1
    assert [shop.arrived(f"{batch}-{number}") for batch in "ST" for number in range(1, 4)] == [["a1"]] * 6


def test_without_kept_files_the_first_file_is_known_by_its_size(shop: Shop, settings: Any) -> None:
    for number in range(3):
        shop.push(f"W-{number}", "a1")
    backup = Backup()
    shop.upload()
    sends = shop.sends()
    backup.restore()
    settings.MEDIA_ROOT = f"{settings.MEDIA_ROOT}-new"
    assert shop.upload().delivered == 3
    assert shop.sends() == sends
    assert [shop.arrived(f"W-{number}") for number in range(3)] == [["a1"]] * 3


def test_a_file_with_anything_newer_in_it_is_not_taken_for_an_older_one(shop: Shop, settings: Any) -> None:
    """To lose a status would be worse than to send three again."""
    for number in range(2):
        shop.push(f"X-{number}", "a1")
    shop.push("GONE", "a1")
    backup = Backup()
    shop.upload()
    sends = shop.sends()
    backup.restore()
    settings.MEDIA_ROOT = f"{settings.MEDIA_ROOT}-new"
    StatusChange.objects.filter(order__order_id="GONE").update(delivery="held", hold_reason="by_hand")
    shop.push("NEW", "a1")
    shop.upload()
    assert shop.sends() == sends + 1
    assert shop.arrived("NEW") == ["a1"]
    shop.push("NEXT", "a1")
    shop.upload()
    assert shop.arrived("NEXT") == ["a1"]


def test_a_file_that_never_arrived_goes_after_it_was_looked_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.push("N-1", "a1")
    shop.fault("cut_before")
    job = shop.ask()
    monkeypatch.setattr("apps.uploads.runner.reconcile", lambda **_named: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_job(job.pk)
    monkeypatch.undo()
    backup = Backup()
    backup.restore()
    job.refresh_from_db()
    assert shop.upload(job).state == JobState.SUCCEEDED
    assert shop.arrived("N-1") == ["a1"]


def test_nothing_goes_before_metrica_could_be_asked(shop: Shop) -> None:
    backup, tell = before(shop), telling(shop)
    tell()
    shop.upload()
    went, sends = arrived(shop), shop.sends()
    backup.restore()
    tell()
    shop.fault("server_error", endpoint="last_uploadings", count=2)
    assert shop.upload().state == JobState.SUCCEEDED
    assert (arrived(shop), shop.sends()) == (went, sends)
    recovery = Recovery.objects.get(counter=shop.counter)
    assert recovery.done_at is not None and recovery.nobodys == []


@pytest.mark.parametrize("orders", [2, 320])
def test_orders_of_the_detailed_format_are_known_in_json_and_in_csv(
    make_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, orders: int
) -> None:
    """Clients go again, which does no harm; statuses do not. What went as CSV comes back as JSON."""
    shop = make_shop(mode="detailed")
    shop.push("OLD", "IN_PROGRESS")
    shop.upload()
    backup = Backup()
    numbers = range(orders)

    def tell(some: range) -> None:
        more = {"revenue": "10.50", "products": {"sku-1": 2}}
        shop.take([row for number in some for row in _rows(shop, f"D-{number}", "IN_PROGRESS", "PAID", **more)])

    tell(numbers)
    shop.upload()
    went = {number: shop.arrived(f"D-{number}") for number in numbers[:3]}
    assert went[0] == ["IN_PROGRESS", "PAID"]
    backup.restore()
    tell(numbers[:2])
    tell(numbers[2:])
    shop.upload()
    assert {number: shop.arrived(f"D-{number}") for number in numbers[:3]} == went
    assert shop.all_delivered() and not CarriedRow.objects.exists()


@pytest.mark.parametrize("others", [1, 320])
def test_files_with_rows_of_an_erased_client_are_read_like_all_others(
    make_shop: Callable[..., Shop], others: int
) -> None:
    """A person was erased after the backup was taken: in its files, JSON or CSV, the blanked rows are passed over."""
    shop = make_shop(mode="detailed")
    shop.push("OLD", "IN_PROGRESS")
    shop.upload()
    backup = Backup()

    def tell() -> None:
        shop.take([row for number in range(others) for row in _rows(shop, f"D-{number}", "IN_PROGRESS", "PAID")])

    shop.take(_rows(shop, "GONE", "IN_PROGRESS", "PAID", client_uniq_id="P-1", emails=["gone@marked.example"]))
    tell()
    shop.upload()
    went = shop.arrived("D-0")
    assert went == ["IN_PROGRESS", "PAID"]
    erase_client(client=Client.objects.get(uniq_id="P-1"))
    erasing.go_on()
    assert Erasure.objects.get().finished_at is not None
    Erasure.objects.all().delete()
    backup.restore()
    tell()
    shop.upload()
    assert shop.arrived("D-0") == went
    assert shop.all_delivered() and not CarriedRow.objects.exclude(order_id="GONE").exists()


def test_a_file_of_which_a_row_says_nothing_to_us_is_taken_as_far_as_it_can_be_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = before(shop)
    shop.push("H-1", "a1")
    shop.push("H-2", "a1")
    shop.upload()
    backup.restore()
    read = orphans.rows_of

    def breaks_off(*args: Any, **named: Any) -> Any:
        yield next(iter(read(*args, **named)))
        raise orphans.Unreadable("a row of no make of ours")

    monkeypatch.setattr(orphans, "rows_of", breaks_off)
    shop.push("OLD", "a2", at=5)
    shop.upload()
    assert shop.arrived("OLD") == ["a1", "a2"]
    assert CarriedRow.objects.count() == 1
    assert Recovery.objects.get(counter=shop.counter).done_at is not None


def test_of_a_file_that_was_being_rewritten_the_newer_one_is_found(db: None) -> None:
    counter, key, now = make_counter(), uuid7(), timezone.now()
    folder = files.folder_of(counter, f"{now:%Y-%m}")
    for name in (f"{key}.csv.gz", f"{key}.0badcafe.csv.gz"):
        default_storage.save(f"{folder}/{name}", ContentFile(b""))
    [found] = orphans.find(counter=counter, since=now - timedelta(hours=1), until=now + timedelta(hours=1))
    assert found.name.endswith(".0badcafe.csv.gz") and found.older == (f"{folder}/{key}.csv.gz",)


def test_a_row_is_the_same_whichever_database_gave_it() -> None:
    zone = ZoneInfo("Europe/Moscow")
    fields: dict[str, Any] = {"id": "1", "create_date_time": datetime(2026, 3, 1, tzinfo=zone), "order_status": "PAID"}
    amounts = [
        {"revenue": Decimal("1200"), "cost": Decimal("0")},
        {"revenue": Decimal("1200.0000"), "cost": Decimal("0.00")},
    ]
    simple = Digests(kind=UploadKind.SIMPLE_ORDERS, zone=zone, attributes={})
    one, other = (simple.of(SimpleOrder(date_only=False, **fields, **some)) for some in amounts)
    assert one == other != simple.of(SimpleOrder(date_only=False, **fields, revenue=Decimal("1200.0001")))
    detailed = Digests(kind=UploadKind.ORDERS, zone=zone, attributes={})
    products = [{"x-ray": 2, "implant": 1}, {"implant": 1, "x-ray": 2}]
    one, other = (
        detailed.of(DetailedOrder(client_uniq_id="P", products=goods, **fields, **some))
        for goods, some in zip(products, amounts, strict=True)
    )
    assert one == other


def _rows(shop: Shop, order_id: str, *statuses: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": order_id,
            "create_date_time": shop.began.isoformat(),
            "order_status": status,
            "status_date_time": (shop.began + timedelta(hours=hour)).isoformat(),
            "client_ids": ["1700000000123456789"],
            **more,
        }
        for hour, status in enumerate(statuses)
    ]
