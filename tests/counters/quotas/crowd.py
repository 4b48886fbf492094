"""One of several processes that call Metrica as fast as they may: started by test_measured.py.

    python -m tests.counters.quotas.crowd

Each line that comes in says with which accounts (a thread for each that is named), how many calls of each, and with
which settings. They end when these are made, when the day's calls are used up, or after a minute. A line goes out: of
each account the calls made, those that were kept back, and those that Metrica refused; and of each place among the
calls of a login that was taken, its agency, when it was first asked for in vain (null: never), and when it was taken.
"""

import json
import sys
import threading
import time
from collections import Counter as Tally
from typing import Any, ClassVar
from unittest import mock

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import override_settings  # noqa: E402

from apps.counters.gateway import metrica_client  # noqa: E402
from apps.counters.kept_back import NoPlace  # noqa: E402
from apps.counters.models import MetricaAccount  # noqa: E402
from apps.counters.quotas.gates import LoginGate, State, Wish  # noqa: E402
from apps.metrica.errors import MetricaError  # noqa: E402

PATIENCE = 60.0

Taken = tuple[int, float | None, float]
"""Agency, asked in vain since, taken at: seconds since 1970 by the clock of the store, which is one for all."""


class Watched(LoginGate):
    """When the gate itself saw whom: what happens before and after depends on how busy the machine is."""

    marked: ClassVar[dict[str, float]] = {}
    taken: ClassVar[dict[str, Taken]] = {}

    def wait(self, state: State, wish: Wish, now: float, *, until: float | None = None) -> None:
        super().wait(state, wish, now, until=until)
        self.marked.setdefault(wish.place, now)

    def enter(self, state: State, wish: Wish, now: float) -> None:
        super().enter(state, wish, now)
        self.taken[wish.place] = (wish.agency, self.marked.get(wish.place), now)


def call(account: MetricaAccount, calls: int, tally: Tally[str]) -> None:
    made, ends = 0, time.monotonic() + PATIENCE
    while made < calls and time.monotonic() < ends:
        try:
            with metrica_client(account, timeout=20.0) as client:
                client.counters(per_page=1)
            tally["made"] += 1
            made += 1
        except NoPlace as error:
            tally[error.code] += 1
            if error.daily:
                break
        except MetricaError as error:
            tally[f"metrica:{error.code}"] += 1
    connection.close()


def answer(accounts: list[list[int]]) -> dict[str, Any]:
    """`accounts`: key and number of calls of each thread."""
    Watched.marked.clear()
    Watched.taken.clear()
    tallies: dict[int, Tally[str]] = {key: Tally() for key, _calls in accounts}
    found = MetricaAccount.objects.in_bulk(list(tallies))
    connection.close()
    threads = [threading.Thread(target=call, args=(found[key], calls, tallies[key])) for key, calls in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"counted": tallies, "taken": list(Watched.taken.values())}


print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    with override_settings(**order["settings"]), mock.patch("apps.counters.quotas.sharing.LoginGate", Watched):
        print(json.dumps(answer(order["accounts"])), flush=True)
