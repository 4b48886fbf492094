"""A login that was learnt or corrected after its account had made calls: they count for it all the same (R10)."""

from collections.abc import Collection

import structlog

from apps.counters.models import MetricaAccount
from apps.counters.quotas.sharing import Caller, Seeds, caller_of, count_calls_of, login_key
from apps.counters.quotas.stores import State, StoreUnavailable, store

log = structlog.get_logger(__name__)


def count_anew(*, account: MetricaAccount, former: Caller) -> None:
    """Count today's calls of the account for the login that it is known by now. `former`: as it was known before, where
    what was counted stays counted. Call it outside any transaction."""
    caller = caller_of(account)
    if (caller.host, caller.login) == (former.host, former.login):
        return
    key, seeded = login_key(caller), False

    def seeds(keys: Collection[str]) -> dict[str, State]:
        nonlocal seeded
        seeded = True
        return Seeds(caller)(keys)

    def work(states: dict[str, State], _now: float) -> None:
        nonlocal seeded
        if not seeded:
            count_calls_of(account, states[key])
        seeded = False

    try:
        store().change([key], work, seeds=seeds, now=None)
    except StoreUnavailable as error:
        log.error("the store of quotas does not answer", said=str(error))
