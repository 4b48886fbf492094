"""R10 measured where it counts: what the sandbox saw of several processes that call as fast as they may."""

import json
import os
import subprocess
import sys
from collections import Counter as Tally
from collections.abc import Sequence
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


def run_crowd(parts: Sequence[Sequence[MetricaAccount]], *, seconds: float, **environment: Any) -> list[Tally[str]]:
    """A process for each part; returns what each of them counted."""
    config = connection.settings_dict
    name = config["NAME"]
    url = f"sqlite:///{name}" if connection.vendor == "sqlite" else f"postgres:///{name}"
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": url,
        "DEBUG": "on",
        "SANDBOX": "on",
        "ENV_FILE": os.devnull,
        **{key: str(value) for key, value in environment.items()},
    }
    command = [sys.executable, "-m", "tests.counters.quotas.crowd", str(seconds)]
    crowd = [
        subprocess.Popen(
            [*command, *(str(account.pk) for account in part)],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for part in parts
    ]
    counted: list[Tally[str]] = []
    try:
        for process in crowd:  # all begin together
            assert process.stdout is not None and process.stdout.readline().strip().endswith("ready")
        for process in crowd:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in crowd:
            answer, _errors = process.communicate(timeout=seconds + 60)
            counted.append(Tally(json.loads(answer.splitlines()[-1])))
    finally:
        for process in crowd:
            process.kill()
    return counted


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
def test_never_more_than_allowed_of_all_processes_together(live_server: Any, redis_url: str) -> None:
    """Four a second in place of thirty, so that the limit is felt on any machine. Two agencies share "north"."""
    logins = ("north", "south", "east", "west")
    for number, login in enumerate(logins):
        sandbox.create_counter(metrica_id=41_000_001 + number, owner_login=login, token=f"token-{login}")
    sandbox.set_limit(name="requests_by_ip", value=4)
    agencies = [make_agency(), make_agency()]
    shared = [connect(agency, "north", live_server.url) for agency in agencies]
    others = [connect(agencies[0], login, live_server.url) for login in logins[1:]]
    counted = run_crowd(
        [[*shared, *others], [*shared, shared[0], *others], [shared[0], *others]],
        seconds=4,
        METRICA_CALLS_PER_SECOND=4,
        REDIS_URL=redis_url,
    )
    assert refusals() == []
    assert most_in_a_second() <= 4
    assert most_at_once("north") <= 3
    assert sum(tally["made"] for tally in counted) == SandboxRequest.objects.count() >= 6, counted


def test_three_at_once_and_the_one_call_of_an_agency_among_the_many_of_another(live_server: Any) -> None:
    """Three places, calls of a second each, eight callers of one agency that never rest: the other agency's single
    caller gets the next place each time, so it never waits as long as two seconds."""
    sandbox.create_counter(metrica_id=41_000_001, owner_login="north", token="token-north")
    sandbox.add_fault(kind="latency", seconds=1, count=None, endpoint="any")
    many, one = (connect(make_agency(), "north", live_server.url) for _number in range(2))
    *_greedy, modest = run_crowd([[many] * 4, [many] * 4, [one]], seconds=5)
    assert refusals() == []
    assert most_at_once("north") == 3
    assert (modest["quota_place_login"], modest["made"] >= 2) == (0, True), modest


def test_the_day_is_used_up_to_the_last_call_and_not_beyond(live_server: Any) -> None:
    sandbox.create_counter(metrica_id=41_000_001, owner_login="north", token="token-north")
    sandbox.set_limit(name="requests_by_uid", value=15)
    agencies = [make_agency(), make_agency()]
    accounts = [connect(agency, "north", live_server.url) for agency in agencies]
    counted = run_crowd([accounts, accounts], seconds=30, METRICA_CALLS_PER_DAY=15)
    assert refusals() == []
    assert sum(tally["made"] for tally in counted) == SandboxRequest.objects.count() == 15
    assert sum(tally["quota_day_login"] for tally in counted) > 0
