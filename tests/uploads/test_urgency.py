"""Orders whose window closes within a day go before all others, and their counter's job before the agency's others."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.counters.services import update_counter
from apps.orders.models import StatusChange
from apps.uploads import urgency
from apps.uploads.models import JobState, UploadJob
from apps.uploads.runner import run_job
from apps.uploads.urgency import lift_urgent, urgent_orders
from tests.uploads.conftest import Shop


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three waiting rows are already too many to go together."""
    monkeypatch.setattr(urgency, "CHUNK", 2)


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def push(shop: Shop, order_id: str, *statuses: str, days: float, **more: Any) -> None:
    shop.push(order_id, *statuses, create_date_time=days_ago(days).isoformat(), **more)


def files(shop: Shop) -> list[list[str]]:
    """Orders in each file that arrived, file by file."""
    found = []
    for upload in shop.uploads():
        changes = StatusChange.objects.filter(upload_id=upload.pk)
        found.append(sorted(changes.values_list("order__order_id", flat=True)))
    return found


def some(shop: Shop, number: int = 4) -> None:
    for one in range(number):
        push(shop, f"N-{one}", "a1", days=2)


@pytest.mark.usefixtures("many")
def test_orders_whose_binding_window_closes_go_first_in_a_file_of_their_own(shop: Shop) -> None:
    some(shop)
    push(shop, "U-1", "a1", "a2", days=20.5)
    push(shop, "OLD", "a1", days=21.5)
    push(shop, "NOT-YET", "a1", days=19.5)
    job = shop.upload()
    assert files(shop) == [["U-1"], ["N-0", "N-1", "N-2", "N-3", "NOT-YET", "OLD", "U-1"]]
    assert shop.arrived("U-1") == ["a1", "a2"]
    assert (job.state, job.changes, job.delivered) == (JobState.SUCCEEDED, 8, 8)
    assert [upload.wave for upload in shop.uploads()] == [1, 2]


@pytest.mark.usefixtures("many")
def test_the_walk_goes_on_where_it_stood(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: what becomes urgent while a wave is under way goes next, and nothing is sent twice or left out."""
    monkeypatch.setattr("apps.uploads.making.ROWS_PER_FILE", 2)
    monkeypatch.setattr("apps.uploads.selection.CHUNK", 2)
    monkeypatch.setattr("apps.uploads.pacing.TURN_SECONDS", 0)
    some(shop, 6)
    job = shop.ask()
    for _step in range(2):
        run_job(job.pk)
    push(shop, "U-1", "a1", days=20.5)
    shop.upload(job)
    assert files(shop) == [["N-0", "N-1"], ["U-1"], ["N-2", "N-3"], ["N-4", "N-5"]]


@pytest.mark.usefixtures("many")
def test_known_orders_go_first_before_their_update_window_closes(shop: Shop) -> None:
    push(shop, "K-1", "a1", days=110.5)
    push(shop, "K-2", "a1", days=20.5)
    shop.upload()
    some(shop)
    shop.push("K-1", "a2", at=1)
    shop.push("K-2", "a2", at=1)
    shop.upload()
    assert files(shop)[1:] == [["K-1"], ["K-2", "N-0", "N-1", "N-2", "N-3"]], "K-2 is bound already"


def test_what_goes_together_anyway_is_not_divided(shop: Shop) -> None:
    some(shop)
    push(shop, "U-1", "a1", days=20.5)
    shop.upload()
    assert len(files(shop)) == 1


@pytest.mark.usefixtures("many")
def test_orders_that_cannot_go_do_not_keep_the_others_back(shop: Shop) -> None:
    some(shop)
    push(shop, "U-1", "a1", days=20.5)
    StatusChange.objects.filter(order__order_id="U-1").update(order_status="nobody knows")
    job = shop.upload()
    assert (job.delivered, job.held) == (4, 1)


@pytest.mark.usefixtures("many")
def test_many_urgent_orders_go_by_the_file(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urgency, "MOST_TOGETHER", 2)
    some(shop)
    for number, days in enumerate((20.3, 20.9, 20.6)):
        push(shop, f"U-{number}", "a1", days=days)
    assert urgent_orders(counter=shop.counter) == [shop.order("U-1").pk, shop.order("U-2").pk]
    shop.upload()
    assert files(shop) == [["U-1", "U-2"], ["U-0"], ["N-0", "N-1", "N-2", "N-3"]]


@pytest.mark.usefixtures("many")
def test_a_pause_between_waves_is_kept_between_these_files_too(shop: Shop) -> None:
    shop.counter = update_counter(counter=shop.counter, wave_pause_seconds=600)
    some(shop)
    push(shop, "U-1", "a1", "a2", days=20.5)
    job = shop.ask()
    run_job(job.pk)
    run_job(job.pk)
    job.refresh_from_db()
    assert (files(shop), job.state) == ([["U-1"]], JobState.RUNNING)
    assert job.not_before is not None and job.not_before > timezone.now() + timedelta(minutes=9)


@pytest.mark.usefixtures("many")
def test_in_detailed_mode_their_clients_go_first_too(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(mode="detailed")
    some(shop)
    push(shop, "U-1", "a1", days=20.5)
    shop.upload()
    kinds = [(upload.kind, upload.rows) for upload in shop.uploads()]
    assert kinds == [("contacts", 1), ("orders", 1), ("contacts", 4), ("orders", 4)]


def test_the_tick_lifts_the_job_and_lets_it_down(shop: Shop, make_shop: Callable[..., Shop]) -> None:
    other = make_shop()
    other.push("N-1", "a1")
    calm = other.ask()
    push(shop, "U-1", "a1", days=20.5)
    job = shop.ask()
    lift_urgent()
    assert set(UploadJob.objects.values_list("pk", "urgent")) == {(job.pk, True), (calm.pk, False)}
    shop.upload(job)
    again = shop.ask()
    UploadJob.objects.filter(pk=again.pk).update(urgent=True)
    lift_urgent()
    again.refresh_from_db()
    assert not again.urgent


def test_counters_without_orders_of_that_age_cost_nothing_more(
    make_shop: Callable[..., Shop], django_assert_num_queries: Any
) -> None:
    for _each in range(4):
        calm = make_shop()
        calm.push("N-1", "a1")
        calm.ask()
        # The counters, and those jobs that are to be let down.
        with django_assert_num_queries(2):
            lift_urgent()
