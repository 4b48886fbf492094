"""R10, as Metrica sees it: four workers with as much to do as they can carry, and what arrived at the sandbox."""

import os
import secrets
import time
from collections import Counter as Counting
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from project.processes import Processes, free_port
from tests import databases
from tests.chaos.stage import Sandbox

pytestmark = pytest.mark.processes

BUSY, MANY, SPENT = "busy", "many", "spent"
AT_ONCE = 3
# LOAD: login -> its counters, and how many statuses (so many files, one after the other) each order of them has.
# LONGEST: seconds until it is looked at as it is then.
if os.environ.get("LIMITS") == "metrica":  # her own, for which there is no time in each run of the suite
    A_SECOND, A_DAY, LONGEST = 30, 5000, 1800.0
    LOAD = {BUSY: (8, 10), **{f"{MANY}-{number}": (10, 12) for number in range(4)}, SPENT: (60, 90)}
else:
    A_SECOND, A_DAY, LONGEST = 12, 40, 60.0
    LOAD = {BUSY: (8, 3), **{f"{MANY}-{number}": (2, 6) for number in range(4)}, SPENT: (4, 15)}
TO_SPEND = LOAD[SPENT][0] * LOAD[SPENT][1]


@dataclass(frozen=True)
class Seen:
    """What came of the load. `requests`: the sandbox's log of calls."""

    requests: list[dict[str, Any]]
    orders: dict[str, list[dict[str, Any]]]  # by login, as Goalpost shows them

    def of(self, login: str) -> list[tuple[datetime, datetime]]:
        return [
            (_moment(each["started_at"]), _moment(each["finished_at"]))
            for each in self.requests
            if each["login"] == login
        ]


