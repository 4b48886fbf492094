"""The history of the mapping: a version for each change, and the way back."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from apps.agencies.actor import Actor
from apps.audit.trace import traced
from apps.counters.models import Counter, Mode
from apps.goals.differences import difference
from apps.goals.models import AgreedStatus, MappingVersion, StatusMapping
from apps.goals.services import change_statuses, remove_status, replace_statuses, restore_version, set_status
from apps.goals.statuses import StatusRow
from tests.factories import make_counter

pytestmark = pytest.mark.django_db


@pytest.fixture
def counter() -> Counter:
    return make_counter()


def versions(counter: Counter) -> list[MappingVersion]:
    return list(MappingVersion.objects.filter(counter=counter).order_by("number"))


def kinds(version: MappingVersion) -> list[tuple[str, str]]:
    return [(line["crm_status"], line["kind"]) for line in version.difference]


def mapping(counter: Counter) -> list[tuple[str, str, list[str], str]]:
    rows = StatusMapping.objects.filter(counter=counter)
    return [(row.crm_status, row.type, row.goal_action_ids, row.metrica_id) for row in rows]


def test_every_change_is_one_version_with_who_and_what(counter):
    person = Actor(kind="person", label="anna@north.example", rights=frozenset())
    with traced(actor=person, source="web"):
        set_status(counter=counter, crm_status="new", type="IN_PROGRESS")
    set_status(counter=counter, crm_status="new", type="IN_PROGRESS")  # nothing new, no version
    set_status(counter=counter, crm_status="new", type="PAID", goal_action_ids=["a"])
    remove_status(counter=counter, crm_status="new")
    first, second, third = versions(counter)
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert (first.by, first.source) == ("anna@north.example", "web")
    assert kinds(first) == [("new", "added")]
    assert second.difference == [
        {
            "crm_status": "new",
            "kind": "changed",
            "fields": {"type": ["IN_PROGRESS", "PAID"], "goal_action_ids": [[], ["a"]]},
        }
    ]
    assert [row["type"] for row in second.mapping] == ["PAID"]
    assert kinds(third) == [("new", "removed")]
    assert third.mapping == []


def test_many_rows_at_once_are_one_version(counter, django_assert_max_num_queries):
    statuses = [{"crm_status": f"s{number}", "type": "PAID"} for number in range(50)]
    with django_assert_max_num_queries(15 + 50):  # one for each entry of the audit log
        replace_statuses(counter=counter, statuses=statuses)
    assert [len(version.mapping) for version in versions(counter)] == [50]
    change_statuses(counter=counter, remove=["s1", "s2"], put=[{"crm_status": "s3", "type": "SPAM"}])
    assert kinds(versions(counter)[1]) == [("s3", "changed"), ("s1", "removed"), ("s2", "removed")]


def test_a_refused_change_leaves_no_version(counter):
    set_status(counter=counter, crm_status="a", type="PAID")
    with pytest.raises(ValidationError):
        replace_statuses(
            counter=counter, statuses=[{"crm_status": "b", "type": "PAID"}, {"crm_status": "c", "type": "?"}]
        )
    assert len(versions(counter)) == 1


def test_a_mapping_older_than_its_history_gets_a_first_version(counter):
    StatusMapping.objects.create(counter=counter, crm_status="old", type="PAID", metrica_id="old")
    set_status(counter=counter, crm_status="new", type="SPAM")
    first, second = versions(counter)
    assert (first.by, first.difference, [row["crm_status"] for row in first.mapping]) == ("", [], ["old"])
    assert kinds(second) == [("new", "added")]


def test_going_back_makes_the_mapping_what_it_was_as_a_new_version(counter):
    replace_statuses(
        counter=counter,
        statuses=[
            {"crm_status": "a", "type": "PAID", "metrica_id": "x", "goal_action_ids": ["g"], "name": "A"},
            {"crm_status": "b", "type": "SPAM", "metrica_id": "y"},
        ],
    )
    before = mapping(counter)
    replace_statuses(
        counter=counter,
        statuses=[
            {"crm_status": "b", "type": "PAID", "metrica_id": "x"},  # ids change hands
            {"crm_status": "a", "type": "SPAM", "metrica_id": "y"},
            {"crm_status": "c", "type": "SPAM"},
        ],
    )
    assert mapping(counter) != before
    restore_version(version=versions(counter)[0])
    assert mapping(counter) == before
    last = versions(counter)[-1]
    assert (last.number, last.restores) == (3, 1)
    assert ("", "reordered") in kinds(last)
    assert ("c", "removed") in kinds(last)


def test_going_back_keeps_the_ids_that_metrica_knows_meanwhile(counter):
    set_status(counter=counter, crm_status="a", type="PAID", metrica_id="first")
    set_status(counter=counter, crm_status="b", type="PAID", metrica_id="other")
    set_status(counter=counter, crm_status="b", type="PAID", metrica_id="third")
    set_status(counter=counter, crm_status="a", type="SPAM", metrica_id="other")
    AgreedStatus.objects.create(counter=counter, metrica_id="other", type="SPAM", name="a")
    restore_version(version=versions(counter)[1])
    found = {name: (kind, metrica_id) for name, kind, _goals, metrica_id in mapping(counter)}
    assert found["a"] == ("PAID", "other")
    assert found["b"][1] not in ("other", "")


@pytest.mark.parametrize(
    ("status", "metrica_id"),
    [("Новый лид", "novyy_lid"), ("won", "won"), ("Запись в филиал №1", "zapis_v_filial_1")],
)
def test_a_status_without_an_id_gets_one_from_its_words(counter, status, metrica_id):
    assert set_status(counter=counter, crm_status=status, type="PAID").metrica_id == metrica_id
    # The same again, without the id, leaves it.
    assert set_status(counter=counter, crm_status=status, type="SPAM").metrica_id == metrica_id


def test_ids_are_unique_within_the_counter(counter):
    statuses = ["Новый лид", "новый  лид", "Новый-лид!"]
    done = replace_statuses(counter=counter, statuses=[{"crm_status": one, "type": "PAID"} for one in statuses])
    assert done == {"changed": 3, "removed": 0}
    assert [row[3] for row in mapping(counter)] == ["novyy_lid", "novyy_lid_2", "novyy_lid_3"]
    with pytest.raises(ValidationError) as caught:
        set_status(counter=counter, crm_status="x", type="PAID", metrica_id="novyy_lid")
    assert [error.code for error in caught.value.error_dict["metrica_id"]] == ["metrica_id_taken"]
    assert set_status(counter=make_counter(), crm_status="x", type="PAID", metrica_id="novyy_lid")


def test_an_id_can_be_changed_until_metrica_knows_it(counter):
    set_status(counter=counter, crm_status="a", type="PAID")
    assert set_status(counter=counter, crm_status="a", type="PAID", metrica_id="mine").metrica_id == "mine"
    AgreedStatus.objects.create(counter=counter, metrica_id="mine", type="PAID", name="a")
    with pytest.raises(ValidationError) as caught:
        set_status(counter=counter, crm_status="a", type="PAID", metrica_id="other")
    (error,) = caught.value.error_dict["metrica_id"]
    assert error.code == "metrica_id_fixed"
    assert "mine" in error.messages[0]


def test_detailed_mode_takes_a_status_of_type_other_without_goals(counter):
    Counter.objects.filter(pk=counter.pk).update(mode=Mode.DETAILED)
    counter.refresh_from_db()
    assert set_status(counter=counter, crm_status="a", type="OTHER").goal_action_ids == []


def test_differences_of_equal_mappings_are_none():
    rows = [StatusRow("a", "PAID", ("g",), position=0), StatusRow("b", "SPAM", position=1)]
    assert difference(rows, [StatusRow("a", "PAID", ("g",), position=5), StatusRow("b", "SPAM", position=9)]) == []
    assert [line["kind"] for line in difference(rows, list(reversed(rows)))] == ["reordered"]


def test_statuses_mapped_before_ids_were_derived_get_theirs(counter):
    for number, (status, metrica_id) in enumerate([("Новый", ""), ("новый", ""), ("x", "novyy_2"), ("won", "")]):
        StatusMapping.objects.create(
            counter=counter, crm_status=status, type="PAID", metrica_id=metrica_id, position=number
        )
    import_module("apps.goals.migrations.0002_statuses_and_goals_in_step").name_statuses(apps, None)
    assert [row[3] for row in mapping(counter)] == ["novyy", "novyy_3", "novyy_2", "won"]
