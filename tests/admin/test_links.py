"""No link leads into a closed door: the admin is walked by every role, link by link, as one would click through it."""

import re
from collections import Counter as Tally
from collections import deque
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import Resolver404, resolve
from django.utils import timezone

from apps.agencies.models import Membership, Role, User
from apps.agencies.services import change_member
from apps.alerts import looking
from apps.alerts.services import rules_of
from apps.audit.models import AuditEntry
from apps.audit.services import record
from apps.counters.models import ApiCall, Counter, MetricaAccount
from apps.counters.services import pause
from apps.hooks.models import Delivery
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.factories import SYSTEM, make_account, make_agency, make_counter, make_member

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "postgresql", reason="a link leads on whatever the database is"),
]

OF_A_KIND = 2
"""Addresses of one page, with the same words in their query, that are opened; a list has too many rows for all. Each
filter keeps the others, so that two and more words are one kind: their combinations would be thousands of pages."""


@pytest.fixture
def troubled(full: Place) -> Place:
    """An agency with one of everything, and a counter in every trouble that a page offers a way out of."""
    agency = full.agency
    gone = make_counter(agency, name="Gone account")
    MetricaAccount.objects.filter(pk=gone.account_id).update(state="disconnected", state_reason="Refused.")
    alone = make_counter(agency, name="No account")
    Counter.objects.filter(pk=alone.pk).update(account=None)
    paused = make_counter(agency, name="Paused")
    pause(counter=paused, reason="stock-taking")
    lost = make_counter(agency, name="No zone")
    Counter.objects.filter(pk=lost.pk).update(time_zone="")
    viewer = make_counter(agency, name="May only look")
    Counter.objects.filter(pk=viewer.pk).update(permission="view")
    for number, counter in enumerate((gone, alone, paused, lost)):
        counter.refresh_from_db()
        full.push(f"T-{number}", "new", counter=counter)
    looking.look(rules_of(agency), now=timezone.now())
    return full


def person(place: Place, who: str) -> User:
    if who != "limited":
        found: User = getattr(place, who)
        return found
    user = make_member(place.agency, Role.MANAGER, "limited@mine.example")
    numbers = Counter.objects.filter(agency=place.agency).values_list("metrica_id", flat=True)
    member = Membership.objects.get(user=user)
    change_member(actor=SYSTEM, member=member, role=Role.MANAGER, counter_ids=list(numbers))
    return user


def links(text: str) -> set[str]:
    return {unescape(found) for found in re.findall(r'(?:href|hx-get|data-url)="([^"]+)"', text)}


def walk(browser: Browser, *, most: int = OF_A_KIND) -> dict[str, str]:
    """Every address found from home on, with the page that leads to it. Raises AssertionError at a closed door."""
    came_from, waiting, kinds = {"/admin/": ""}, deque(["/admin/"]), Tally[Any]()
    closed = []
    while waiting:
        url = waiting.popleft()
        answer = browser.get(url)
        if answer.status_code in (301, 302):
            target = answer.headers["Location"]
            found = {target}
            if "e=1" in target or "/login/" in target:
                closed.append(f"{came_from[url]} → {url} → {target}")
        elif answer.status_code != 200:
            closed.append(f"{came_from[url]} → {url}: {answer.status_code}")
            continue
        elif "html" in answer.headers["Content-Type"] and not answer.streaming:
            found = links(answer.content.decode())
        else:
            b"".join(answer.streaming_content) if answer.streaming else b""
            continue
        for link in sorted(found):
            parts = urlsplit(urljoin(url, link))
            if parts.netloc not in ("", "testserver") or not parts.path.startswith("/") or link.startswith("#"):
                continue
            if parts.path.startswith(("/static/", "/media/")):
                continue
            address = f"{parts.path}?{parts.query}" if parts.query else parts.path
            names = sorted(parse_qs(parts.query))
            try:
                kind = (resolve(parts.path).view_name, tuple(names) if len(names) < 2 else ("several",))
            except Resolver404:
                kind = (parts.path, ())
            if address in came_from or kinds[kind] >= most:
                continue
            kinds[kind] += 1
            came_from[address] = url
            waiting.append(address)
    assert closed == []
    return came_from


