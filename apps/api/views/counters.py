"""GET counters/ and counters/{metrica_id}/."""

from typing import TypedDict

from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.base import ApiView
from apps.api.formats import clock_or_none
from apps.api.openapi import PAGE_PARAMETERS, described, of, page_of
from apps.api.paging import PARAMETERS, page
from apps.counters.models import Counter
from apps.counters.services import block_reason


class AccountShape(TypedDict):
    login: str
    state: str


class CounterShape(TypedDict):
    """`blocked`: the hold reason that everything of this counter has now, or null."""

    metrica_id: int
    name: str
    site: str
    account: AccountShape | None
    time_zone: str
    mode: str
    delivery: str
    schedule: str
    currency: str
    hash_identifiers: bool
    wave_pause_seconds: int
    paused: bool
    pause_reason: str
    blocked: str | None
    next_upload_at: str | None
    last_passed_at: str | None


def counter_shape(counter: Counter) -> CounterShape:
    """No query where the account came with the counter."""
    account = counter.account
    return {
        "metrica_id": counter.metrica_id,
        "name": counter.name,
        "site": counter.site,
        "account": None if account is None else {"login": account.login, "state": account.state},
        "time_zone": counter.time_zone,
        "mode": counter.mode,
        "delivery": counter.delivery,
        "schedule": counter.schedule,
        "currency": counter.currency,
        "hash_identifiers": counter.hash_identifiers,
        "wave_pause_seconds": counter.wave_pause_seconds,
        "paused": counter.paused_at is not None,
        "pause_reason": counter.pause_reason,
        "blocked": block_reason(counter) or None,
        "next_upload_at": clock_or_none(counter.next_upload_at, counter.zone),
        "last_passed_at": clock_or_none(counter.last_passed_at, counter.zone),
    }


class CountersView(ApiView):
    @described(
        name="list_counters",
        summary="Counters",
        answers={200: page_of(CounterShape)},
        errors=[400],
        parameters=PAGE_PARAMETERS,
        tags=["counters"],
    )
    def get(self, request: Request) -> Response:
        counters = Counter.objects.visible_to(self.actor).select_related("account")
        return Response(
            page(
                request=request,
                rows=counters,
                parameters=self.parameters(*PARAMETERS),
                shape=lambda found: [counter_shape(counter) for counter in found],
            )
        )


class CounterView(ApiView):
    @described(name="read_counter", summary="One counter", answers={200: of(CounterShape)}, tags=["counters"])
    def get(self, request: Request, metrica_id: int) -> Response:
        return Response(counter_shape(self.counter(metrica_id)))
