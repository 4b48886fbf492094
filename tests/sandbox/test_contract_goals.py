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
    """4.3: POST …/goals with {"goal": …} answers {"goal": … with id}; GET …/goal/{id} answers {"goal": …}."""
    goal = made(api, is_favorite=True, default_price=150.5, flag="order")
    assert goal | GOAL == goal
    assert (goal["is_favorite"], goal["default_price"], goal["flag"]) == (1, 150.5, "order")
    assert (goal["goal_source"], goal["is_retargeting"], goal["prev_goal_id"]) == ("user", 0, 0)
    assert isinstance(goal["id"], int)
    assert api.management(one(goal["id"])).json() == {"goal": goal}
    assert goal in api.management(GOALS).json()["goals"]


# (what the goal has besides name and type "action", the fact)
GOOD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "4.3: name 0-255, switch empty_goal_name"),
    ({"name": "Я" * 255}, "4.3: name 0-255"),
    ({"conditions": [{"type": "contain", "url": "c1"}]}, "4.3: contain"),
    ({"conditions": [{"type": "start", "url": "c2"}]}, "4.3: start"),
    ({"conditions": [{"type": "regexp", "url": "c3.*"}]}, "4.3: regexp"),
    ({"conditions": [{"type": "action", "url": "c4"}]}, "4.3: documented special value action"),
    ({"conditions": [{"type": "exact", "url": f"m{n}"} for n in range(10)]}, "4.3: conditions is a list"),
    ({"conditions": [{"type": "exact", "url": "a%2Bb"}]}, "4.3: a plus is written %2B"),
    ({"flag": "basket"}, "4.3: flag basket"),
    ({"flag": ""}, "4.3: flag empty"),
    ({"is_favorite": 1}, "4.3: boolean/0-1"),
    ({"default_price": 7}, "4.3: double"),
    ({"type": "url", "conditions": [{"type": "contain", "url": "/thanks?a=1"}]}, "4.3: type url"),
    ({"type": "number", "conditions": [], "depth": 5}, "4.3: type number"),
    ({"type": "visit_duration", "conditions": [], "duration": 60}, "4.3: type visit_duration"),
    ({"type": "phone", "conditions": []}, "4.3: type phone"),
    ({"type": "email", "conditions": []}, "4.3: type email"),
    ({"type": "payment_system", "conditions": []}, "4.3: type payment_system"),
    ({"type": "messenger", "conditions": [{"type": "all_messengers"}]}, "4.3: type messenger"),
    ({"type": "social", "conditions": [{"type": "all_social_networks", "url": ""}]}, "4.3: type social"),
    ({"type": "file", "conditions": [{"type": "all_files"}]}, "4.3: type file"),
    ({"type": "search", "conditions": [{"type": "search", "url": "q"}]}, "4.3: type search"),
    ({"type": "step", "conditions": [], "steps": [GOAL, GOAL | {"type": "url"}]}, "4.3: type step"),
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
    ({"name": None}, "missing_parameter", "goal.name", "4.3: name*"),
    ({"name": "x" * 256}, "invalid_parameter", "goal.name", "4.3: name 0-255"),
    ({"name": 7}, "invalid_parameter", "goal.name", "4.3: name is a string"),
    ({"name": "a\u0000b"}, "invalid_parameter", "goal.name", "4.3: name is a string"),
    ({"type": None}, "missing_parameter", "goal.type", "4.3: type*"),
    ({"type": "kitchen"}, "invalid_parameter", "goal.type", "4.3: the kinds"),
    ({"type": "form"}, "invalid_parameter", "goal.type", "4.3: created by Metrica itself"),
    ({"type": "cdp_order_paid"}, "invalid_parameter", "goal.type", "3.3: do not create CRM goals by API"),
    ({"conditions": []}, "missing_parameter", "goal.conditions", "4.3: the identifier is in a condition"),
    ({"conditions": "deal"}, "invalid_parameter", "goal.conditions", "4.3: conditions is a list"),
    ({"conditions": ["deal"]}, "invalid_parameter", "goal.conditions[0]", "4.3: a condition has type and url"),
    ({"conditions": [EVENT] * 11}, "limit_exceeded", "goal.conditions", "1.7: limit of goals / operations / filters"),
    ({"conditions": [{"url": "a"}]}, "missing_parameter", "goal.conditions[0].type", "4.3: conditions[].type"),
    ({"conditions": [{"type": "exact"}]}, "missing_parameter", "goal.conditions[0].url", "4.3: conditions[].url"),
    ({"conditions": [{"type": "exact", "url": ""}]}, "invalid_parameter", "goal.conditions[0].url", "4.3: identifier"),
    ({"conditions": [{"type": "like", "url": "a"}]}, "invalid_parameter", "goal.conditions[0].type", "4.3: kinds"),
    ({"conditions": [{"type": "exact", "url": "x" * 256}]}, "invalid_parameter", "goal.conditions[0].url", "4.3"),
    ({"default_price": "7"}, "invalid_parameter", "goal.default_price", "4.3: double"),
    ({"default_price": -1}, "invalid_parameter", "goal.default_price", "4.3: a price"),
    ({"default_price": True}, "invalid_parameter", "goal.default_price", "4.3: double"),
    ({"is_favorite": "yes"}, "invalid_parameter", "goal.is_favorite", "4.3: boolean/0-1"),
    ({"is_favorite": 2}, "invalid_parameter", "goal.is_favorite", "4.3: boolean/0-1"),
    ({"flag": "buy"}, "invalid_parameter", "goal.flag", "4.3: basket, order, empty"),
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
            f"4.3: identifier without {character}",
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
    ("", {"Content-Type": "application/json"}, (400, "invalid_json"), "1.7: body is not valid JSON"),
    ("{goal}", {"Content-Type": "application/json"}, (400, "invalid_json"), "1.7: body is not valid JSON"),
    ('{"goal": NaN}', {"Content-Type": "application/json"}, (400, "invalid_json"), "1.7: body is not valid JSON"),
    ("[" * 100_000, {"Content-Type": "application/json"}, (400, "invalid_json"), "1.7: body is not valid JSON"),
    ("[]", {"Content-Type": "application/json"}, (400, "invalid_json"), "4.3: body {goal: …}"),
    ("{}", {"Content-Type": "application/json"}, (400, "missing_parameter"), "4.3: body {goal: …}"),
    ('{"goal": 1}', {"Content-Type": "application/json"}, (400, "invalid_parameter"), "4.3: body {goal: …}"),
    ("{}", {"Content-Type": "text/plain"}, (406, "not_acceptable"), "1.5: application/json; 1.7: unsupported format"),
    ("{}", {"Content-Type": "application/x-yametrika+json"}, (400, "missing_parameter"), "1.5: also accepted"),
]