@pytest.mark.parametrize("who", ["owner", "manager", "analyst", "limited"])
def test_no_link_leads_into_a_closed_door(troubled: Place, login: Any, who: str):
    found = walk(login(person(troubled, who)))
    assert len(found) > 60
    opened = {address.split("?")[0] for address in found}
    for page in ("/admin/orders/order/", "/admin/orders/heldchange/", "/admin/audit/auditentry/"):
        assert page in opened, page
    # The pages about which this was: each was among those that were walked.
    assert any(re.fullmatch(r"/admin/counters/apicall/[^/]+/change/", address) for address in opened)
    delivered = any(re.fullmatch(r"/admin/hooks/delivery/[^/]+/change/", address) for address in opened)
    assert delivered or who == "limited", "webhooks are the whole agency's"
    assert (sum("/counters/metricaaccount/" in address for address in opened) > 0) == (who != "limited")


@pytest.mark.parametrize("who", ["owner", "manager", "analyst"])
def test_an_agency_without_anything_has_no_closed_door_either(login: Any, who: str):
    found = walk(login(make_member(make_agency(), who)))
    assert len(found) > 20


# ---- who cannot mend it is told whom to ask ----


def test_what_only_an_owner_mends_names_the_owners(troubled: Place, login: Any):
    gone = Counter.objects.get(name="Gone account")
    asks = f"Ask an owner of the agency: {troubled.owner.email}."
    page, account = f"/admin/counters/counter/{gone.pk}/change/", f"/admin/counters/metricaaccount/{gone.account_id}/"
    manager, analyst, owner = (login(person(troubled, who)) for who in ("manager", "analyst", "owner"))
    limited = login(person(troubled, "limited"))
    for browser in (manager, analyst, limited):
        text = words(browser.get(page))
        assert asks in text
        assert "Connect it " not in text
    for browser in (manager, analyst):
        assert asks in words(browser.get(f"{account}change/"))
        assert f'href="{account}change/"' in browser.get(page).content.decode()
    assert f'href="{account}' not in limited.get(page).content.decode()
    assert asks not in words(owner.get(page))
    assert "Connect it" in words(owner.get(page))
    holds = "/admin/orders/heldchange/?reason=account_disconnected"
    assert "Open the account" in words(manager.get(holds))  # where it says whom to ask
    assert asks in words(limited.get(holds))
    assert "Connect the account " not in words(limited.get(holds)).replace("Connect the account again", "")
    assert asks not in words(owner.get(holds))


def test_who_sees_no_accounts_is_not_asked_to_choose_one(troubled: Place, login: Any):
    alone = Counter.objects.get(name="No account")
    limited, manager = login(person(troubled, "limited")), login(troubled.manager)
    url = f"/admin/counters/counter/{alone.pk}/choose_account/"
    assert url in manager.get("/admin/orders/heldchange/").content.decode()
    assert url not in limited.get("/admin/orders/heldchange/").content.decode()
    assert limited.get(url).status_code == 302
    page = words(limited.get(f"/admin/counters/counter/{alone.pk}/change/"))
    assert "Choose one below" not in page
    assert "No account is chosen, so nothing can leave. Ask an owner" in page


def test_where_there_is_no_account_to_choose_the_question_says_so(login: Any):
    agency = make_agency()
    owner = make_member(agency, "owner", "owner@nothing.example")
    counter = Counter.objects.create(agency=agency, metrica_id=7001, name="Alone", time_zone="Europe/Moscow")
    asked = words(login(make_member(agency, "manager")).get(f"/admin/counters/counter/{counter.pk}/choose_account/"))
    assert f"there is none to choose. Ask an owner of the agency: {owner.email}." in asked


