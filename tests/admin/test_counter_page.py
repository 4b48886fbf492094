"""The counter: its list, its page with the status mapping, and what is done from there. Every write is a service's."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.counters import services
from apps.counters.models import Counter
from apps.dashboard.models import CounterNumbers
from apps.goals.models import Goal, StatusMapping
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import errors, form_data, messages, words
from tests.dashboard.conftest import roll_up
from tests.factories import make_counter

pytestmark = pytest.mark.django_db

LIST = "/admin/counters/counter/"


def page(counter: Counter) -> str:
    return reverse("admin:counters_counter_change", args=[counter.pk])


def act(counter: Counter, name: str) -> str:
    return reverse(f"admin:counters_counter_{name}", args=[counter.pk])


def entries(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def mapping(counter: Counter) -> list[tuple[str, str, list[str]]]:
    rows = StatusMapping.objects.filter(counter=counter).order_by("position")
    return [(row.crm_status, row.type, row.goal_action_ids) for row in rows]


def test_the_list_tells_how_each_counter_stands(place: Place, browser: Browser):
    place.push("A-1", "new")
    place.push("A-2", "unknown")
    text = words(browser.get(LIST))
    assert "Mine shop" in text
    assert place.account.login in text
    assert "1 waiting" in text
    assert "1 held" in text


def test_the_list_costs_the_same_for_many_counters(place: Place, browser: Browser, django_assert_num_queries: Any):
    place.push("A-1", "new", "unknown")
    with django_assert_num_queries(9):
        browser.get(LIST)
    for number in range(5):
        counter = make_counter(place.agency, account=place.account, name=f"More {number}")
        place.push(f"B-{number}", "unknown", counter=counter)
    with django_assert_num_queries(9):
        assert "More 4" in words(browser.get(LIST))
    roll_up()
    with django_assert_num_queries(7):
        assert "1 held" in words(browser.get(LIST))


def test_the_list_tells_what_the_roll_up_has_counted(place: Place, browser: Browser):
    """However much waits, the list does not count it anew."""
    place.push("A-1", "new")
    roll_up()
    CounterNumbers.objects.update(waiting=1234567, held=5000)
    text = words(browser.get(LIST))
    assert "1,234,567 waiting" in text
    assert "5,000 held" in text


def test_an_empty_list_says_what_to_do(login: Any, db: None):
    from tests.factories import make_agency, make_member

    text = words(login(make_member(make_agency())).get(LIST))
    assert "No counter yet" in text
    assert "Add counter" in text


def test_the_page_shows_numbers_mapping_and_forecast(place: Place, browser: Browser, django_assert_num_queries: Any):
    place.push("A-1", "new", "won")
    place.push("A-2", "unknown")
    with django_assert_num_queries(28):  # one of them reads the ledger, as long as the login has made no call
        answer = browser.get(page(place.counter))
    text = words(answer)
    assert "Waiting 2" in text
    assert "Held 1" in text
    assert "CRM: Order created CRM: Order paid goal_Mine" in text
    assert "Upload now" in text
    assert "Recent uploads" in text
    assert "Set-up 2 steps left" in text
    assert "Some came with a status that is not mapped; they are held. Map these statuses." in text


def test_a_name_written_by_somebody_is_text(place: Place, browser: Browser):
    services.update_counter(counter=place.counter, name="<script>alert(1)</script>", site="<b>x</b>")
    services.pause(counter=place.counter, reason="<img src=x onerror=alert(2)>")
    for url in (LIST, page(place.counter), act(place.counter, "resume"), "/admin/"):
        text = browser.get(url).content.decode()
        assert "<script>alert(1)" not in text
        assert "<img src=x" not in text
        assert "<b>x</b>" not in text
        assert "&lt;script&gt;alert(1)" in text, url


def test_settings_are_saved_by_the_service(place: Place, browser: Browser):
    data = form_data(browser, page(place.counter), schedule="Daily 3:00", currency="usd", name="Renamed")
    answer = browser.post(page(place.counter), data, follow=True)
    assert answer.redirect_chain, answer.context["errors"]
    place.counter.refresh_from_db()
    assert (place.counter.schedule, place.counter.currency) == ("daily 03:00", "USD")
    assert place.counter.next_upload_at is not None
    (entry,) = entries("counter.changed")
    assert entry.actor_label == place.owner.email
    assert entry.source == "web"
    assert entry.before["name"] == "Mine shop"
    assert entry.after["name"] == "Renamed"
    assert not entries("status.changed")


def test_what_the_service_refuses_stands_at_its_field(place: Place, browser: Browser):
    data = form_data(browser, page(place.counter), schedule="whenever", currency="XYZ", time_zone="Mars/Olympus")
    answer = browser.post(page(place.counter), data)
    assert answer.status_code == 200
    refused = answer.context["adminform"].form.errors
    assert set(refused) == {"schedule", "currency", "time_zone"}
    assert "Write manual, as they come" in str(refused["schedule"])
    place.counter.refresh_from_db()
    assert place.counter.schedule == "manual"


def test_a_folder_of_zones_is_no_zone(place: Place, browser: Browser):
    answer = browser.post(page(place.counter), form_data(browser, page(place.counter), time_zone="Europe"))
    assert set(answer.context["adminform"].form.errors) == {"time_zone"}


def test_the_mapping_is_saved_by_the_service(place: Place, browser: Browser):
    data = form_data(browser, page(place.counter))
    data.update(
        {
            "statuses-0-type": "OTHER",
            "statuses-0-goal_action_ids": " fresh_goal, goal_Mine ,fresh_goal",
            "statuses-TOTAL_FORMS": 3,
            "statuses-2-crm_status": "Отказ",
            "statuses-2-type": "CANCELLED",
            "statuses-2-position": 2,
        }
    )
    answer = browser.post(page(place.counter), data, follow=True)
    assert answer.redirect_chain
    assert mapping(place.counter) == [
        ("new", "OTHER", ["fresh_goal", "goal_Mine"]),
        ("won", "PAID", ["goal_Mine"]),
        ("Отказ", "CANCELLED", []),
    ]
    assert Goal.objects.filter(counter=place.counter, identifier="fresh_goal").exists()
    (changed,) = entries("status.changed")
    assert changed.before["type"] == "IN_PROGRESS"
    assert changed.after["goal_action_ids"] == ["fresh_goal", "goal_Mine"]
    assert [entry.after["crm_status"] for entry in entries("status.added")[2:]] == ["Отказ"]


def test_statuses_are_removed_renamed_and_put_in_order(place: Place, browser: Browser):
    data = form_data(browser, page(place.counter))
    data.update({"statuses-0-crm_status": "fresh", "statuses-0-position": 1, "statuses-1-position": 0})
    assert browser.post(page(place.counter), data).status_code == 302
    assert mapping(place.counter) == [("won", "PAID", ["goal_Mine"]), ("fresh", "IN_PROGRESS", [])]
    data = {**form_data(browser, page(place.counter)), "statuses-0-DELETE": "on"}
    assert browser.post(page(place.counter), data).status_code == 302
    assert mapping(place.counter) == [("fresh", "IN_PROGRESS", [])]
    assert [entry.before["crm_status"] for entry in entries("status.removed")] == ["new", "won"]


def test_a_status_may_take_the_name_that_another_gives_up(place: Place, browser: Browser):
    names = {"statuses-0-crm_status": "won", "statuses-1-crm_status": "paid"}
    assert browser.post(page(place.counter), {**form_data(browser, page(place.counter)), **names}).status_code == 302
    assert mapping(place.counter) == [("won", "IN_PROGRESS", []), ("paid", "PAID", ["goal_Mine"])]


def test_a_long_mapping_is_saved(place: Place, browser: Browser):
    StatusMapping.objects.bulk_create(
        StatusMapping(counter=place.counter, crm_status=f"status {n}", type="PAID", position=n + 2) for n in range(200)
    )
    data = form_data(browser, page(place.counter), name="Renamed")
    assert len(data) > 1000
    assert browser.post(page(place.counter), data).status_code == 302


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"statuses-0-goal_action_ids": ",".join(f"g{n}" for n in range(11))}, "at most 10 goals"),
        ({"statuses-0-goal_action_ids": "a?b"}, "is no goal identifier"),
        ({"statuses-0-type": "OTHER"}, "name at least one goal"),
        ({"statuses-0-crm_status": "won"}, "correct the duplicate"),
        ({"statuses-0-crm_status": "   "}, "required"),
    ],
)
def test_a_status_that_cannot_be_is_refused_at_its_row(place: Place, browser: Browser, changes: Any, said: str):
    before = mapping(place.counter)
    answer = browser.post(page(place.counter), {**form_data(browser, page(place.counter)), **changes})
    assert answer.status_code == 200
    assert said in words(answer)
    assert mapping(place.counter) == before


def test_in_detailed_mode_a_status_has_its_name_at_metrica(place: Place, browser: Browser):
    assert "Status at Metrica" not in words(browser.get(page(place.counter)))
    Counter.objects.filter(pk=place.counter.pk).update(mode="detailed")
    data = form_data(browser, page(place.counter), **{"statuses-0-metrica_id": "плохо"})
    assert "Only Latin letters" in words(browser.post(page(place.counter), data))
    data["statuses-0-metrica_id"] = "new_lead"
    assert browser.post(page(place.counter), data).status_code == 302
    assert StatusMapping.objects.get(counter=place.counter, crm_status="new").metrica_id == "new_lead"


def test_pause_asks_why_and_resume_lets_go(place: Place, browser: Browser):
    url = act(place.counter, "pause")
    assert "Nothing of this counter leaves for Metrica" in words(browser.get(url))
    assert "required" in errors(browser.post(url, {"reason": " "}))
    answer = browser.post(url, {"reason": "moving house"}, follow=True)
    assert "The counter is paused" in messages(answer)
    assert "moving house" in words(answer)
    place.counter.refresh_from_db()
    assert place.counter.paused_at is not None
    assert entries("counter.paused")[0].actor_label == place.owner.email
    again = browser.post(url, {"reason": "once more"}, follow=True)
    assert "cannot be done any more" in messages(again)
    assert "delivers again" in messages(browser.post(act(place.counter, "resume"), follow=True))
    place.counter.refresh_from_db()
    assert place.counter.paused_at is None


def test_upload_now_says_how_much_would_leave(place: Place, browser: Browser):
    place.push("A-1", "new", "won")
    url = act(place.counter, "upload")
    assert "2 status changes of this counter will leave for Metrica" in words(browser.get(url))
    assert not UploadJob.objects.exists()
    answer = browser.post(url)
    job = UploadJob.objects.get()
    assert answer.headers["Location"] == reverse("admin:uploads_uploadjob_change", args=[job.pk])
    assert (job.counter, job.trigger, job.requested_by) == (place.counter, "person", place.owner.email)
    assert entries("upload_job.requested")


def test_nothing_is_uploaded_while_the_counter_is_blocked(place: Place, browser: Browser):
    services.pause(counter=place.counter, reason="x")
    answer = browser.get(page(place.counter))
    assert "Upload now" not in words(answer).replace("press “Upload now”", "")
    assert "The counter is paused: x" in words(answer)
    browser.post(act(place.counter, "upload"))
    assert not UploadJob.objects.exists()


def test_a_counter_is_added_by_the_service_and_its_mapping_comes_next(place: Place, browser: Browser):
    data = {
        "metrica_id": "123456",
        "name": "New site",
        "account": place.account.pk,
        "schedule": "5m",
        "currency": "EUR",
    }
    answer = browser.post(reverse("admin:counters_counter_add"), data)
    created = Counter.objects.get(metrica_id=123456)
    assert answer.headers["Location"] == page(created)
    assert (created.agency, created.schedule, created.currency) == (place.agency, "5m", "EUR")
    assert entries("counter.created")[-1].object_id == str(created.pk)
    twice = browser.post(reverse("admin:counters_counter_add"), data)
    assert "in the list already" in words(twice)


def test_platform_staff_name_the_agency(place: Place, login: Any):
    from tests.factories import make_staff

    browser = login(make_staff())
    data = {"metrica_id": "123457", "name": "Site", "schedule": "manual", "currency": "RUB"}
    assert "required" in words(browser.post(reverse("admin:counters_counter_add"), data))
    browser.post(reverse("admin:counters_counter_add"), {**data, "agency": place.agency.pk})
    assert Counter.objects.get(metrica_id=123457).agency == place.agency
