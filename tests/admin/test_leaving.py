"""What a press sets on its way is said before it is made; a schedule is chosen, not spelt."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from apps.counters import services
from apps.counters.leaving import leaves, sends_by_itself
from apps.counters.models import Counter
from apps.counters.schedule import parse
from apps.counters.ui.widgets import ScheduleInput
from apps.goals.models import StatusMapping
from apps.orders.models import StatusChange
from tests.admin.conftest import Place
from tests.admin.pages import form_data, words

pytestmark = pytest.mark.django_db

AT_ONCE = "1 status change will leave for Metrica at once."
NOT_YET = "Nothing leaves for Metrica until somebody presses “Upload now”."


def page(place: Place) -> str:
    return reverse("admin:counters_counter_change", args=[place.counter.pk])


def schedule(place: Place, text: str) -> None:
    services.update_counter(counter=place.counter, schedule=text)
    place.counter.refresh_from_db()


# ---- the sentence ----


def test_when_it_leaves(place: Place):
    counter, now = place.counter, datetime(2026, 11, 20, 10, 0, tzinfo=UTC)  # 13:00 in Moscow
    assert leaves(counter, changes=1, now=now) == NOT_YET
    counter.schedule = "as they come"
    assert leaves(counter, changes=1, now=now) == AT_ONCE
    assert leaves(counter, changes=1200, now=now) == "About 1,200 status changes will leave for Metrica at once."
    assert leaves(counter, changes=1000, or_more=True, now=now).startswith("1,000 or more status changes will leave")
    assert leaves(counter, now=now) == "All that this brings or releases leaves for Metrica at once."
    assert leaves(counter, changes=0, now=now).startswith("Nothing of that leaves for Metrica by itself")
    counter.schedule, counter.next_upload_at = "1h", now + timedelta(hours=1)
    assert leaves(counter, changes=1, now=now).endswith("leave for Metrica at 14:00 on the counter's clock.")
    counter.schedule, counter.next_upload_at = "daily 03:00", now + timedelta(hours=14)
    assert leaves(counter, changes=1, now=now).endswith("at 21 Nov, 03:00 on the counter's clock.")
    counter.next_upload_at = now - timedelta(minutes=1)
    assert leaves(counter, changes=1, now=now) == AT_ONCE
    assert "at 13:05" in leaves(counter, changes=1, schedule=parse("5m"), now=now)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("paused_at", datetime(2026, 1, 1, tzinfo=UTC), "until the counter is resumed"),
        ("account", None, "until the counter's account is connected"),
        ("time_zone", "", "until the counter's time zone is known"),
    ],
)
def test_what_blocks_is_said_first(place: Place, field: str, value: Any, said: str):
    place.counter.schedule = "as they come"
    assert sends_by_itself(place.counter)
    setattr(place.counter, field, value)
    assert said in leaves(place.counter, changes=5)
    assert not sends_by_itself(place.counter)


def test_every_press_says_it(place: Place, browser: Browser):
    order = place.push("A-1", "new")
    place.push("A-2", "?")
    place.push("A-3", "won")
    held, rejected = place.change("A-2"), place.change("A-3")
    StatusChange.objects.filter(pk=rejected.pk).update(delivery="rejected", reject_code="x")
    one = [
        reverse("admin:orders_order_status", args=[order.pk]),
        reverse("admin:orders_heldchange_map", args=[held.pk]),
        reverse("admin:orders_rejectedchange_map", args=[rejected.pk]),
        reverse("admin:orders_order_add") + f"?counter={place.counter.pk}",
    ]
    whatever = reverse("admin:counters_counter_map", args=[place.counter.pk]) + "?status=x"
    for url in [*one, whatever]:
        assert NOT_YET in words(browser.get(url)), url
    assert f"Once all of them are mapped: {NOT_YET}" in words(browser.get(page(place)))
    schedule(place, "as they come")
    for url in one:
        assert AT_ONCE in words(browser.get(url)), url
    assert "All that this brings or releases leaves for Metrica at once." in words(browser.get(whatever))
    assert f"Once all of them are mapped: {AT_ONCE}" in words(browser.get(page(place)))


def test_a_new_order_asks_for_its_counter_first(place: Place, other: Place, browser: Browser):
    add = reverse("admin:orders_order_add")
    assert "Choose a counter: then it is said here" in words(browser.get(add))
    for nobody in ("x", "", str(other.counter.pk), "9" * 30):
        assert "Choose a counter: then it is said here" in words(browser.get(add, {"counter": nobody})), nobody
    assert f'hx-get="{add}"' in browser.get(add).content.decode()


# ---- a counter's page that lets something leave ----


def sure_of(answer: Any) -> dict[str, str]:
    """The box that the page asks to be ticked."""
    found = re.search(r'name="(statuses-sure)" value="(\w+)"', answer.content.decode())
    assert found is not None, "nobody is asked"
    return {found[1]: found[2]}


def test_who_lets_a_counter_send_is_told_what_waits(place: Place, browser: Browser):
    place.push("A-1", "new", "won")
    data = form_data(browser, page(place), schedule="as they come")
    asked = browser.post(page(place), data)
    assert asked.status_code == 200
    assert "About 2 status changes will leave for Metrica at once." in words(asked)
    assert "Yes, let them leave" in words(asked)
    place.counter.refresh_from_db()
    assert place.counter.schedule == "manual"
    another = {**data, "schedule": "every", "schedule-every": "5", **sure_of(asked)}
    assert browser.post(page(place), another).status_code == 200, "that is not what was said yes to"
    assert browser.post(page(place), {**data, **sure_of(asked)}).status_code == 302
    place.counter.refresh_from_db()
    assert place.counter.schedule == "as they come"


def mapped(place: Place, browser: Browser, status: str, **more: Any) -> dict[str, Any]:
    """What the page sends where a third status is written into the mapping."""
    row = {"crm_status": status, "type": "PAID", "goal_action_ids": "", "name": "", "position": "9"}
    data = form_data(browser, page(place), **more)
    return {**data, **{f"statuses-2-{name}": value for name, value in row.items()}, "statuses-TOTAL_FORMS": "3"}


def test_a_status_that_frees_orders_is_asked_about(place: Place, browser: Browser):
    schedule(place, "as they come")
    place.push("A-1", "?", "?", revenue="1")
    place.push("A-2", "other")
    data = mapped(place, browser, "?")
    asked = browser.post(page(place), data)
    assert asked.status_code == 200
    assert AT_ONCE in words(asked)
    assert not StatusMapping.objects.filter(crm_status="?").exists()
    assert browser.post(page(place), {**data, **sure_of(asked), "statuses-2-type": "SPAM"}).status_code == 200
    assert browser.post(page(place), {**data, **sure_of(asked)}).status_code == 302
    assert StatusMapping.objects.filter(crm_status="?").exists()


@pytest.mark.parametrize(("field", "gone"), [("account", None), ("time_zone", "")])
def test_what_the_counter_lacked_is_asked_about(place: Place, browser: Browser, field: str, gone: Any):
    schedule(place, "as they come")
    services.update_counter(counter=place.counter, **{field: gone})
    place.push("A-1", "new")
    place.push("A-2", "unknown")
    given = {"account": str(place.account.pk), "time_zone": "Europe/Moscow"}[field]
    data = form_data(browser, page(place), **{field: given})
    asked = browser.post(page(place), data)
    assert asked.status_code == 200
    assert AT_ONCE in words(asked)
    assert browser.post(page(place), {**data, **sure_of(asked)}).status_code == 302
    place.counter.refresh_from_db()
    assert str(getattr(place.counter, {"account": "account_id"}.get(field, field))) == given


def test_all_of_it_is_asked_in_one(place: Place, browser: Browser):
    """A schedule, a time zone and a status, all at once: each alone would let nothing go."""
    services.update_counter(counter=place.counter, time_zone="")
    place.push("A-1", "?")
    data = mapped(place, browser, "?", time_zone="Europe/Moscow", schedule="every")
    data.update({"schedule-every": "5", "schedule-unit": "m"})
    asked = browser.post(page(place), data)
    assert "1 status change will leave for Metrica at" in words(asked)
    assert "on the counter's clock" in words(asked)
    assert browser.post(page(place), {**data, **sure_of(asked)}).status_code == 302
    assert place.change("A-1").delivery == "held", "a worker frees it"


def test_nobody_is_asked_where_nothing_leaves_sooner(place: Place, browser: Browser):
    assert browser.post(page(place), form_data(browser, page(place), schedule="as they come")).status_code == 302
    place.push("A-1", "new")
    for text in ("1h", "manual"):
        assert browser.post(page(place), form_data(browser, page(place), schedule=text)).status_code == 302, text
    services.pause(counter=place.counter, reason="x")
    assert browser.post(page(place), form_data(browser, page(place), schedule="as they come")).status_code == 302


def test_nobody_is_asked_where_nothing_is_freed(place: Place, browser: Browser):
    place.push("A-1", "?")
    place.push("A-2", "new", emails=[])
    assert browser.post(page(place), mapped(place, browser, "?")).status_code == 302, "it sends by hand alone"
    StatusMapping.objects.filter(crm_status="?").delete()
    schedule(place, "as they come")
    assert browser.post(page(place), mapped(place, browser, "another")).status_code == 302, "nothing has that status"
    assert browser.post(page(place), form_data(browser, page(place), name="Renamed")).status_code == 302
    data = form_data(browser, page(place), time_zone="Europe/Nowhere")
    assert "Unknown time zone" in words(browser.post(page(place), data)), "that comes first"


# ---- the choice ----


@pytest.mark.parametrize(
    ("posted", "kept"),
    [
        ({"schedule": "manual", "schedule-every": "5", "schedule-at": "10:00"}, "manual"),
        ({"schedule": "every", "schedule-every": "90", "schedule-unit": "m"}, "90m"),
        ({"schedule": "every", "schedule-every": "2", "schedule-unit": "h"}, "2h"),
        ({"schedule": "daily", "schedule-at": "09:30"}, "daily 09:30"),
        ({"schedule": "daily", "schedule-at": "09:30:00"}, "daily 09:30"),
        ({"schedule": "as they come"}, "as they come"),
        ({"schedule": "Daily 3:00"}, "daily 03:00"),
    ],
)
def test_a_schedule_is_chosen(place: Place, browser: Browser, posted: dict[str, str], kept: str):
    assert browser.post(page(place), {**form_data(browser, page(place)), **posted}).status_code == 302
    place.counter.refresh_from_db()
    assert place.counter.schedule == kept


@pytest.mark.parametrize(
    "posted",
    [
        {"schedule": "every", "schedule-every": "", "schedule-unit": "h"},
        {"schedule": "every", "schedule-every": "99999", "schedule-unit": "h"},
        {"schedule": "daily", "schedule-at": ""},
        {"schedule": "daily", "schedule-at": "25:00"},
    ],
)
def test_what_is_no_period_is_told_in_plain_words(place: Place, browser: Browser, posted: dict[str, str]):
    answer = browser.post(page(place), {**form_data(browser, page(place)), **posted})
    assert answer.status_code == 200
    told = str(answer.context["adminform"].form.errors["schedule"])
    assert "Write a number of minutes or hours" in told
    assert "manual" not in told


@pytest.mark.parametrize(
    ("text", "chosen", "parts"),
    [
        ("manual", "manual", ()),
        ("as they come", "as they come", ()),
        ("90m", "every", ('value="90"', '<option value="m" selected>')),
        ("3h", "every", ('value="3"', '<option value="h" selected>')),
        ("daily 04:05", "daily", ('value="04:05"',)),
    ],
)
def test_the_choice_shows_what_is_set(text: str, chosen: str, parts: tuple[str, ...]):
    drawn = ScheduleInput().render("schedule", text, {"id": "id_schedule"})
    assert f'<option value="{chosen}" selected>' in drawn
    for part in parts:
        assert part in drawn


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("manual", "by hand"),
        ("as they come", "as they come"),
        ("1m", "every minute"),
        ("90m", "every 90 minutes"),
        ("1h", "every hour"),
        ("24h", "every 24 hours"),
        ("daily 03:00", "daily at 03:00"),
    ],
)
def test_a_schedule_in_words(text: str, english: str):
    assert parse(text).words == english


def test_no_page_shows_a_schedule_as_it_is_stored(place: Place, browser: Browser):
    schedule(place, "daily 03:00")
    for url in (page(place), "/admin/counters/counter/"):
        text = words(browser.get(url))
        assert "daily 03:00" not in text, url
        assert "aily at 03:00" in text, url
    with translation.override("ru"):
        assert parse("manual").words != "by hand"


def test_the_schedule_is_stored_as_interfaces_know_it(place: Place, browser: Browser):
    """Whatever the page shows: REST and `provision` read the stored text."""
    browser.post(page(place), {**form_data(browser, page(place)), "schedule": "daily", "schedule-at": "03:00"})
    stored = Counter.objects.get(pk=place.counter.pk)
    assert stored.schedule == "daily 03:00"
    assert stored.next_upload_at is not None and stored.next_upload_at > timezone.now()
