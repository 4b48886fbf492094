"""Days in lists: read as the reader's language writes them, never beyond what databases hold, and on a clock that is
said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from apps.orders.models import Order
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import messages, words
from tests.factories import make_counter

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"
AT = datetime(2026, 11, 25, 21, 30, tzinfo=UTC)  # the 26th in Moscow and in Vladivostok, the 25th in Berlin


def orders(browser: Browser, **query: Any) -> set[str]:
    answer = browser.get(LIST, query)
    assert answer.status_code == 200, query
    return {order.order_id for order in answer.context["cl"].result_list}


def speak(place: Place, language: str, time_zone: str = "UTC") -> None:
    place.owner.language, place.owner.time_zone = language, time_zone
    place.owner.save()


@pytest.fixture
def two_days(place: Place) -> Place:
    place.push("A-25", "won")
    place.push("A-27", "won")
    Order.objects.filter(order_id="A-25").update(create_date_time=AT)
    Order.objects.filter(order_id="A-27").update(create_date_time=AT + timedelta(days=2))
    return place


@pytest.mark.parametrize(
    ("language", "first", "last", "expected"),
    [
        ("ru", "25.11.2026", "25.11.2026", {"A-25"}),
        ("ru", "26.11.2026", "", {"A-27"}),
        ("ru", "", "26.11.2026", {"A-25"}),
        ("ru", "2026-11-25", "2026-11-25", {"A-25"}),
        ("en", "2026-11-25", "2026-11-25", {"A-25"}),
        ("en", "11/27/2026", "", {"A-27"}),
    ],
)
def test_days_are_read_as_the_readers_language_writes_them(
    two_days: Place, browser: Browser, language: str, first: str, last: str, expected: set[str]
):
    speak(two_days, language)
    assert orders(browser, create_date_time_from=first, create_date_time_to=last) == expected


@pytest.mark.parametrize("language", ["en", "ru"])
def test_what_cannot_be_read_is_said(two_days: Place, browser: Browser, language: str):
    speak(two_days, language)
    answer = browser.get(LIST, {"create_date_time_from": "31.02.2026"})
    assert len(answer.context["cl"].result_list) == 2
    assert "31.02.2026" in messages(answer)
    assert len(list(answer.context["messages"])) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"create_date_time_to": "9999-12-31"}, 2),
        ({"create_date_time_from": "9999-12-31"}, 0),
        ({"create_date_time_from": "0001-01-01"}, 2),
        ({"create_date_time_to": "0001-01-01"}, 0),
        ({"create_date_time_from": "0001-01-01", "create_date_time_to": "9999-12-31", "clock": "counter"}, 2),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_that_no_database_holds_break_nothing(
    two_days: Place, browser: Browser, query: dict[str, str], found: int, zone: str
):
    speak(two_days, "en", zone)
    assert len(orders(browser, **query)) == found


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("side", ["from", "to"])
@pytest.mark.parametrize("clock", ["", "23:59:59"])
def test_nor_in_the_log(place: Place, browser: Browser, day: str, side: str, clock: str):
    query = {f"at_{side}_0": day, f"at_{side}_1": clock}
    assert browser.get("/admin/audit/auditentry/", query).status_code == 200


def test_the_clock_is_the_viewers_or_each_counters(two_days: Place, browser: Browser):
    speak(two_days, "en", "Europe/Berlin")
    far = make_counter(two_days.agency, account=two_days.account, time_zone="Pacific/Pago_Pago", name="Far")
    two_days.push("B-25", "won", counter=far)
    Order.objects.filter(order_id="B-25").update(create_date_time=AT)
    day = {"create_date_time_from": "2026-11-26", "create_date_time_to": "2026-11-26"}
    assert orders(browser, **day) == set(), "it is the 25th in Berlin"
    assert orders(browser, **day, clock="counter") == {"A-25"}, "it is the 26th in Moscow, the 25th in Pago Pago"
    assert orders(browser, **day, clock="counter", counter__id__exact=far.pk) == set()
    assert "Days on each counter's own clock" in words(browser.get(LIST, {**day, "clock": "counter"}))
    assert 'name="clock" value="counter"' in browser.get(LIST, {**day, "clock": "counter"}).content.decode()
    assert "Days on your own clock." in words(browser.get(LIST, day))


def test_uploads_are_narrowed_to_the_days_on_which_they_ended(place: Place, browser: Browser):
    speak(place, "ru")
    job = place.job()
    UploadJob.objects.filter(pk=job.pk).update(finished_at=AT)

    def found(**query: Any) -> int:
        return len(browser.get("/admin/uploads/uploadjob/", query).context["cl"].result_list)

    assert found(finished_at_to="25.11.2026") == 0, "it was asked for later than that, says its key"
    today = f"{job.created_at:%d.%m.%Y}"
    UploadJob.objects.filter(pk=job.pk).update(finished_at=job.created_at)
    assert found(finished_at_from=today, finished_at_to=today) == 1
    assert found(finished_at_to="01.01.2020") == 0
