"""What a counter needs to deliver: each step as it stands, for many counters by the same number of queries."""

from typing import Any

import pytest

from apps.counters.checkup import Level, findings
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import pause
from apps.goals.models import Goal, StepState
from apps.goals.services import set_status
from apps.orders.intake import accept_all
from tests.factories import make_agency, make_counter

pytestmark = pytest.mark.django_db

ALL = ("account", "zone", "goals", "mapping", "orders", "upload", "schedule", "matching")


def steps(counter: Counter) -> dict[str, Any]:
    counter = Counter.objects.select_related("account").get(pk=counter.pk)
    return {step.code: step for step in findings([counter])[counter.pk]}


def push(counter: Counter, status: str = "won") -> None:
    row = {"id": "A-1", "create_date_time": "2026-11-01 10:00", "order_status": status, "emails": ["a@mail.example"]}
    assert not accept_all(counter=counter, rows=[row], source="api", actor_label="crm").rejected


def test_steps_stand_in_the_order_in_which_they_are_done() -> None:
    assert tuple(steps(make_counter())) == ALL


def test_a_counter_that_delivers_well_has_nothing_left() -> None:
    counter = make_counter(schedule="daily 03:00")
    set_status(counter=counter, crm_status="won", type="PAID", goal_action_ids=["deal"])
    Goal.objects.update(synced_at=counter.created_at)
    StepState.objects.create(counter=counter, goals_read_at=counter.created_at)
    push(counter)
    Counter.objects.update(last_passed_at=counter.created_at, advanced_matching=True, permission="edit")
    assert {step.level for step in steps(counter).values()} == {Level.DONE}


def test_each_lack_is_named() -> None:
    counter = make_counter(time_zone="")
    MetricaAccount.objects.update(state="disconnected")
    found = steps(counter)
    assert {code for code, step in found.items() if step.level == Level.NEEDED} == {
        *("account", "zone", "mapping", "orders", "upload")
    }
    assert found["upload"].url == "", "nothing can be uploaded before the rest is done"
    assert all(step.step for step in found.values() if step.level != Level.DONE)


def test_without_an_account_nobody_is_sent_to_ask_metrica() -> None:
    counter = make_counter(time_zone="")
    Counter.objects.update(account=None)
    found = steps(counter)
    assert found["account"].level == Level.NEEDED
    assert (found["zone"].url, found["matching"].url) == ("", "")


def test_a_right_that_does_not_suffice_is_told_before_the_first_upload_fails() -> None:
    counter = make_counter()
    Counter.objects.update(permission="view")
    assert "may only look at this counter" in str(steps(counter)["account"].text)
    MetricaAccount.objects.update(scopes="metrika:read")
    assert "do not include uploading" in str(steps(counter)["account"].text)


def test_a_status_that_nobody_mapped_and_a_goal_that_is_gone() -> None:
    counter = make_counter()
    set_status(counter=counter, crm_status="won", type="PAID", goal_action_ids=["gone"])
    Goal.objects.update(synced_at=counter.created_at, missing_since=counter.created_at)
    StepState.objects.create(counter=counter, goals_read_at=counter.created_at)
    push(counter, "strange")
    found = steps(counter)
    assert (found["orders"].level, found["goals"].level) == (Level.NEEDED, Level.NEEDED)
    assert "gone" in str(found["goals"].text)
    assert f"counter__id__exact={counter.pk}&reason=unmapped_status" in found["orders"].url


def test_a_pause_is_something_to_do() -> None:
    counter = make_counter()
    pause(counter=counter, reason="the season is over")
    assert "the season is over" in str(steps(counter)["schedule"].text)


def test_many_counters_cost_as_much_as_one(django_assert_num_queries: Any) -> None:
    agency = make_agency()
    for number in range(5):
        counter = make_counter(agency, name=f"Shop {number}")
        set_status(counter=counter, crm_status="won", type="PAID", goal_action_ids=["deal"])
        push(counter, "strange")
    counters = list(Counter.objects.select_related("account", "agency"))
    for some in (counters[:1], counters):
        with django_assert_num_queries(4):
            assert len(findings(some)) == len(some)


def test_a_paused_counter_is_resumed_by_its_own_act() -> None:
    counter = make_counter()
    pause(counter=counter, reason="x")
    schedule = steps(counter)["schedule"]
    assert (schedule.level, schedule.url) == (Level.NEEDED, f"/admin/counters/counter/{counter.pk}/resume/")
