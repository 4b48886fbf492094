"""Goals over real HTTP: good and bad requests, each with the fact that it checks (pages: goals, addGoal, editGoal)."""

import threading
from typing import Any

import httpx
import pytest

from apps.sandbox import services
from apps.sandbox.models import Permission, SandboxCounter, SandboxGoal
from tests.sandbox.conftest import NUMBER, Api, csv, error_of

GOALS = f"counter/{NUMBER}/goals"
EVENT = {"type": "exact", "url": "meeting_done"}
GOAL: dict[str, Any] = {"name": "Meeting", "type": "action", "conditions": [EVENT]}


def made(api: Api, **changes: Any) -> dict[str, Any]:
    response = api.send("POST", GOALS, {"goal": GOAL | changes})
    assert response.status_code == 200, response.text
    return response.json()["goal"]


def one(number: int) -> str:
    return f"counter/{NUMBER}/goal/{number}"


def test_a_javascript_goal_is_made_and_read_back(api: Api) -> None:
    """goals: POST …/goals with {"goal": …} answers {"goal": … with id}; GET …/goal/{id} answers {"goal": …}."""
    goal = made(api, is_favorite=True, default_price=150.5, flag="order")
    assert goal | GOAL == goal
    assert (goal["is_favorite"], goal["default_price"], goal["flag"]) == (1, 150.5, "order")
    assert (goal["goal_source"], goal["is_retargeting"], goal["prev_goal_id"]) == ("user", 0, 0)
    assert isinstance(goal["id"], int)
    assert api.management(one(goal["id"])).json() == {"goal": goal}
    assert goal in api.management(GOALS).json()["goals"]


# (what the goal has besides name and type "action", the fact)
GOOD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "goals: name 0-255, switch empty_goal_name"),
    ({"name": "Я" * 255}, "goals: name 0-255"),
    ({"conditions": [{"type": "contain", "url": "c1"}]}, "goals: contain"),
    ({"conditions": [{"type": "start", "url": "c2"}]}, "goals: start"),
    ({"conditions": [{"type": "regexp", "url": "c3.*"}]}, "goals: regexp"),
    ({"conditions": [{"type": "action", "url": "c4"}]}, "goals: documented special value action"),
    ({"conditions": [{"type": "exact", "url": f"m{n}"} for n in range(10)]}, "goals: conditions is a list"),
    ({"conditions": [{"type": "exact", "url": "a%2Bb"}]}, "goals: a plus is written %2B"),
    ({"flag": "basket"}, "goals: flag basket"),
    ({"flag": ""}, "goals: flag empty"),
    ({"is_favorite": 1}, "goals: boolean/0-1"),
    ({"default_price": 7}, "goals: double"),
    ({"type": "url", "conditions": [{"type": "contain", "url": "/thanks?a=1"}]}, "goals: type url"),
    ({"type": "number", "conditions": [], "depth": 5}, "goals: type number"),
    ({"type": "visit_duration", "conditions": [], "duration": 60}, "goals: type visit_duration"),
    ({"type": "phone", "conditions": []}, "goals: type phone"),
    ({"type": "email", "conditions": []}, "goals: type email"),
    ({"type": "payment_system", "conditions": []}, "goals: type payment_system"),
    ({"type": "messenger", "conditions": [{"type": "all_messengers"}]}, "goals: type messenger"),
    ({"type": "social", "conditions": [{"type": "all_social_networks", "url": ""}]}, "goals: type social"),
    ({"type": "file", "conditions": [{"type": "all_files"}]}, "goals: type file"),
    ({"type": "search", "conditions": [{"type": "search", "url": "q"}]}, "goals: type search"),
    ({"type": "step", "conditions": [], "steps": [GOAL, GOAL | {"type": "url"}]}, "goals: type step"),
]


