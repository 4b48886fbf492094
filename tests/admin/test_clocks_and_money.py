"""Every time tells the counter's clock where there is one, and every amount its currency."""

from decimal import Decimal

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.agencies.models import ApiKey
from apps.alerts.models import Alert
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import ApiCall, Counter
from apps.counters.templatetags.goalpost import since
from apps.dashboard.models import Comparison, DayFigures
from apps.goals.models import Goal
from apps.hooks.models import Delivery, Endpoint, Event
from apps.orders.people import erase_client
from apps.uploads.models import Upload
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.factories import make_key

pytestmark = pytest.mark.django_db

CLOCK = "on the counter&#x27;s clock"


@pytest.fixture(autouse=True)
def _far_away(place: Place) -> None:
    Counter.objects.filter(pk=place.counter.pk).update(time_zone="Asia/Vladivostok")
    place.counter.refresh_from_db()


def times(text: str, *, after: str = "") -> list[str]:
    """All times on the page, from a certain place on, each with its hover."""
    return [part.split("</time>")[0] for part in text[text.index(after) if after else 0 :].split("<time ")[1:]]


def test_how_long_ago_tells_the_counters_clock(place: Place):
    assert "Asia/Vladivostok" in since(timezone.now(), place.counter.zone)
    assert "Asia/Vladivostok" not in since(timezone.now())
    assert since(None) == "—"


def test_lists_and_pages_tell_the_counters_clock(place: Place, browser: Browser):
    place.push("A-1", "new")
    place.push("A-2", "?")
    Counter.objects.update(last_passed_at=timezone.now(), next_upload_at=timezone.now())
    Goal.objects.update(synced_at=timezone.now())
    alert = Alert.objects.create(
        agency=place.agency,
        counter=place.counter,
        cause="holds_waiting",
        subject="x",
        severity="warning",
        facts={"reasons": {"no_identifiers": {"count": 3, "oldest": None}}},
    )
    for url in (
        "/admin/counters/counter/",
        "/admin/orders/heldchange/",
        "/admin/goals/goal/",
        reverse("admin:counters_counter_change", args=[place.counter.pk]),
        "/admin/alerts/alert/",
        reverse("admin:alerts_alert_change", args=[alert.pk]),
    ):
        found = times(browser.get(url).content.decode())
        assert found, url
        assert not [one for one in found if CLOCK not in one], url


def test_the_board_tells_the_counters_clock(place: Place, browser: Browser):
    Counter.objects.update(last_passed_at=timezone.now(), next_upload_at=timezone.now())
    text = browser.get("/admin/").content.decode()
    assert CLOCK in text[text.index(f"/admin/counters/counter/{place.counter.pk}/change/") :]


def test_calls_of_a_file_tell_the_counters_clock_and_their_outcome_in_words(place: Place, browser: Browser):
    job = place.job()
    ApiCall.objects.update(status=None, outcome="unknown")
    ApiCall.objects.create(
        agency=place.agency,
        counter=place.counter,
        subject=ApiCall.objects.get().subject,
        method="GET",
        url="https://metrica.example/",
        outcome="transient",
    )
    Upload.objects.update(sent_again="not_listed")
    answer = browser.get(reverse("admin:uploads_uploadjob_change", args=[job.pk]))
    found = times(answer.content.decode(), after='id="job-files"')
    assert len(found) == 3
    assert not [one for one in found if CLOCK not in one]
    assert "· Outcome unknown" in words(answer)
    assert "· Did not happen" in words(answer)


def test_messages_of_a_webhook_tell_the_counters_clock(place: Place, browser: Browser):
    endpoint = Endpoint.objects.create(agency=place.agency, name="x", url="https://crm.example/", events=["test"])
    event = Event.objects.create(agency=place.agency, counter=place.counter, type="test")
    Delivery.objects.create(endpoint=endpoint, event=event)
    text = browser.get(reverse("admin:hooks_endpoint_change", args=[endpoint.pk])).content.decode()
    found = times(text, after='id="recent-deliveries"')
    assert len(found) == 1
    assert CLOCK in found[0]


def test_times_of_the_log_of_people_and_of_keys_have_the_very_time_on_hover(place: Place, browser: Browser):
    key, _text = make_key(place.agency)
    now = timezone.now()
    ApiKey.objects.update(last_used_at=now, expires_at=now, revoked_at=now)
    entry = AuditEntry.objects.filter(agency=place.agency).first()
    assert entry is not None
    for url, least in (
        ("/admin/audit/auditentry/", 3),
        (reverse("admin:audit_auditentry_change", args=[entry.pk]), 1),
        ("/admin/agencies/membership/", 3),
        ("/admin/agencies/apikey/", 2),
        (reverse("admin:agencies_apikey_change", args=[key.pk]), 4),
    ):
        assert browser.get(url).content.decode().count('<time datetime="') >= least, url


# ---- money ----


def test_the_price_of_a_goal_has_its_currency_among_the_differences(place: Place, browser: Browser):
    order = place.push("A-1", "new", goals=[{"goal_action_id": "x", "price": "1500"}])
    place.push("A-1", "new", "won", goals=[{"goal_action_id": "x", "price": "2500"}])
    text = words(browser.get(reverse("admin:orders_order_change", args=[order.pk]))).replace("\xa0", " ")
    assert "x 1,500 ₽ → x 2,500 ₽" in text


def test_days_of_the_reconciliation_have_their_currency(place: Place, browser: Browser):
    today = timezone.localdate()
    Comparison.objects.create(counter=place.counter, read_at=timezone.now())
    for side in ("ours", "metrica"):
        DayFigures.objects.create(
            counter=place.counter, side=side, day=today, orders=2, revenue=Decimal("1234.50"), profit=Decimal(0)
        )
    text = words(browser.get(reverse("admin:dashboard_comparison_change", args=[place.counter.pk])))
    days = text[text.index("days of the counter's clock") :].replace("\xa0", " ")
    assert days.count("1,234.50 ₽") == 2


# ---- clients ----


def test_an_erased_client_is_not_offered_to_be_sent_again(place: Place, browser: Browser):
    Counter.objects.filter(pk=place.counter.pk).update(mode="detailed")
    order = place.push("A-1", "new", client_uniq_id="C-1")
    Client.objects.update(settled_revision=1)
    page = reverse("admin:clients_client_change", args=[order.client_id])
    send = reverse("admin:clients_client_send", args=[order.client_id])
    assert send in browser.get(page).content.decode()
    client = Client.objects.get()
    erase_client(client=client)
    assert send not in browser.get(page).content.decode()
    browser.post(send)
    client.refresh_from_db()
    assert client.revision == 0
