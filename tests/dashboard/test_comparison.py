"""The comparison itself: what it asks Metrica, what it keeps, and that it survives what happens between two steps."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.counters.models import AccountState, ApiCall, Breaker, Counter
from apps.counters.services import disconnect_account, update_counter
from apps.dashboard.comparison import adding_up, nightly, reading, running, turns
from apps.dashboard.models import CompareState, Comparison, DayFigures, Side
from apps.orders.models import StatusChange
from apps.uploads.models import Upload
from tests.dashboard.conftest import Loop
from tests.metrica.servers import envelope

pytestmark = pytest.mark.django_db(transaction=True)


def messages() -> int:
    """To the workers, about comparisons."""
    return sum(message.func() == "apps.dashboard.tasks.compare" for message in OrmQ.objects.all())


def asked_reports(loop: Loop) -> list[list[str]]:
    return [query["metrics"].split(",") for query in loop.metrica.queries]


def test_both_sides_stand_side_by_side(loop: Loop) -> None:
    loop.push("A-1", "new", "won", revenue="5000", cost="3200")
    loop.push("A-2", "new")
    loop.push("A-3", "junk", ago=1)
    loop.deliver()
    loop.metrica.set(
        loop.day(3), visits=9, cdpOrdersAllOrders=2, cdpOrdersInProgress=1, cdpOrdersPayed=1, deal=1,
        cdpOrdersRUBRevenue=5000, cdpOrdersRUBProfit=1800.25, cdp_order_in_progress=2, cdp_order_paid=1,
    )  # fmt: skip
    loop.metrica.set(loop.day(1), visits=4, cdpOrdersSpam=1)
    state = loop.compare()
    assert (state.state, state.error_code) == (CompareState.IDLE, "")
    theirs = loop.theirs(3)
    assert (theirs.visits, theirs.orders, theirs.in_progress, theirs.paid) == (9, 2, 1, 1)
    assert (theirs.revenue, theirs.profit) == (Decimal(5000), Decimal("1800.25"))
    assert theirs.goals == {
        "cdp_order_in_progress": 2,
        "cdp_order_paid": 1,
        "cdp_order_cancelled": 0,
        "cdp_order_spam": 0,
        "deal": 1,
        "good_lead": 0,
    }
    assert (loop.theirs(1).spam, loop.ours(1).spam) == (1, 1)
    assert loop.ours(2).orders == 2
    assert loop.theirs(2).orders == 0  # a day without rows is a day of zeros
    assert state.matched == 1.0
    assert state.matched_before is None
    assert state.read_at is not None and timezone.now() - state.read_at < timedelta(minutes=1)


def test_the_period_is_asked_from_the_earliest_visit_that_an_order_can_have(loop: Loop) -> None:
    loop.push("A-1", "new")
    loop.deliver()
    loop.compare()
    [query] = loop.metrica.queries
    assert query["ids"] == str(loop.counter.metrica_id)
    assert query["dimensions"] == "ym:s:date"
    assert (query["date1"], query["date2"]) == (loop.day(27 + 21).isoformat(), loop.today.isoformat())
    assert query["accuracy"] == "full"
    assert DayFigures.objects.filter(side=Side.OURS).count() == 28
    assert DayFigures.objects.filter(side=Side.METRICA).count() == 49


def test_many_goals_come_in_groups_of_twenty_metrics_each_with_visits(loop: Loop) -> None:
    names = [f"goal_{number}" for number in range(50)]
    loop.metrica.goals = ["good_lead", "deal", "somebody_elses", *names]
    loop.push("A-1", "won", goals=[{"goal_action_id": goal} for goal in names])
    loop.deliver()
    loop.metrica.set(loop.day(2), goal_49=7, goal_0=3)
    loop.compare()
    groups = asked_reports(loop)
    assert [len(group) for group in groups] == [20, 20, 20, 8]
    assert all(group[0] == "ym:s:visits" for group in groups)
    metrics = [metric for group in groups for metric in group[1:]]
    assert len(metrics) == len(set(metrics)) == 6 + 2 + 4 + 52
    assert (loop.theirs(2).goals["goal_49"], loop.theirs(2).goals["goal_0"]) == (7, 3)
    assert "somebody_elses" not in loop.theirs(2).goals
    assert loop.ours(2).goals["goal_49"] == 1


def test_money_is_not_asked_for_in_a_currency_that_reports_do_not_have(loop: Loop) -> None:
    update_counter(counter=loop.counter, currency="KZT")
    loop.push("A-1", "won", revenue="5")
    loop.deliver()
    loop.compare()
    assert not any("Revenue" in metric or "Profit" in metric for group in asked_reports(loop) for metric in group)
    assert loop.theirs(2).revenue is None
    assert loop.ours(2).revenue == 5


def test_what_else_may_explain_a_difference_is_kept(loop: Loop) -> None:
    loop.metrica.goals, loop.metrica.condition = ["deal"], "contain"
    loop.metrica.first_party, loop.metrica.zone = False, "Asia/Omsk"
    loop.push("A-1", "lead", "won")
    loop.deliver()
    assert loop.compare().facts == {
        "time_zone": "Asia/Omsk",
        "missing_goals": ["good_lead"],
        "loose_goals": ["deal"],
        "sampled": False,
        "crm_goals": ["cdp_order_cancelled", "cdp_order_in_progress", "cdp_order_paid", "cdp_order_spam"],
    }


def test_of_goals_with_one_identifier_the_exact_one_is_asked(loop: Loop) -> None:
    from apps.metrica.answers import GoalInfo

    def goal(number: int, condition: str) -> GoalInfo:
        return GoalInfo(number, "x", "action", "deal", condition, None, False, {})

    for goals in ([goal(1, "contain"), goal(2, "exact")], [goal(2, "exact"), goal(1, "contain")]):
        assert reading._goals_to_ask(goals, {"deal"}) == {"deal": "ym:s:goal2reaches"}


# ---- which days ----


def test_only_days_that_may_have_changed_are_added_up_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_COMMITTED_LATE", timedelta(0))
    monkeypatch.setattr(adding_up, "SHOWN_AFTER", timedelta(0))
    loop.push("A-1", "new", ago=5)
    loop.push("A-2", "new", ago=60)
    loop.deliver()
    loop.compare()
    days: list[Any] = []
    real = adding_up.add_up
    monkeypatch.setattr(adding_up, "add_up", lambda **given: days.append(given["day"]) or real(**given))
    nightly_run(loop)
    assert days == [loop.today]
    loop.push("A-1", "won", ago=5, clock=timezone.localtime().time().replace(hour=1))
    loop.push("A-2", "won", ago=60)
    loop.push("A-3", "new", ago=200)  # Metrica takes nothing of it any more
    loop.deliver()
    days.clear()
    nightly_run(loop)
    assert days == [loop.today, loop.day(5), loop.day(60)]
    assert loop.ours(5).paid == 1
    assert loop.ours(60).paid == 1
    assert loop.metrica.queries[-1]["date1"] == loop.day(60 + 21).isoformat()


def test_what_was_fresh_one_night_is_not_the_next(loop: Loop) -> None:
    loop.push("A-1", "new", ago=2)
    loop.deliver()
    hour, day = timedelta(hours=1), timedelta(days=1)
    StatusChange.objects.update(delivered_at=timezone.now() - hour)
    Upload.objects.update(finished_at=timezone.now() - hour)
    loop.compare()
    assert loop.ours(2).fresh == 1
    StatusChange.objects.update(delivered_at=timezone.now() - hour - day)
    Upload.objects.update(finished_at=timezone.now() - hour - day)
    Comparison.objects.update(added_up_to=timezone.now() - day)
    nightly_run(loop)
    assert loop.ours(2).fresh == 0


def nightly_run(loop: Loop) -> Comparison:
    Comparison.objects.filter(pk=loop.counter.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    nightly.on_tick(now=timezone.now())
    running.run(loop.counter.pk)
    return loop.state()


def test_a_person_names_more_days_and_they_are_all_added_up(loop: Loop) -> None:
    loop.push("A-1", "new", ago=200)
    loop.deliver()
    loop.compare()
    assert not DayFigures.objects.filter(side=Side.OURS, day=loop.day(200)).exists()
    loop.compare(days=201)
    assert loop.ours(200).late == 1
    assert loop.metrica.queries[-1]["date1"] == loop.day(200 + 21).isoformat()
    assert loop.state().asked_days == 0


@pytest.mark.parametrize("days", [-1, 367])
def test_days_out_of_range_are_refused(loop: Loop, days: int) -> None:
    with pytest.raises(ValidationError) as refusal:
        running.request(counter=loop.counter, days=days)
    assert refusal.value.error_dict["days"][0].code == "days_out_of_range"
    assert not Comparison.objects.exists()


@pytest.mark.parametrize("change", [{"time_zone": "Asia/Vladivostok"}, {"currency": "USD"}])
def test_another_zone_or_currency_makes_all_figures_anew(loop: Loop, change: dict[str, str]) -> None:
    loop.push("A-1", "new", ago=60)
    loop.push("A-2", "won", ago=5, revenue="7", currency="USD")
    loop.deliver()
    loop.compare(days=70)
    loop.counter = update_counter(counter=loop.counter, **change)
    loop.compare(days=1)
    ours = DayFigures.objects.filter(side=Side.OURS)
    assert ours.count() == 28  # nothing of the former basis is left
    assert sum(one.paid for one in ours) == 1
    assert sum(one.revenue or 0 for one in ours) == (7 if "currency" in change else 0)


# ---- faults ----


def test_a_passing_fault_is_tried_again_later_and_says_why(loop: Loop) -> None:
    loop.push("A-1", "new")
    loop.deliver()
    loop.metrica.refusals = [
        (503, envelope("backend_error", code=503)),
        (429, envelope("quota_requests_by_ip", code=429)),
    ]
    state = loop.compare()
    assert (state.state, state.error_code) == (CompareState.QUEUED, "backend_error")
    assert state.not_before is not None
    assert loop.ours(2).orders == 1  # what was added up is kept
    for _turn in range(3):
        Comparison.objects.filter(not_before__isnull=False).update(not_before=timezone.now())
        running.run(loop.counter.pk)
    state = loop.state()
    assert (state.state, state.error_code, state.failed_at) == (CompareState.IDLE, "", None)
    assert len(loop.metrica.queries) == 3
    assert loop.theirs(2).visits == 0


def test_before_its_time_nobody_tries_again_but_a_person(loop: Loop) -> None:
    loop.metrica.refusals = [(503, envelope("backend_error", code=503))]
    loop.compare()
    Comparison.objects.update(not_before=timezone.now() + timedelta(hours=1))
    running.run(loop.counter.pk)
    nightly.on_tick(now=timezone.now())
    assert len(loop.metrica.queries) == 1
    assert loop.compare().state == CompareState.IDLE
    assert len(loop.metrica.queries) == 2


def test_the_quota_of_the_day_is_waited_for_till_midnight_in_greenwich(loop: Loop) -> None:
    loop.metrica.refusals = [(429, envelope("quota_requests_by_uid", code=429))]
    state = loop.compare()
    assert state.error_code == "quota_requests_by_uid"
    assert state.not_before is not None
    assert state.not_before.astimezone().date() >= timezone.now().date()
    assert state.not_before.hour in (0, 1)


def test_what_does_not_pass_ends_after_some_attempts_with_its_reason(loop: Loop) -> None:
    loop.metrica.refusals = [(503, envelope("backend_error", code=503))] * 50
    loop.compare()
    for _turn in range(20):
        Breaker.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
        Comparison.objects.filter(not_before__isnull=False).update(not_before=timezone.now())
        running.run(loop.counter.pk)
    state = loop.state()
    assert (state.state, state.error_code) == (CompareState.IDLE, "backend_error")
    assert state.failed_at is not None
    assert len(loop.metrica.queries) == running.MOST_ATTEMPTS
    assert AuditEntry.objects.filter(action="comparison.failed").count() == 1


def test_a_refused_token_disconnects_the_account(loop: Loop) -> None:
    loop.metrica.refusals = [(403, envelope("invalid_token", code=403))]
    state = loop.compare()
    assert (state.state, state.error_code) == (CompareState.IDLE, "invalid_token")
    assert loop.counter.account is not None
    loop.counter.account.refresh_from_db()
    assert loop.counter.account.state == AccountState.DISCONNECTED


def test_what_stops_a_comparison_is_said_without_a_call(loop: Loop) -> None:
    assert loop.counter.account is not None
    Counter.objects.update(time_zone="")
    assert loop.compare().error_code == "unknown_time_zone"
    Counter.objects.update(time_zone="Europe/Moscow")
    disconnect_account(account=loop.counter.account, reason="x")
    assert loop.compare().error_code == "account_disconnected"
    Counter.objects.update(account=None)
    assert loop.compare().error_code == "account_disconnected"
    type(loop.counter.agency).objects.update(is_active=False)
    assert loop.compare().error_code == "agency_closed"
    assert not ApiCall.objects.exists()
    assert (loop.state().state, loop.state().asked_days) == (CompareState.IDLE, 0)
    assert messages() == 4  # it does not ask itself again


def test_a_comparison_waits_for_the_reports_that_metrica_allows(loop: Loop, settings: Any) -> None:
    settings.METRICA_REPORTS_PER_5_MINUTES = 0
    state = loop.compare()
    assert (state.state, state.error_code) == (CompareState.QUEUED, "quota_reports")
    assert state.not_before is not None
    assert timedelta(seconds=285) < state.not_before - timezone.now() < timedelta(seconds=320)
    assert loop.metrica.queries == []
    assert state.attempts == 0, "nothing was tried"
    settings.METRICA_REPORTS_PER_5_MINUTES = 200
    assert loop.compare().error_code == ""


def test_a_fault_of_our_own_is_tried_again_and_then_given_up(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_given: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(reading, "read", broken)
    loop.compare()
    for _turn in range(20):
        Comparison.objects.filter(not_before__isnull=False).update(not_before=timezone.now())
        running.run(loop.counter.pk)
    assert (loop.state().state, loop.state().error_code) == (CompareState.IDLE, "internal_error")


# ---- turns ----


def test_one_worker_at_a_time(loop: Loop) -> None:
    running.request(counter=loop.counter)
    turn = turns.claim(loop.counter.pk)
    assert turn is not None
    assert turns.claim(loop.counter.pk) is None
    running.run(loop.counter.pk)
    assert loop.metrica.queries == []


def test_a_worker_thought_dead_writes_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is overtaken between Metrica's answer and the keeping of it."""
    loop.push("A-1", "new")
    loop.deliver()
    real = reading.read

    def slow(**given: Any) -> Any:
        read = real(**given)
        monkeypatch.setattr(reading, "read", real)
        Comparison.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        loop.metrica.set(loop.day(2), visits=5)
        running.run(loop.counter.pk)
        return read

    monkeypatch.setattr(reading, "read", slow)
    state = loop.compare()
    assert len(loop.metrica.queries) == 2
    assert loop.theirs(2).visits == 5
    assert (state.state, state.fence) == (CompareState.IDLE, 2)
    assert AuditEntry.objects.filter(action="comparison.finished").count() == 1