def test_goals_that_can_be(api: Api, subtests: pytest.Subtests) -> None:
    for place, (changes, fact) in enumerate(GOOD):
        with subtests.test(fact=fact):
            changes = {"conditions": [{"type": "exact", "url": f"event{place}"}]} | changes
            goal = made(api, **changes)
            assert api.management(one(goal["id"])).json()["goal"] == goal
            assert goal["type"] == changes.get("type", "action")


# (what is wrong with the goal, error_type, location, the fact)
BAD: list[tuple[dict[str, Any], str, str, str]] = [
    ({"name": None}, "missing_parameter", "goal.name", "goals: name*"),
    ({"name": "x" * 256}, "invalid_parameter", "goal.name", "goals: name 0-255"),
    ({"name": 7}, "invalid_parameter", "goal.name", "goals: name is a string"),
    ({"name": "a\u0000b"}, "invalid_parameter", "goal.name", "goals: name is a string"),
    ({"type": None}, "missing_parameter", "goal.type", "goals: type*"),
    ({"type": "kitchen"}, "invalid_parameter", "goal.type", "goals: the kinds"),
    ({"type": "form"}, "invalid_parameter", "goal.type", "goals: created by Metrica itself"),
    ({"type": "cdp_order_paid"}, "invalid_parameter", "goal.type", "contacts: do not create CRM goals by API"),
    ({"conditions": []}, "missing_parameter", "goal.conditions", "goals: the identifier is in a condition"),
    ({"conditions": "deal"}, "invalid_parameter", "goal.conditions", "goals: conditions is a list"),
    ({"conditions": ["deal"]}, "invalid_parameter", "goal.conditions[0]", "goals: a condition has type and url"),
    (
        {"conditions": [EVENT] * 11},
        "limit_exceeded",
        "goal.conditions",
        "errors: limit of goals / operations / filters",
    ),
    ({"conditions": [{"url": "a"}]}, "missing_parameter", "goal.conditions[0].type", "goals: conditions[].type"),
    ({"conditions": [{"type": "exact"}]}, "missing_parameter", "goal.conditions[0].url", "goals: conditions[].url"),
    (
        {"conditions": [{"type": "exact", "url": ""}]},
        "invalid_parameter",
        "goal.conditions[0].url",
        "goals: identifier",
    ),
    ({"conditions": [{"type": "like", "url": "a"}]}, "invalid_parameter", "goal.conditions[0].type", "goals: kinds"),
    ({"conditions": [{"type": "exact", "url": "x" * 256}]}, "invalid_parameter", "goal.conditions[0].url", "4.3"),
    ({"default_price": "7"}, "invalid_parameter", "goal.default_price", "goals: double"),
    ({"default_price": -1}, "invalid_parameter", "goal.default_price", "goals: a price"),
    ({"default_price": True}, "invalid_parameter", "goal.default_price", "goals: double"),
    ({"is_favorite": "yes"}, "invalid_parameter", "goal.is_favorite", "goals: boolean/0-1"),
    ({"is_favorite": 2}, "invalid_parameter", "goal.is_favorite", "goals: boolean/0-1"),
    ({"flag": "buy"}, "invalid_parameter", "goal.flag", "goals: basket, order, empty"),
    ({"type": "number"}, "missing_parameter", "goal.depth", "goals page: depth*"),
    ({"type": "number", "depth": 1}, "invalid_parameter", "goal.depth", "goals page: depth, min value 2"),
    ({"type": "step"}, "missing_parameter", "goal.steps", "goals page: steps*"),
    ({"type": "step", "steps": [GOAL] * 6}, "limit_exceeded", "goal.steps", "goals page: max items 5"),
    ({"type": "step", "steps": [GOAL | {"type": "phone"}]}, "invalid_parameter", "goal.steps[0]", "goals page: steps"),
    *(
        (
            {"conditions": [{"type": "exact", "url": f"a{character}b"}]},
            "invalid_parameter",
            "goal.conditions[0].url",
            f"goals: identifier without {character}",
        )
        for character in '/\\&#?="'
    ),
]


