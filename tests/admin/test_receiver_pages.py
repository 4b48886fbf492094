"""Receivers in the admin: an address that is shown once, fields mapped on what came, posts processed again."""

import json
import re
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.encryption import decrypt
from apps.orders.models import Order
from apps.receivers import rounds, services
from apps.receivers.models import Post, Receiver
from tests.admin.conftest import Place
from tests.admin.pages import messages, words
from tests.factories import make_counter
from tests.receivers.crm import Crm, bitrix24, sample

pytestmark = pytest.mark.django_db(transaction=True)

LIST, POSTS = "/admin/receivers/receiver/", "/admin/receivers/post/"
BODY = json.dumps({"order": {"number": "A-1", "createdAt": "2026-11-24 10:00", "status": "new", "sum": "12"}})
PATHS = {"id": "order.number", "create_date_time": "order.createdAt", "order_status": "order.status"}


@pytest.fixture
def made(place: Place) -> tuple[Receiver, str]:
    receiver, secret = services.create_receiver(counter=place.counter, name="Shop", kind="generic")
    return receiver, f"/in/{receiver.public_id}/{secret}/"


def page(receiver: Receiver, act: str = "change") -> str:
    return f"{LIST}{receiver.pk}/{act}/"


def work() -> None:
    rounds.WORKING.wake()
    rounds.WORKING.run()


def send(path: str, body: Any = BODY) -> None:
    assert Browser().post(path, body, content_type="application/json").status_code == 200


@pytest.mark.parametrize("role", ["owner", "manager"])
def test_a_new_receiver_shows_its_address_once(place: Place, login: Any, settings: Any, role: str) -> None:
    settings.SITE_URL = "https://goalpost.example"
    browser = login(getattr(place, role))
    answer = browser.post(f"{LIST}add/", {"counter": place.counter.pk, "name": "Shop", "kind": "generic"})
    shown = re.search(r"https://goalpost\.example(/in/[a-z0-9]{12}/[\w-]{43}/)", answer.content.decode())
    assert shown is not None, words(answer)
    receiver = Receiver.objects.get()
    assert (receiver.counter, receiver.created_by) == (place.counter, getattr(place, role).email)
    secret = shown[1].split("/")[3]
    for where in (LIST, page(receiver), page(receiver, "mapping"), page(receiver, "history"), POSTS):
        assert secret not in browser.get(where, follow=True).content.decode()
    assert secret not in str(list(AuditEntry.objects.values()) + list(Receiver.objects.values()))
    send(shown[1])
    assert Post.objects.count() == 1


def test_the_whole_way_from_a_sample_to_the_order(place: Place, browser: Browser, made: tuple[Receiver, str]) -> None:
    receiver, path = made
    send(path)
    work()
    assert "Fields are not mapped" in words(browser.get(page(receiver))) or "Needs a person" in words(
        browser.get(page(receiver))
    )
    answer = browser.get(page(receiver, "mapping"))
    assert "order.createdAt" in answer.content.decode()  # what the sample has is offered
    tried = browser.post(page(receiver, "mapping"), {**PATHS, "revenue": "order.status", "try": ""})
    told = words(tried)
    assert "Rejected" in told and "This is no amount" in told
    tried = browser.post(page(receiver, "mapping"), {**PATHS, "revenue": "order.sum", "try": ""})
    told = words(tried)
    assert "New order" in told and "In progress" in told and "12 ₽" in told.replace("\xa0", " ")
    receiver.refresh_from_db()
    assert (receiver.mapping["fields"], Order.objects.count()) == ({}, 0)  # nothing was kept
    refused = browser.post(page(receiver, "mapping"), {**PATHS, "id": "", "revenue": "a..b", "save": ""})
    assert "Every order needs this" in words(refused) and "Nothing was saved" in words(refused)
    saved = browser.post(page(receiver, "mapping"), {**PATHS, "revenue": "order.sum", "save": ""}, follow=True)
    assert "mapping is saved" in messages(saved) and "Process held posts again" in messages(saved)
    again = browser.post(page(receiver, "again"), {}, follow=True)
    assert "1 post is processed again." in messages(again)
    work()
    order = Order.objects.get(counter=place.counter, order_id="A-1")
    post = Post.objects.get()
    told = browser.get(f"{POSTS}{post.pk}/change/").content.decode()
    assert f'href="/admin/orders/order/{order.pk}/change/"' in told
    assert "CRM webhook" in words(browser.get(f"/admin/orders/order/{order.pk}/change/"))
    assert "Works" in words(browser.get(LIST))


