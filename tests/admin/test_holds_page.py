"""The holds: nothing waits silently, and each reason has its fix beside it (R8)."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.counters import services
from apps.goals.models import StatusMapping
from apps.orders import holds
from apps.orders.models import StatusChange
from tests.admin.conftest import Place
from tests.admin.pages import errors, messages, words
from tests.factories import make_counter

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/heldchange/"


def act(change: StatusChange, name: str) -> str:
    return reverse(f"admin:orders_heldchange_{name}", args=[change.pk])


def listed(answer: Any) -> set[str]:
    return {change.order.order_id for change in answer.context["cl"].result_list}


def state(place: Place, order_id: str) -> tuple[str, str]:
    change = place.change(order_id)
    return change.delivery, change.hold_reason


@pytest.fixture
def held(place: Place) -> Place:
    """One change for each reason that an order itself can give."""
    place.push("UNMAPPED-1", "mystery")
    place.push("UNMAPPED-2", "mystery")
    place.push("NOBODY", "won", emails=[])
    place.push("FINE", "won")
    return place


def test_the_list_counts_by_reason_and_offers_each_fix(held: Place, browser: Browser, django_assert_num_queries: Any):
    with django_assert_num_queries(10):
        answer = browser.get(LIST)
    text = words(answer)
    assert listed(answer) == {"UNMAPPED-1", "UNMAPPED-2", "NOBODY"}
    assert "The status is not mapped 2" in text
    assert "Neither ClientID nor e-mail nor phone is known 1" in text
    assert "mystery Mine shop" in text
    assert "2 status changes Map" in text
    assert text.count("Map the status") == 2
    assert "Add an identifier" in text


def test_the_list_costs_the_same_for_many_holds(held: Place, browser: Browser, django_assert_num_queries: Any):
    for number in range(4):
        counter = make_counter(held.agency, account=held.account, name=f"More {number}")
        held.push(f"M-{number}", f"unknown {number}", counter=counter)
    with django_assert_num_queries(10):
        assert len(listed(browser.get(LIST))) == 7


def test_a_reason_narrows_the_list_and_says_what_to_do(held: Place, browser: Browser):
    answer = browser.get(LIST, {"reason": "no_identifiers"})
    assert listed(answer) == {"NOBODY"}
    assert "without one Metrica cannot find the visit" in words(answer)
    assert listed(browser.get(LIST, {"counter__id__exact": held.counter.pk})) == {"UNMAPPED-1", "UNMAPPED-2", "NOBODY"}
    assert listed(browser.get(LIST, {"q": "mystery"})) == {"UNMAPPED-1", "UNMAPPED-2"}
    assert listed(browser.get(LIST, {"q": "NOBODY"})) == {"NOBODY"}
    assert listed(browser.get(LIST, {"reason": "nonsense"})) == {"UNMAPPED-1", "UNMAPPED-2", "NOBODY"}


def test_an_empty_list_is_good_news(place: Place, browser: Browser):
    assert "Nothing is held" in words(browser.get(LIST))


def test_a_held_change_leads_to_its_place_in_the_timeline(held: Place, browser: Browser):
    change = held.change("NOBODY")
    answer = browser.get(reverse("admin:orders_heldchange_change", args=[change.pk]))
    assert answer.headers["Location"] == f"/admin/orders/order/{change.order_id}/change/#change-{change.pk}"


def test_mapping_a_status_frees_all_orders_that_have_it(held: Place, browser: Browser):
    url = act(held.change("UNMAPPED-1"), "map")
    asked = browser.get(url)
    assert "What does “mystery” mean for Mine shop" in words(asked)
    assert "goal_Mine" in asked.content.decode()  # offered
    answer = browser.post(url, {"type": "OTHER", "goal_action_ids": "goal_Mine, fresh"}, follow=True)
    assert "The status “mystery” is mapped" in messages(answer)
    mapping = StatusMapping.objects.get(counter=held.counter, crm_status="mystery")
    assert (mapping.type, mapping.goal_action_ids) == ("OTHER", ["goal_Mine", "fresh"])
    assert AuditEntry.objects.get(action="status.added", object_label="mystery").actor_label == held.owner.email
    held.counter.refresh_from_db()
    assert holds.review(held.counter) == 2
    assert state(held, "UNMAPPED-2") == ("waiting", "")


def test_the_status_itself_cannot_be_changed_in_the_form(held: Place, browser: Browser):
    browser.post(act(held.change("UNMAPPED-1"), "map"), {"type": "PAID", "crm_status": "another"})
    assert not StatusMapping.objects.filter(crm_status="another").exists()
    assert StatusMapping.objects.filter(crm_status="mystery", type="PAID").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"type": "OTHER"}, "name at least one goal"),
        ({"type": "NONSENSE"}, "Select a valid choice"),
        ({"type": "PAID", "goal_action_ids": "a/b"}, "is no goal identifier"),
    ],
)
def test_a_mapping_that_cannot_be_stays_in_the_form(held: Place, browser: Browser, data: Any, said: str):
    answer = browser.post(act(held.change("UNMAPPED-1"), "map"), data)
    assert answer.status_code == 200
    assert said in errors(answer)
    assert not StatusMapping.objects.filter(crm_status="mystery").exists()


def test_an_identifier_frees_the_order(held: Place, browser: Browser):
    url = act(held.change("NOBODY"), "identify")
    answer = browser.post(url, {"phones": "8 (903) 123-45-67"}, follow=True)
    assert "The identifiers are kept" in messages(answer)
    changes = list(StatusChange.objects.filter(order__order_id="NOBODY").order_by("seq"))
    assert [change.delivery for change in changes] == ["waiting", "waiting"]
    assert changes[1].changed == ["identifiers"]  # nothing else is new
    assert changes[1].order.identifiers == {"phones": ["79031234567"]}


@pytest.mark.parametrize("data", [{}, {"phones": " "}, {"phones": "12"}, {"emails": "nonsense"}])
def test_an_identifier_that_is_none_stays_in_the_form(held: Place, browser: Browser, data: Any):
    answer = browser.post(act(held.change("NOBODY"), "identify"), data)
    assert answer.status_code == 200
    assert errors(answer)
    assert state(held, "NOBODY") == ("held", "no_identifiers")


def test_a_change_can_be_given_up_with_a_reason(held: Place, browser: Browser):
    url = act(held.change("NOBODY"), "reject")
    assert "required" in errors(browser.post(url, {"why": ""}))
    answer = browser.post(url, {"why": "a test order"}, follow=True)
    assert "will not be sent" in messages(answer)
    assert held.change("NOBODY").delivery == "rejected"
    assert AuditEntry.objects.filter(action="change.given_up").exists()
    order = browser.get(reverse("admin:orders_order_change", args=[held.change("NOBODY").order_id]))
    assert "a test order" in words(order)


def test_what_a_person_held_is_released(held: Place, browser: Browser):
    change = held.change("FINE")
    StatusChange.objects.filter(pk=change.pk).update(delivery="held", hold_reason="by_hand")
    assert "Release" in words(browser.get(LIST))
    assert "Released" in messages(browser.post(act(change, "release"), follow=True))
    assert state(held, "FINE") == ("waiting", "")


def test_a_late_click_is_told(held: Place, browser: Browser):
    change = held.change("NOBODY")
    browser.post(act(change, "reject"), {"why": "once"})
    answer = browser.post(act(change, "reject"), {"why": "twice"}, follow=True)
    assert "cannot be done any more" in messages(answer)


def test_one_comes_back_where_one_was(held: Place, browser: Browser):
    url = act(held.change("NOBODY"), "reject")
    answer = browser.post(url, {"why": "x", "next": "/admin/orders/order/?q=NOBODY"})
    assert answer.headers["Location"] == "/admin/orders/order/?q=NOBODY"
    outside = browser.get(act(held.change("UNMAPPED-1"), "map"), {"next": "https://thief.example/"})
    assert "thief.example" not in outside.content.decode()


@pytest.mark.parametrize(
    ("block", "button", "leads_to"),
    [
        ("pause", "Resume the counter", "admin:counters_counter_resume"),
        ("account", "Connect the account", "admin:counters_metricaaccount_change"),
        ("no_account", "Choose an account", "admin:counters_counter_choose_account"),
        ("zone", "Set the time zone", "admin:counters_counter_set_zone"),
    ],
)
def test_what_blocks_a_counter_has_its_fix(place: Place, browser: Browser, block: str, button: str, leads_to: str):
    place.push("A-1", "won")
    target = place.counter.pk
    if block == "pause":
        services.pause(counter=place.counter, reason="x")
    elif block == "account":
        services.disconnect_account(account=place.account, reason="x")
        target = place.account.pk
    elif block == "no_account":
        services.update_counter(counter=place.counter, account=None)
    else:
        services.update_counter(counter=place.counter, time_zone="")
    place.counter.refresh_from_db()
    holds.review(place.counter)
    answer = browser.get(LIST)
    assert words(answer).count(button) == 2  # beside the counter, and beside its change
    assert "Counters that cannot send" in words(answer)
    assert reverse(leads_to, args=[target]) in answer.content.decode()
    assert browser.get(reverse(leads_to, args=[target])).status_code == 200


def test_many_are_given_up_at_once_after_a_question(held: Place, browser: Browser):
    changes = [held.change(name) for name in ("UNMAPPED-1", "UNMAPPED-2")]
    data = {"action": "reject_changes", "_selected_action": [str(change.pk) for change in changes], "index": "0"}
    asked = browser.post(LIST, data)
    assert "2 status changes are chosen." in words(asked)
    refused = browser.post(LIST, {**data, "_confirmed": "1", "why": ""})
    assert "required" in errors(refused)
    assert state(held, "UNMAPPED-1") == ("held", "unmapped_status")
    answer = browser.post(LIST, {**data, "_confirmed": "1", "why": "tests"}, follow=True)
    assert "2 status changes rejected" in messages(answer)
    assert held.change("UNMAPPED-1").delivery == "rejected"


def test_the_whole_filtered_list_can_be_taken_at_once(held: Place, browser: Browser):
    page, one = f"{LIST}?reason=unmapped_status", held.change("UNMAPPED-1")
    data = {"action": "reject_changes", "_selected_action": str(one.pk), "select_across": "1"}
    asked = browser.post(page, data)
    assert "2 status changes are chosen." in words(asked)
    browser.post(page, {**dict(asked.context["carried"]), "why": "x"})
    assert held.change("UNMAPPED-2").delivery == "rejected"
    assert state(held, "NOBODY") == ("held", "no_identifiers")


def test_what_came_after_the_question_is_not_taken_with_the_whole_list(held: Place, browser: Browser):
    page, one = f"{LIST}?reason=unmapped_status", held.change("UNMAPPED-1")
    data = {"action": "reject_changes", "_selected_action": str(one.pk), "select_across": "1"}
    asked = browser.post(page, data)
    held.push("UNMAPPED-3", "mystery")
    StatusChange.objects.filter(pk=held.change("UNMAPPED-2").pk).update(delivery="waiting", hold_reason="")
    answer = browser.post(page, {**dict(asked.context["carried"]), "why": "x"}, follow=True)
    assert "1 status change rejected" in messages(answer)
    assert state(held, "UNMAPPED-3") == ("held", "unmapped_status"), "nobody has seen it"
    assert state(held, "UNMAPPED-2") == ("waiting", "")


@pytest.mark.parametrize("asked", [{}, {"_asked": "nonsense"}])
def test_the_whole_list_is_not_taken_without_the_question(held: Place, browser: Browser, asked: dict[str, str]):
    data = {"action": "reject_changes", "_selected_action": str(held.change("UNMAPPED-1").pk), "select_across": "1"}
    answer = browser.post(LIST, {**data, **asked, "_confirmed": "1", "why": "x"})
    assert "3 status changes are chosen." in words(answer)
    assert state(held, "UNMAPPED-1") == ("held", "unmapped_status")


def test_release_of_many_frees_those_that_may_go_and_tells_of_the_rest(held: Place, browser: Browser):
    fine = held.change("FINE")
    StatusChange.objects.filter(pk=fine.pk).update(delivery="held", hold_reason="by_hand")
    chosen = [str(fine.pk), str(held.change("NOBODY").pk)]
    data = {"action": "release_changes", "_selected_action": chosen, "_confirmed": "1"}
    answer = browser.post(LIST, data, follow=True)
    assert "1 released" in messages(answer)
    assert "1 is still held" in messages(answer)
    assert state(held, "FINE") == ("waiting", "")
    assert state(held, "NOBODY") == ("held", "no_identifiers")


def test_a_time_zone_is_set_right_there(place: Place, browser: Browser):
    services.update_counter(counter=place.counter, time_zone="")
    place.push("A-1", "won")
    url = reverse("admin:counters_counter_set_zone", args=[place.counter.pk])
    for wrong in ("", "Moscow", "Europe"):
        assert errors(browser.post(url, {"time_zone": wrong})), wrong
    answer = browser.post(url, {"time_zone": "Asia/Omsk", "next": LIST}, follow=True)
    assert "The time zone is kept" in messages(answer)
    assert answer.redirect_chain[-1][0] == LIST
    place.counter.refresh_from_db()
    assert place.counter.time_zone == "Asia/Omsk"
    assert holds.review(place.counter) == 1
    assert "cannot be done any more" in messages(browser.post(url, {"time_zone": "Europe/Moscow"}, follow=True))


def test_an_account_is_chosen_right_there_among_ones_own(place: Place, other: Place, browser: Browser):
    services.update_counter(counter=place.counter, account=None)
    place.push("A-1", "won")
    url = reverse("admin:counters_counter_choose_account", args=[place.counter.pk])
    asked = browser.get(url).content.decode()
    assert "Mine-login" in asked
    assert "Zeta-login" not in asked
    assert "valid choice" in errors(browser.post(url, {"account": other.account.pk}))
    assert "The account is kept" in messages(browser.post(url, {"account": place.account.pk}, follow=True))
    place.counter.refresh_from_db()
    assert holds.review(place.counter) == 1


def test_all_with_a_status_are_given_up_with_one_reason(held: Place, browser: Browser):
    held.push("OTHER", "another mystery")
    url = act(held.change("UNMAPPED-1"), "reject_status")
    assert url in browser.get(LIST).content.decode()
    assert "2 held status changes “mystery” of Mine shop" in words(browser.get(url))
    assert "required" in errors(browser.post(url, {"why": " "}))
    assert "2 status changes rejected" in messages(browser.post(url, {"why": "tests"}, follow=True))
    assert {held.change(name).delivery for name in ("UNMAPPED-1", "UNMAPPED-2")} == {"rejected"}
    assert state(held, "OTHER") == ("held", "unmapped_status")
    assert state(held, "NOBODY") == ("held", "no_identifiers")


def test_every_held_change_can_be_given_up_from_the_list(held: Place, browser: Browser, login: Any):
    for name in ("UNMAPPED-1", "NOBODY"):
        assert f"{act(held.change(name), 'reject')}?next=" in browser.get(LIST).content.decode()
    assert "reject/" not in login(held.analyst).get(LIST).content.decode()