def test_goals_that_cannot_be(api: Api, subtests: pytest.Subtests) -> None:
    before = SandboxGoal.objects.count()
    for changes, error_type, location, fact in BAD:
        with subtests.test(fact=fact, changes=str(changes)[:80]):
            goal = {name: value for name, value in (GOAL | changes).items() if value is not None}
            response = api.send("POST", GOALS, {"goal": goal})
            assert error_of(response) == (400, error_type)
            assert response.json()["errors"][0]["location"] == location
            assert SandboxGoal.objects.count() == before


BODIES: list[tuple[str, dict[str, str], tuple[int, str], str]] = [
    ("", {"Content-Type": "application/json"}, (400, "invalid_json"), "errors: body is not valid JSON"),
    ("{goal}", {"Content-Type": "application/json"}, (400, "invalid_json"), "errors: body is not valid JSON"),
    ('{"goal": NaN}', {"Content-Type": "application/json"}, (400, "invalid_json"), "errors: body is not valid JSON"),
    (
        '{"goal": 1e99999999999999999999}',
        {"Content-Type": "application/json"},
        (400, "invalid_json"),
        "errors: body is not valid JSON",
    ),
    ("[" * 100_000, {"Content-Type": "application/json"}, (400, "invalid_json"), "errors: body is not valid JSON"),
    ("[]", {"Content-Type": "application/json"}, (400, "invalid_json"), "goals: body {goal: …}"),
    ("{}", {"Content-Type": "application/json"}, (400, "missing_parameter"), "goals: body {goal: …}"),
    ('{"goal": 1}', {"Content-Type": "application/json"}, (400, "invalid_parameter"), "goals: body {goal: …}"),
    (
        "{}",
        {"Content-Type": "text/plain"},
        (406, "not_acceptable"),
        "formats: application/json; errors: unsupported format",
    ),
    ("{}", {"Content-Type": "application/x-yametrika+json"}, (400, "missing_parameter"), "formats: also accepted"),
]


def test_bodies_that_are_none(api: Api, subtests: pytest.Subtests) -> None:
    for body, headers, error, fact in BODIES:
        with subtests.test(fact=fact, body=body[:30]):
            response = api.client.post(f"{api.base}/management/v1/{GOALS}", content=body, headers=headers)
            assert error_of(response) == error


def test_pretty_formats_the_json(api: Api) -> None:
    """formats: pretty=1 on Management calls formats the JSON."""
    assert "\n  " in api.management(f"{GOALS}?pretty=1").text
    assert "\n" not in api.management(GOALS).text


def test_a_goal_is_edited_whole(api: Api) -> None:
    """goals: PUT …/goal/{id} with {"goal": {"id": …}}."""
    goal = made(api, is_favorite=True, default_price=5)
    renamed = GOAL | {
        "id": goal["id"],
        "name": "Visit",
        "conditions": [{"type": "exact", "url": "visit"}],
    }
    response = api.send("PUT", one(goal["id"]), {"goal": renamed})
    assert response.status_code == 200
    edited = response.json()["goal"]
    assert edited | renamed == edited
    assert (edited["is_favorite"], edited["default_price"]) == (0, 0.0), "what is not sent has its default again"
    assert api.management(one(goal["id"])).json()["goal"] == edited
    # An edit that keeps its own identifier is no duplicate of itself.
    assert api.send("PUT", one(goal["id"]), {"goal": edited | {"is_favorite": 1}}).json()["goal"]["is_favorite"] == 1


