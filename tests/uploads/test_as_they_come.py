"""A counter whose orders go out as they come: accepting a change asks for its upload."""

from collections.abc import Callable

from apps.goals.models import Goal
from apps.goals.services import remove_status
from apps.orders.models import Order
from apps.orders.services import resend_current
from apps.uploads.models import JobState, Trigger, UploadJob
from apps.uploads.scheduler import start_as_they_come
from tests.uploads.conftest import Shop


def test_the_first_change_ever_asks_for_an_upload(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(schedule="as they come")
    shop.push("C-1", "a1")
    job = UploadJob.objects.get(counter=shop.counter)
    assert (job.state, job.trigger) == (JobState.QUEUED, Trigger.SCHEDULE)
    shop.upload(job)
    assert shop.arrived("C-1") == ["a1"]


def test_so_does_a_later_change_once_the_job_has_ended(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(schedule="as they come")
    shop.push("C-2", "a1")
    shop.upload(UploadJob.objects.get(counter=shop.counter))
    shop.push("C-2", "a2", at=1)
    shop.upload(UploadJob.objects.get(counter=shop.counter, state=JobState.QUEUED))
    assert shop.arrived("C-2") == ["a1", "a2"]


def test_changes_that_come_together_share_one_job(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(schedule="as they come")
    shop.push("C-3", "a1")
    shop.push("C-4", "a1")
    assert UploadJob.objects.filter(counter=shop.counter).count() == 1


def test_a_counter_without_a_schedule_waits_to_be_asked(shop: Shop) -> None:
    shop.push("C-5", "a1")
    assert not UploadJob.objects.exists()


def test_a_state_to_be_sent_once_more_asks_for_an_upload_too(make_shop: Callable[..., Shop]) -> None:
    """R4: by a person's wish or after a late status, and without any other change."""
    shop = make_shop(schedule="as they come")
    shop.push("C-6", "a1")
    shop.upload(UploadJob.objects.get(counter=shop.counter))
    order = Order.objects.select_related("counter").get(counter=shop.counter, order_id="C-6")
    resend_current(orders=[order])
    shop.upload(UploadJob.objects.get(counter=shop.counter, state=JobState.QUEUED))
    assert shop.arrived("C-6") == ["a1", "a1"]
    assert not UploadJob.objects.unfinished().exists()


def test_the_tick_finds_a_forgotten_repeat(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(schedule="as they come")
    shop.push("C-7", "a1")
    shop.upload(UploadJob.objects.get(counter=shop.counter))
    Order.objects.filter(counter=shop.counter).update(resend_due=True)
    start_as_they_come()
    assert UploadJob.objects.unfinished().filter(counter=shop.counter).count() == 1


def test_a_repeat_that_cannot_be_said_does_not_start_job_after_job(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(schedule="as they come")
    shop.push("C-8", "a1")
    shop.upload(UploadJob.objects.get(counter=shop.counter))
    remove_status(counter=shop.counter, crm_status="a1")
    Goal.objects.filter(counter=shop.counter).delete()
    Order.objects.filter(counter=shop.counter).update(resend_due=True)
    start_as_they_come()
    shop.upload(UploadJob.objects.get(counter=shop.counter, state=JobState.QUEUED))
    jobs = UploadJob.objects.filter(counter=shop.counter).count()
    start_as_they_come()
    assert UploadJob.objects.filter(counter=shop.counter).count() == jobs
