"""Counters, flags and accesses over real HTTP: good and bad requests, each with the fact that it checks."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from apps.sandbox import services
from apps.sandbox.models import Permission, SandboxCounter
from tests.sandbox.conftest import NUMBER, Api, Desk, csv, error_of

FLAGS = f"counter/{NUMBER}?field=counter_flags"
GRANTS = f"counter/{NUMBER}/grants"


@pytest.fixture
def several(api: Api) -> Api:
    """10 Zoo (favourite, two visits), 20 Alpha (mirrors, three visits of one visitor), 30 deleted, and the usual."""
    zoo = services.create_counter(metrica_id=10, name="Zoo", owner_login="north-metrica", favorite=True)
    alpha = services.create_counter(
        metrica_id=20,
        name="Alpha",
        site="alpha.example",
        owner_login="north-metrica",
        mirrors=["beta.example", "www.x"],
    )
    gone = services.create_counter(metrica_id=30, name="Gone", owner_login="north-metrica")
    services.delete_counter(counter=gone)
    now = timezone.now()
    for counter, clients in ((zoo, ("1", "2")), (alpha, ("3", "3", "3"))):
        for number, client in enumerate(clients):
            services.add_visit(counter=counter, started_at=now - timedelta(hours=number), client_id=client)
    return api


# (query, numbers in their order, the fact)
LISTS: list[tuple[str, list[int], str]] = [
    ("", [10, 20, NUMBER], "counters: status Active by default"),
    ("status=Deleted", [30], "counters: status"),
    ("favorite=true", [10], "counters: favorite"),
    ("favorite=0", [20, NUMBER], "counters: favorite"),
    ("counter_ids=20,10,404", [10, 20], "counters: counter_ids"),
    ("search_string=BETA.ex", [20], "counters: mirrors by substring"),
    ("type=simple", [10, 20, NUMBER], "counters: type"),
    ("type=partner", [], "counters: type"),
    ("label_id=5", [], "counters: label_id"),
    ("robots=2", [10, 20, NUMBER], "counters: robots"),
    ("sort=None", [10, 20, NUMBER], "counters: sort"),
    ("sort=Default&reverse=false", [10, 20, NUMBER], "counters: sort"),
    ("sort=Name", [10, NUMBER, 20], "counters: reverse is true by default"),
    ("sort=Name&reverse=false", [20, NUMBER, 10], "counters: sort, reverse"),
    ("sort=Visits", [20, 10, NUMBER], "counters: sort"),
    ("sort=Hits&reverse=false", [NUMBER, 10, 20], "counters: sort"),
    ("sort=Uniques", [10, 20, NUMBER], "counters: sort"),
    ("sort=Visits&per_page=1&offset=2", [10], "counters: per_page, offset from 1"),
]


def test_lists_of_counters(several: Api, subtests: pytest.Subtests) -> None:
    for query, wanted, fact in LISTS:
        with subtests.test(fact=fact, query=query):
            body = several.management(f"counters?{query}").json()
            assert [row["id"] for row in body["counters"]] == wanted
            assert body["rows"] == (3 if "per_page" in query else len(wanted))


BAD_LISTS: list[tuple[str, str]] = [
    ("status=Gone", "counters: Active, Deleted"),
    ("favorite=perhaps", "counters: favorite"),
    ("counter_ids=1,x", "counters: counter_ids"),
    (f"counter_ids={'9' * 11}", "method-call: int32"),
    ("counter_ids=" + ",".join(["1"] * 1001), "as many as a page holds"),
    ("type=large", "counters: simple, partner"),
    ("label_id=x", "counters: label_id"),
    ("robots=3", "counters: robots, 1 or 2"),
    ("sort=name", "counters: sort"),
    ("reverse=down", "counters: reverse"),
    ("permission=analyst", "counters: own, view, edit"),
    ("field=goals,colour", "counters: the blocks"),
]


def test_bad_lists_of_counters(api: Api, subtests: pytest.Subtests) -> None:
    for query, fact in BAD_LISTS:
        with subtests.test(fact=fact, query=query[:40]):
            assert error_of(api.management(f"counters?{query}")) == (400, "invalid_parameter")


def test_all_blocks(several: Api) -> None:
    """counters: field = goals, mirrors, grants, filters, operations, counter_flags, measurement_tokens."""
    services.add_access(counter=SandboxCounter.objects.get(metrica_id=20), login="guest", permission=Permission.VIEW)
    blocks = ["goals", "mirrors", "grants", "filters", "operations", "counter_flags", "measurement_tokens"]
    body = several.management(f"counters?field={','.join(blocks)}").json()
    (row,) = [counter for counter in body["counters"] if counter["id"] == 20]
    assert set(blocks) <= set(row)
    assert row["mirrors"] == ["beta.example", "www.x"]
    assert [grant["user_login"] for grant in row["grants"]] == ["guest"]
    assert (row["filters"], row["operations"], row["measurement_tokens"], row["goals"]) == ([], [], [], [])


def test_a_deleted_counter_is_read_but_not_changed(several: Api) -> None:
    assert several.management("counter/30").json()["counter"]["status"] == "Deleted"
    assert error_of(several.upload(csv("D-1,2026-03-10,,17,,,PAID,,,,"), number=30)) == (404, "not_found")
    assert error_of(several.send("PUT", "counter/30?field=counter_flags", {"counter": {}})) == (404, "not_found")
    assert error_of(several.report("ids=30&metrics=ym:s:visits")) == (404, "not_found")
    several.client.patch(f"{several.base}/control/counters", json={"metrica_id": 30, "deleted": False})
    assert several.management("counter/30").json()["counter"]["status"] == "Active"


def test_flags_are_read_and_changed(api: Api) -> None:
    """counter: the block counter_flags; PUT with ?field=counter_flags and {"counter": {"counter_flags": {…}}}."""
    flags = api.management(FLAGS).json()["counter"]["counter_flags"]
    assert flags == {
        "counter_id": NUMBER,
        "use_in_benchmarks": True,
        "direct_allow_use_goals_without_access": False,
        "incognito": "disabled",
        "collect_first_party_data": False,
        "measurement_enabled": False,
        "news_enabled_by_user": False,
        "news_enabled_by_classifier": False,
    }
    changed = {"counter": {"counter_flags": {"collect_first_party_data": True, "counter_id": NUMBER}}}
    answer = api.send("PUT", FLAGS, changed).json()["counter"]
    assert (answer["id"], answer["counter_flags"]) == (NUMBER, flags | {"collect_first_party_data": True})
    api.send("PUT", FLAGS, {"counter": {"counter_flags": {"use_in_benchmarks": False, "incognito": "enabled"}}})
    expected = {"collect_first_party_data": True, "use_in_benchmarks": False, "incognito": "enabled"}
    assert api.management(FLAGS).json()["counter"]["counter_flags"] == flags | expected


BAD_FLAGS: list[tuple[str, Any, tuple[int, str], str]] = [
    (
        f"counter/{NUMBER}",
        {"counter": {"counter_flags": {}}},
        (400, "missing_parameter"),
        "counter: ?field=counter_flags",
    ),
    (FLAGS, {}, (400, "missing_parameter"), "counter: counter"),
    (FLAGS, {"counter": {}}, (400, "missing_parameter"), "counter: counter_flags"),
    (FLAGS, {"counter": {"counter_flags": {"gravity": True}}}, (400, "invalid_parameter"), "counter: the flags"),
    (FLAGS, {"counter": {"counter_flags": {"collect_first_party_data": "yes"}}}, (400, "invalid_parameter"), "boolean"),
    (
        FLAGS,
        {"counter": {"counter_flags": {"incognito": True}}},
        (400, "invalid_parameter"),
        "counter: incognito (string)",
    ),
    (FLAGS, {"counter": {"counter_flags": {"counter_id": 5}}}, (400, "invalid_parameter"), "counter: counter_id"),
]


def test_bad_flags_change_nothing(api: Api, subtests: pytest.Subtests) -> None:
    for path, body, error, fact in BAD_FLAGS:
        with subtests.test(fact=fact):
            assert error_of(api.send("PUT", path, body)) == error
            assert SandboxCounter.objects.get(metrica_id=NUMBER).flags == {}


def test_accesses_are_given_and_read(api: Api) -> None:
    """grants: grants → {user_login, perm, created_at, comment, partner_data_access}."""
    assert api.management(GRANTS).json() == {"grants": []}
    body = {"user_login": "guest", "perm": "view", "comment": "x" * 255, "partner_data_access": True}
    grant = api.send("POST", GRANTS, {"grant": body}).json()["grant"]
    assert grant | body == grant
    assert grant["created_at"].endswith("+03:00")
    assert api.management(GRANTS).json() == {"grants": [grant]}
    assert api.management(f"counter/{NUMBER}/grant?user_login=guest").json() == {"grant": grant}
    public = api.send("POST", GRANTS, {"grant": {"perm": "public_stat"}}).json()["grant"]
    assert (public["user_login"], public["perm"]) == ("", "public_stat")


def test_ones_own_access(api: Api) -> None:
    """grants: my_grant, own permission."""
    guest = services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    services.add_access(counter=guest, login="north-metrica", permission=Permission.ANALYST)
    assert api.management(f"counter/{NUMBER}/my_grant").json()["grant"]["perm"] == "own"
    assert api.management("counter/7/my_grant").json()["grant"]["perm"] == "analyst"
    assert api.management("counter/7").json()["counter"]["permission"] == "analyst"


def test_bad_accesses(api: Api, subtests: pytest.Subtests) -> None:
    services.set_limit(name="grants", value=None)
    api.send("POST", GRANTS, {"grant": {"user_login": "guest", "perm": "view"}})
    viewed = services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    services.add_access(counter=viewed, login="north-metrica", permission=Permission.VIEW)
    services.create_counter(metrica_id=8, owner_login="south")
    calls: list[tuple[str, str, Any, tuple[int, str], str]] = [
        ("POST", GRANTS, {"user_login": "guest", "perm": "edit"}, (409, "conflict"), "errors: integrity violation"),
        ("POST", GRANTS, {"user_login": "north-metrica", "perm": "edit"}, (400, "invalid_parameter"), "the owner"),
        ("POST", GRANTS, {"perm": "edit"}, (400, "missing_parameter"), "grants: user_login"),
        ("POST", GRANTS, {"user_login": "a"}, (400, "missing_parameter"), "grants: perm"),
        ("POST", GRANTS, {"user_login": "a", "perm": "own"}, (400, "invalid_parameter"), "grants: perm"),
        ("POST", GRANTS, {"user_login": "a", "perm": "view", "comment": "x" * 256}, (400, "invalid_parameter"), "≤255"),
        ("POST", "counter/7/grants", {"user_login": "a", "perm": "view"}, (403, "access_denied"), "editors only"),
        ("GET", "counter/7/grants", None, (403, "access_denied"), "grants: owner or editor only"),
        (
            "GET",
            "counter/7/grant?user_login=north-metrica",
            None,
            (403, "access_denied"),
            "grants: owner or editor only",
        ),
        ("GET", f"counter/{NUMBER}/grant", None, (400, "missing_parameter"), "grants: user_login"),
        ("GET", f"counter/{NUMBER}/grant?user_login=nobody", None, (404, "not_found"), "no such access"),
        ("GET", "counter/8/my_grant", None, (403, "access_denied"), "no access at all"),
        ("DELETE", GRANTS, None, (404, "not_found"), "no such call"),
    ]
    for method, path, grant, error, fact in calls:
        with subtests.test(fact=fact, path=path):
            assert error_of(api.send(method, path, {"grant": grant} if grant else None)) == error


def test_every_address_wants_a_token(api: Api, subtests: pytest.Subtests) -> None:
    """authorization: Authorization: OAuth <token>, also not in the query; errors: unauthorized 401, invalid_token
    403."""
    paths = (
        "management/v1/counters",
        f"management/v1/counter/{NUMBER}",
        f"management/v1/counter/{NUMBER}/goals",
        f"management/v1/counter/{NUMBER}/goal/1",
        f"management/v1/{GRANTS}",
        f"management/v1/counter/{NUMBER}/my_grant",
        f"stat/v1/data?ids={NUMBER}&metrics=ym:s:visits",
    )
    for path in paths:
        with subtests.test(path=path):
            assert error_of(httpx.get(f"{api.base}/{path}", params={"oauth_token": "y0_north"})) == (
                401,
                "unauthorized",
            )
            bearer = httpx.get(f"{api.base}/{path}", headers={"Authorization": "Bearer y0_north"})
            assert error_of(bearer) == (401, "unauthorized")
            stale = httpx.get(f"{api.base}/{path}", headers={"Authorization": "OAuth y0_stale"})
            assert error_of(stale) == (403, "invalid_token")


def test_faults_meet_reports_of_one_counter(api: Api, desk: Desk) -> None:
    services.add_fault(kind="server_error", endpoint="report", counter=desk.counter)
    query = "metrics=ym:s:visits"
    assert api.management("counters").status_code == 200
    assert error_of(api.report(f"ids={NUMBER}&{query}")) == (503, "backend_error")
    assert api.report(f"ids={NUMBER}&{query}").status_code == 200
