"""What a press sets on its way is said before it is made; a schedule is chosen, not spelt."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone, translation

from apps.clients.models import Client
from apps.counters import services
from apps.counters.leaving import COUNTERS_TOLD, leave_together, leaves, sends_by_itself
from apps.counters.models import Counter
from apps.counters.schedule import parse
from apps.counters.ui.widgets import ScheduleInput
from apps.goals.models import StatusMapping
from apps.goals.services import set_status
from apps.orders.models import StatusChange
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import form_data, words
from tests.factories import make_counter

pytestmark = pytest.mark.django_db

AT_ONCE = "1 status change will leave for Metrica at once."
NOT_YET = "Nothing leaves for Metrica until somebody presses “Upload now”."


def page(place: Place) -> str:
    return reverse("admin:counters_counter_change", args=[place.counter.pk])


def hold(change: StatusChange) -> None:
    StatusChange.objects.filter(pk=change.pk).update(delivery="held", hold_reason="by_hand")


def reject(change: StatusChange) -> None:
    StatusChange.objects.filter(pk=change.pk).update(delivery="rejected", reject_code="x", hold_reason="")


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


def question(browser: Browser, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200, url
    return str(answer.context["question"])


def test_every_press_on_an_order_says_it(place: Place, browser: Browser):
    schedule(place, "as they come")
    order = place.push("A-1", "new", "won")
    place.push("A-2", "new", emails=[])
    place.push("A-3", "new")
    place.push("A-4", "new")
    reject(place.change("A-3"))
    hold(place.change("A-4"))
    nobody, rejected, held = (place.change(order_id) for order_id in ("A-2", "A-3", "A-4"))
    StatusChange.objects.filter(pk=place.change("A-1", "new").pk).update(delivery="delivered")
    Counter.objects.update(mode="detailed")
    client = Client.objects.create(counter=place.counter, uniq_id="C-1", settled_revision=9)
    for url in (
        reverse("admin:orders_order_resend", args=[order.pk]),
        reverse("admin:orders_order_retry", args=[rejected.order_id]),
        reverse("admin:orders_order_release", args=[held.order_id]),
        reverse("admin:orders_heldchange_identify", args=[nobody.pk]),
        reverse("admin:orders_heldchange_release", args=[held.pk]),
        reverse("admin:orders_rejectedchange_correct", args=[rejected.pk]),
        reverse("admin:orders_rejectedchange_retry", args=[rejected.pk]),
    ):
        assert question(browser, url).endswith(AT_ONCE), url
    told = question(browser, reverse("admin:clients_client_send", args=[client.pk]))
    assert told.endswith("All that this brings or releases leaves for Metrica at once.")


def test_every_press_on_a_counter_says_it(place: Place, browser: Browser):
    schedule(place, "as they come")
    place.push("A-1", "new")
    pressed = {"resume": "counter_paused", "set_zone": "unknown_time_zone", "choose_account": "account_disconnected"}
    lacks: dict[str, dict[str, Any]] = {
        "resume": {"paused_at": timezone.now()},
        "set_zone": {"time_zone": ""},
        "choose_account": {"account": None},
    }
    for act, reason in pressed.items():
        url = reverse(f"admin:counters_counter_{act}", args=[place.counter.pk])
        Counter.objects.update(
            paused_at=None, time_zone="Europe/Moscow", account=place.account, schedule="as they come"
        )
        Counter.objects.update(**lacks[act])
        StatusChange.objects.update(delivery="held", hold_reason=reason)
        assert question(browser, url).endswith(AT_ONCE), act
        StatusChange.objects.update(hold_reason="by_hand")
        assert question(browser, url).endswith("All that this brings or releases leaves for Metrica at once."), act
        Counter.objects.update(schedule="manual")
        assert question(browser, url).endswith(NOT_YET), act
    Counter.objects.update(time_zone="", account=place.account, schedule="1h")
    Counter.objects.update(next_upload_at=timezone.now() + timedelta(hours=1))
    set_zone = reverse("admin:counters_counter_set_zone", args=[place.counter.pk])
    assert question(browser, set_zone).endswith("leaves for Metrica with the next upload."), "whose clock is not known"
    Counter.objects.update(paused_at=timezone.now())
    assert "until the counter is resumed" in question(browser, set_zone), "that holds it all the same"


def test_many_at_once_say_it_of_each_counter(place: Place, browser: Browser):
    schedule(place, "as they come")
    another = make_counter(account=place.account, name="Second")
    set_status(counter=another, crm_status="new", type="IN_PROGRESS")
    place.push("A-1", "new")
    place.push("A-2", "new")
    place.push("B-1", "new", counter=another)
    mine, second = [place.change("A-1"), place.change("A-2")], [place.change("B-1")]

    def asked(path: str, action: str, changes: list[StatusChange]) -> str:
        data = {"action": action, "_selected_action": [str(change.pk) for change in changes], "index": "0"}
        return str(browser.post(path, data).context["question"])

    for path, action, prepare in (
        ("/admin/orders/heldchange/", "release_changes", hold),
        ("/admin/orders/rejectedchange/", "retry_rejected", reject),
    ):
        for change in (*mine, *second):
            prepare(change)
        assert asked(path, action, mine).endswith("About 2 status changes will leave for Metrica at once."), path
        both = asked(path, action, [*mine, *second])
        assert f"{place.counter}: About 2 status changes will leave for Metrica at once." in both, path
        assert f"{another}: {NOT_YET}" in both, path


def test_of_many_counters_a_few_are_told(place: Place):
    many = [make_counter(account=place.account, name=f"No. {number}") for number in range(COUNTERS_TOLD + 2)]
    assert leave_together({counter.pk: 1 for counter in many}).endswith("And those of 2 more counters.")
    assert leave_together({}) == ""


def test_a_job_made_once_more_says_how_much(place: Place, browser: Browser):
    place.push("A-1", "new")
    job = place.job(order=place.push("A-2", "new"), rejected=1)
    again = reverse("admin:uploads_uploadjob_retry", args=[job.pk])
    assert question(browser, again).endswith("1 status change will leave for Metrica.")
    UploadJob.objects.filter(pk=job.pk).update(only_orders=[place.change("A-2").order_id])
    assert question(browser, again).endswith("0 status changes will leave for Metrica.")
    StatusChange.objects.filter(pk=place.change("A-2").pk).update(delivery="rejected", reject_code="x")
    services.pause(counter=place.counter, reason="x")
    for act in ("retry", "retry_rejected"):
        url = reverse(f"admin:uploads_uploadjob_{act}", args=[job.pk])
        assert "Nothing can leave now" in question(browser, url), act


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
    # How many and when stands right at the box: on a phone nothing else of the form is in sight.
    assert re.search(
        r'role="alert">[^<]*(?:leave|go)[^<]*Metrica[^<]*<br><label class="gp-sure">', answer.content.decode()
    )
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
