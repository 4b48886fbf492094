"""Rows of quotas that nobody has used yet come into being while many ask for them at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from apps.counters.models import QuotaState
from apps.counters.quotas.stores import DatabaseStore

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS, ROUNDS = 12, 12


def nothing_known(keys: Any) -> dict[str, dict[str, Any]]:
    return {key: {} for key in keys}


def test_first_calls_of_many_logins_do_not_lock_each_other_out() -> None:
    """Each asks for its login's row and for one that is all callers'; two callers have the same login."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    store, together = DatabaseStore(), Barrier(CALLERS)

    def count(states: dict[str, Any], _at: float) -> None:
        for state in states.values():
            state["calls"] = state.get("calls", 0) + 1

    def call(caller: int) -> None:
        try:
            for number in range(ROUNDS):
                together.wait(timeout=30)
                store.change(
                    [f"login:{number}:{caller // 2}", f"address:{number}"], count, seeds=nothing_known, now=None
                )
        finally:
            connection.close()

    with ThreadPoolExecutor(CALLERS) as pool:
        for done in [pool.submit(call, caller) for caller in range(CALLERS)]:
            done.result()
    kept = dict(QuotaState.objects.values_list("key", "state"))
    assert {kept[f"address:{number}"] for number in range(ROUNDS)} == {f'{{"calls":{CALLERS}}}'}
    assert {state for key, state in kept.items() if key.startswith("login:")} == {'{"calls":2}'}