def test_bad_edits(api: Api, subtests: pytest.Subtests) -> None:
    goal = made(api)
    other = made(api, conditions=[{"type": "exact", "url": "other"}])
    edits: list[tuple[dict[str, Any], tuple[int, str], str]] = [
        (GOAL, (400, "missing_parameter"), "goals: id, needed for edit"),
        (GOAL | {"id": other["id"]}, (400, "invalid_parameter"), "goals: id of the path"),
        (GOAL | {"id": str(goal["id"])}, (400, "invalid_parameter"), "goals: id is int64"),
        (GOAL | {"id": goal["id"], "type": "url"}, (400, "invalid_parameter"), "a kind is no name"),
        (GOAL | {"id": goal["id"], "name": "x" * 256}, (400, "invalid_parameter"), "goals: name 0-255"),
        (
            GOAL | {"id": goal["id"], "conditions": other["conditions"]},
            (409, "conflict"),
            "errors: integrity violation",
        ),
    ]
    for fields, error, fact in edits:
        with subtests.test(fact=fact):
            assert error_of(api.send("PUT", one(goal["id"]), {"goal": fields})) == error
            assert api.management(one(goal["id"])).json()["goal"] == goal


def test_deleting_is_soft(api: Api) -> None:
    """goals: DELETE answers {"success": true}; useDeleted shows what was deleted. 1.5: DELETE success is 200."""
    goal = made(api)
    response = api.send("DELETE", one(goal["id"]))
    assert (response.status_code, response.json()) == (200, {"success": True})
    assert goal["id"] not in [row["id"] for row in api.management(GOALS).json()["goals"]]
    listed = api.management(f"{GOALS}?useDeleted=true").json()["goals"]
    assert listed[-1] == goal | {"status": "Deleted"}
    for method in ("GET", "PUT", "DELETE"):
        assert error_of(api.send(method, one(goal["id"]), {"goal": goal})) == (404, "not_found")
    assert made(api)["id"] > goal["id"], "the identifier is free again"


def test_a_deleted_goal_is_no_status_any_more(api: Api, counter: SandboxCounter) -> None:
    services.set_switch(name="unknown_status", value="refuse")
    row = csv("D-1,2026-03-10,,17,,,meeting_done,,,,")
    goal = made(api)
    assert api.upload(row).status_code == 200
    api.send("DELETE", one(goal["id"]))
    assert error_of(api.upload(row)) == (400, "invalid_uploading")


def test_a_goal_with_two_conditions_has_two_identifiers(api: Api) -> None:
    services.set_switch(name="unknown_status", value="refuse")
    made(api, conditions=[{"type": "exact", "url": "won_here"}, {"type": "exact", "url": "won_there"}])
    assert api.upload(csv("D-1,2026-03-10,,17,,,won_there,,,,")).status_code == 200
    duplicate = GOAL | {"conditions": [{"type": "exact", "url": "won_there"}]}
    assert error_of(api.send("POST", GOALS, {"goal": duplicate})) == (409, "conflict")


def test_duplicates_and_empty_names_by_switch(api: Api) -> None:
    made(api)
    assert error_of(api.send("POST", GOALS, {"goal": GOAL})) == (409, "conflict")
    services.set_switch(name="duplicate_goal", value="allow")
    made(api)
    services.set_switch(name="empty_goal_name", value="refuse")
    assert error_of(api.send("POST", GOALS, {"goal": GOAL | {"name": ""}})) == (400, "invalid_parameter")


def test_the_number_of_goals_is_limited(api: Api, counter: SandboxCounter) -> None:
    """goals: exceeding gives limit_exceeded. CRM goals and deleted ones do not count."""
    services.set_limit(name="goals", value=8)
    first = made(api)
    made(api, conditions=[{"type": "exact", "url": "eighth"}])
    ninth = {"goal": GOAL | {"conditions": [{"type": "exact", "url": "ninth"}]}}
    assert error_of(api.send("POST", GOALS, ninth)) == (400, "limit_exceeded")
    assert api.send("PUT", one(first["id"]), {"goal": first}).status_code == 200
    api.send("DELETE", one(first["id"]))
    assert api.send("POST", GOALS, ninth).status_code == 200