def test_a_long_comparison_takes_turns_with_others(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", -1)
    loop.push("A-1", "new")
    loop.deliver()
    loop.compare()
    assert (loop.state().state, loop.state().lease_until) == (CompareState.QUEUED, None)
    assert messages() == 2  # asked for, and put back
    monkeypatch.setattr(turns, "TURN_SECONDS", 60)
    running.run(loop.counter.pk)
    assert loop.state().matched == 0.0
    assert loop.ours(2).bindable == 1


def test_the_lease_is_renewed_in_the_midst_of_a_long_day(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """On either database a write in between leaves the reading of the day whole."""
    monkeypatch.setattr("apps.counters.turns._RENEWED_EVERY", -1)
    monkeypatch.setattr(adding_up, "CHUNK", 2)
    for number in range(9):
        loop.push(f"A-{number}", "new")
    loop.deliver()
    steps = []
    real = turns.Turn.write  # each step is one, and each renewal
    monkeypatch.setattr(turns.Turn, "write", lambda turn, **given: steps.append(1) or real(turn, **given))
    assert loop.compare().error_code == ""
    assert loop.ours(2).orders == 9
    assert len(steps) == 5 + 28 + 3  # chunks, days; the plan, before and after Metrica's answer


def test_days_done_before_a_breakdown_are_not_done_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[Any] = []
    real = adding_up.add_up

    def broken(**given: Any) -> DayFigures:
        days.append(given["day"])
        if len(days) == 10:
            raise RuntimeError("the machine goes down")
        return real(**given)

    monkeypatch.setattr(adding_up, "add_up", broken)
    loop.compare()
    Comparison.objects.update(not_before=None)
    running.run(loop.counter.pk)
    assert len(days) == 29
    assert days[9] == days[10]
    assert loop.state().state == CompareState.IDLE


def test_what_is_asked_for_meanwhile_comes_next(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = reading.read

    def asked_meanwhile(**given: Any) -> Any:
        monkeypatch.setattr(reading, "read", real)
        running.request(counter=loop.counter, days=40)
        return real(**given)

    monkeypatch.setattr(reading, "read", asked_meanwhile)
    loop.compare()
    assert loop.state().state == CompareState.QUEUED
    running.run(loop.counter.pk)
    assert loop.state().state == CompareState.IDLE
    assert DayFigures.objects.filter(side=Side.OURS).count() == 40


def test_who_asked_and_what_came_of_it_is_in_the_audit_log(loop: Loop) -> None:
    loop.compare(days=30)
    asked, finished = AuditEntry.objects.filter(action__startswith="comparison.").order_by("pk")
    assert (asked.action, asked.details["days"]) == ("comparison.requested", 30)
    assert (finished.action, finished.object_id) == ("comparison.finished", str(loop.counter.pk))
