"""One of several processes that call Metrica as fast as they may: started by test_measured.py.

    python -m tests.counters.quotas.crowd

Each line that comes in says with which accounts (a thread for each that is named), how many calls of each, and with
which settings. They end when these are made, when the day's calls are used up, or after a minute. A line goes out: of
each account the calls made, those that were kept back, and those that Metrica refused.
"""

import json
import sys
import threading
import time
from collections import Counter as Tally

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import override_settings  # noqa: E402

from apps.counters.gateway import metrica_client  # noqa: E402
from apps.counters.kept_back import NoPlace  # noqa: E402
from apps.counters.models import MetricaAccount  # noqa: E402
from apps.metrica.errors import MetricaError  # noqa: E402

PATIENCE = 60.0


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


def answer(accounts: list[list[int]]) -> dict[int, Tally[str]]:
    """`accounts`: key and number of calls of each thread."""
    tallies: dict[int, Tally[str]] = {key: Tally() for key, _calls in accounts}
    found = MetricaAccount.objects.in_bulk(list(tallies))
    connection.close()
    threads = [threading.Thread(target=call, args=(found[key], calls, tallies[key])) for key, calls in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tallies


print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    with override_settings(**order["settings"]):
        print(json.dumps(answer(order["accounts"])), flush=True)