def test_where_there_is_no_counter_only_an_owner_is_led_to_add_one(login: Any):
    agency = make_agency()
    owner = make_member(agency, "owner", "owner@nothing.example")
    for url in ("/admin/orders/order/add/", "/admin/imports/importjob/add/"):
        assert 'href="/admin/counters/counter/add/"' in login(owner).get(url).content.decode()
        page = login(make_member(agency, "manager")).get(url)
        assert 'href="/admin/counters/counter/add/"' not in page.content.decode()
        assert f"Ask an owner of the agency: {owner.email}." in words(page)


def test_names_of_closed_pages_stay_readable(troubled: Place, login: Any):
    limited = login(person(troubled, "limited"))
    call, delivery = ApiCall.objects.filter(agency=troubled.agency).first(), Delivery.objects.first()
    assert call is not None
    assert delivery is not None
    assert troubled.account.login in words(limited.get(f"/admin/counters/apicall/{call.pk}/change/"))
    assert delivery.endpoint.name in words(limited.get(f"/admin/hooks/delivery/{delivery.pk}/change/"))


def test_the_log_links_to_what_is_there_and_open(troubled: Place, login: Any):
    owner = login(troubled.owner)
    entry = AuditEntry.objects.filter(agency=troubled.agency, object_type="counters.counter").last()
    assert entry is not None
    page = owner.get(f"/admin/audit/auditentry/{entry.pk}/change/").content.decode()
    assert f'href="/admin/counters/counter/{entry.object_id}/change/"' in page
    login_entry = record(action="person.logged_in", agency=troubled.agency, obj=troubled.manager)
    page = owner.get(f"/admin/audit/auditentry/{login_entry.pk}/change/").content.decode()
    assert "/admin/agencies/user/" not in page
    troubled.agency.alert_channels.all().delete()
    for kind in ("alerts.channel", "hooks.endpoint"):
        gone = AuditEntry.objects.filter(agency=troubled.agency, object_type=kind).last()
        assert gone is not None, kind
        page = owner.get(f"/admin/audit/auditentry/{gone.pk}/change/").content.decode()
        assert (f'href="/admin/{kind.replace(".", "/")}/{gone.object_id}/change/"' in page) == (
            kind == "hooks.endpoint"
        )


def test_owners_are_read_once_a_page(troubled: Place, login: Any, django_assert_max_num_queries: Any):
    manager = login(troubled.manager)
    for number in range(3):
        counter = make_counter(troubled.agency, account=make_account(troubled.agency), name=f"Gone {number}")
        MetricaAccount.objects.filter(pk=counter.account_id).update(state="disconnected")
        counter.refresh_from_db()
        troubled.push(f"G-{number}", "new", counter=counter)
    url = "/admin/orders/heldchange/"
    manager.get(url)
    with django_assert_max_num_queries(60) as asked:
        manager.get(url)
    roles = [one for one in asked.captured_queries if '"agencies_membership"."role" = \'owner\'' in one["sql"]]
    assert len(roles) == 1


# ---- a page that is a while old ----


def test_a_dialog_of_what_is_done_already_leads_the_page_on(troubled: Place, login: Any):
    """The window asks by itself: what it is led to would be drawn in it, and the message be lost there."""
    manager = login(troubled.manager)
    counter = Counter.objects.get(name="Paused")
    url = f"/admin/counters/counter/{counter.pk}/pause/?next=/admin/counters/counter/"
    answer = manager.get(url, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/admin/counters/counter/")
    assert answer.content == b""
    assert "This cannot be done any more" in words(manager.get("/admin/counters/counter/"))
    assert manager.get(url).status_code == 302


def test_a_refusal_says_what_it_is_and_leads_home(place: Place, other: Place, login: Any):
    analyst = login(place.analyst)
    for url, status, told in (
        (f"/admin/counters/counter/{other.counter.pk}/pause/", 404, "This is not here"),
        (f"/admin/counters/counter/{place.counter.pk}/pause/", 403, "This is not yours to do"),
    ):
        answer = analyst.get(url)
        assert answer.status_code == status
        page = answer.content.decode()
        assert told in page
        assert '<main id="dialog">' in page
        assert 'href="/"' in page
        assert "Zeta" not in page
