"""Pages on which a person adds visits, makes goals and moves limits; and the visits that are generated."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.sandbox import limits, quotas, services
from apps.sandbox.models import Endpoint, SandboxCounter, SandboxGoal, SandboxVisit, SandboxVisitKey
from apps.sandbox.traffic import generate_visits
from tests.sandbox.conftest import MOSCOW, NUMBER, TOKEN, Api, Desk, local

EVIL = "<script>alert(1)</script>"


def page(name: str, *arguments: object) -> str:
    return reverse(f"sandbox:{name}", args=arguments or None)


@pytest.fixture
def at_desk(desk: Desk) -> Desk:
    desk.now = timezone.now()
    return desk


def test_a_visit_by_hand_takes_an_order(at_desk: Desk, client: Client) -> None:
    """The time is read on the counter's clock."""
    yesterday = at_desk.now - timedelta(days=1)
    form = {
        "started_at": local(yesterday).replace(" ", "T"),
        "client_id": " 777 ",
        "emails": "A@shop.example, b@shop.example",
        "phones": "8 (903) 123-45-67",
    }
    assert client.post(page("visits", NUMBER), form).status_code == 302
    visit = SandboxVisit.objects.get()
    assert visit.started_at == yesterday.replace(microsecond=0)
    assert (visit.client_id, visit.emails, visit.phones) == ("777", "a@shop.example,b@shop.example", "79031234567")
    assert SandboxVisitKey.objects.count() == 4
    at_desk.send(f"D-1,{local(at_desk.now)},,,b@shop.example,,PAID,5,,,")
    assert at_desk.order("D-1").visit == visit
    html = client.get(page("visits", NUMBER)).content.decode()
    assert "CRM: Order paid 5 RUB" in html


def test_a_visit_without_anything_is_now_and_anonymous(counter: SandboxCounter, client: Client) -> None:
    assert client.post(page("visits", NUMBER), {}).status_code == 302
    visit = SandboxVisit.objects.get()
    assert timezone.now() - visit.started_at < timedelta(minutes=1)
    assert not SandboxVisitKey.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {"emails": "nobody"},
        {"client_id": "x"},
        {"phones": "12"},
        {"started_at": "yesterday"},
        {"days": "400"},
        {"days": "1", "per_day": "x", "seed": "1"},
    ],
)
def test_visits_that_cannot_be(counter: SandboxCounter, client: Client, form: dict) -> None:
    answer = client.post(page("visits", NUMBER), form)
    assert answer.status_code == 200
    assert 'class="errorlist' in answer.content.decode()
    assert not SandboxVisit.objects.exists()


def test_a_month_of_visits(counter: SandboxCounter, client: Client) -> None:
    """Fewer at night and at weekends, people who come back, some who tell who they are, some who are nobody."""
    assert client.post(page("visits", NUMBER), {"days": "30", "per_day": "40", "seed": "7"}).status_code == 302
    visits = list(SandboxVisit.objects.order_by("started_at"))
    now = timezone.now()
    assert now - timedelta(days=30) <= visits[0].started_at
    assert visits[-1].started_at <= now
    assert 700 < len(visits) < 1400
    hours = Counter(visit.started_at.astimezone(MOSCOW).hour for visit in visits)
    assert sum(hours[hour] for hour in range(6)) < sum(hours[hour] for hour in range(12, 18)) / 4
    days = Counter(visit.started_at.astimezone(MOSCOW).date() for visit in visits)
    weekend = [number for day, number in days.items() if day.weekday() >= 5]
    working = [number for day, number in days.items() if day.weekday() < 5]
    assert sum(weekend) / len(weekend) < sum(working) / len(working)
    cookies = Counter(visit.client_id for visit in visits)
    assert 0 < cookies.pop("") < len(visits) / 5
    assert max(cookies.values()) > 1
    assert all(cookie.isdigit() and len(cookie) == 19 for cookie in cookies)
    assert any(visit.emails for visit in visits)
    assert any(visit.phones for visit in visits)
    assert not any(visit.emails and not visit.client_id for visit in visits)


