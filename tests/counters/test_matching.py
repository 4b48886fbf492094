"""Advanced matching is switched on at Metrica from the counter's page, and what Metrica says of it is kept."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from apps.audit.models import AuditEntry
from apps.counters.models import Counter
from apps.goals import sync
from apps.sandbox.models import SandboxCounter
from tests.admin.pages import messages, words
from tests.factories import make_member
from tests.goals.metrica import counter_of, known_to_sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at_metrica(transactional_db: None) -> SandboxCounter:
    return known_to_sandbox()


@pytest.fixture
def counter(at_metrica: SandboxCounter, live_server: Any) -> Counter:
    return counter_of(at_metrica, live_server.url)


@pytest.fixture
def browser(counter: Counter) -> Browser:
    browser = Browser()
    browser.force_login(make_member(counter.agency))
    return browser


def act(counter: Counter, name: str) -> str:
    return reverse(f"admin:counters_counter_{name}", args=[counter.pk])


def test_reading_the_counter_shows_that_the_connection_works(counter: Counter, browser: Browser) -> None:
    told = messages(browser.post(act(counter, "read"), follow=True))
    assert "Metrica answered: time zone Europe/Moscow, right “own”" in told
    assert "Advanced matching is off." in told
    counter.refresh_from_db()
    assert (counter.permission, counter.advanced_matching) == ("own", False)


def test_it_is_switched_on_after_a_question_and_leaves_a_trace(counter: Counter, browser: Browser) -> None:
    assert act(counter, "matching") not in browser.get(act(counter, "read")).content.decode(), "not known to be off"
    sync.refresh(counter=counter)
    page = browser.get(reverse("admin:counters_counter_change", args=[counter.pk]))
    assert act(counter, "matching") in page.content.decode()
    assert "changes the counter's settings at Metrica" in words(browser.get(act(counter, "matching")))
    assert "Advanced matching is on" in messages(browser.post(act(counter, "matching"), follow=True))
    counter.refresh_from_db()
    assert counter.advanced_matching is True
    entry = AuditEntry.objects.get(action="counter.matching_switched_on")
    assert (entry.before, entry.after) == ({"advanced_matching": False}, {"advanced_matching": True})
    assert sync.refresh(counter=counter).advanced_matching is True, "Metrica says so itself"
