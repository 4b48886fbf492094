"""Statuses in step with Metrica: ours go out by themselves, somebody else's are shown before anything happens."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.models import Counter, Mode
from apps.goals import status_sync
from apps.goals.models import AgreedStatus, MappingVersion, StatusMapping, StepState
from apps.goals.services import remove_status, replace_statuses, set_status
from apps.goals.status_lines import Line, Said, digest, lines_between
from apps.metrica.errors import PermanentError
from apps.sandbox.models import SandboxCounter
from apps.sandbox.services import set_switch
from tests.factories import make_account, make_counter
from tests.goals.metrica import Forgetful, Statuses, counter_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["merge", "replace"])
def metrica(request: Any, at_metrica: SandboxCounter) -> Statuses:
    """Both readings of what POST does: the documents leave it open."""
    set_switch(name="status_mapping", value=request.param)
    return Statuses(at_metrica)


@pytest.fixture
def counter(metrica: Statuses, live_server: Any) -> Counter:
    counter = counter_of(metrica.counter, live_server.url)
    Counter.objects.filter(pk=counter.pk).update(mode=Mode.DETAILED)
    counter.refresh_from_db()
    set_status(counter=counter, crm_status="Новый лид", type="IN_PROGRESS", metrica_id="lead")
    set_status(counter=counter, crm_status="Встреча", type="OTHER", goal_action_ids=["met", "all"], metrica_id="met")
    return counter


def later(counter: Counter, **by: int) -> None:
    """Time passes since the sides were compared."""
    state = StepState.objects.get(counter=counter)
    StepState.objects.filter(counter=counter).update(looked_at=state.looked_at - timedelta(**by))


def out_of_step(counter: Counter) -> list[str]:
    with pytest.raises(status_sync.StatusesOutOfStep) as caught:
        status_sync.ensure_in_step(counter=counter)
    assert caught.value.code == "statuses_out_of_step"
    assert caught.value.next_step
    return [line.metrica_id for line in caught.value.lines]


def test_the_mapping_goes_out_once_and_costs_nothing_while_it_stays(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    assert metrica.all() == {
        "lead": {"humanized": "Новый лид", "type": "IN_PROGRESS", "goal_action_ids": []},
        "met": {"humanized": "Встреча", "type": "OTHER", "goal_action_ids": ["met", "all"]},
    }
    calls = metrica.calls()
    assert calls == 3  # looked, sent, read back
    status_sync.ensure_in_step(counter=counter)
    assert metrica.calls() == calls
    (entry,) = AuditEntry.objects.filter(action="statuses.pushed_to_metrica")
    assert entry.before == {"lead": None, "met": None}
    assert entry.after["met"]["goal_action_ids"] == ["met", "all"]


def test_after_a_while_it_looks_again_and_only_looks(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    later(counter, minutes=59)
    status_sync.ensure_in_step(counter=counter)
    assert metrica.calls("GET") == 2
    later(counter, minutes=2)
    status_sync.ensure_in_step(counter=counter)
    assert (metrica.calls("GET"), metrica.calls("POST")) == (3, 1)


def test_our_own_change_goes_out_by_itself(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    set_status(counter=counter, crm_status="Встреча", type="PAID", name="Met them")
    set_status(counter=counter, crm_status="Оплата", type="PAID")
    status_sync.ensure_in_step(counter=counter)
    assert metrica["met"]["type"] == "PAID"
    assert metrica["met"]["humanized"] == "Met them"
    assert metrica["oplata"]["type"] == "PAID"
    remove_status(counter=counter, crm_status="Оплата")
    status_sync.ensure_in_step(counter=counter)
    assert "oplata" in metrica.all()  # Metrica knows no way to take a status back


def test_what_stands_at_metrica_besides_is_never_lost_and_stops_nobody(counter, metrica):
    metrica.put("foreign", "SPAM", "Somebody's", "spam_goal")
    status_sync.ensure_in_step(counter=counter)
    assert metrica["foreign"]["goal_action_ids"] == ["spam_goal"]
    assert {"lead", "met"} < set(metrica.all())
    (line,) = status_sync.compare(counter=counter).lines
    assert (line.metrica_id, line.kind, line.blocks) == ("foreign", "theirs_only", False)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "PAID"},
        {"humanized": "Call"},
        {"goal_action_ids": ["met"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_somebody_elses_change_stops_before_anything_is_overwritten(counter, metrica, change):
    status_sync.ensure_in_step(counter=counter)
    metrica.change("met", **change)
    later(counter, hours=2)
    assert out_of_step(counter) == ["met"]
    assert metrica.calls("POST") == 1
    assert {name: metrica["met"][name] for name in change} == change
    # It is remembered for a while, then asked again: somebody may have put it right there.
    calls = metrica.calls()
    assert out_of_step(counter) == ["met"]
    assert metrica.calls() == calls
    assert [line.metrica_id for line in status_sync.known_drift(counter)] == ["met"]
    metrica.put("met", "OTHER", "Встреча", "all", "met")
    later(counter, minutes=6)
    status_sync.ensure_in_step(counter=counter)
    assert status_sync.known_drift(counter) == []


def test_a_status_taken_away_there_is_somebody_elses_change_too(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.remove("met")
    later(counter, hours=2)
    assert out_of_step(counter) == ["met"]


def test_what_stood_there_before_our_first_push_is_shown_first(counter, metrica):
    metrica.put("met", "SPAM", "Older")
    assert out_of_step(counter) == ["met"]
    assert metrica.calls("POST") == 0


def test_a_change_of_ours_waits_with_somebody_elses(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.change("met", type="PAID")
    set_status(counter=counter, crm_status="Новый лид", type="SPAM")
    assert out_of_step(counter) == ["met"]
    assert metrica["lead"]["type"] == "IN_PROGRESS"


def test_ours_can_overwrite_after_it_was_shown_and_both_versions_are_in_the_log(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.put("met", "PAID", "Call", "other_goal")
    seen = status_sync.compare(counter=counter)
    assert [line.metrica_id for line in seen.blocking] == ["met"]
    left = status_sync.push(counter=counter, take=["met"], shown=seen.shown)
    assert left.lines == []
    assert metrica["met"]["type"] == "OTHER"
    entry = AuditEntry.objects.filter(action="statuses.pushed_to_metrica").latest("id")
    assert entry.before == {"met": {"type": "PAID", "name": "Call", "goal_action_ids": ["other_goal"]}}
    assert entry.after == {"met": {"type": "OTHER", "name": "Встреча", "goal_action_ids": ["met", "all"]}}
    calls = metrica.calls()
    status_sync.ensure_in_step(counter=counter)
    assert metrica.calls() == calls


def test_theirs_can_be_taken_and_both_versions_are_in_the_log(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.put("met", "PAID", "Call", "other_goal")
    metrica.put("foreign", "SPAM", "Чужой")
    seen = status_sync.compare(counter=counter)
    left = status_sync.pull(counter=counter, take=["met", "foreign"], shown=seen.shown)
    assert left.lines == []
    rows = {row.metrica_id: row for row in StatusMapping.objects.filter(counter=counter)}
    assert (rows["met"].crm_status, rows["met"].type, rows["met"].name) == ("Встреча", "PAID", "Call")
    assert rows["met"].goal_action_ids == ["other_goal"]
    assert (rows["foreign"].crm_status, rows["foreign"].type) == ("Чужой", "SPAM")
    entry = AuditEntry.objects.get(action="statuses.taken_from_metrica")
    assert entry.before["met"]["type"] == "OTHER"
    assert entry.after["met"]["type"] == "PAID"
    assert entry.before["foreign"] is None
    assert metrica.calls("POST") == 1  # nothing was sent
    version = MappingVersion.objects.filter(counter=counter).latest("number")
    assert [line["crm_status"] for line in version.difference] == ["Встреча", "Чужой"]
    status_sync.ensure_in_step(counter=counter)


def test_taking_what_was_deleted_there_takes_it_out_here(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.remove("met")
    status_sync.pull(counter=counter, take=["met"])
    assert [row.crm_status for row in StatusMapping.objects.filter(counter=counter)] == ["Новый лид"]
    assert not AgreedStatus.objects.filter(metrica_id="met").exists()


def test_what_changed_again_since_it_was_shown_is_not_overwritten(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.change("met", type="PAID")
    seen = status_sync.compare(counter=counter)
    metrica.change("met", type="SPAM")
    with pytest.raises(PermanentError) as caught:
        status_sync.push(counter=counter, take=["met"], shown=seen.shown)
    assert caught.value.code == "statuses_changed_meanwhile"
    assert metrica["met"]["type"] == "SPAM"


def test_of_two_differences_one_can_be_settled_alone(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    metrica.change("met", type="PAID")
    metrica.change("lead", humanized="Lead")
    left = status_sync.push(counter=counter, take=["met"])
    assert [line.metrica_id for line in left.lines] == ["lead"]
    assert metrica["lead"]["humanized"] == "Lead"
    assert out_of_step(counter) == ["lead"]


def test_a_comparison_alone_does_not_count_as_a_push(counter, metrica):
    lines = status_sync.compare(counter=counter).lines
    assert [(line.metrica_id, line.kind, line.blocks) for line in lines] == [
        ("lead", "ours_only", False),
        ("met", "ours_only", False),
    ]
    status_sync.ensure_in_step(counter=counter)
    assert set(metrica.all()) == {"lead", "met"}


def test_what_metrica_takes_and_does_not_keep_is_told(counter):
    with Forgetful(loses=frozenset({"met"})).serve() as server:
        counter.account = make_account(counter.agency, base_url=server.url)
        counter.save()
        with pytest.raises(PermanentError) as caught:
            status_sync.ensure_in_step(counter=counter)
    assert caught.value.code == "statuses_not_taken"
    assert "met" in str(caught.value.message)
    assert not AgreedStatus.objects.exists()


def test_metricas_own_statuses_are_nobodys_difference_and_are_not_sent(counter, metrica):
    set_switch(name="default_statuses", value="listed")
    status_sync.ensure_in_step(counter=counter)
    assert [status["id"] for status in metrica.sent()] == ["lead", "met"]
    assert status_sync.compare(counter=counter).lines == []
    metrica.put("SPAM", "SPAM", "Spam", "own_goal")  # one that somebody added to is kept like any other
    set_status(counter=counter, crm_status="Новый лид", type="SPAM")
    status_sync.ensure_in_step(counter=counter)
    assert metrica["SPAM"]["goal_action_ids"] == ["own_goal"]


def test_an_empty_mapping_needs_nobody(metrica):
    status_sync.ensure_in_step(counter=make_counter(account=make_account(base_url="http://127.0.0.1:1")))


def test_another_metrica_begins_anew(counter, metrica):
    """Rehearsed in the sandbox, then meant in earnest: what is not there yet was taken away by nobody."""
    status_sync.ensure_in_step(counter=counter)
    elsewhere = Forgetful(loses=frozenset())
    with elsewhere.serve() as server:
        counter.account = make_account(counter.agency, base_url=server.url)
        counter.save()
        status_sync.ensure_in_step(counter=counter)
        assert set(elsewhere.statuses) == {"lead", "met"}
        # And what stands there with another meaning is shown first, as ever.
        elsewhere.statuses["met"]["type"] = "SPAM"
        later(counter, hours=2)
        assert out_of_step(counter) == ["met"]


def test_an_id_is_fixed_once_metrica_knows_it(counter, metrica):
    set_status(counter=counter, crm_status="Встреча", type="OTHER", goal_action_ids=["met", "all"], metrica_id="call")
    status_sync.ensure_in_step(counter=counter)
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError) as caught:
        set_status(counter=counter, crm_status="Встреча", type="PAID", metrica_id="met")
    assert [error.code for error in caught.value.error_dict["metrica_id"]] == ["metrica_id_fixed"]
    assert set_status(counter=counter, crm_status="Встреча", type="PAID").metrica_id == "call"


def test_the_whole_mapping_replaced_keeps_ids_that_metrica_knows(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    replace_statuses(counter=counter, statuses=[{"crm_status": "Встреча", "type": "PAID"}])
    assert StatusMapping.objects.get(counter=counter).metrica_id == "met"


class TestLines:
    """Who changed what, without a server."""

    one, other, third = Said("PAID", "a"), Said("SPAM", "a"), Said("OTHER", "a", ("g",))

    @pytest.mark.parametrize(
        ("ours", "theirs", "agreed", "blocks", "changed_by_us"),
        [
            (one, None, None, False, True),  # new here
            (one, None, one, True, False),  # taken away there
            (one, other, one, True, False),  # changed there
            (one, other, other, False, True),  # changed here
            (one, other, third, True, True),  # changed by both
            (one, other, None, True, True),  # was there before us
        ],
    )
    def test_of_ours(self, ours, theirs, agreed, blocks, changed_by_us):
        (line,) = lines_between(
            ours={"x": ("X", ours)},
            theirs={"x": theirs} if theirs else {},
            agreed={"x": agreed} if agreed else {},
        )
        assert (line.blocks, line.changed_by_us) == (blocks, changed_by_us)
        assert Line.from_json(line.to_json()) == line

    def test_the_order_of_goals_and_of_statuses_means_nothing(self):
        ab, ba = Said("OTHER", "x", ("a", "b")), Said("OTHER", "x", ("b", "a"))
        assert lines_between(ours={"x": ("X", ab)}, theirs={"x": ba}, agreed={}) == []
        assert digest([("x", ab), ("y", self.one)]) == digest([("y", self.one), ("x", ba)])
        assert digest([("x", ab)]) != digest([("y", ab)])

    def test_what_we_gave_up_and_what_metrica_has_by_itself_is_nobodys_difference(self):
        theirs = {"old": self.one, "PAID": Said("PAID", "Paid"), "SPAM": Said("PAID", "x"), "odd": self.other}
        lines = lines_between(ours={}, theirs=theirs, agreed={"old": self.one})
        assert [line.metrica_id for line in lines] == ["SPAM", "odd"]
        assert not any(line.blocks for line in lines)


def test_the_hour_is_counted_from_the_last_look(counter, metrica):
    status_sync.ensure_in_step(counter=counter)
    assert timezone.now() - StepState.objects.get(counter=counter).looked_at < timedelta(minutes=1)
