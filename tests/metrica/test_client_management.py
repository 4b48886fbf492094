"""Flags, goals, grants and reports: what goes over the wire, what comes back (pages: counter, manage-protocol, addGoal,
editGoal, deleteGoal, grants, mygrant, stat/data).
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.metrica.client import GoalDraft, MetricaClient
from tests.metrica.asking import GOAL, SUCCESS, address, asked, sent_json


def test_flags_and_goals_come_with_a_counter() -> None:
    flags = {"counter_id": 7, "collect_first_party_data": 1, "use_in_benchmarks": False, "incognito": "none", "new": 5}
    counter = {"id": 7, "code_status": "CS_OK", "counter_flags": flags, "goals": [GOAL]}
    info, seen = asked({"counter": counter}, lambda client: client.counter(7, field=("counter_flags", "goals")))
    assert address(seen)[2] == {"field": ["counter_flags,goals"]}
    assert info.collect_first_party_data is True
    assert info.flags is not None
    assert (info.flags.use_in_benchmarks, info.flags.measurement_enabled, info.flags.incognito) == (False, None, "none")
    assert info.flags.raw["new"] == 5
    assert info.code_status == "CS_OK"
    assert [goal.identifier for goal in info.goals or ()] == ["good_lead"]


def test_a_counter_without_those_blocks_says_nothing_of_them() -> None:
    info, _ = asked({"counter": {"id": 7}}, lambda client: client.counter(7))
    assert (info.flags, info.collect_first_party_data, info.goals) == (None, None, None)


def test_set_counter_flags() -> None:
    answer = {"counter": {"id": 7, "counter_flags": {"collect_first_party_data": True}}}
    info, seen = asked(answer, lambda client: client.set_counter_flags(7, collect_first_party_data=True))
    assert address(seen) == ("PUT", "/management/v1/counter/7", {"field": ["counter_flags"]})
    assert sent_json(seen) == {"counter": {"counter_flags": {"collect_first_party_data": True}}}
    assert info.collect_first_party_data is True
    with pytest.raises(ValueError, match="flag"):
        MetricaClient(base_url="http://127.0.0.1:9", token="y0_t").set_counter_flags(7)


def test_one_goal() -> None:
    goal, seen = asked({"goal": GOAL}, lambda client: client.goal(7, 300000001))
    assert address(seen) == ("GET", "/management/v1/counter/7/goal/300000001", {})
    assert (goal.identifier, goal.source, goal.status) == ("good_lead", "user", "Active")


def test_create_goal() -> None:
    draft = GoalDraft("Good lead", "good_lead", default_price=Decimal("12.50"), is_favorite=True)
    goal, seen = asked({"goal": GOAL}, lambda client: client.create_goal(7, draft))
    assert address(seen) == ("POST", "/management/v1/counter/7/goals", {})
    assert b'"default_price": 12.50' in seen.body
    assert sent_json(seen) == {
        "goal": {
            "name": "Good lead",
            "type": "action",
            "conditions": [{"type": "exact", "url": "good_lead"}],
            "is_favorite": True,
            "default_price": Decimal("12.50"),
        }
    }
    assert goal.id == 300000001


def test_editing_a_goal_keeps_what_is_not_known_here() -> None:
    goal, _ = asked({"goal": GOAL}, lambda client: client.goal(7, 300000001))
    draft = replace(GoalDraft.of(goal), name="Better lead", default_price=None)
    _, seen = asked({"goal": GOAL}, lambda client: client.edit_goal(7, goal.id, draft))
    assert address(seen) == ("PUT", "/management/v1/counter/7/goal/300000001", {})
    assert sent_json(seen) == {
        "goal": {
            **{name: value for name, value in GOAL.items() if name != "default_price"},
            "name": "Better lead",
            "is_favorite": True,
        }
    }
    _, seen = asked({"goal": GOAL}, lambda client: client.create_goal(7, draft))
    assert "id" not in sent_json(seen)["goal"], "a copy is a goal of its own"


def test_a_goal_of_another_kind_is_not_edited() -> None:
    answer = {"goal": {"id": 1, "name": "CRM: Order created", "type": "cdp_order_in_progress"}}
    goal, _ = asked(answer, lambda client: client.goal(7, 1))
    with pytest.raises(ValueError, match="JavaScript"):
        GoalDraft.of(goal)


def test_delete_goal() -> None:
    result, seen = asked(SUCCESS, lambda client: client.delete_goal(7, 300000001))
    assert result is None
    assert address(seen) == ("DELETE", "/management/v1/counter/7/goal/300000001", {})
    assert seen.body == b""


def test_grants() -> None:
    grant = {
        "user_login": "north",
        "perm": "edit",
        "created_at": "2026-01-02T03:04:05+03:00",
        "comment": "c",
        "partner_data_access": 1,
    }
    (edit, public), seen = asked(
        {"grants": [grant, {"user_login": "", "perm": "public_stat"}]}, lambda client: client.grants(7)
    )
    assert address(seen) == ("GET", "/management/v1/counter/7/grants", {})
    assert (edit.user_login, edit.perm, edit.comment, edit.partner_data_access) == ("north", "edit", "c", True)
    assert (edit.created_at, public.created_at, public.perm) == ("2026-01-02T03:04:05+03:00", "", "public_stat")
    mine, seen = asked({"grant": grant}, lambda client: client.my_grant(7))
    assert address(seen) == ("GET", "/management/v1/counter/7/my_grant", {})
    assert mine == edit


REPORT = {
    "query": {"ids": [7]},
    "data": [
        {"dimensions": [{"name": "2026-03-04"}, {"name": "Ad", "id": "ad"}], "metrics": [3.0, 43089.54]},
        {"dimensions": [{"name": None}, {"name": "Direct", "id": 5}], "metrics": [None, 0]},
    ],
    "total_rows": 25,
    "sampled": True,
    "totals": [3.0, 43089.54],
}


def a_report(client: MetricaClient, **changes: Any) -> Any:
    return client.report(
        **{
            "ids": [7, 8],
            "metrics": ["ym:s:cdpOrdersPayed", "ym:s:cdpOrdersRUBRevenue"],
            "dimensions": ["ym:s:date", "ym:s:source"],
            "date1": date(2026, 3, 1),
            "date2": date(2026, 3, 31),
            **changes,
        }
    )


def test_report() -> None:
    report, seen = asked(REPORT, lambda client: a_report(client, filters="ym:s:x=='y'", limit=50, accuracy="0.1"))
    assert address(seen) == (
        "GET",
        "/stat/v1/data",
        {
            "ids": ["7,8"],
            "metrics": ["ym:s:cdpOrdersPayed,ym:s:cdpOrdersRUBRevenue"],
            "dimensions": ["ym:s:date,ym:s:source"],
            "date1": ["2026-03-01"],
            "date2": ["2026-03-31"],
            "filters": ["ym:s:x=='y'"],
            "limit": ["50"],
            "accuracy": ["0.1"],
        },
    )
    day, other = report.rows
    assert [(dimension.name, dimension.id) for dimension in day.dimensions] == [("2026-03-04", ""), ("Ad", "ad")]
    assert [(dimension.name, dimension.id) for dimension in other.dimensions] == [("", ""), ("Direct", "5")]
    assert (day.metrics, other.metrics) == ((Decimal(3), Decimal("43089.54")), (None, Decimal(0)))
    assert (report.total_rows, report.sampled, report.totals) == (25, True, (Decimal(3), Decimal("43089.54")))
    assert report.raw["query"] == {"ids": [7]}


def test_a_report_without_rows() -> None:
    body = {"data": [], "total_rows": 0, "totals": [0, 0]}
    report, seen = asked(body, lambda client: a_report(client, dimensions=()))
    assert (report.rows, report.sampled) == ([], False)
    assert "dimensions" not in address(seen)[2]
    assert "filters" not in address(seen)[2]
    assert address(seen)[2]["accuracy"] == ["full"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": []},
        {"ids": range(501)},
        {"metrics": []},
        {"metrics": ["m"] * 21},
        {"dimensions": ["d"] * 11},
        {"limit": 0},
        {"limit": 100_001},
    ],
)
def test_a_report_beyond_the_documented_limits(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="report"):
        a_report(MetricaClient(base_url="http://127.0.0.1:9", token="y0_t"), **changes)
