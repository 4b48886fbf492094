"""Goals in step with Metrica: what is read, what is marked, what is created, over real HTTP."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.models import Counter
from apps.goals import sync
from apps.goals.goal_checks import Issue, issues, issues_of
from apps.goals.models import Goal
from apps.goals.services import set_status
from apps.metrica.client import GoalDraft
from apps.metrica.errors import PermanentError
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxGoal
from tests.goals.metrica import TOKEN

pytestmark = pytest.mark.django_db(transaction=True)


def found(counter: Counter) -> list[tuple[str, str]]:
    return [(issue.identifier, issue.code) for issue in issues_of(counter, now=timezone.now())]


def use(counter: Counter, *goals: str) -> None:
    set_status(counter=counter, crm_status="meeting", type="OTHER", goal_action_ids=list(goals))


def delete(goal: SandboxGoal) -> None:

    account = Counter.objects.get().account
    url = f"{account.base_url}/management/v1/counter/{goal.counter.metrica_id}/goal/{goal.pk}"
    assert httpx.delete(url, headers={"Authorization": f"OAuth {TOKEN}"}).status_code == 200


def test_goals_are_made_with_an_exact_condition_name_price_and_favourite(counter, at_metrica):
    use(counter, "good_lead", "call")
    draft = GoalDraft(name="Good lead", identifier="good_lead", default_price=Decimal("12.50"), is_favorite=True)
    done = sync.create_goals(counter=counter, goals=[draft, GoalDraft(name="", identifier="call")])
    assert done == sync.Created(created=["good_lead", "call"], there=[])
    made = {goal.identifier: goal for goal in SandboxGoal.objects.filter(counter=at_metrica, type="action")}
    assert (made["good_lead"].name, made["good_lead"].condition_type) == ("Good lead", "exact")
    assert made["call"].name == "call"
    kept = Goal.objects.get(identifier="good_lead")
    assert (kept.metrica_goal_id, kept.default_price, kept.is_favorite) == (made["good_lead"].pk, Decimal("12.5"), True)
    assert timezone.now() - kept.appeared_at < timedelta(minutes=1)
    entries = AuditEntry.objects.filter(action="goal.created_at_metrica").order_by("id")
    assert [entry.after["identifier"] for entry in entries] == ["good_lead", "call"]
    assert found(counter) == []


def test_a_goal_that_somebody_made_before_is_not_made_twice(counter, at_metrica):
    use(counter, "call")
    sandbox.add_goal(counter=at_metrica, identifier="call", name="Call")
    done = sync.create_goals(counter=counter, goals=[GoalDraft(name="x", identifier="call")])
    assert done == sync.Created(created=[], there=["call"])
    assert SandboxGoal.objects.filter(counter=at_metrica, identifier="call").count() == 1
    assert Goal.objects.get(identifier="call").name == "Call"


def test_what_metrica_would_refuse_or_is_too_much_is_refused_before_any_call(counter, at_metrica):
    for identifier, code in (("a/b", "bad_goal_identifier"), ("  ", "required")):
        with pytest.raises(ValidationError) as caught:
            sync.create_goals(counter=counter, goals=[GoalDraft(name="x", identifier=identifier)])
        assert [error.code for error in caught.value.error_dict["identifier"]] == [code]
    many = [GoalDraft(name="x", identifier=f"g{number}") for number in range(21)]
    with pytest.raises(ValidationError):
        sync.create_goals(counter=counter, goals=many)
    assert not SandboxGoal.objects.filter(counter=at_metrica, type="action").exists()


def test_without_an_account_the_error_says_so(counter):
    counter.account = None
    with pytest.raises(PermanentError) as caught:
        sync.create_goals(counter=counter, goals=[GoalDraft(name="x", identifier="x")])
    assert caught.value.code == "unauthorized"


def test_nothing_is_said_of_goals_before_they_were_read(counter, at_metrica):
    use(counter, "good_lead")
    assert found(counter) == []
    sync.refresh(counter=counter)
    assert found(counter) == [("good_lead", "goal_missing")]


def test_a_deleted_goal_is_marked_and_one_made_again_is_not(counter, at_metrica):
    use(counter, "call")
    goal = sandbox.add_goal(counter=at_metrica, identifier="call")
    sync.refresh(counter=counter)
    assert found(counter) == []
    delete(goal)
    sync.refresh(counter=counter)
    assert found(counter) == [("call", "goal_deleted")]
    assert Goal.objects.get(identifier="call").missing_since is not None
    entry = AuditEntry.objects.filter(action="goals.read_from_metrica").latest("id")
    assert entry.after == {"gone": ["call"]}
    sync.create_goals(counter=counter, goals=[GoalDraft(name="Call", identifier="call")])
    assert found(counter) == []
    assert Goal.objects.get(identifier="call").metrica_goal_id != goal.pk


def test_a_goal_that_goes_by_another_identifier_now_says_which(counter, at_metrica):
    use(counter, "call")
    goal = sandbox.add_goal(counter=at_metrica, identifier="call")
    sync.refresh(counter=counter)
    SandboxGoal.objects.filter(pk=goal.pk).update(identifier="phone_call")
    sync.refresh(counter=counter)
    (issue,) = issues_of(counter, now=timezone.now())
    assert issue.code == "goal_moved"
    assert "phone_call" in str(issue.text)


def test_a_new_name_is_told_for_a_while(counter, at_metrica):
    use(counter, "call")
    goal = sandbox.add_goal(counter=at_metrica, identifier="call", name="Call")
    sync.refresh(counter=counter)
    SandboxGoal.objects.filter(pk=goal.pk).update(name="Phone call")
    sync.refresh(counter=counter)
    sync.refresh(counter=counter)
    (issue,) = issues_of(counter, now=timezone.now())
    assert (issue.code, issue.serious) == ("goal_renamed", False)
    assert "“Call” is “Phone call” now" in str(issue.text)
    assert issues_of(counter, now=timezone.now() + timedelta(days=15)) == []


def test_a_condition_that_is_not_exact_is_told(counter, at_metrica):
    use(counter, "call")
    sandbox.add_goal(counter=at_metrica, identifier="call", condition_type="contain")
    sync.refresh(counter=counter)
    assert found(counter) == [("call", "goal_not_exact")]


def test_how_long_a_goal_is_there_is_known_only_after_the_first_reading(counter, at_metrica):
    sandbox.add_goal(counter=at_metrica, identifier="old")
    sync.refresh(counter=counter)
    sandbox.add_goal(counter=at_metrica, identifier="new")
    sync.refresh(counter=counter)
    assert Goal.objects.get(identifier="old").appeared_at is None
    first = Goal.objects.get(identifier="new").appeared_at
    assert first is not None
    sync.refresh(counter=counter)
    assert Goal.objects.get(identifier="new").appeared_at == first


def test_a_forbidden_sign_comes_before_all_else():
    goals = {"a=b": Goal(identifier="a=b", synced_at=timezone.now(), condition="contain")}
    (issue,) = issues(used=["a=b"], goals=goals, was_read=True, now=timezone.now())
    assert isinstance(issue, Issue)
    assert (issue.code, issue.can_be_created) == ("goal_bad_identifier", False)
