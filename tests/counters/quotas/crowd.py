"""One of several processes that call Metrica as fast as they may, with the accounts named: run by test_measured.py.

    python -m tests.counters.quotas.crowd SECONDS ACCOUNT…

One thread an account, for so long or until the day's calls are used up.
Prints a JSON line: calls made, those that were kept back, and those that Metrica refused.
"""

import json
import sys
import threading
import time
from collections import Counter as Tally

import django

django.setup()

from django.db import connection  # noqa: E402

from apps.counters.gateway import metrica_client  # noqa: E402
from apps.counters.kept_back import NoPlace  # noqa: E402
from apps.counters.models import MetricaAccount  # noqa: E402
from apps.metrica.errors import MetricaError  # noqa: E402


def call(account: MetricaAccount, ends: float, tally: Tally[str]) -> None:
    while time.monotonic() < ends:
        try:
            with metrica_client(account, timeout=20.0) as client:
                client.counters(per_page=1)
            tally["made"] += 1
        except NoPlace as error:
            tally[error.code] += 1
            if error.daily:
                break
        except MetricaError as error:
            tally[f"metrica:{error.code}"] += 1
    connection.close()


def main(seconds: float, keys: list[str]) -> None:
    tally: Tally[str] = Tally()
    accounts = [MetricaAccount.objects.get(pk=key) for key in keys]
    print("ready", flush=True)
    sys.stdin.readline()
    ends = time.monotonic() + seconds
    threads = [threading.Thread(target=call, args=(account, ends, tally)) for account in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(tally), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
