"""The lists behind numbers of days: the same counters, and the same days on each counter's own clock."""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse

from apps.agencies.filters import CLOCK, COUNTERS, COUNTERS_CLOCK
from apps.counters.models import Counter
from apps.dashboard.comparison.adding_up import COUNT_OF_TYPE
from apps.dashboard.periods import Period
from apps.dashboard.rollup.days import REACHED
from apps.orders.reached import OWN

MOST_NAMED: Final = 300
"""Counters that one address can name; servers take no longer ones."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Addresses. `counters`: whose numbers they are; `whole`: these are all that the person sees."""

    counters: Sequence[Counter]
    period: Period
    whole: bool = False

    @property
    def too_many(self) -> bool:
        """The lists are of all counters, since so many cannot be named; where all are meant, those of one currency
        among several."""
        if self.whole:
            of_currency = Tally(counter.currency for counter in self.counters)
            return len(of_currency) > 1 and max(of_currency.values()) > MOST_NAMED
        return len(self.counters) > MOST_NAMED

    @property
    def received(self) -> str:
        """Status changes that came in."""
        return self._address("orders_statuschange", "received_at")

    @property
    def delivered(self) -> str:
        """Uploads that ended: each says how much it delivered, and lists it."""
        return self._address("uploads_uploadjob", "finished_at")

    def orders(self, *, currency: str = "", **conditions: str) -> str:
        """Orders that were created; of counters in that currency, if one is named."""
        return self._address("orders_order", "create_date_time", currency=currency, **conditions)

    def by_number(self) -> dict[str, str]:
        """{column of DayNumbers: address}."""
        return {
            "received": self.received,
            "delivered": self.delivered,
            **{name: self.orders(sent_as=kind.value) for kind, name in COUNT_OF_TYPE.items()},
            **{name: self.orders(goal=goal.value) for goal, name in REACHED.items()},
            "reached_own": self.orders(goal=OWN),
        }

    def _address(self, pages: str, moment: str, *, currency: str = "", **conditions: str) -> str:
        query = {
            **self._named(currency),
            f"{moment}_from": self.period.first,
            f"{moment}_to": self.period.last,
            CLOCK: COUNTERS_CLOCK,
            **conditions,
        }
        return f"{reverse(f'admin:{pages}_changelist')}?{urlencode(query, safe=',')}"

    def _named(self, currency: str) -> dict[str, Any]:
        keys = [counter.pk for counter in self.counters if currency in ("", counter.currency)]
        if len(keys) == 1:
            return {"counter__id__exact": keys[0]}
        if (self.whole and len(keys) == len(self.counters)) or len(keys) > MOST_NAMED:
            return {}
        return {COUNTERS: ",".join(map(str, keys or [0]))}
