"""Writing the status mapping: what is refused, what is kept, what leaves a trace."""

import pytest
from django.core.exceptions import ValidationError

from apps.audit.models import AuditEntry
from apps.counters.events import counter_changed
from apps.counters.models import Mode
from apps.goals.goal_services import store_goals
from apps.goals.models import Goal, StatusMapping
from apps.goals.services import remove_status, replace_statuses, set_status
from apps.metrica.client import GoalInfo
from tests.factories import make_counter

pytestmark = pytest.mark.django_db


@pytest.fixture
def counter():
    return make_counter(mode=Mode.SIMPLE)


@pytest.fixture
def changes(counter):
    """How often the counter said that held orders may be free."""
    heard = []

    def listen(counter, **_rest):
        heard.append(counter.pk)

    counter_changed.connect(listen)
    yield heard
    counter_changed.disconnect(listen)


def test_a_status_is_set_changed_and_the_same_again_changes_nothing(counter, changes):
    set_status(counter=counter, crm_status=" Встреча ", type="OTHER", goal_action_ids=["meeting", "meeting", " all "])
    mapping = StatusMapping.objects.get()
    assert (mapping.crm_status, mapping.goal_action_ids) == ("Встреча", ["meeting", "all"])
    assert set(Goal.objects.values_list("identifier", flat=True)) == {"meeting", "all"}
    set_status(counter=counter, crm_status="Встреча", type="PAID")
    traces = list(AuditEntry.objects.order_by("id").values_list("action", "after__type"))
    assert traces[-2:] == [("status.added", "OTHER"), ("status.changed", "PAID")]
    assert len(changes) == 2
    set_status(counter=counter, crm_status="Встреча", type="PAID")
    assert len(changes) == 2 and AuditEntry.objects.filter(action="status.changed").count() == 1


@pytest.mark.parametrize(
    ("status", "field", "code"),
    [
        ({"crm_status": "  ", "type": "PAID"}, "crm_status", "bad_status"),
        ({"crm_status": "x" * 256, "type": "PAID"}, "crm_status", "bad_status"),
        ({"crm_status": "a\0b", "type": "PAID"}, "crm_status", "bad_status"),
        ({"crm_status": "x", "type": "paid"}, "type", "invalid_choice"),
        ({"crm_status": "x", "type": "OTHER"}, "goal_action_ids", "status_without_goal"),
        ({"crm_status": "x", "type": "PAID", "goal_action_ids": ["a/b"]}, "goal_action_ids", "bad_goal_identifier"),
        ({"crm_status": "x", "type": "PAID", "goal_action_ids": ["a,b"]}, "goal_action_ids", "bad_goal_identifier"),
        (
            {"crm_status": "x", "type": "PAID", "goal_action_ids": [f"g{n}" for n in range(11)]},
            "goal_action_ids",
            "too_many_goals",
        ),
        ({"crm_status": "x", "type": "PAID", "metrica_id": "запись"}, "metrica_id", "bad_metrica_id"),
    ],
)
def test_what_metrica_would_not_take_is_refused_with_its_field(counter, status, field, code):
    with pytest.raises(ValidationError) as caught:
        set_status(counter=counter, **status)
    assert [error.code for error in caught.value.error_dict[field]] == [code]
    assert not StatusMapping.objects.exists()


def test_ten_goals_are_the_most(counter):
    set_status(counter=counter, crm_status="x", type="PAID", goal_action_ids=[f"g{n}" for n in range(10)])
    assert len(StatusMapping.objects.get().goal_action_ids) == 10


def test_the_whole_list_is_replaced_in_its_order_or_not_at_all(counter, changes):
    first = [{"crm_status": "b", "type": "PAID"}, {"crm_status": "a", "type": "SPAM"}]
    assert replace_statuses(counter=counter, statuses=first) == {"changed": 2, "removed": 0}
    assert list(StatusMapping.objects.values_list("crm_status", flat=True)) == ["b", "a"]
    second = [{"crm_status": "a", "type": "SPAM"}, {"crm_status": "c", "type": "CANCELLED"}]
    assert replace_statuses(counter=counter, statuses=second) == {"changed": 2, "removed": 1}
    assert list(StatusMapping.objects.values_list("crm_status", flat=True)) == ["a", "c"]
    assert replace_statuses(counter=counter, statuses=second) == {"changed": 0, "removed": 0}
    with pytest.raises(ValidationError):
        replace_statuses(
            counter=counter, statuses=[{"crm_status": "d", "type": "PAID"}, {"crm_status": "e", "type": "?"}]
        )
    assert list(StatusMapping.objects.values_list("crm_status", flat=True)) == ["a", "c"]
    assert len(changes) == 2


def test_a_removed_status_leaves_its_last_state_in_the_log(counter):
    set_status(counter=counter, crm_status="x", type="PAID")
    assert remove_status(counter=counter, crm_status="x") is True
    assert remove_status(counter=counter, crm_status="x") is False
    assert AuditEntry.objects.get(action="status.removed").before["type"] == "PAID"


def test_goals_of_metrica_are_kept_and_known_ones_brought_up_to_date(counter, changes):
    def info(id, identifier, name, type="action"):
        return GoalInfo(
            id=id, name=name, type=type, identifier=identifier, condition_type="exact", default_price=None,
            is_favorite=False, raw={},
        )  # fmt: skip

    set_status(counter=counter, crm_status="x", type="OTHER", goal_action_ids=["good_lead"])
    goals = [info(1, "good_lead", "Good lead"), info(2, "call", "Call"), info(3, None, "Created", "cdp_order_paid")]
    assert store_goals(counter=counter, goals=goals) == 2
    assert list(Goal.objects.values_list("identifier", "metrica_goal_id")) == [("call", 2), ("good_lead", 1)]
    heard = len(changes)
    goals.append(info(4, "x" * 256, "Too long for any order to name, and for the column"))
    assert store_goals(counter=counter, goals=goals) == 2
    assert len(changes) == heard  # nothing new, nobody is told
