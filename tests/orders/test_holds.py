"""R8: nothing waits silently. What cannot go is held with a reason, and goes when its cause is gone."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.counters import services as counters
from apps.counters.models import Counter, MetricaAccount, Mode
from apps.goals import services as goals
from apps.goals.models import StatusMapping
from apps.orders import delivery, holds
from apps.orders.events import changes_accepted
from apps.orders.models import Delivery, HoldReason, HoldReview, StatusChange
from tests.factories import make_counter
from tests.orders.conftest import NOW, Send, later, row, timeline

MONTHS_AGO = (NOW - timedelta(days=112)).isoformat()


def fresh(counter: Counter) -> Counter:
    return Counter.objects.select_related("account").get(pk=counter.pk)


def account_of(counter: Counter) -> MetricaAccount:
    account = fresh(counter).account
    assert account is not None
    return account


def reasons(order_id: str = "D-1") -> list[str]:
    return [change.hold_reason for change in timeline(order_id)]


def pause(counter: Counter) -> None:
    counters.pause(counter=counter, reason="holidays")


def disconnect(counter: Counter) -> None:
    counters.disconnect_account(account=account_of(counter), reason="token refused")


def forget_zone(counter: Counter) -> None:
    Counter.objects.filter(pk=counter.pk).update(time_zone="")


def nothing(counter: Counter) -> None:
    pass


def map_without_goal(counter: Counter, status: str) -> None:
    """As it is left when a counter goes from the detailed mode to the simple one."""
    StatusMapping.objects.create(counter=counter, crm_status=status, type="OTHER")
    counters.touch(counter)


WITH_OFFSET = "2026-11-18T14:05:00+03:00"
FUTURE = "2026-11-20T15:06:00+03:00"  # six minutes ahead


class TestReasons:
    @pytest.mark.parametrize(
        ("prepare", "fields", "reason"),
        [
            pytest.param(nothing, {}, None, id="nothing is wrong"),
            pytest.param(pause, {}, "counter_paused", id="paused"),
            pytest.param(disconnect, {}, "account_disconnected", id="disconnected"),
            pytest.param(forget_zone, {}, "unknown_time_zone", id="no zone"),
            pytest.param(nothing, {"order_status": "Новый лид"}, "unmapped_status", id="unmapped"),
            pytest.param(nothing, {"order_status": "Отказ"}, "status_without_goal", id="OTHER without a goal"),
            pytest.param(nothing, {"client_ids": None}, "no_identifiers", id="nobody"),
            pytest.param(nothing, {"status_date_time": FUTURE}, "future_date", id="status ahead"),
            pytest.param(nothing, {"create_date_time": FUTURE}, "future_date", id="creation ahead"),
            pytest.param(nothing, {"create_date_time": "2026-11-21"}, "future_date", id="created tomorrow"),
            pytest.param(nothing, {"status_date_time": "2026-11-21"}, "future_date", id="status of tomorrow"),
            pytest.param(nothing, {"status_date_time": "2026-11-20 15:05"}, None, id="a clock five minutes ahead"),
            pytest.param(nothing, {"create_date_time": "2026-11-20"}, None, id="created today"),
            pytest.param(nothing, {"status_date_time": "2026-11-20"}, None, id="status of today"),
            pytest.param(nothing, {"create_date_time": MONTHS_AGO}, None, id="an old order that Metrica never saw"),
        ],
    )
    def test_each(
        self, send: Send, counter: Counter, prepare: Callable[[Counter], None], fields: Any, reason: str | None
    ) -> None:
        map_without_goal(counter, "Отказ")
        prepare(counter)
        report = send(row(**{"create_date_time": WITH_OFFSET, **fields}), counter=fresh(counter))
        assert report.results[0].hold == reason
        [change] = timeline()
        assert (change.delivery, change.hold_reason) == ("held" if reason else "waiting", reason or "")

    def test_which_comes_first(self, send: Send, counter: Counter) -> None:
        """The counter's own reasons stand before the row's; mending one shows the next."""
        bad = row(order_status="?", client_ids=None, create_date_time=WITH_OFFSET, status_date_time=FUTURE)
        forget_zone(counter)
        disconnect(counter)
        pause(counter)
        seen = []
        for mend in (
            lambda: counters.resume(counter=fresh(counter)),
            lambda: MetricaAccount.objects.update(state="connected"),
            lambda: Counter.objects.update(time_zone="Europe/Moscow"),
            lambda: map_without_goal(fresh(counter), "?"),
            lambda: goals.set_status(counter=fresh(counter), crm_status="?", type="OTHER", goal_action_ids=["a"]),
            lambda: send({**bad, "emails": "a@x.example"}),
            lambda: None,
        ):
            send(bad, counter=fresh(counter))
            holds.review(fresh(counter), now=NOW)
            seen.append(timeline()[0].hold_reason)
            mend()
        assert seen == [
            "counter_paused",
            "account_disconnected",
            "unknown_time_zone",
            "unmapped_status",
            "status_without_goal",
            "no_identifiers",
            "future_date",
        ]

    def test_a_status_without_a_goal_goes_in_the_detailed_mode(self, send: Send) -> None:
        detailed = make_counter()
        Counter.objects.filter(pk=detailed.pk).update(mode=Mode.DETAILED)
        map_without_goal(detailed, "Отказ")
        assert send(row(order_status="Отказ"), counter=detailed).results[0].hold is None

    def test_metrica_takes_no_update_after_111_days(self, send: Send) -> None:
        send(row(create_date_time=MONTHS_AGO))
        assert send(later(order_status="PAID")).results[0].hold == HoldReason.UPDATE_WINDOW_CLOSED
        send(row(id="D-2", create_date_time=(NOW - timedelta(days=110)).isoformat()))
        assert send(later(id="D-2", order_status="PAID")).results[0].hold is None

    def test_a_client_known_by_another_order_is_enough(self, send: Send) -> None:
        send(row(id="D-0", client_uniq_id="C-1"))
        assert send(row(client_ids=..., client_uniq_id="C-1")).results[0].hold is None

    def test_a_held_change_does_not_hold_the_next(self, send: Send) -> None:
        send(row(order_status="?"), later(order_status="PAID"))
        assert reasons() == ["unmapped_status", ""]

    def test_an_order_that_gives_up_its_own_is_found_by_its_client(self, send: Send) -> None:
        send(row(client_uniq_id="C-1"))
        assert send(later(client_ids=None, order_status="PAID")).results[0].hold is None


class TestIdentifiersThatGo:
    """R8: what waits and cannot go any more is held at once, wherever a call was cut."""

    @pytest.mark.parametrize("chunk_size", [1, 10])
    def test_the_last_one_is_taken_away(self, send: Send, chunk_size: int) -> None:
        report = send(row(), later(client_ids=None), row(id="D-2"), chunk_size=chunk_size)
        assert [result.hold for result in report.results][1:] == ["no_identifiers", None]
        assert reasons() == ["no_identifiers"] * 2
        assert reasons("D-2") == [""]

    def test_with_the_client(self, send: Send) -> None:
        send(row(id="D-9", client_uniq_id="C-1"), row(client_ids=..., client_uniq_id="C-1"))
        assert reasons() == [""]
        send(later(client_uniq_id="C-2"))
        assert reasons() == ["no_identifiers"] * 2

    def test_what_is_on_its_way_stays_so(self, send: Send) -> None:
        send(row())
        delivery.claim(change_ids=[timeline()[0].pk], upload_id=uuid.uuid4())
        send(later(client_ids=None))
        assert [change.delivery for change in timeline()] == ["sending", "held"]


class TestIdentifiersThatComeLater:
    def test_in_the_same_call(self, send: Send) -> None:
        report = send(row(client_ids=...), later(emails="a@x.example"))
        assert [result.hold for result in report.results] == [None, None]
        assert reasons() == ["", ""]

    def test_with_a_later_call(self, send: Send) -> None:
        send(row(client_ids=...), row(id="D-2", client_ids=..., order_status="?"), row(id="D-3", client_ids=...))
        send(later(emails="a@x.example"), later(id="D-2", order_status="?", emails="b@x.example"))
        assert reasons("D-1") == ["", ""]
        assert reasons("D-2") == ["unmapped_status", "unmapped_status"]
        assert reasons("D-3") == ["no_identifiers"]

    def test_with_another_order_of_the_client(self, send: Send) -> None:
        send(row(client_ids=..., client_uniq_id="C-1"), row(id="D-2", client_ids=...))
        assert reasons() == ["no_identifiers"]
        send(row(id="D-9", client_uniq_id="C-1"))
        assert reasons() == [""]
        assert reasons("D-2") == ["no_identifiers"]

    def test_with_a_client_that_has_them_already(self, send: Send) -> None:
        send(row(id="D-9", client_uniq_id="C-9"), row(client_ids=...))
        assert reasons() == ["no_identifiers"]
        send(later(order_status="PAID", client_uniq_id="C-9"))
        assert reasons() == ["", ""]

    def test_with_a_row_that_is_no_change_itself(self, send: Send) -> None:
        send(row(id="D-9", client_uniq_id="C-9"), row(client_ids=..., client_uniq_id="C-1"))
        late = {"status_date_time": "2026-11-18 14:05"}
        report = send(later(id="D-9", **late, client_uniq_id="C-1", client_ids="1700000000123456789"))
        assert report.unchanged == 0
        assert reasons() == [""]


class TestReview:
    def test_a_mapping_frees_what_it_held(
        self, send: Send, counter: Counter, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        told: list[int] = []

        def listen(counter_id: int, **_rest: Any) -> None:
            told.append(counter_id)

        send(row(order_status="A"), row(id="D-2", order_status="B"))
        goals.set_status(counter=counter, crm_status="A", type="PAID")
        changes_accepted.connect(listen)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                assert holds.review(counter) == 1
        finally:
            changes_accepted.disconnect(listen)
        assert (reasons("D-1"), reasons("D-2")) == ([""], ["unmapped_status"])
        assert told == [counter.pk]
        assert HoldReview.objects.get(counter=counter).revision == fresh(counter).revision

    def test_a_blocked_counter_holds_what_waits_and_lets_it_go(self, send: Send, counter: Counter) -> None:
        send(row(), row(id="D-2", order_status="?"))
        pause(counter)
        holds.review(counter)
        assert (reasons("D-1"), reasons("D-2")) == (["counter_paused"], ["unmapped_status"])
        disconnect(counter)
        counters.resume(counter=fresh(counter))
        holds.review(counter)
        assert reasons("D-1") == ["account_disconnected"], "the reason that is true now"
        MetricaAccount.objects.update(state="connected")
        assert holds.review(counter) == 1
        assert (reasons("D-1"), reasons("D-2")) == ([""], ["unmapped_status"])

    def test_what_is_on_its_way_or_done_is_left_alone(self, send: Send, counter: Counter) -> None:
        send(row(), row(id="D-2"))
        upload = uuid.uuid4()
        delivery.claim(change_ids=[timeline("D-1")[0].pk], upload_id=upload)
        pause(counter)
        holds.review(counter)
        assert [change.delivery for change in (*timeline("D-1"), *timeline("D-2"))] == ["sending", "held"]

    def test_what_a_person_held_stays_held(self, send: Send, counter: Counter) -> None:
        send(row())
        delivery.hold(change_ids=[timeline()[0].pk], reason=HoldReason.BY_HAND)
        assert holds.review(counter) == 0
        assert reasons() == ["by_hand"]

    def test_a_decision_of_a_person_outlives_the_review(self, send: Send, counter: Counter) -> None:
        send(row(create_date_time=MONTHS_AGO), later(order_status="PAID"))
        StatusChange.objects.filter(hold_reason="update_window_closed").update(forced=True)
        assert holds.review(counter, now=NOW) == 1

    def test_it_reads_by_the_chunk(
        self, send: Send, counter: Counter, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
    ) -> None:
        send(*(row(id=f"D-{number}", order_status="A") for number in range(25)))
        goals.set_status(counter=counter, crm_status="A", type="PAID")
        monkeypatch.setattr(holds, "CHUNK", 10)
        assert holds.review(counter) == 25
        assert set(StatusChange.objects.values_list("delivery", flat=True)) == {Delivery.WAITING}

    def test_a_change_of_the_counter_calls_for_one(self, send: Send, counter: Counter) -> None:
        assert list(holds.review_behind()) == []
        send(row(order_status="A"))
        goals.set_status(counter=counter, crm_status="A", type="PAID")
        assert [one.pk for one in holds.review_behind()] == [counter.pk]
        holds.review(counter)
        assert list(holds.review_behind()) == []


class TestTheFuture:
    def test_it_is_freed_when_it_has_come(self, send: Send) -> None:
        send(
            row(status_date_time="2026-11-20 18:00"),
            row(id="D-2", status_date_time="2026-11-22"),
            row(id="D-3", create_date_time="2026-11-22"),
        )
        assert holds.release_due_future(now=NOW) == 0
        assert holds.release_due_future(now=NOW + timedelta(hours=3)) == 1
        assert [reasons("D-1"), reasons("D-2"), reasons("D-3")] == [[""], ["future_date"], ["future_date"]]
        assert holds.release_due_future(now=NOW + timedelta(days=1, hours=10)) == 2

    def test_another_cause_is_shown_when_it_has_come(self, send: Send, counter: Counter) -> None:
        send(row(status_date_time="2026-11-20 18:00"))
        pause(counter)
        assert holds.release_due_future(now=NOW + timedelta(hours=3)) == 0
        assert reasons() == ["counter_paused"]
