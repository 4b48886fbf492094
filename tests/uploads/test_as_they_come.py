"""A counter whose orders go out as they come: accepting a change asks for its upload."""

from collections.abc import Callable

from apps.uploads.models import JobState, Trigger, UploadJob
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
