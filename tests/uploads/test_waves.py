"""R4: every status reaches its goal, in order, and the last row that Metrica got is the current state."""

from collections.abc import Callable

from apps.goals.models import Goal
from apps.orders.models import Delivery, Order
from apps.uploads.models import JobState, Resend, UploadState
from tests.uploads.conftest import GOALS, Shop


def test_five_statuses_of_one_order_are_five_uploads_in_order(shop: Shop) -> None:
    shop.push("W-1", *GOALS)
    job = shop.upload()
    assert (job.state, job.delivered) == (JobState.SUCCEEDED, 5)
    assert [(upload.wave, upload.rows, upload.state) for upload in shop.uploads()] == [
        (wave, 1, UploadState.PASSED) for wave in range(1, 6)
    ]
    assert shop.arrived("W-1") == list(GOALS)


def test_a_hundred_orders_with_three_statuses_are_three_uploads(shop: Shop) -> None:
    for number in range(100):
        shop.push(f"H-{number}", "a1", "a2", "a3")
    job = shop.upload()
    assert [upload.rows for upload in shop.uploads()] == [100, 100, 100]
    assert job.delivered == job.changes == 300
    assert all(shop.arrived(f"H-{number}") == ["a1", "a2", "a3"] for number in range(100))


def test_a_late_status_is_sent_and_then_the_current_state_again(shop: Shop) -> None:
    shop.push("L-1", "a1", "a3")
    shop.upload()
    shop.push("L-1", "a2", at=0.5)
    job = shop.upload()
    assert shop.arrived("L-1") == ["a1", "a3", "a2", "a3"]
    assert (job.state, job.delivered, job.resent) == (JobState.SUCCEEDED, 1, 1)
    assert shop.states("L-1") == [("a1", "delivered"), ("a2", "delivered"), ("a3", "delivered")]
    [resend] = Resend.objects.all()
    assert resend.change.order_status == "a3"
    assert not Order.objects.filter(resend_due=True).exists()


def test_several_late_statuses_cost_one_repetition(shop: Shop) -> None:
    shop.push("L-2", "a5", at=9)
    shop.upload()
    shop.push("L-2", "a1", "a2")
    job = shop.upload()
    assert shop.arrived("L-2") == ["a5", "a1", "a2", "a5"]
    assert job.resent == 1


def test_a_newer_status_makes_the_repetition_needless(shop: Shop) -> None:
    shop.push("L-3", "a3", at=5)
    shop.upload()
    shop.push("L-3", "a1", at=1)
    shop.push("L-3", "a5", at=9)
    shop.upload()
    assert shop.arrived("L-3") == ["a3", "a1", "a5"]
    assert not Order.objects.filter(resend_due=True).exists()


def test_latest_state_only_skips_what_was_overtaken(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(delivery="latest_only")
    shop.push("O-1", "a1", "a2", "a3")
    shop.push("O-2", "a1")
    job = shop.upload()
    assert shop.arrived("O-1") == ["a3"]
    assert shop.states("O-1") == [("a1", "superseded"), ("a2", "superseded"), ("a3", "delivered")]
    assert shop.states("O-2") == [("a1", "delivered")]
    assert [upload.rows for upload in shop.uploads()] == [2]
    assert (job.state, job.delivered) == (JobState.SUCCEEDED, 2)


def test_latest_state_only_never_sends_what_is_older_than_delivered(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(delivery="latest_only")
    shop.push("O-3", "a3", at=5)
    shop.upload()
    shop.push("O-3", "a1", "a2")
    job = shop.upload()
    assert job.state == JobState.SUCCEEDED
    assert shop.arrived("O-3") == ["a3"]
    assert shop.states("O-3") == [("a1", "superseded"), ("a2", "superseded"), ("a3", "delivered")]


def test_latest_state_only_sends_the_newest_that_can_go(make_shop: Callable[..., Shop]) -> None:
    """The newest is held, so what waits before it is the latest that can be sent."""
    shop = make_shop(delivery="latest_only")
    shop.push("O-4", "a1", "a2", "nobody mapped this")
    shop.upload()
    assert shop.states("O-4") == [("a1", "superseded"), ("a2", "delivered"), ("nobody mapped this", "held")]


def test_a_held_status_does_not_hold_up_the_later_ones(shop: Shop) -> None:
    shop.push("K-1", "a1", "nobody mapped this", "a3")
    job = shop.upload()
    assert shop.arrived("K-1") == ["a1", "a3"]
    assert job.state == JobState.SUCCEEDED
    assert shop.states("K-1")[1] == ("nobody mapped this", Delivery.HELD)


def test_a_job_for_some_orders_touches_no_others(shop: Shop) -> None:
    shop.push("S-1", "a1", "a2")
    shop.push("S-2", "a1")
    shop.upload(shop.ask(only_orders=[shop.order("S-1").pk]))
    assert shop.arrived("S-1") == ["a1", "a2"]
    assert shop.states("S-2") == [("a1", "waiting")]


def test_a_wave_larger_than_a_file_becomes_several_files(shop: Shop, monkeypatch: object) -> None:
    """Each order is in one file of a wave, and its next status waits for the whole wave."""
    monkeypatch.setattr("apps.uploads.making.ROWS_PER_FILE", 4)  # type: ignore[attr-defined]
    monkeypatch.setattr("apps.uploads.selection.CHUNK", 2)  # type: ignore[attr-defined]
    for number in range(10):
        shop.push(f"F-{number}", "a1", "a2")
    job = shop.upload()
    assert [(upload.wave, upload.rows) for upload in shop.uploads()] == [(1, 4), (1, 4), (1, 2), (2, 4), (2, 4), (2, 2)]
    assert job.delivered == 20
    assert all(shop.arrived(f"F-{number}") == ["a1", "a2"] for number in range(10))


def test_a_state_that_cannot_be_repeated_is_told(shop: Shop) -> None:
    """Its status is no longer mapped when the late one has gone."""
    shop.push("L-4", "a3", at=5)
    shop.upload()
    shop.push("L-4", "a1")
    Goal.objects.filter(counter=shop.counter, identifier="a3").delete()
    job = shop.upload()
    assert (job.state, job.error_code) == (JobState.PARTLY_FAILED, "resend_blocked")
    Goal.objects.create(counter=shop.counter, identifier="a3")
    assert shop.upload().state == JobState.SUCCEEDED
    assert shop.arrived("L-4") == ["a3", "a1", "a3"]