def test_bodies_that_are_none(api: Api, subtests: pytest.Subtests) -> None:
    for body, headers, error, fact in BODIES:
        with subtests.test(fact=fact, body=body[:30]):
            response = api.client.post(f"{api.base}/management/v1/{GOALS}", content=body, headers=headers)
            assert error_of(response) == error


def test_pretty_formats_the_json(api: Api) -> None:
    """1.5: pretty=1 on Management calls formats the JSON."""
    assert "\n  " in api.management(f"{GOALS}?pretty=1").text
    assert "\n" not in api.management(GOALS).text


def test_a_goal_is_edited_whole(api: Api) -> None:
    """4.3: PUT …/goal/{id} with {"goal": {"id": …}}."""
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
        (GOAL, (400, "missing_parameter"), "4.3: id, needed for edit"),
        (GOAL | {"id": other["id"]}, (400, "invalid_parameter"), "4.3: id of the path"),
        (GOAL | {"id": str(goal["id"])}, (400, "invalid_parameter"), "4.3: id is int64"),
        (GOAL | {"id": goal["id"], "type": "url"}, (400, "invalid_parameter"), "a kind is no name"),
        (GOAL | {"id": goal["id"], "name": "x" * 256}, (400, "invalid_parameter"), "4.3: name 0-255"),
        (GOAL | {"id": goal["id"], "conditions": other["conditions"]}, (409, "conflict"), "1.7: integrity violation"),
    ]
    for fields, error, fact in edits:
        with subtests.test(fact=fact):
            assert error_of(api.send("PUT", one(goal["id"]), {"goal": fields})) == error
            assert api.management(one(goal["id"])).json()["goal"] == goal