def test_a_post_is_processed_again_by_its_page_and_many_from_the_list(
    place: Place, browser: Browser, made: tuple[Receiver, str]
) -> None:
    receiver, path = made
    for number in range(3):
        send(path, BODY.replace("A-1", f"A-{number}"))
        work()
    services.map_fields(receiver=receiver, kept={"fields": PATHS})
    first, *rest = Post.objects.order_by("pk")
    browser.post(f"{POSTS}{first.pk}/again/", {})
    work()
    assert Order.objects.count() == 1
    data = {"action": "again", "_selected_action": [str(post.pk) for post in rest], "_confirmed": "1", "index": "0"}
    answer = browser.post(POSTS, data, follow=True)
    assert "2 posts are processed again." in messages(answer)
    work()
    assert Order.objects.count() == 3
    assert AuditEntry.objects.filter(action="receiver.processed_again").count() == 2


def test_the_side_of_the_crm_is_kept_and_not_shown(place: Place, browser: Browser, settings: Any) -> None:
    settings.OUTGOING_ALLOWED_NETWORKS, settings.OUTGOING_PLAIN_HTTP = [ip_network("127.0.0.0/8")], True
    receiver, _secret = services.create_receiver(counter=place.counter, name="B24", kind="bitrix24")
    assert "Bitrix24 posts only the number of a deal" in words(browser.get(page(receiver)))
    with bitrix24() as portal:
        own = {"name": "B24", "active": "on", "prefix": "", "status_lines": "C4:WON = Paid"}
        address = f"{portal.address}/rest/1/very-secret-word/profile.json"
        answer = browser.post(page(receiver), {**own, "crm_url": address, "check_secret": "application-token-1"})
        assert answer.status_code == 302, words(answer)
    receiver.refresh_from_db()
    assert decrypt(receiver.crm_url_encrypted).endswith("/rest/1/very-secret-word/")
    assert receiver.statuses == {"C4:WON": "Paid"}
    told = browser.get(page(receiver)).content.decode()
    assert "/rest/…" in told
    for secret in ("very-secret-word", "application-token-1"):
        assert secret not in told
        assert secret not in str(list(AuditEntry.objects.values()))
    browser.post(page(receiver), {**own, "name": "Portal", "crm_url": "", "check_secret": ""})  # left empty, they stay
    kept = Receiver.objects.get(pk=receiver.pk)
    assert kept.name == "Portal"
    assert decrypt(kept.check_secret_encrypted) == "application-token-1"
    assert kept.crm_url_encrypted == receiver.crm_url_encrypted


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://10.0.0.8/rest/1/abc/", "leads into a private network"),
        ("https://no-such-name.invalid/rest/1/abc/", "name of the server is not known"),
        ("https://1.1.1.1/", "Write the address of an incoming webhook"),
        ("portal", "begins with https://"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(place: Place, browser: Browser, url: str, said: str) -> None:
    receiver, _secret = services.create_receiver(counter=place.counter, name="B24", kind="bitrix24")
    data = {"name": "B24", "active": "on", "prefix": "", "status_lines": "", "check_secret": "", "crm_url": url}
    assert said in words(browser.post(page(receiver), data))
    receiver.refresh_from_db()
    assert not receiver.crm_url_encrypted


def test_a_bitrix_deal_that_was_read_is_what_is_mapped(place: Place, browser: Browser, settings: Any) -> None:
    settings.OUTGOING_ALLOWED_NETWORKS, settings.OUTGOING_PLAIN_HTTP = [ip_network("127.0.0.0/8")], True
    running: Crm
    with bitrix24() as running:
        url = f"{running.address}/rest/1/abc/"
        receiver, secret = services.create_receiver(counter=place.counter, name="B24", kind="bitrix24", crm_url=url)
        form = "application/x-www-form-urlencoded"
        path = f"/in/{receiver.public_id}/{secret}/"
        Browser().post(path, sample("bitrix24_deal_update.form").decode(), content_type=form)
        work()
        asked = len(running.asked)
        told = browser.get(page(receiver, "mapping")).content.decode()
        assert "deal.UF_CRM_1721244482250" in told and "Записан на приём" in told
        assert len(running.asked) == asked  # looking asks nobody


def test_a_new_address_and_the_end_of_the_old_one(browser: Browser, made: tuple[Receiver, str]) -> None:
    receiver, path = made
    shown = re.search(r"/in/[a-z0-9]{12}/[\w-]{43}/", browser.post(page(receiver, "address"), {}).content.decode())
    assert shown is not None and shown[0] != path
    send(path)
    browser.post(page(receiver, "end_old"), {})
    assert Browser().post(path, BODY, content_type="application/json").status_code == 404
    send(shown[0], BODY.replace("A-1", "A-2"))


def test_names_of_statuses_are_lines(browser: Browser, made: tuple[Receiver, str]) -> None:
    receiver, _path = made
    own = {"name": "Shop", "active": "on", "prefix": "", "check_kind": "none", "check_name": "", "check_secret": ""}
    answer = browser.post(page(receiver), {**own, "status_lines": "7 Paid"})
    assert "has no “=”" in words(answer)
    browser.post(page(receiver), {**own, "status_lines": "7 = Paid\n 8=Lost\n\n"})
    receiver.refresh_from_db()
    assert receiver.statuses == {"7": "Paid", "8": "Lost"}
    told = words(browser.post(page(receiver), {**own, "check_kind": "hmac", "status_lines": ""}))
    assert "Say how the header" in told and "Write the secret that the CRM sends" in told


def test_who_is_turned_away_is_told_and_alerted(place: Place, browser: Browser, made: tuple[Receiver, str]) -> None:
    from apps.alerts.causes import CAUSES
    from apps.alerts.causes.base import Look
    from apps.alerts.services import rules_of

    receiver, path = made
    services.update_receiver(
        receiver=receiver, check_kind="header", check_name="X-Secret", check_secret="a-long-secret"
    )
    assert Browser().post(path, BODY, content_type="application/json").status_code == 404
    assert "header was missing" in words(browser.get(page(receiver)))
    services.update_receiver(receiver=receiver, check_kind="none")
    send(path)
    work()
    look = Look(agency=place.agency, rules=rules_of(place.agency), now=timezone.now())
    cause = CAUSES["receiver_held"]
    [finding] = cause.find(look)
    told = cause.sentence(finding.facts)
    assert "need a person: 1" in told and "header was missing" in told
    assert finding.counter_id == place.counter.pk
    services.map_fields(receiver=receiver, kept={"fields": PATHS})
    services.process_held_again(receiver=receiver)
    work()
    Receiver.objects.update(refused_at=None)
    assert list(cause.find(look)) == []


def test_outsiders_and_the_limited_see_nothing(
    place: Place, other: Place, login: Any, made: tuple[Receiver, str]
) -> None:
    """R11."""
    receiver, path = made
    send(path)
    post = Post.objects.get()
    browser = login(other.owner)
    for address in (page(receiver), page(receiver, "mapping"), page(receiver, "again"), f"{POSTS}{post.pk}/change/"):
        assert browser.get(address).status_code == 404
        assert browser.post(address, {}).status_code == 404
    assert "Shop" not in words(browser.get(LIST))
    assert str(post.pk) not in browser.get(POSTS).content.decode()
    theirs = {"counter": place.counter.pk, "name": "Mine now", "kind": "generic"}
    assert "Select a valid choice" in words(browser.post(f"{LIST}add/", theirs))
    analyst = login(place.analyst)
    assert analyst.get(page(receiver)).status_code == 200
    assert analyst.post(page(receiver, "mapping"), {**PATHS, "save": ""}).status_code == 403
    assert analyst.post(page(receiver, "address"), {}).status_code == 403
    assert login(place.manager).post(page(receiver, "delete"), {"post": "yes"}).status_code == 403
    assert Receiver.objects.get().mapping["fields"] == {}


def test_the_lists_need_a_fixed_number_of_queries(
    place: Place, browser: Browser, made: tuple[Receiver, str], django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        receiver, _secret = services.create_receiver(
            counter=make_counter(place.agency), name=f"CRM {number}", kind="generic"
        )
        Post.objects.bulk_create(
            Post(receiver=receiver, body_encrypted="x", digest=str(at), state="held", error_code="no_mapping")
            for at in range(4)
        )
    browser.get(LIST)
    with django_assert_max_num_queries(13):
        browser.get(LIST)
    browser.get(POSTS)
    with django_assert_max_num_queries(13):
        browser.get(POSTS)


def test_a_receiver_goes_with_its_log_and_leaves_the_orders(
    place: Place, browser: Browser, made: tuple[Receiver, str]
) -> None:
    receiver, path = made
    services.map_fields(receiver=receiver, kept={"fields": PATHS})
    send(path)
    work()
    browser.post(page(receiver, "delete"), {"post": "yes"})
    assert not Receiver.objects.exists() and not Post.objects.exists()
    assert Order.objects.count() == 1
    assert AuditEntry.objects.filter(action="receiver.deleted").exists()
