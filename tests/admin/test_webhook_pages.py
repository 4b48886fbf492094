"""Webhooks in the admin: made with a secret that is shown once, tested, watched, mended, and their log."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.encryption import decrypt
from apps.hooks import rounds
from apps.hooks.models import Delivery, DisabledFor, Endpoint, Event
from apps.hooks.sending import disable
from apps.hooks.services import create_endpoint
from apps.hooks.signing import sign
from tests.admin.conftest import Place
from tests.admin.pages import errors, form_data, messages, words
from tests.factories import make_counter, make_staff
from tests.hooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/hooks/endpoint/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def endpoint(place: Place, receiver: Receiver) -> Endpoint:
    made, _secret = create_endpoint(
        agency=place.agency, name="CRM", url=receiver.url, events=["order.held", "order.delivered"]
    )
    return made


def page(endpoint: Endpoint, act: str = "change") -> str:
    return f"{LIST}{endpoint.pk}/{act}/"


def send() -> None:
    rounds.SENDING.wake()
    rounds.SENDING.run()


def test_a_new_webhook_shows_its_secret_once_and_signs_with_it(
    place: Place, browser: Browser, receiver: Receiver
) -> None:
    data = {"name": "CRM", "url": receiver.url, "events": ["order.held"], "counters": [], "active": "on"}
    answer = browser.post(f"{LIST}add/", data)
    shown = re.search(r"whsec_[\w-]{43}", answer.content.decode())
    assert shown is not None, words(answer)
    endpoint = Endpoint.objects.get()
    assert (endpoint.agency, endpoint.created_by) == (place.agency, place.owner.email)
    assert decrypt(endpoint.secret_encrypted) == shown[0]
    for where in (LIST, page(endpoint), page(endpoint, "history")):
        assert shown[0] not in browser.get(where, follow=True).content.decode()
    assert shown[0] not in str(list(AuditEntry.objects.values()))
    place.push("A-1", "nobody mapped this")
    send()
    [came] = receiver.came
    stamp = int(came.headers["goalpost-signature"].partition(",")[0].removeprefix("t="))
    assert came.headers["goalpost-signature"] == sign(body=came.body, secrets=[shown[0]], at=stamp)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://10.0.0.8/hook", "leads into a private network"),
        ("http://169.254.169.254/latest/", "leads into a private network"),
        ("https://name:password@crm.example/", "holds a user name or a password"),
        ("https://no-such-name.invalid/", "name of the server is not known"),
        ("crm.example", "begins with https://"),
    ],
)
def test_an_address_that_leads_nowhere_good_is_refused_at_its_field(browser: Browser, url: str, said: str) -> None:
    answer = browser.post(f"{LIST}add/", {"name": "CRM", "url": url, "events": ["order.held"], "active": "on"})
    form = answer.context["adminform"].form
    assert said in str(form.errors["url"])
    assert not Endpoint.objects.exists()


def test_it_is_changed_and_the_log_says_what(place: Place, browser: Browser, endpoint: Endpoint) -> None:
    data = form_data(browser, page(endpoint), name="New CRM", events=["order.rejected"], counters=[place.counter.pk])
    answer = browser.post(page(endpoint), data, follow=True)
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.events) == ("New CRM", ["order.rejected"]), answer.context.get("errors")
    assert list(endpoint.counters.all()) == [place.counter]
    entry = AuditEntry.objects.get(action="webhook.changed")
    assert (entry.before["name"], entry.after["counters"]) == ("CRM", [place.counter.metrica_id])


def test_counters_of_another_agency_cannot_be_chosen(
    place: Place, other: Place, browser: Browser, login: Any, endpoint: Endpoint
) -> None:
    data = form_data(browser, page(endpoint), counters=[other.counter.pk])
    assert "counters" in browser.post(page(endpoint), data).context["adminform"].form.errors
    staff = login(make_staff())
    data = form_data(staff, page(endpoint), counters=[other.counter.pk])
    assert "counters of this agency" in str(staff.post(page(endpoint), data).context["adminform"].form.errors)
    assert not endpoint.counters.exists()


def test_a_test_is_sent_and_the_page_says_what_was_answered(
    browser: Browser, endpoint: Endpoint, receiver: Receiver
) -> None:
    assert "HTTP 200" in messages(browser.post(page(endpoint, "test"), follow=True))
    receiver.answer = lambda _request: (403, {}, b"who are you?")
    assert "HTTP 403" in errors(browser.post(page(endpoint, "test")))
    assert len(receiver.came) == 2
    newest = Delivery.objects.order_by("-pk")[0]
    assert "who are you?" in words(browser.get(f"/admin/hooks/delivery/{newest.pk}/change/"))


def test_a_message_shows_what_was_sent_and_what_was_answered(
    place: Place, browser: Browser, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: (200, {}, b"<b>noted</b>")
    place.push("A-1", "nobody mapped this")
    send()
    delivery = Delivery.objects.get()
    text = words(browser.get(f"/admin/hooks/delivery/{delivery.pk}/change/"))
    came = receiver.came[0]
    assert came.headers["goalpost-signature"] in text
    assert '"order": "A-1"' in text and '"reason": "unmapped_status"' in text
    assert "HTTP 200" in text and "<b>noted</b>" in text
    assert str(delivery.event_id) in text
    assert "has changed since" not in text
    assert "Status changes wait for a person" in words(browser.get("/admin/hooks/delivery/"))
    log = words(browser.get(page(endpoint))).partition("Last messages")[2]
    assert "Status changes wait for a person" in log


def test_a_message_is_sent_again_and_one_that_is_stuck_is_given_up(
    place: Place, browser: Browser, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: 500
    place.push("A-1", "nobody mapped this")
    send()
    delivery = Delivery.objects.get()
    log = f"/admin/hooks/delivery/{delivery.pk}/"
    assert "Give up" in words(browser.get(f"{log}change/"))
    browser.post(f"{log}give_up/")
    delivery.refresh_from_db()
    assert delivery.state == "abandoned"
    receiver.answer = lambda _request: 200
    answer = browser.post(f"{log}again/", follow=True)
    again = Delivery.objects.get(is_replay=True)
    assert str(again.pk) in words(answer)
    send()
    again.refresh_from_db()
    assert (again.state, again.event_id) == ("delivered", delivery.event_id)


def test_all_since_a_time_is_sent_again(place: Place, browser: Browser, endpoint: Endpoint, receiver: Receiver) -> None:
    for number in range(3):
        place.push(f"A-{number}", f"unknown {number}")
    send()
    receiver.came.clear()
    since = timezone.localtime(timezone.now() - timedelta(hours=1))
    answer = browser.post(page(endpoint, "since"), {"since": f"{since:%Y-%m-%dT%H:%M}"}, follow=True)
    assert "3 messages go once more" in messages(answer)
    send()
    assert len(receiver.came) == 3


def test_one_that_is_not_called_any_more_says_so_and_is_called_again(
    place: Place, browser: Browser, endpoint: Endpoint, receiver: Receiver
) -> None:
    disable(endpoint=endpoint, reason=DisabledFor.FAILING, at=timezone.now())
    place.push("A-1", "nobody mapped this")
    for where in (LIST, page(endpoint)):
        assert "Not called any more" in words(browser.get(where))
    send()
    assert receiver.came == []
    assert "It is called again" in messages(browser.post(page(endpoint, "enable"), follow=True))
    send()
    assert len(receiver.came) == 1


def test_a_new_secret_is_shown_once(browser: Browser, endpoint: Endpoint) -> None:
    old = decrypt(endpoint.secret_encrypted)
    shown = re.search(r"whsec_[\w-]{43}", browser.post(page(endpoint, "secret")).content.decode())
    endpoint.refresh_from_db()
    assert shown is not None
    assert decrypt(endpoint.secret_encrypted) == shown[0] != old
    assert decrypt(endpoint.old_secret_encrypted) == old


def test_it_is_deleted_with_what_waits_for_it(place: Place, browser: Browser, endpoint: Endpoint) -> None:
    place.push("A-1", "nobody mapped this")
    assert "Webhook deliveries: 1" in words(browser.get(page(endpoint, "delete")))
    browser.post(page(endpoint, "delete"), {"post": "yes"})
    assert not Endpoint.objects.exists() and not Delivery.objects.exists()
    assert AuditEntry.objects.get(action="webhook.deleted").object_label == "CRM"


def test_a_manager_watches_and_an_analyst_reads(place: Place, login: Any, endpoint: Endpoint) -> None:
    manager, analyst = login(place.manager), login(place.analyst)

    def offered(who: Browser) -> set[str]:
        text = who.get(page(endpoint)).content.decode()
        return {act for act in ("test", "since", "secret", "delete") if f'href="{page(endpoint, act)}' in text}

    assert offered(login(place.owner)) == {"test", "since", "secret", "delete"}
    assert offered(manager) == {"test", "since"}
    assert offered(analyst) == set()
    for who in (manager, analyst):
        assert who.get(f"{LIST}add/").status_code == 403
        assert who.post(page(endpoint), {"name": "Mine"}).status_code == 403
        assert who.post(page(endpoint, "delete"), {"post": "yes"}).status_code == 403
    endpoint.refresh_from_db()
    assert endpoint.name == "CRM"


def test_what_stands_after_the_question_mark_is_shown_to_owners_alone(
    place: Place, browser: Browser, login: Any, endpoint: Endpoint, receiver: Receiver
) -> None:
    """It is often a password of sorts. Not even a search tells readers of it; that it was changed is written down."""
    data = form_data(browser, page(endpoint))
    for key in ("hush", "hush2"):
        browser.post(page(endpoint), {**data, "url": f"{receiver.url}?key={key}"})
    assert AuditEntry.objects.filter(action="webhook.changed").count() == 2
    assert "?key=hush2" in browser.get(page(endpoint)).content.decode()
    assert "CRM" in words(browser.get(f"{LIST}?q=hush2"))
    for reader in (login(place.manager), login(place.analyst)):
        for where in (page(endpoint), LIST):
            text = reader.get(where).content.decode()
            assert "hush" not in text
            assert f"{receiver.url}?…" in text
        assert not reader.get(f"{LIST}?q=hush").context["cl"].result_list
    assert "hush" not in str(list(AuditEntry.objects.values()))


def test_the_page_of_a_message_that_cannot_be_made_says_so(
    place: Place, browser: Browser, endpoint: Endpoint, receiver: Receiver
) -> None:
    place.push("A-1", "nobody mapped this")
    Event.objects.update(code="a reason of another version")
    send()
    delivery = Delivery.objects.get()
    text = words(browser.get(f"/admin/hooks/delivery/{delivery.pk}/change/"))
    assert "The message could not be made" in text
    assert "has changed since" not in text


@pytest.mark.parametrize("searched", ["no id at all", "%", "0193"])
def test_a_search_for_what_is_no_id_finds_nothing(browser: Browser, endpoint: Endpoint, searched: str) -> None:
    answer = browser.get("/admin/hooks/delivery/", {"q": searched})
    assert answer.status_code == 200
    assert not answer.context["cl"].result_list


def test_fifty_rows_cost_no_more_queries_than_one(
    place: Place, browser: Browser, endpoint: Endpoint, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(7):
        assert browser.get(LIST).status_code == 200
    for number in range(49):
        create_endpoint(
            agency=place.agency,
            name=f"W-{number}",
            url="https://crm.example/",
            events=["order.held"],
            counters=[make_counter(place.agency)],
        )
    with django_assert_num_queries(7):
        assert "W-48" in words(browser.get(LIST))
