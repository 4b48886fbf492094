"""PATCH counters/{id}/, and what a counter in detailed mode declares: custom attributes and products."""

import pytest

from apps.audit.models import AuditEntry
from apps.counters.models import Counter

COUNTER = "counters/40000001/"


def test_the_mode_is_switched_with_the_trace_of_what_it_brings(api, counter):
    answer = api.patch(COUNTER, {"mode": "detailed", "schedule": "1h"})
    assert answer.status == 200
    assert (answer.body["mode"], answer.body["schedule"], answer.body["first_clients_at"]) == ("detailed", "1h", None)
    [entry] = AuditEntry.objects.filter(action="counter.mode_switched")
    assert entry.after == {"mode": "detailed"}
    assert api.patch(COUNTER, {"mode": "detailed"}).status == 200
    assert AuditEntry.objects.filter(action="counter.mode_switched").count() == 1


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"mode": "both"}, "mode", "invalid_choice"),
        ({"schedule": "soon"}, "schedule", "bad_schedule"),
        ({"time_zone": "Mars"}, "time_zone", "unknown_time_zone"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"name": 5}, "name", "not_a_text"),
        ({"name": ""}, "name", "blank"),
        ({"hash_identifiers": "yes"}, "hash_identifiers", "not_a_boolean"),
        ({"keep_files_days": 0}, "keep_files_days", "out_of_range"),
        ({"keep_people_days": 20}, "keep_people_days", "out_of_range"),
        ({"keep_people_days": 36_501}, "keep_people_days", "out_of_range"),
        ({"keep_files_days": True}, "keep_files_days", "not_a_number"),
        ({"keep_people_days": "30"}, "keep_people_days", "not_a_number"),
        ({"wave_pause_seconds": -1}, "wave_pause_seconds", "not_a_number"),
        ({"metrica_id": 5}, "metrica_id", "unknown_field"),
    ],
)
def test_what_does_not_fit_is_told_by_field_and_changes_nothing(api, counter, body, field, code):
    answer = api.patch(COUNTER, {"mode": "detailed", **body})
    assert answer.status == 400
    assert [(error["field"], error["code"]) for error in answer.body["errors"]] == [(field, code)]
    counter.refresh_from_db()
    assert counter.mode == "simple"


def test_for_how_long_people_are_kept_is_said_with_its_trace(api, counter):
    body = api.patch(COUNTER, {"keep_files_days": 90, "keep_people_days": 21, "hash_identifiers": True}).body
    assert (body["keep_files_days"], body["keep_people_days"], body["hash_identifiers"]) == (90, 21, True)
    entry = AuditEntry.objects.get(action="counter.changed")
    said = ("keep_files_days", "keep_people_days", "hash_identifiers")
    assert [entry.before[name] for name in said] == [None, None, False]
    assert [entry.after[name] for name in said] == [90, 21, True]
    assert api.patch(COUNTER, {"keep_files_days": None}).body["keep_files_days"] is None
    assert api.get(COUNTER).body["keep_people_days"] == 21


def test_attributes_are_replaced_as_a_list(api, counter):
    wanted = [{"entity": "CONTACT", "name": "age", "type": "numeric"}, {"entity": "ORDER", "name": "branch"}]
    answer = api.put(f"{COUNTER}attributes/", wanted)
    assert answer.status == 200
    assert answer.body == {
        "results": [
            {"entity": "CONTACT", "name": "age", "type": "numeric", "multivalued": False, "humanized": ""},
            {"entity": "ORDER", "name": "branch", "type": "text", "multivalued": False, "humanized": ""},
        ],
        "at_metrica": False,
    }
    Counter.objects.update(attributes_sent=1)
    assert api.get(f"{COUNTER}attributes/").body["at_metrica"] is True
    assert api.put(f"{COUNTER}attributes/", []).body["results"] == []


def test_a_bad_attribute_or_product_is_told(api, counter):
    answer = api.put(f"{COUNTER}attributes/", [{"entity": "ORDER"}, {"entity": "ORDER", "name": "a", "multivalued": 1}])
    assert answer.status == 400
    told = [(error["index"], error["field"], error["code"]) for error in answer.body["errors"]]
    assert told == [(0, "name", "required"), (1, "multivalued", "not_a_boolean")]
    assert api.put(f"{COUNTER}attributes/", [{"entity": "ORDER", "name": "revenue"}]).status == 400
    answer = api.put(f"{COUNTER}products/", [{"name": "Laptop TG12"}])
    assert (answer.status, answer.body["errors"][0]["code"]) == (400, "bad_name")
    assert "Laptop TG12" in answer.body["errors"][0]["message"]
    assert api.put(f"{COUNTER}products/", {"name": "a"}).body["code"] == "not_an_array"


def test_products_are_replaced_as_a_list(api, counter):
    assert api.put(f"{COUNTER}products/", [{"name": "sku-1", "humanized": "Mug"}, {"name": "sku-2"}]).status == 200
    answer = api.put(f"{COUNTER}products/", [{"name": "sku-2", "humanized": "Cup"}])
    assert answer.body == {"results": [{"name": "sku-2", "humanized": "Cup"}], "at_metrica": False}


def test_a_counter_is_paused_with_a_reason_and_goes_on(api, counter):
    body = api.patch("counters/40000001/", {"paused": True, "pause_reason": "New site", "schedule": "1h"}).body
    assert (body["paused"], body["pause_reason"], body["blocked"], body["schedule"]) == (
        *(True, "New site", "counter_paused", "1h"),
    )
    assert api.patch("counters/40000001/", {"paused": True}).body["pause_reason"] == "New site"
    body = api.patch("counters/40000001/", {"paused": False}).body
    assert (body["paused"], body["pause_reason"], body["blocked"]) == (False, "", None)
    for wrong, code in (({"paused": "no"}, "not_a_boolean"), ({"pause_reason": "x"}, "not_paused")):
        assert api.patch("counters/40000001/", wrong).codes == {code}
    assert api.patch("counters/40000001/", {"paused": True, "pause_reason": "x" * 256}).codes == {"max_length"}
