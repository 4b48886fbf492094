"""Goals of a counter by the API: listed from what is known, created at Metrica over real HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.agencies.models import Agency
from apps.counters.models import Counter, MetricaAccount
from apps.goals.models import Goal
from apps.goals.services import set_status
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxCounter, SandboxGoal, SandboxStatus
from tests.api.conftest import Caller
from tests.metrica.servers import answering, envelope

pytestmark = pytest.mark.django_db(transaction=True)

GOALS = "counters/40000001/goals/"
TOKEN = "y0_api"


@pytest.fixture
def at_metrica(live_server: Any, counter: Counter) -> Iterator[SandboxCounter]:
    sandbox.set_limit(name="requests_by_ip", value=None)
    made = sandbox.create_counter(metrica_id=counter.metrica_id, name="Clinics", owner_login="api", token=TOKEN)
    point(counter, f"{live_server.url}/sandbox")
    yield made


def point(counter: Counter, url: str) -> None:
    """Let the counter's account speak to this address."""
    from apps.counters.services import connect_account

    account = MetricaAccount.objects.get(pk=counter.account_id)
    connect_account(agency=counter.agency, login=account.login, token=TOKEN, base_url=url)


def test_a_goal_is_created_and_listed(api: Caller, counter: Counter, at_metrica: SandboxCounter):
    set_status(counter=counter, crm_status="lead", type="OTHER", goal_action_ids=["good_lead"])
    body = {"identifier": "good_lead", "name": "Good lead", "default_price": "12.50", "is_favorite": True}
    answer = api.post(GOALS, body)
    made = SandboxGoal.objects.get(counter=at_metrica, type="action")
    assert answer.status == 201
    assert answer.body == {
        "identifier": "good_lead",
        "name": "Good lead",
        "metrica_goal_id": made.pk,
        "condition": "exact",
        "default_price": "12.5000",
        "is_favorite": True,
        "statuses": ["lead"],
        "issues": [],
    }
    assert api.get(GOALS).body == {"results": [answer.body]}
    assert api.post(GOALS, body).status == 200
    assert SandboxGoal.objects.filter(counter=at_metrica, type="action").count() == 1


def test_what_is_wrong_with_a_goal_is_named(api: Caller, counter: Counter, at_metrica: SandboxCounter):
    sandbox.add_goal(counter=at_metrica, identifier="call", condition_type="contain")
    set_status(counter=counter, crm_status="x", type="OTHER", goal_action_ids=["call", "nowhere"])
    assert api.post(GOALS, {"identifier": "other"}).status == 201
    issues = {goal["identifier"]: goal["issues"] for goal in api.get(GOALS).body["results"]}
    assert issues == {"call": ["goal_not_exact"], "nowhere": ["goal_missing"], "other": []}


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "identifier", "required"),
        ({"identifier": " "}, "identifier", "required"),
        ({"identifier": "a/b"}, "identifier", "bad_goal_identifier"),
        ({"identifier": 5}, "identifier", "not_a_text"),
        ({"identifier": "a", "name": "x" * 256}, "name", "max_length"),
        ({"identifier": "a", "is_favorite": 1}, "is_favorite", "not_a_boolean"),
        ({"identifier": "a", "is_favorite": "yes"}, "is_favorite", "not_a_boolean"),
        ({"identifier": "a", "default_price": "-1"}, "default_price", "bad_money"),
        ({"identifier": "a", "default_price": "NaN"}, "default_price", "bad_money"),
        ({"identifier": "a", "default_price": "1.23456"}, "default_price", "bad_money"),
        ({"identifier": "a", "default_price": True}, "default_price", "bad_money"),
        ({"identifier": "a", "default_price": []}, "default_price", "bad_money"),
        ({"identifier": "a", "color": "red"}, "color", "unknown_field"),
    ],
)
def test_what_does_not_fit_says_where(api: Caller, counter: Counter, body: Any, field: str, code: str):
    answer = api.post(GOALS, body)
    assert answer.status == 400
    assert [(error["field"], error["code"]) for error in answer.body["errors"]] == [(field, code)]
    assert not Goal.objects.exists()


def test_a_refusal_of_metrica_is_told_in_its_words(api: Caller, counter: Counter):
    with answering(403, envelope("access_denied", code=403)) as server:
        point(counter, server.url)
        answer = api.post(GOALS, {"identifier": "a"})
    assert (answer.status, answer.body["code"]) == (502, "access_denied")
    assert answer.body["next_step"]
    with answering(429, envelope("quota_requests_by_ip", code=429), headers={"Retry-After": "7"}) as server:
        point(counter, server.url)
        answer = api.post(GOALS, {"identifier": "a"})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")


def test_without_an_account_it_says_so(api: Caller, agency: Agency, counter: Counter):
    Counter.objects.filter(pk=counter.pk).update(account=None)
    answer = api.post(GOALS, {"identifier": "a"})
    assert (answer.status, answer.body["code"]) == (502, "unauthorized")


def test_the_mapping_is_compared_with_metricas(api: Caller, counter: Counter, at_metrica: SandboxCounter):
    set_status(counter=counter, crm_status="won", type="PAID")
    SandboxStatus.objects.create(counter=at_metrica, status_id="won", humanized="Won", type="SPAM")
    answer = api.get("counters/40000001/status-drift/")
    assert answer.status == 200
    assert answer.body == {
        "in_step": False,
        "results": [
            {
                "metrica_id": "won",
                "crm_status": "won",
                "kind": "differs",
                "blocks": True,
                "ours": {"type": "PAID", "name": "won", "goal_action_ids": []},
                "theirs": {"type": "SPAM", "name": "Won", "goal_action_ids": []},
            }
        ],
    }
    SandboxStatus.objects.update(type="PAID", humanized="won")
    assert api.get("counters/40000001/status-drift/").body == {"in_step": True, "results": []}
