"""The rejected changes: what Metrica said, what it means, what to do; correcting, sending again, leaving them."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from apps.agencies.paginator import ShortPaginator
from apps.goals.models import StatusMapping
from apps.orders.admin_pages import rejected
from apps.orders.models import StatusChange
from apps.uploads.models import Upload, UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import errors, messages, words

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/rejectedchange/"


def act(change: StatusChange, name: str) -> str:
    return reverse(f"admin:orders_rejectedchange_{name}", args=[change.pk])


def reject(place: Place, order_id: str, *, field: str = "", said: str = "No such thing.", **more: Any) -> StatusChange:
    place.push(order_id, "won", **more)
    change = place.change(order_id)
    StatusChange.objects.filter(pk=change.pk).update(
        delivery="rejected", reject_code="invalid_uploading", reject_message=said, reject_field=field
    )
    return StatusChange.objects.select_related("order").get(pk=change.pk)


def listed(answer: Any) -> set[str]:
    return {change.order.order_id for change in answer.context["cl"].result_list}


def pick(browser: Browser, action: str, *changes: StatusChange, **more: Any) -> Any:
    data = {"action": action, "_selected_action": [str(change.pk) for change in changes], **more}
    return browser.post(LIST, data, follow=True)


def test_an_empty_list_says_so(place: Place, browser: Browser):
    assert "Nothing is rejected" in words(browser.get(LIST))


def test_each_row_says_what_metrica_said_what_it_means_and_what_to_do(
    place: Place, browser: Browser, django_assert_num_queries: Any
):
    change = reject(place, "R-1", field="emails", said="Invalid e-mail")
    browser.get(LIST)
    with django_assert_num_queries(7):
        answer = browser.get(LIST)
    text = words(answer)
    for expected in ("Metrica does not take an e-mail address of the order.", "Invalid e-mail", "Correct it here"):
        assert expected in text
    assert act(change, "correct") in answer.content.decode()
    for number in range(2, 7):
        reject(place, f"R-{number}")
    with django_assert_num_queries(7):
        assert len(listed(browser.get(LIST))) == 6


def test_the_list_can_be_narrowed_to_one_job(place: Place, browser: Browser):
    change = reject(place, "R-1")
    reject(place, "R-2")
    job = place.job(state="partly_failed", rejected=1)
    StatusChange.objects.filter(pk=change.pk).update(upload_id=Upload.objects.get().pk)
    page = browser.get(reverse("admin:uploads_uploadjob_change", args=[job.pk])).content.decode()
    assert f"{LIST}?job={job.pk}" in page
    assert listed(browser.get(LIST, {"job": job.pk})) == {"R-1"}
    assert listed(browser.get(LIST, {"job": "no job"})) == set()


def test_a_job_of_others_narrows_it_to_nothing(place: Place, other: Place, browser: Browser):
    change = reject(other, "R-1")
    job = other.job(state="partly_failed", rejected=1)
    StatusChange.objects.filter(pk=change.pk).update(upload_id=Upload.objects.get().pk)
    assert listed(browser.get(LIST, {"job": job.pk})) == set()
    assert browser.get(act(change, "correct")).status_code == 404


def test_an_identifier_is_corrected_in_place(place: Place, browser: Browser):
    change = reject(place, "R-1", field="emails", said="Invalid e-mail")
    asked = browser.get(act(change, "correct"))
    form = asked.context["form"]
    assert next(iter(form.fields)) == "emails", "what Metrica named comes first"
    assert form.initial["emails"] == "mine@mail.example"
    answer = browser.post(act(change, "correct"), {**form.initial, "emails": "anna@mail.example"}, follow=True)
    assert "Corrected: it goes with the next upload." in messages(answer)
    assert listed(answer) == set(), "it is asked about still"
    change.order.refresh_from_db()
    assert change.order.identifiers["emails"] == ["anna@mail.example"]
    states = list(change.order.changes.in_timeline_order().values_list("delivery", flat=True))
    assert states == ["rejected", "waiting"]
    assert listed(browser.get(LIST, {"show": "overtaken"})) == {"R-1"}
    page = words(browser.get(reverse("admin:orders_order_change", args=[change.order_id])))
    assert "Overtaken by a newer status of this order" in page


def test_how_far_it_has_looked_for_overtaken_ones_is_said(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    for name in ("R-1", "R-2", "R-3"):
        change = reject(place, name)
        form = browser.get(act(change, "correct")).context["form"]
        browser.post(act(change, "correct"), {**form.initial, "revenue": "7"})
    whole = browser.get(LIST, {"show": "overtaken"})
    assert listed(whole) == {"R-1", "R-2", "R-3"}
    assert "Looked for among" not in words(whole)
    monkeypatch.setattr(rejected, "LOOKED_AT", 2)
    cut = browser.get(LIST, {"show": "overtaken"})
    assert listed(cut) == {"R-2", "R-3"}
    assert "Looked for among the newest 2 rejected status changes" in words(cut)
    assert listed(browser.get(LIST, {"show": "overtaken", "counter__id__exact": place.counter.pk})) == {"R-2", "R-3"}


def test_what_has_no_page_is_answered_however_many_are_looked_through(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    changes = [reject(place, name) for name in ("R-1", "R-2", "R-3")]
    for change in changes:
        form = browser.get(act(change, "correct")).context["form"]
        browser.post(act(change, "correct"), {**form.initial, "revenue": "7"})
    monkeypatch.setattr(rejected, "LOOKED_AT", 2)
    monkeypatch.setattr(rejected.RejectedChangeAdmin, "list_per_page", 1)
    url = f"{LIST}?show=overtaken"
    answer = browser.get(f"{url}&p=9999")
    assert answer.status_code == 302, "there is no such page"
    data = {"action": "leave_rejected", "_selected_action": [str(changes[2].pk)], "_confirmed": "1", "why": "Tests."}
    answer = browser.post(url, data, follow=True)
    assert "1 status stays as it is" in messages(answer)
    changes[2].refresh_from_db()
    assert changes[2].reject_code == "given_up"


def test_overtaken_ones_are_searched_among_all(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    for name in ("R-1", "R-2", "R-3"):
        change = reject(place, name)
        form = browser.get(act(change, "correct")).context["form"]
        browser.post(act(change, "correct"), {**form.initial, "revenue": "7"})
    monkeypatch.setattr(rejected, "LOOKED_AT", 1)
    answer = browser.get(LIST, {"show": "overtaken", "q": "R-1"})
    assert listed(answer) == {"R-1"}
    assert "Looked for among" not in words(answer)


def test_among_all_of_them_the_overtaken_ones_are_told(place: Place, browser: Browser):
    change = reject(place, "R-1")
    reject(place, "R-2")
    form = browser.get(act(change, "correct")).context["form"]
    browser.post(act(change, "correct"), {**form.initial, "revenue": "7"})
    page = browser.get(LIST, {"show": "all"})
    assert listed(page) == {"R-1", "R-2"}
    assert {row.order.order_id: row.overtaken for row in page.context["cl"].result_list} == {"R-1": True, "R-2": False}


def test_money_is_corrected_and_can_be_cleared(place: Place, browser: Browser):
    change = reject(place, "R-1", revenue="10", cost="3")
    form = browser.get(act(change, "correct")).context["form"]
    browser.post(act(change, "correct"), {**form.initial, "revenue": "12,50", "cost": ""})
    newest = change.order.changes.order_by("-seq").first()
    assert newest is not None
    assert (str(newest.revenue), newest.cost, newest.order_status) == ("12.5000", None, "won")
    assert newest.status_date_time == change.status_date_time


def test_what_intake_does_not_take_is_said_at_its_field(place: Place, browser: Browser):
    change = reject(place, "R-1")
    form = browser.get(act(change, "correct")).context["form"]
    answer = browser.post(act(change, "correct"), {**form.initial, "currency": "no money", "emails": "x@mail.example"})
    assert answer.status_code == 200
    assert errors(answer)
    assert place.change("R-1").delivery == "rejected"
    change.order.refresh_from_db()
    assert change.order.identifiers["emails"] == ["mine@mail.example"], "half of it was taken"


def test_a_status_that_metrica_does_not_take_is_mapped_anew(place: Place, browser: Browser):
    change = reject(place, "R-1", field="order_status")
    assert "Map anew" in words(browser.get(LIST))
    form = browser.get(act(change, "map")).context["form"]
    assert form.initial["goal_action_ids"] == ["goal_Mine"]
    data = {"crm_status": "won", "type": "OTHER", "goal_action_ids": ["another_goal"], "name": ""}
    answer = browser.post(act(change, "map"), data, follow=True)
    assert "is mapped, and goes once more" in messages(answer)
    mapping = StatusMapping.objects.get(counter=place.counter, crm_status="won")
    assert (mapping.type, mapping.goal_action_ids) == ("OTHER", ["another_goal"])
    assert place.change("R-1").delivery == "waiting"


def test_nothing_altered_goes_once_more(place: Place, browser: Browser):
    change = reject(place, "R-1")
    form = browser.get(act(change, "correct")).context["form"]
    answer = browser.post(act(change, "correct"), form.initial, follow=True)
    assert "Nothing was altered" in messages(answer)
    assert place.change("R-1").delivery == "waiting"


def test_one_is_sent_again_or_left(place: Place, browser: Browser):
    first, second = reject(place, "R-1"), reject(place, "R-2")
    browser.post(act(first, "retry"))
    assert place.change("R-1").delivery == "waiting"
    assert errors(browser.post(act(second, "leave"), {"why": " "}))
    browser.post(act(second, "leave"), {"why": "A test order."})
    assert listed(browser.get(LIST)) == set()
    answer = browser.get(LIST, {"show": "left"})
    assert listed(answer) == {"R-2"}
    assert "A test order." in words(answer)


def test_several_are_sent_again_or_left_together(place: Place, browser: Browser):
    changes = [reject(place, f"R-{number}") for number in range(4)]
    assert "2 status changes are chosen" in words(pick(browser, "retry_rejected", *changes[:2]))
    answer = pick(browser, "retry_rejected", *changes[:2], _confirmed="1")
    assert "2 statuses go once more" in messages(answer)
    answer = pick(browser, "leave_rejected", *changes[2:], _confirmed="1", why="Tests.")
    assert "2 statuses stay as they are" in messages(answer)
    assert listed(browser.get(LIST)) == set()


def test_all_are_chosen_by_number_only_where_they_were_counted(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rejected.RejectedChangeAdmin, "list_per_page", 2)
    for number in range(4):
        change = reject(place, f"R-{number}")
    assert "Select all 4" in words(browser.get(LIST))
    monkeypatch.setattr(ShortPaginator, "COUNT_LIMIT", 3)
    cut = words(browser.get(LIST))
    assert "Choose all of the list" in cut
    assert "Select all 3" not in cut
    assert "All 3" not in cut
    asked = pick(browser, "retry_rejected", change, select_across="1")
    assert "4 status changes are chosen" in words(asked)
    browser.post(LIST, dict(asked.context["carried"]))
    assert listed(browser.get(LIST)) == set()


def test_the_rejected_ones_of_a_job_go_with_a_new_one(place: Place, browser: Browser):
    change = reject(place, "R-1")
    job = place.job(state="partly_failed", rejected=1)
    StatusChange.objects.filter(pk=change.pk).update(upload_id=Upload.objects.get().pk)
    url = reverse("admin:uploads_uploadjob_retry_rejected", args=[job.pk])
    assert "1 rejected status change goes once more" in words(browser.get(url))
    browser.post(url)
    assert place.change("R-1").delivery == "waiting"
    assert UploadJob.objects.exclude(pk=job.pk).get().state == "queued"


def test_whoever_may_only_read_sees_the_reasons_and_no_buttons(place: Place, login: Any):
    change = reject(place, "R-1", field="phones")
    reader = login(place.analyst)
    answer = reader.get(LIST)
    assert "Metrica does not take a phone number of the order." in words(answer)
    assert act(change, "correct") not in answer.content.decode()
    assert reader.post(act(change, "retry")).status_code == 403
    assert place.change("R-1").delivery == "rejected"
