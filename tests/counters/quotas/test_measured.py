"""R10 measured where it counts: what the sandbox saw of several processes that call as fast as they may."""

import json
import os
import subprocess
import sys
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.agencies.models import Agency
from apps.counters.models import MetricaAccount
from apps.counters.services import connect_account
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxRequest
from tests.counters.quotas.conftest import REDIS_URL
from tests.factories import make_agency

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).parent.parent.parent.parent


Taken = tuple[int, float | None, float]
"""See tests.counters.quotas.crowd."""

Part = Sequence[tuple[MetricaAccount, int]]
"""What one process is to do: a thread for each, with an account and a number of calls."""


class Crowd:
    """Two processes that stay for all tests: to start one takes longer than what it is for."""

    def __init__(self) -> None:
        config = connection.settings_dict
        name = config["NAME"]
        url = f"sqlite:///{name}" if connection.vendor == "sqlite" else f"postgres:///{name}"
        env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": url,
            "DEBUG": "on",
            "SANDBOX": "on",
            "ENV_FILE": os.devnull,
        }
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.counters.quotas.crowd"],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _number in range(2)
        ]
        for process in self._processes:
            assert self._line(process) == "ready"

    def run(self, *parts: Part, **settings: Any) -> dict[int, Tally[str]]:
        """A part for each process; all begin together. By account, what was counted; `taken` has the places taken."""
        settings = {"REDIS_URL": "", "METRICA_CALLS_PER_SECOND": 30, "METRICA_CALLS_PER_DAY": 5000, **settings}
        for process, part in zip(self._processes, parts, strict=True):
            assert process.stdin is not None
            accounts = [(account.pk, calls) for account, calls in part]
            process.stdin.write(json.dumps({"accounts": accounts, "settings": settings}) + "\n")
            process.stdin.flush()
        counted: dict[int, Tally[str]] = defaultdict(Tally)
        self.taken: list[Taken] = []
        for process in self._processes:
            answer = json.loads(self._line(process))
            for key, tally in answer["counted"].items():
                counted[int(key)].update(tally)
            self.taken += answer["taken"]
        return counted

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()


@pytest.fixture(scope="module")
def crowd(django_db_setup: None) -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.end()


def most_at_once(login: str) -> int:
    """The most calls of the login that ran at one moment, as the sandbox saw them."""
    moments: list[tuple[datetime, int]] = []
    for began, ended in SandboxRequest.objects.filter(login=login).values_list("started_at", "finished_at"):
        moments += [(began, 1), (ended, -1)]
    running = most = 0
    for _moment, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


def most_in_a_second() -> int:
    began = sorted(SandboxRequest.objects.values_list("started_at", flat=True))
    return max(
        sum(first <= other < first + timedelta(seconds=1) for other in began[number:])
        for number, first in enumerate(began)
    )


def refusals() -> list[str]:
    return list(SandboxRequest.objects.exclude(error_type="").values_list("error_type", flat=True))


def connect(agency: Agency, login: str, url: str) -> MetricaAccount:
    return connect_account(agency=agency, login=login, token=f"token-{login}", base_url=f"{url}/sandbox")


@pytest.mark.parametrize("redis_url", ["", REDIS_URL], ids=["database", "redis"])
def test_never_more_than_allowed_of_all_processes_together(live_server: Any, crowd: Crowd, redis_url: str) -> None:
    """Four a second in place of thirty, so that the limit is felt on any machine. Two agencies share "north"."""
    logins = ("north", "south", "east", "west")
    for number, login in enumerate(logins):
        sandbox.create_counter(metrica_id=41_000_001 + number, owner_login=login, token=f"token-{login}")
    sandbox.set_limit(name="requests_by_ip", value=4)
    agencies = [make_agency(), make_agency()]
    shared = [connect(agency, "north", live_server.url) for agency in agencies]
    others = [connect(agencies[0], login, live_server.url) for login in logins[1:]]
    part = [(account, 1) for account in (*shared, shared[0], *others)]
    counted = crowd.run(part, part, METRICA_CALLS_PER_SECOND=4, REDIS_URL=redis_url)
    assert refusals() == []
    assert most_in_a_second() <= 4
    assert most_at_once("north") <= 3
    assert sum(tally["made"] for tally in counted.values()) == SandboxRequest.objects.count() == 12, counted


def test_three_at_once_and_the_one_call_of_an_agency_among_the_many_of_another(live_server: Any, crowd: Crowd) -> None:
    """Three places, and eight callers of one agency that never rest: the other agency's single caller gets the next
    place each time, so it is never sent away, and hardly anybody begins while it waits."""
    sandbox.create_counter(metrica_id=41_000_001, owner_login="north", token="token-north")
    sandbox.add_fault(kind="latency", seconds=0.2, count=None, endpoint="any")
    many, one = (connect(make_agency(), "north", live_server.url) for _number in range(2))
    greedy = [(many, 5)] * 4
    counted = crowd.run(greedy, [*greedy, (one, 6)])
    assert refusals() == []
    assert most_at_once("north") == 3
    assert (counted[one.pk]["quota_place_login"], counted[one.pk]["made"]) == (0, 6), counted
    others = sorted(at for agency, _since, at in crowd.taken if agency == many.agency_id)
    turns = [(since, at) for agency, since, at in crowd.taken if agency == one.agency_id]
    assert len(turns) == 6
    assert others[-1] > max(at for _since, at in turns), "there was somebody to wait for all the time"
    overtaken = [sum(since < other < at for other in others) for since, at in turns if since is not None]
    assert sum(overtaken) <= 2 * len(overtaken), "of nine that ask, eight would come before it"


def test_the_day_is_used_up_to_the_last_call_and_not_beyond(live_server: Any, crowd: Crowd) -> None:
    sandbox.create_counter(metrica_id=41_000_001, owner_login="north", token="token-north")
    sandbox.set_limit(name="requests_by_uid", value=15)
    agencies = [make_agency(), make_agency()]
    part = [(connect(agency, "north", live_server.url), 15) for agency in agencies]
    counted = crowd.run(part, part, METRICA_CALLS_PER_DAY=15)
    assert refusals() == []
    assert sum(tally["made"] for tally in counted.values()) == SandboxRequest.objects.count() == 15
    assert sum(tally["quota_day_login"] for tally in counted.values()) > 0