def test_two_calls_at_once_make_one_goal(api: Api) -> None:
    services.set_limit(name="parallel_requests", value=None)
    answers: list[int] = []

    def create() -> None:
        with httpx.Client(headers=api.client.headers, timeout=60) as client:
            answers.append(Api(client, api.base).send("POST", GOALS, {"goal": GOAL}).status_code)

    threads = [threading.Thread(target=create) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 4


def test_crm_goals_are_renamed_but_neither_made_nor_deleted(api: Api) -> None:
    """contacts: do not create or delete them by API; goals: id, name, type only, and names are editable."""
    hidden = SandboxGoal.objects.get(counter__metrica_id=NUMBER, type="cdp_order_paid")
    assert error_of(api.management(one(hidden.pk))) == (404, "not_found")
    api.upload(csv("D-1,2026-03-10,,17,,,PAID,,,,"))
    paid = api.management(one(hidden.pk)).json()["goal"]
    assert paid == {"id": hidden.pk, "name": "CRM: Order paid", "type": "cdp_order_paid"}
    renamed = paid | {"name": "Paid"}
    assert api.send("PUT", one(hidden.pk), {"goal": renamed}).json()["goal"] == renamed
    assert error_of(api.send("DELETE", one(hidden.pk))) == (400, "invalid_parameter")


def test_addresses_and_rights(api: Api, subtests: pytest.Subtests) -> None:
    """authorization: to change, the account must be owner or have edit; goals: plural for list and create, singular
    for one."""
    for number, permission in ((7, Permission.VIEW), (8, Permission.ANALYST), (9, Permission.EDIT)):
        guest = services.create_counter(metrica_id=number, owner_login="south", token="y0_south", goals=["theirs"])
        services.add_access(counter=guest, login="north-metrica", permission=permission)
    own = made(api)["id"]
    theirs = SandboxGoal.objects.get(counter__metrica_id=9, identifier="theirs").pk
    body = {"goal": GOAL}
    calls: list[tuple[str, str, tuple[int, str], str]] = [
        ("GET", one(theirs), (404, "not_found"), "a goal of another counter"),
        ("GET", one(0), (404, "not_found"), "no such goal"),
        ("GET", f"counter/{NUMBER}/goal/x", (400, "invalid_parameter"), "goals: id int64"),
        ("GET", f"counter/{NUMBER}/goal/{'9' * 19}", (400, "invalid_parameter"), "goals: id int64"),
        ("GET", "counter/404/goals", (404, "not_found"), "no such counter"),
        ("GET", "counter/x/goals", (400, "invalid_parameter"), "method-call: counterId is an int32"),
        ("GET", f"{GOALS}?useDeleted=perhaps", (400, "invalid_parameter"), "goals page: boolean"),
        ("POST", "counter/7/goals", (403, "access_denied"), "authorization: view may not change"),
        ("POST", "counter/8/goals", (403, "access_denied"), "authorization: analyst may not change"),
        ("POST", one(own), (404, "not_found"), "goals: create is plural"),
        ("DELETE", GOALS, (404, "not_found"), "goals: delete is singular"),
        ("PUT", GOALS, (404, "not_found"), "goals: edit is singular"),
    ]
    for method, path, error, fact in calls:
        with subtests.test(fact=fact, path=path):
            assert error_of(api.send(method, path, body)) == error
    assert api.send("POST", "counter/9/goals", body).status_code == 200
    assert api.management("counter/7/goals").status_code == 200


def test_goals_made_by_hand_over_control(api: Api) -> None:
    """goals: goals made in the interface come back with contain."""
    goal = api.control("goals", counter=NUMBER, identifier="by_hand", condition_type="contain")
    row = api.management(one(goal["id"])).json()["goal"]
    assert row["conditions"] == [{"type": "contain", "url": "by_hand"}]
    api.client.request("DELETE", f"{api.base}/control/goals", json={"id": goal["id"]})
    assert error_of(api.management(one(goal["id"]))) == (404, "not_found")
