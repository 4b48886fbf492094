"""Counters are read, their mapping is read and written, and everything stays inside the agency (R11)."""

from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.counters.services import pause
from apps.goals.models import StatusMapping
from tests.factories import make_counter

LIST = "counters/40000001/statuses/"


def test_a_counter_says_how_it_delivers_and_what_blocks_it(api, counter):
    body = api.get("counters/40000001/").body
    assert (body["metrica_id"], body["name"], body["time_zone"]) == (40000001, "Dental clinics", "Europe/Moscow")
    assert (body["paused"], body["blocked"], body["account"]["state"]) == (False, None, "connected")
    pause(counter=counter, reason="New site")
    body = api.get("counters/40000001/").body
    assert (body["paused"], body["pause_reason"], body["blocked"]) == (True, "New site", "counter_paused")


def test_counters_come_by_pages_with_the_same_number_of_queries(api, agency):
    numbers = [make_counter(agency, metrica_id=41000000 + number).metrica_id for number in range(5)]
    api.get("counters/")  # notes the key's use
    seen, path = [], "counters/?limit=2"
    while path:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = api.get(path)
        assert len(queries) == 2  # the key; the counters with their accounts
        seen += [row["metrica_id"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
    assert seen == numbers[::-1]


def test_a_key_sees_its_agency_and_its_counters_only(api, counter, outsider, caller_for, agency):
    make_counter(agency, metrica_id=40000003)
    limited = caller_for(agency, counter_ids=[40000003])
    assert [row["metrica_id"] for row in api.get("counters/").body["results"]] == [40000003, 40000001]
    assert [row["metrica_id"] for row in outsider.get("counters/").body["results"]] == [40000002]
    assert [row["metrica_id"] for row in limited.get("counters/").body["results"]] == [40000003]
    assert outsider.get("counters/40000001/").status == limited.get("counters/40000001/").status == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "bad_limit"),
        ("limit=1001", "bad_limit"),
        ("limit=ten", "bad_limit"),
        ("limit=%D9%A1", "bad_limit"),
        ("cursor=!", "bad_cursor"),
        ("cursor=%00", "bad_text"),
        ("cursor=MQ", "bad_cursor"),  # 1
        ("cursor=ICAtMQ", "bad_cursor"),  # two spaces and -1
        ("cursor=ICA5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ", "bad_cursor"),  # far too large
        ("cursor=w6k", "bad_cursor"),  # é
        ("page=2", "unknown_parameter"),
        ("limit=1&limit=2", "repeated_parameter"),
    ],
)
def test_parameters_that_do_not_fit_are_named(api, counter, query, code):
    answer = api.get(f"counters/?{query}")
    assert (answer.status, answer.codes) == (400, {code})


def test_the_whole_mapping_is_replaced_in_order(api, counter):
    first = [
        {"crm_status": "Новый лид", "type": "IN_PROGRESS"},
        {"crm_status": "Запись в филиал №1", "name": "Branch 1", "type": "OTHER", "goals": ["zapis1", "vse_zapisi"]},
    ]
    answer = api.put(LIST, first)
    assert answer.status == 200
    assert [row["crm_status"] for row in answer.body["results"]] == ["Новый лид", "Запись в филиал №1"]
    assert answer.body["results"][1]["reaches"] == ["zapis1", "vse_zapisi"]
    assert answer.body["results"][0]["reaches"] == ["cdp_order_in_progress"]
    second = [{"crm_status": "Оплачен", "type": "PAID"}, first[0]]
    assert [row["crm_status"] for row in api.put(LIST, second).body["results"]] == ["Оплачен", "Новый лид"]
    assert api.get(LIST).body == api.put(LIST, second).body
    assert api.put(LIST, []).body == {"results": []}


def test_one_wrong_status_leaves_the_mapping_as_it_was(api, counter):
    api.put(LIST, [{"crm_status": "Новый лид", "type": "IN_PROGRESS"}])
    before = api.get(LIST).body
    answer = api.put(LIST, [{"crm_status": "A", "type": "PAID"}, {"crm_status": "B", "type": 7, "goals": "x"}])
    assert answer.status == 400
    assert {(error["index"], error["field"], error["code"]) for error in answer.body["errors"]} == {
        (1, "type", "not_a_text"),
        (1, "goals", "not_a_list"),
    }
    assert api.put(LIST, [{"crm_status": "A", "type": "PAID"}, {"crm_status": "B", "type": "OTHER"}]).status == 400
    assert api.get(LIST).body == before


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {("type", "required")}),
        ({"type": None}, {("type", "invalid_choice")}),
        ({"type": "BOUGHT"}, {("type", "invalid_choice")}),
        ({"type": "PAID", "goal": []}, {("goal", "unknown_field")}),
        ({"type": "PAID", "goals": [1]}, {("goals", "not_a_list")}),
        ({"type": "PAID", "goals": {"a": 1}}, {("goals", "not_a_list")}),
        ({"type": "PAID", "goals": ["a/b"]}, {("goals", "bad_goal_identifier")}),
        ({"type": "PAID", "goals": [f"g{n}" for n in range(11)]}, {("goals", "too_many_goals")}),
        ({"type": "OTHER"}, {("goals", "status_without_goal")}),
        ({"type": "PAID", "metrica_id": "оплачен"}, {("metrica_id", "bad_metrica_id")}),
        ({"type": "PAID", "name": "a\0b"}, {("name", "not_a_text")}),
        ({"type": "PAID", "name": ["x"]}, {("name", "not_a_text")}),
        ({"type": "PAID", "name": "x" * 256}, {("name", "max_length")}),
        ({"type": "PAID", "crm_status": "another"}, {("crm_status", "other_status")}),
    ],
)
def test_a_status_that_does_not_fit_says_where(api, counter, body, fields):
    answer = api.put(LIST + "x/", body)
    assert answer.status == 400
    assert {(error["field"], error["code"]) for error in answer.body["errors"]} == fields
    assert not StatusMapping.objects.exists()


@pytest.mark.parametrize(
    "status", ["Новый лид", "a/b", "a/b/", "/", "statuses", "50 %", "😀", "=cmd|' /C calc'!A0", "a?b#c", "a\\b", "%2F"]
)
def test_a_status_may_be_any_text(api, counter, status):
    address = f"{LIST}{quote(status, safe='')}/"
    assert api.put(address, {"type": "PAID"}).status == 201
    assert api.put(address, {"type": "SPAM"}).status == 200
    assert api.get(address).body["crm_status"] == status
    assert api.get(address).body["type"] == "SPAM"
    assert api.delete(address).status == 204
    assert api.get(address).status == api.delete(address).status == 404


def test_a_status_that_no_database_can_hold_is_not_there(api, counter):
    assert api.get(f"{LIST}%00/").status == 404
    assert api.put(f"{LIST}%00/", {"type": "PAID"}).status == 400
    assert api.put(f"{LIST}%FF/", {"type": "PAID"}).status in (201, 400)
    assert api.put(f"{LIST}{'x' * 300}/", {"type": "PAID"}).status == 400


def test_nobody_elses_mapping(outsider, counter):
    for method, path, body in (
        ("GET", LIST, None),
        ("PUT", LIST, []),
        ("GET", LIST + "x/", None),
        ("PUT", LIST + "x/", {"type": "PAID"}),
        ("DELETE", LIST + "x/", None),
    ):
        assert outsider(method, path, body).status == 404
    assert not StatusMapping.objects.exists()
