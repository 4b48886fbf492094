"""Brings a counter's facts and goals from Metrica."""

from dataclasses import dataclass

from apps.counters.gateway import metrica_client
from apps.counters.models import Counter
from apps.counters.services import update_counter
from apps.goals.services import store_goals
from apps.metrica.errors import CATALOGUE


@dataclass(frozen=True, slots=True)
class Refreshed:
    time_zone: str
    site: str
    permission: str
    goals: int


def refresh(*, counter: Counter) -> Refreshed:
    """Read zone, site and goals of the counter from Metrica and keep them.

    Two requests. Raises the errors of apps.metrica.errors; nothing is written unless both were answered. Call it
    outside any transaction.
    """
    if counter.account is None:
        raise CATALOGUE["unauthorized"].error()
    with metrica_client(counter.account, counter=counter) as client:
        info = client.counter(counter.metrica_id)
        goals = client.goals(counter.metrica_id)
    update_counter(
        counter=counter,
        time_zone=info.time_zone_name or counter.time_zone,
        site=(info.site or counter.site)[:255],
    )
    count = store_goals(counter=counter, goals=goals)
    return Refreshed(time_zone=info.time_zone_name, site=info.site, permission=info.permission, goals=count)