def test_deleting_is_soft(api: Api) -> None:
    """4.3: DELETE answers {"success": true}; useDeleted shows what was deleted. 1.5: DELETE success is 200."""
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
    """4.3: exceeding gives limit_exceeded. CRM goals and deleted ones do not count."""
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
    """3.3: do not create or delete them by API; 4.3: id, name, type only, and names are editable."""
    hidden = SandboxGoal.objects.get(counter__metrica_id=NUMBER, type="cdp_order_paid")
    assert error_of(api.management(one(hidden.pk))) == (404, "not_found")
    api.upload(csv("D-1,2026-03-10,,17,,,PAID,,,,"))
    paid = api.management(one(hidden.pk)).json()["goal"]
    assert paid == {"id": hidden.pk, "name": "CRM: Order paid", "type": "cdp_order_paid"}
    renamed = paid | {"name": "Paid"}
    assert api.send("PUT", one(hidden.pk), {"goal": renamed}).json()["goal"] == renamed
    assert error_of(api.send("DELETE", one(hidden.pk))) == (400, "invalid_parameter")


def test_addresses_and_rights(api: Api, subtests: pytest.Subtests) -> None:
    """1.3: to change, the account must be owner or have edit; 4.3: plural for list and create, singular for one."""
    for number, permission in ((7, Permission.VIEW), (8, Permission.ANALYST), (9, Permission.EDIT)):
        guest = services.create_counter(metrica_id=number, owner_login="south", token="y0_south", goals=["theirs"])
        services.add_access(counter=guest, login="north-metrica", permission=permission)
    own = made(api)["id"]
    theirs = SandboxGoal.objects.get(counter__metrica_id=9, identifier="theirs").pk
    body = {"goal": GOAL}
    calls: list[tuple[str, str, tuple[int, str], str]] = [
        ("GET", one(theirs), (404, "not_found"), "a goal of another counter"),
        ("GET", one(0), (404, "not_found"), "no such goal"),
        ("GET", f"counter/{NUMBER}/goal/x", (400, "invalid_parameter"), "4.3: id int64"),
        ("GET", f"counter/{NUMBER}/goal/{'9' * 19}", (400, "invalid_parameter"), "4.3: id int64"),
        ("GET", "counter/404/goals", (404, "not_found"), "no such counter"),
        ("GET", "counter/x/goals", (400, "invalid_parameter"), "1.1: counterId is an int32"),
        ("GET", f"{GOALS}?useDeleted=perhaps", (400, "invalid_parameter"), "goals page: boolean"),
        ("POST", "counter/7/goals", (403, "access_denied"), "1.3: view may not change"),
        ("POST", "counter/8/goals", (403, "access_denied"), "1.3: analyst may not change"),
        ("POST", one(own), (404, "not_found"), "4.3: create is plural"),
        ("DELETE", GOALS, (404, "not_found"), "4.3: delete is singular"),
        ("PUT", GOALS, (404, "not_found"), "4.3: edit is singular"),
    ]
    for method, path, error, fact in calls:
        with subtests.test(fact=fact, path=path):
            assert error_of(api.send(method, path, body)) == error
    assert api.send("POST", "counter/9/goals", body).status_code == 200
    assert api.management("counter/7/goals").status_code == 200


def test_goals_made_by_hand_over_control(api: Api) -> None:
    """4.3: goals made in the interface come back with contain."""
    goal = api.control("goals", counter=NUMBER, identifier="by_hand", condition_type="contain")
    row = api.management(one(goal["id"])).json()["goal"]
    assert row["conditions"] == [{"type": "contain", "url": "by_hand"}]
    api.client.request("DELETE", f"{api.base}/control/goals", json={"id": goal["id"]})
    assert error_of(api.management(one(goal["id"]))) == (404, "not_found")
