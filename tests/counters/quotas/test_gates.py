"""R10: Metrica's numbers are kept for everybody together, and between agencies in turn; the same in both stores."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.counters.kept_back import NoPlace
from apps.counters.quotas import limits, places
from apps.counters.quotas.kinds import Call, Kind, call_of
from tests.counters.quotas.conftest import NOON, A, B, C, Desk

MIDNIGHT = NOON + 12 * 3600


class TestAtOnce:
    def test_three_of_a_login_whichever_agency_calls(self, desk: Desk) -> None:
        held = [desk.take(agency=agency) for agency in (A, B, A)]
        assert desk.refused(agency=C) == "quota_place_login"
        assert desk.refused(login="south") == "", "another login has its own three"
        assert desk.refused(host=f"other.{desk.host}") == "", "and so has another Metrica"
        held[1].release(now=NOON + 1)
        assert desk.refused(NOON + 100, agency=C) == ""

    def test_a_place_whose_process_was_killed_comes_free_when_the_call_must_have_ended(self, desk: Desk) -> None:
        for seconds in (50, 60, 70):
            desk.take(seconds=seconds)
        assert desk.refused(NOON + 49) == "quota_place_login"
        assert desk.refused(NOON + 51) == ""

    def test_a_call_that_we_gave_up_may_still_run_at_metrica(self, desk: Desk) -> None:
        first, *_others = [desk.take(seconds=300) for _number in range(3)]
        first.release(given_up=True, now=NOON + 5)
        assert desk.refused(NOON + 5 + limits.GIVEN_UP - 1) == "quota_place_login"
        assert desk.refused(NOON + 5 + limits.GIVEN_UP + 1) == ""

    def test_a_process_of_this_machine_that_is_gone_is_seen(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        here = places.this_process().partition(":")[0]
        monkeypatch.setattr(places, "this_process", lambda: f"{here}:{ended.pid}")
        desk.take(seconds=600)
        monkeypatch.undo()
        desk.take(seconds=600)
        desk.take(seconds=600)
        assert desk.refused(NOON + 1) == "quota_place_login"
        assert desk.refused(NOON + limits.DEAD) == "quota_place_login", "Metrica finishes what it has begun"
        assert desk.refused(NOON + limits.DEAD + 2) == ""
        desk.take(NOON + limits.DEAD + 3, seconds=600)
        assert desk.refused(NOON + 500) == "quota_place_login", "those that live keep theirs"

    def test_it_is_seen_as_well_where_a_place_is_free_but_kept_for_another(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held = [desk.take(seconds=600) for _number in range(3)]
        assert desk.refused(agency=B) == "quota_place_login", "it goes away and is expected back"
        for place in held:
            place.release(now=NOON + 1)
        for _number in range(2):
            desk.take(NOON + 1, seconds=600)
        assert desk.refused(NOON + 2) == "quota_place_login", "the third is kept for B"
        monkeypatch.setattr("apps.counters.quotas.sharing.is_gone", lambda _process: True)
        assert desk.refused(NOON + 2) == "quota_place_login"
        assert desk.refused(NOON + 2 + limits.DEAD + 1) == ""


class TestInASecond:
    def test_thirty_from_one_address_whichever_login(self, desk: Desk) -> None:
        for number in range(30):
            desk.take(login=f"login-{number}").release(now=NOON + 0.5)
        assert desk.refused(NOON + 0.9, login="one-more") == "quota_second"
        assert desk.refused(NOON + 1.4, login="one-more") == "quota_second", "they may have arrived half a second ago"
        assert desk.refused(NOON + 1.51, login="one-more") == ""

    def test_a_call_may_arrive_at_any_moment_until_it_ends(self, desk: Desk) -> None:
        held = [desk.take(login=f"login-{number}") for number in range(30)]
        assert desk.refused(NOON + 3, login="one-more") == "quota_second"
        held[0].release(now=NOON + 3)
        assert desk.refused(NOON + 3.9, login="one-more") == "quota_second"
        assert desk.refused(NOON + 4.1, login="one-more") == ""

    def test_long_uploads_have_arrived_after_some_seconds(self, desk: Desk) -> None:
        for number in range(30):
            desk.take(login=f"login-{number}", seconds=600)
        assert desk.refused(NOON + limits.ARRIVAL + 0.9, login="one-more") == "quota_second"
        assert desk.refused(NOON + limits.ARRIVAL + 1.1, login="one-more") == ""

    def test_machines_with_addresses_of_their_own(self, desk: Desk, settings: Any) -> None:
        for number in range(30):
            desk.take(login=f"login-{number}")
        settings.METRICA_OUTGOING_ADDRESS = "192.0.2.7"
        assert desk.refused(login="one-more") == ""


class TestInADay:
    @pytest.fixture(autouse=True)
    def _ten_a_day(self, settings: Any) -> None:
        settings.METRICA_CALLS_PER_DAY = 10

    def spend(self, desk: Desk, calls: int, now: float = NOON, **who: Any) -> None:
        for number in range(calls):
            assert desk.refused(now + number * 0.1, **who) == ""

    def test_reading_writing_and_reports_count_apart(self, desk: Desk) -> None:
        for kind in (Kind.READ, Kind.WRITE, Kind.REPORT):
            self.spend(desk, 10, kind=kind)
            assert desk.refused(NOON + 2, kind=kind) == "quota_day_login"

    def test_uploads_count_as_reading_and_as_writing(self, desk: Desk) -> None:
        """Which it is, is not documented."""
        self.spend(desk, 4, kind=Kind.CDP_READ)
        self.spend(desk, 6, kind=Kind.CDP_WRITE)
        for kind in (Kind.READ, Kind.WRITE, Kind.CDP_READ, Kind.CDP_WRITE):
            assert desk.refused(NOON + 2, kind=kind) == "quota_day_login"
        assert desk.refused(NOON + 2, kind=Kind.REPORT) == ""

    def test_the_calls_to_a_counter_whoever_makes_them(self, desk: Desk) -> None:
        self.spend(desk, 6, login="one", counters=(7,))
        self.spend(desk, 4, login="other", counters=(7,))
        assert desk.refused(NOON + 2, login="third", counters=(7,)) == "quota_day_counter"
        assert desk.refused(NOON + 2, login="third", counters=(8,)) == ""

    def test_they_come_back_a_minute_after_midnight_of_gmt(self, desk: Desk) -> None:
        self.spend(desk, 10)
        with pytest.raises(NoPlace) as caught:
            desk.take(NOON + 3600)
        assert (
            datetime(2026, 11, 27, 0, 1, tzinfo=UTC) <= caught.value.until <= datetime(2026, 11, 27, 0, 2, tzinfo=UTC)
        )
        assert caught.value.daily
        assert desk.refused(MIDNIGHT + 30) == "quota_day_login", "Metrica's clock may be behind"
        assert desk.refused(MIDNIGHT + 61) == ""

    def test_what_goes_around_midnight_counts_for_both_days(self, desk: Desk) -> None:
        self.spend(desk, 5, MIDNIGHT - 30)
        self.spend(desk, 5, MIDNIGHT + 90)
        assert desk.refused(MIDNIGHT + 100) == "quota_day_login"

    def test_a_call_that_was_not_made_is_not_counted(self, desk: Desk) -> None:
        self.spend(desk, 9, counters=(7,))
        desk.take(NOON + 2, counters=(7,)).release(unused=True, now=NOON + 2)
        assert desk.refused(NOON + 2, counters=(7,)) == ""
        assert desk.refused(NOON + 2, counters=(7,)) == "quota_day_login"

    def test_a_whole_day_is_used_to_the_last_call_and_not_beyond(self, desk: Desk, settings: Any) -> None:
        """Half of the calls are given back, and still not one too many is made."""
        settings.METRICA_CALLS_PER_DAY = 40
        made = 0
        for number in range(120):
            try:
                place = desk.take(NOON + number, kind=Kind.CDP_WRITE, counters=(7,))
            except NoPlace:
                continue
            place.release(unused=number % 2 == 0, now=NOON + number)
            made += number % 2
        assert made == 40


def test_two_hundred_reports_in_five_minutes(desk: Desk, settings: Any) -> None:
    settings.METRICA_REPORTS_PER_5_MINUTES = 5
    for number in range(5):
        assert desk.refused(NOON + 20 * number, kind=Kind.REPORT) == ""
    assert desk.refused(NOON + 290, kind=Kind.REPORT) == "quota_reports"
    assert desk.refused(NOON + 290, kind=Kind.READ) == ""
    assert desk.refused(NOON + 320, kind=Kind.REPORT) == "", "the first is five minutes old"


class TestFairness:
    def test_the_agency_that_was_served_longest_ago_comes_first(self, desk: Desk) -> None:
        """A has a thousand jobs that ask all the time; B has one."""
        held = [desk.take(NOON + number, agency=A) for number in range(3)]
        assert desk.refused(NOON + 10, agency=A) == "quota_place_login"
        assert desk.refused(NOON + 10, agency=B) == "quota_place_login"
        held[0].release(now=NOON + 10.1)
        assert desk.refused(NOON + 10.2, agency=A) == "quota_place_login", "the place that came free is B's"
        desk.take(NOON + 10.3, agency=B)
        held[1].release(now=NOON + 10.4)
        assert desk.refused(NOON + 10.5, agency=A) == ""

    def test_a_place_is_kept_for_an_agency_that_was_sent_away(self, desk: Desk) -> None:
        held = [desk.take(NOON + number, agency=A) for number in range(3)]
        assert desk.refused(NOON + 10, agency=B) == "quota_place_login"
        held[0].release(now=NOON + 20)
        held[1].release(now=NOON + 20)
        again = desk.take(NOON + 21, agency=A)
        assert desk.refused(NOON + 22, agency=A) == "quota_place_login", "one of the three waits for B"
        assert desk.refused(NOON + 60, agency=B) == ""
        assert desk.refused(NOON + 61, agency=A) == "", "B has had its turn"
        again.release(now=NOON + 62)

    def test_nobody_waits_for_an_agency_that_does_not_come_back(self, desk: Desk) -> None:
        held = [desk.take(NOON + number, agency=A, seconds=600) for number in range(3)]
        assert desk.refused(NOON + 10, agency=B) == "quota_place_login"
        held[0].release(now=NOON + 20)
        assert desk.refused(NOON + 10 + places.AWAY - 1, agency=A) == "quota_place_login"
        assert desk.refused(NOON + 10 + places.AWAY + 1, agency=A) == ""

    def test_many_who_are_away_keep_one_place_together(self, desk: Desk) -> None:
        held = [desk.take(NOON + number, agency=A) for number in range(3)]
        for agency in (B, C, C + 1, C + 2):
            assert desk.refused(NOON + 10, agency=agency) == "quota_place_login"
        for place in held:
            place.release(now=NOON + 20)
        desk.take(NOON + 21, agency=A)
        desk.take(NOON + 21, agency=A)
        assert desk.refused(NOON + 22, agency=A) == "quota_place_login"

    def test_in_turn_for_the_address_as_well(self, desk: Desk, settings: Any) -> None:
        settings.METRICA_CALLS_PER_SECOND = 2
        for _number in range(2):
            desk.take(NOON, agency=A, login="a").release(now=NOON)
        assert desk.refused(NOON + 0.5, agency=B, login="b") == "quota_second"
        desk.take(NOON + 1.1, agency=A, login="a").release(now=NOON + 1.1)
        assert desk.refused(NOON + 1.2, agency=A, login="a") == "quota_second", "the second of two is B's"
        assert desk.refused(NOON + 1.3, agency=B, login="b") == ""

    def test_the_last_tenth_of_a_day_is_kept_in_equal_parts(
        self, desk: Desk, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.METRICA_CALLS_PER_DAY = 100
        monkeypatch.setattr("apps.counters.quotas.sharing.agencies_of_login", lambda caller: {A, B})

        def spend(agency: int) -> int:
            """Calls until it is refused."""
            made = 0
            while not desk.refused(NOON + made, agency=agency):
                made += 1
            return made

        assert spend(A) == 95, "five of the last ten are B's"
        assert spend(B) == 5
        assert desk.refused(NOON + 200, agency=A) == desk.refused(NOON + 200, agency=B) == "quota_day_login"


class TestLearnt:
    """What Metrica itself says wins: other programs may use the same login."""

    @pytest.mark.parametrize(
        ("code", "shut", "open_again"),
        [
            ("quota_requests_by_ip", NOON + 0.9, NOON + 1.1),
            ("quota_parallel_requests", NOON + 2.9, NOON + 3.1),
            ("quota_exceeded", NOON + 4.9, NOON + 5.1),
            ("quota_requests_by_uid", MIDNIGHT + 59, MIDNIGHT + 61),
        ],
    )
    def test_the_gate_is_shut_for_everybody_until_it_opens(
        self, desk: Desk, code: str, shut: float, open_again: float
    ) -> None:
        desk.learn(code)
        assert desk.refused(shut, agency=B) == "quota_shut"
        assert desk.refused(open_again, agency=B) == ""

    def test_its_own_word_on_when(self, desk: Desk) -> None:
        desk.learn("quota_requests_by_uid", retry_after=600.0)
        assert desk.refused(NOON + 599) == "quota_shut"
        assert desk.refused(NOON + 601) == ""

    def test_only_what_is_used_up(self, desk: Desk) -> None:
        desk.learn("quota_requests_by_uid", kind=Kind.WRITE)
        assert [desk.refused(kind=kind) for kind in (Kind.WRITE, Kind.READ)] == ["quota_shut", ""]
        assert desk.refused(kind=Kind.WRITE, login="another") == ""
        desk.learn("quota_requests_by_counter_id", kind=Kind.CDP_WRITE, counters=(7,))
        assert desk.refused(kind=Kind.CDP_WRITE, counters=(7,), login="another") == "quota_shut"
        assert desk.refused(kind=Kind.CDP_WRITE, counters=(8,)) == ""
        desk.learn("quota_requests_by_ip")
        assert desk.refused(login="another") == "quota_shut"

    def test_reports_of_five_minutes_and_of_the_day_have_one_name(self, desk: Desk, settings: Any) -> None:
        desk.learn("quota_requests_by_uid", kind=Kind.REPORT)
        assert desk.refused(NOON + 299, kind=Kind.REPORT) == "quota_shut"
        settings.METRICA_CALLS_PER_DAY = 1
        assert desk.refused(NOON + 301, kind=Kind.REPORT) == ""
        desk.learn("quota_requests_by_uid", NOON + 302, kind=Kind.REPORT)
        assert desk.refused(NOON + 3600, kind=Kind.REPORT) == "quota_shut"


@pytest.mark.parametrize(
    ("method", "url", "call"),
    [
        ("GET", "/management/v1/counters?per_page=1", Call(Kind.READ)),
        ("GET", "/management/v1/counter/17/goals", Call(Kind.READ, (17,))),
        ("PUT", "/management/v1/counter/17/goal/5", Call(Kind.WRITE, (17,))),
        ("POST", "/cdp/api/v1/counter/17/data/simple_orders?merge_mode=SAVE", Call(Kind.CDP_WRITE, (17,))),
        ("GET", "/cdp/api/v1/counter/17/last_uploadings", Call(Kind.CDP_READ, (17,))),
        ("GET", "/stat/v1/data?ids=17,18&metrics=ym:s:visits", Call(Kind.REPORT, (17, 18))),
    ],
)
def test_what_a_call_counts_as(method: str, url: str, call: Call) -> None:
    assert call_of(method, f"https://api-metrika.yandex.net{url}") == call
    assert call_of(method, f"http://127.0.0.1:9000/sandbox{url}") == call


def test_a_store_that_does_not_answer_keeps_calls_back(db: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert Desk().refused() == "quota_unavailable"
