"""Counters of an account, as Metrica lists them, and how those that a person picks become counters of the agency.

HTTP is made outside any transaction; each picked counter is one of its own.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.counters import services
from apps.counters.events import goals_read
from apps.counters.gateway import PAGE_SECONDS, metrica_client
from apps.counters.models import Counter, MetricaAccount
from apps.metrica.answers import read_goals
from apps.metrica.client import CounterInfo, GoalInfo
from apps.metrica.errors import AuthorizationError, MetricaError, QuotaExceeded
from apps.metrica.parts import Unreadable

PER_PAGE = 50
IMPORT_SECONDS = 60.0
"""How long a page may take to import."""

_LEFT = _("Metrica took too long for so many at once. Pick it once more.")
UPLOADING = frozenset({"own", "edit"})
"""Permissions with which a login may upload (pages: quick-start, FAQ)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A counter at Metrica. `goals`: JavaScript goals; None where Metrica did not list them. `known`: it is here."""

    info: CounterInfo
    goals: list[GoalInfo] | None
    known: Counter | None

    @property
    def may_upload(self) -> bool:
        return self.info.permission in UPLOADING

    @property
    def javascript_goals(self) -> int | None:
        return None if self.goals is None else sum(goal.type == "action" for goal in self.goals)


@dataclass(frozen=True, slots=True)
class OfferPage:
    """One page of what Metrica has. `total` counts all that the search finds."""

    offers: list[Offer]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the picked counters: made, known before, or refused (number → why)."""

    made: list[Counter] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def offered(*, account: MetricaAccount, search: str = "", page: int = 1) -> OfferPage:
    """One page of the account's counters, those of the agency marked. One call and one query. Raises MetricaError."""
    page = max(1, page)
    with metrica_client(account, total_timeout=PAGE_SECONDS) as client:
        answer = client.counters(search=search, per_page=PER_PAGE, offset=(page - 1) * PER_PAGE + 1, field=("goals",))
    services.note_reading(account_id=account.pk, at=timezone.now())
    numbers = [info.id for info in answer.counters]
    rows = Counter.objects.filter(agency_id=account.agency_id, metrica_id__in=numbers).select_related("account")
    known = {counter.metrica_id: counter for counter in rows}
    offers = [Offer(info, _goals_of(info), known.get(info.id)) for info in answer.counters]
    return OfferPage(offers, answer.rows, page)


def import_counters(*, account: MetricaAccount, numbers: Collection[int]) -> Imported:
    """Make counters of the agency out of what Metrica says now of these numbers, with zone, site and goals.

    One call for each. What is known already stays as it is. Where the token or a quota ends, or after IMPORT_SECONDS,
    the rest is left for another time and said so. Raises MetricaError only where nothing was done yet.
    """
    done = Imported()
    ends = time.monotonic() + IMPORT_SECONDS
    stopped = ""
    wanted = list(dict.fromkeys(numbers))
    here = set(
        Counter.objects.filter(agency_id=account.agency_id, metrica_id__in=wanted).values_list("metrica_id", flat=True)
    )
    done.known.extend(number for number in wanted if number in here)
    with metrica_client(account, total_timeout=PAGE_SECONDS) as client:
        for number in wanted:
            if number in here:
                continue
            if not stopped and time.monotonic() > ends:
                stopped = str(_LEFT)
            if stopped:
                done.refused[number] = stopped
                continue
            try:
                info = client.counter(number, field=("goals", "counter_flags"))
                goals = _goals_of(info)
                goals = client.goals(number) if goals is None else goals
                done.made.append(_make(account, info, goals))
            except MetricaError as error:
                if not done.made and len(wanted) == 1:
                    raise
                done.refused[number] = f"{error.message} {error.next_step}"
                if isinstance(error, AuthorizationError | QuotaExceeded):
                    stopped = done.refused[number]
            except ValidationError as error:
                done.refused[number] = " ".join(error.messages)
    return done


@transaction.atomic
def _make(account: MetricaAccount, info: CounterInfo, goals: Sequence[GoalInfo]) -> Counter:
    zone = info.time_zone_name if info.time_zone_name in available_timezones() else ""
    counter = services.create_counter(
        agency=account.agency,
        metrica_id=info.id,
        name=(info.name or info.site or str(info.id))[:255],
        site=info.site[:255],
        time_zone=zone,
        account=account,
    )
    services.note_info(counter=counter, info=info)
    goals_read.send(sender=Counter, counter=counter, goals=list(goals))
    return counter


def _goals_of(info: CounterInfo) -> list[GoalInfo] | None:
    try:
        return read_goals(info.raw)
    except Unreadable:
        return None
