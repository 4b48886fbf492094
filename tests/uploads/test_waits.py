"""Waits grow and are spread, and the server's word wins; every code that a person may see is told in words."""

import re
from pathlib import Path
from typing import Any

import pytest

from apps.metrica import catalogue
from apps.uploads import problems
from apps.uploads.waits import LONGEST, LONGEST_CALL, backoff, seconds_for


def test_waits_grow_up_to_an_hour_and_are_spread(settings: Any) -> None:
    settings.UPLOAD_RETRY_SECONDS = 5
    for attempt, bound in ((1, 5), (2, 10), (5, 80), (11, LONGEST), (1000, LONGEST)):
        waits = [backoff(attempt) for _ in range(300)]
        assert max(waits) <= bound
        assert max(waits) > bound * 0.8
        assert min(waits) < bound * 0.2, "full jitter reaches down to nothing"


@pytest.mark.parametrize("seconds", [0.5, 30, 7200])
def test_the_server_is_not_asked_before_it_said(settings: Any, seconds: float) -> None:
    settings.UPLOAD_RETRY_SECONDS = 5
    assert all(seconds <= backoff(3, retry_after=seconds) <= seconds + 1 for _ in range(100))


def test_a_call_ends_before_the_queue_would_end_it(settings: Any) -> None:
    from apps.uploads.pacing import TURN_SECONDS

    assert seconds_for(0) == settings.METRICA_TIMEOUT_SECONDS
    assert seconds_for(0) < seconds_for(10_000_000) < seconds_for(1_000_000_000) == LONGEST_CALL
    assert settings.Q_CLUSTER["timeout"] > LONGEST_CALL + TURN_SECONDS + 200


def test_every_code_of_ours_is_told_in_words() -> None:
    sources = Path(problems.__file__).parent.glob("*.py")
    pattern = re.compile(r'(?:code|give_up|FileUnusable)(?:=| = |\()"([a-z_]+)"')
    written = {code for path in sources for code in pattern.findall(path.read_text())}
    assert {"interrupted", "cancelled", "file_missing", "resend_refused", "unwritable"} <= written
    for code in written - {"job_not_ended", "invalid_choice"}:  # those are answers to wrong requests
        problem = problems.describe(code)
        assert problem is not None
        assert str(problem.message) != code and str(problem.next_step)


def test_metricas_refusals_keep_their_own_words() -> None:
    for kind in catalogue.CATALOGUE.values():
        problem = problems.describe(kind.code)
        assert problem is not None
        assert (problem.message, problem.next_step) == (kind.message, kind.next_step)


def test_a_code_of_a_later_version_is_shown_as_it_is() -> None:
    assert problems.describe("") is None
    problem = problems.describe("from_the_future")
    assert problem is not None and problem.message == "from_the_future"
