"""From the CRM to Metrica's reports and back: REST in, a real worker uploads and compares, real HTTP to the sandbox."""

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.conftest import Installation, wait_for

pytestmark = pytest.mark.processes

MOSCOW = ZoneInfo("Europe/Moscow")
STATUSES = """
    [[agencies.counters.statuses]]
    crm_status = "new"
    type = "IN_PROGRESS"
    [[agencies.counters.statuses]]
    crm_status = "won"
    type = "PAID"
    goals = ["deal_won"]
"""
ASK = """
from apps.counters.models import Counter
from apps.dashboard.comparison import running
running.request(counter=Counter.objects.get(metrica_id={counter}))
"""
LOOK = """
import json
from apps.dashboard.models import Comparison
one = Comparison.objects.get(counter__metrica_id={counter})
print(json.dumps([one.state, one.error_code, one.matched]))
"""


def shell(installation: Installation, code: str, counter: int) -> str:
    done = installation.processes.manage("shell", "--no-imports", "-v0", "-c", code.format(counter=counter))
    return str(done.stdout)


def test_a_worker_compares_what_it_delivered(installation: Installation) -> None:
    counter = installation.counter(statuses=STATUSES, goals=("deal_won",))
    installation.control("switches", name="report_delay", value="none")
    began = datetime.now(MOSCOW) - timedelta(days=2)
    for number in range(3):
        client = f"170000000012345678{number}"
        if number:  # the first order has no visit
            installation.control("visits", counter=counter, started_at=began.isoformat(), client_id=client)
        order = {
            "id": f"L-{number}",
            "create_date_time": (began + timedelta(minutes=5)).isoformat(),
            "client_ids": [client],
            "revenue": "5000.00",
            "cost": "3200.00",
        }
        installation.push(counter, {**order, "order_status": "new"}, {**order, "order_status": "won"})
    assert installation.finished(installation.upload(counter))["state"] == "succeeded"

    shell(installation, ASK, counter)

    def ended() -> list[Any] | None:
        seen = json.loads(shell(installation, LOOK, counter).splitlines()[-1])
        return seen if seen[0] == "idle" else None

    assert wait_for(ended, what="the end of the comparison") == ["idle", "", 2 / 3]
    done = installation.processes.manage("compare", "--agency", "north", "--counter", str(counter), "--days", "7")
    [sums] = [line.split() for line in done.stdout.splitlines() if line.startswith("sum")]
    assert sums == ["sum", "3/2", "0/0", "3/2", "0/0", "0/0", "0/0", "15000/10000", "5400/3600"]
    assert "goal deal_won: 3/2" in done.stdout
    assert "Matched: 67% (2 of 3 orders" in done.stdout