def test_the_same_seed_gives_the_same_visits(counter: SandboxCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
    monkeypatch.setattr("apps.sandbox.traffic.timezone.now", lambda: now)

    def made(seed: int) -> list[tuple]:
        SandboxVisit.objects.all().delete()
        generate_visits(counter=counter, days=5, per_day=20, seed=seed)
        return list(SandboxVisit.objects.order_by("pk").values_list("started_at", "client_id", "emails", "phones"))

    first = made(1)
    assert made(1) == first
    assert made(2) != first


def test_a_month_over_control(api: Api) -> None:
    made = api.control("visits/month", counter=NUMBER, days=3, per_day=10, seed=3)
    assert made["visits"] == api.look("visits", counter=NUMBER)["total"] > 0
    assert SandboxVisit.objects.filter(client_id=made["client_id"]).exists()
    for body in ({"days": 0}, {"days": 367}, {"per_day": 2001}, {"colour": 1}):
        assert api.client.post(f"{api.base}/control/visits/month", json={"counter": NUMBER} | body).status_code == 400


def test_goals_are_made_and_deleted_on_the_page(at_desk: Desk, client: Client) -> None:
    """goals: goals made in the interface come back with contain."""
    assert client.post(page("counter", NUMBER), {"identifier": "by_hand", "by_hand": "on"}).status_code == 302
    client.post(page("counter", NUMBER), {"identifier": "by_api", "name": "By API"})
    goals = {goal.identifier: goal for goal in SandboxGoal.objects.filter(type="action")}
    assert (goals["by_hand"].condition_type, goals["by_api"].condition_type) == ("contain", "exact")
    refused = client.post(page("counter", NUMBER), {"identifier": "a&b"}).content.decode()
    assert "has none of" in refused
    client.post(page("remove_goal", goals["by_hand"].pk))
    assert "<code>by_hand" not in client.get(page("counter", NUMBER)).content.decode()
    assert client.post(page("remove_goal", goals["by_hand"].pk)).status_code == 404
    crm = SandboxGoal.objects.get(type="cdp_order_paid")
    client.post(page("remove_goal", crm.pk))
    assert SandboxGoal.objects.living().filter(pk=crm.pk).exists()


def test_a_goal_shows_what_reached_it_and_what_counts(at_desk: Desk, client: Client) -> None:
    services.set_switch(name="unknown_goal", value="count")
    at_desk.visit(client_id="17")
    at_desk.send(f'"{EVIL}",{local(at_desk.now)},,17,,,PAID,70,,late,')
    late = services.add_goal(counter=at_desk.counter, identifier="late", name=EVIL)
    html = client.get(page("goal", late.pk)).content.decode()
    assert "<script" not in html
    assert html.count("older than the goal") == 1
    at_desk.send(f'"{EVIL}",{local(at_desk.now)},,17,,,PAID,70,,late,', now=timezone.now())
    html = client.get(page("goal", late.pk)).content.decode()
    assert "older than the goal" not in html
    assert "70 RUB" in html
    services.delete_goal(goal=late)
    assert client.get(page("goal", late.pk)).status_code == 200
    assert client.get(page("goal", 0)).status_code == 404


def test_limits_are_moved_on_the_page(counter: SandboxCounter, client: Client) -> None:
    found = quotas.of_call(kind=Endpoint.REPORT, method="GET", login="north", counters=[NUMBER], address="::1")
    with quotas.taken(found, login="north"):
        html = client.get(page("requests")).content.decode()
    assert "running now" in html
    assert html.count("<td>reports</td>") == 2, "the login's and the counter's"
    client.post(page("limit"), {"name": "reports", "value": "7"})
    client.post(page("limit"), {"name": "grants", "value": ""})
    assert (limits.values()["reports"], limits.values()["grants"]) == (7, None)
    for form in ({"name": "gravity", "value": "1"}, {"name": "reports", "value": "x"}):
        assert "message error" in client.post(page("limit"), form, follow=True).content.decode()
    assert 'value="7"' in client.get(page("requests")).content.decode()
    client.post(page("limit"), {"restore": "1"})
    assert (limits.values()["reports"], limits.values()["grants"]) == (200, 3)
    assert "Nothing is counted yet." in client.get(page("requests")).content.decode()


def test_counters_show_their_tokens(counter: SandboxCounter, client: Client) -> None:
    assert client.get(page("start")).content.decode().count(TOKEN) == 2
    services.delete_counter(counter=counter)
    assert "badge failed" in client.get(page("start")).content.decode()


def test_forms_are_guarded_against_other_sites(counter: SandboxCounter) -> None:
    guarded = Client(enforce_csrf_checks=True)
    for address in (page("visits", NUMBER), page("counter", NUMBER), page("limit"), page("remove_goal", 1)):
        assert guarded.post(address, {"days": "1"}).status_code == 403


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_pages_open_in_both_languages_with_few_queries(at_desk: Desk, client: Client, language: str) -> None:
    goal = services.add_goal(counter=at_desk.counter, identifier="deal_won")

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address, headers={"Accept-Language": language})
        assert f'<html lang="{language}">' in answer.content.decode()
        return len(captured)

    addresses = [page("counter", NUMBER), page("visits", NUMBER), page("requests"), page("goal", goal.pk)]
    before = [queries(address) for address in addresses]
    for number in range(8):
        at_desk.visit(client_id=str(number))
        at_desk.send(f"D-{number},{local(at_desk.now)},,{number},,,deal_won,1,,,")
        services.add_goal(counter=at_desk.counter, identifier=f"more{number}")
        found = quotas.of_call(
            kind=Endpoint.UPLOAD, method="POST", login=f"l{number}", counters=[number], address="::1"
        )
        with quotas.taken(found, login=f"l{number}"):
            pass
    after = [queries(address) for address in addresses]
    # Lists that were empty ask for their goals, a goal that nobody reached for nothing.
    assert all(many - few <= 2 for few, many in zip(before, after, strict=True)), (before, after)