@pytest.fixture(scope="module")
def seen(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    directory = tmp_path_factory.mktemp("limits")
    tokens = {f"TOKEN_{place}": f"token-{secrets.token_urlsafe(20)}" for place in range(len(LOAD))}
    key = f"test-key-{secrets.token_urlsafe(24)}"
    databases.in_file(directory / "sandbox.sqlite3", settings="project.sandbox.settings")
    sandbox = Sandbox(directory)
    with sandbox.processes:
        sandbox.start()
        environment = {
            "DATABASE_URL": database_url,
            "DEBUG": "on",
            "ENV_FILE": os.devnull,
            "STORAGE_URL": f"file://{directory / 'media'}",
            "METRICA_URL": sandbox.url,
            "METRICA_CALLS_AT_ONCE": str(AT_ONCE),
            "METRICA_CALLS_PER_SECOND": str(A_SECOND),
            "METRICA_CALLS_PER_DAY": str(A_DAY),
            "UPLOAD_RETRY_SECONDS": "0.2",
            "TICK_SECONDS": "1",
            "WORKERS": "1",
            "KEY": key,
            **tokens,
        }
        numbers = _set_up(sandbox, directory, dict(zip(LOAD, tokens.items(), strict=True)))
        with Processes(environment=environment, log_dir=directory / "logs", port=free_port()) as processes:
            processes.manage("provision", str(directory / "limits.toml"))
            processes.start_web()
            processes.wait_for_web()
            http = httpx.Client(
                base_url=processes.url + "/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
            )
            for number, (_login, statuses) in numbers.items():
                _push(http, number, statuses)
            for _worker in range(4):
                processes.start_worker()
            for number in numbers:
                http.post(f"/counters/{number}/uploads/", json={}).raise_for_status()
            _wait(sandbox, http, numbers)
            orders: dict[str, list[dict[str, Any]]] = {login: [] for login in LOAD}
            for number, (login, _statuses) in numbers.items():
                orders[login].append(http.get(f"/counters/{number}/orders/D-1/").json())
            yield Seen(sandbox.all("requests"), orders)


def _set_up(sandbox: Sandbox, directory: Path, tokens: dict[str, tuple[str, str]]) -> dict[int, tuple[str, int]]:
    """Counters at the sandbox, whose limits are as Goalpost is told, and the file to provision. Returns login and
    number of statuses by counter."""
    sandbox.control("limits", name="requests_by_ip", value=A_SECOND)
    sandbox.control("limits", name="requests_by_uid", value=A_DAY)
    lines = ['[[agencies]]\nslug = "north"\nname = "North"']
    lines.append('[[agencies.api_keys]]\nname = "crm"\nscopes = ["read", "write"]\nsecret_env = "KEY"')
    numbers: dict[int, tuple[str, int]] = {}
    for login, (count, statuses) in LOAD.items():
        variable, token = tokens[login]
        lines.append(f'[[agencies.accounts]]\nlogin = "{login}"\ntoken_env = "{variable}"\nbase_url = "{sandbox.url}"')
        for _each in range(count):
            number = 42_000_001 + len(numbers)
            numbers[number] = (login, statuses)
            sandbox.control("counters", metrica_id=number, owner_login=login, token=token)
            lines.append(
                f'[[agencies.counters]]\nmetrica_id = {number}\naccount = "{login}"\nname = "Site {number}"\n'
                'time_zone = "Europe/Moscow"'
            )
            if login == BUSY:
                sandbox.control("faults", kind="latency", counter=number, endpoint="upload", seconds=0.4, count=None)
    (directory / "limits.toml").write_text("\n".join(lines))
    return numbers


def _push(http: httpx.Client, number: int, statuses: int) -> None:
    began = datetime.now().astimezone() - timedelta(hours=statuses)  # none of them lies in the future, which is held
    rows = [
        {
            "id": "D-1",
            "create_date_time": began.isoformat(),
            "status_date_time": (began + timedelta(hours=hour)).isoformat(),
            "client_ids": ["1700000000123456789"],
            "order_status": "IN_PROGRESS",
            "revenue": hour + 1,
        }
        for hour in range(statuses)
    ]
    answer = http.post(f"/counters/{number}/orders/", json=rows).json()
    assert answer["rejected"] == 0, answer


def _wait(sandbox: Sandbox, http: httpx.Client, numbers: dict[int, tuple[str, int]]) -> None:
    """Until all is delivered but what the spent login still has, and that login is quiet."""
    end = time.monotonic() + LONGEST
    quiet, last = 0, -1
    under_way = [number for number, (login, _statuses) in numbers.items() if login != SPENT]
    while time.monotonic() < end and quiet < 4:
        time.sleep(1)
        under_way = [
            number
            for number in under_way
            if http.get(f"/counters/{number}/orders/D-1/").json()["delivery"] != "delivered"
        ]
        calls = sum(each["login"] == SPENT for each in sandbox.all("requests"))
        quiet = quiet + 1 if not under_way and calls == last else 0
        last = calls


def test_never_more_than_three_calls_of_a_login_at_once(seen: Seen) -> None:
    for login in LOAD:
        calls = seen.of(login)
        most = max(sum(began <= at < ended for began, ended in calls) for at, _ended in calls)
        assert most <= AT_ONCE, login
    assert sum(each["error_type"] == "quota_parallel_requests" for each in seen.requests) == 0


def test_never_more_calls_of_an_address_in_a_second_than_allowed(seen: Seen) -> None:
    arrivals = sorted(_moment(each["started_at"]) for each in seen.requests)
    second = timedelta(seconds=1)
    most = max(sum(at <= other < at + second for other in arrivals) for at in arrivals)
    assert A_SECOND / 2 <= most <= A_SECOND, "it was full load, and within the limit"


def test_the_day_of_a_login_is_never_passed(seen: Seen) -> None:
    """What does not fit into the day waits, and nothing of it is lost."""
    days = Counting((each["login"], each["started_at"][:10], each["method"]) for each in seen.requests)
    assert max(days.values()) <= A_DAY
    assert max(number for (login, _day, _method), number in days.items() if login == SPENT) >= A_DAY * 0.8
    ends = Counting(change["delivery"] for order in seen.orders[SPENT] for change in order["timeline"])
    assert set(ends) <= {"delivered", "waiting", "sending"}, ends
    assert ends["waiting"] + ends["sending"] >= TO_SPEND - A_DAY


def test_metrica_refused_nothing_for_its_quotas_and_all_else_was_delivered(seen: Seen) -> None:
    assert [each for each in seen.requests if each["status"] in (420, 429)] == []
    for login, orders in seen.orders.items():
        if login != SPENT:
            assert {change["delivery"] for order in orders for change in order["timeline"]} == {"delivered"}, login


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
