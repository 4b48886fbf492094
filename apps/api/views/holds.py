"""GET holds/: the work list. What waits for a person, why, and what to do."""

import uuid
from typing import TypedDict

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.agencies.merging import Parts
from apps.api import answer_docs as docs
from apps.api.base import ApiView, choice
from apps.api.formats import clock
from apps.api.openapi import NUMBER_OF_COUNTER, PAGE_PARAMETERS, described, example, page_of, query
from apps.api.paging import PARAMETERS, page
from apps.api.problems import bad_request
from apps.counters.models import Counter
from apps.orders.hold_advice import sentence
from apps.orders.models import Delivery, HoldReason, StatusChange


class HoldShape(TypedDict):
    """A held status change. `id` is the change's; `order` its order's id in the CRM."""

    id: str
    counter: int
    order: str
    order_status: str
    status_date_time: str
    received_at: str
    hold: str
    message: str
    next_step: str


def hold_shape(change: StatusChange) -> HoldShape:
    """No query where order and counter came with the change."""
    zone = change.counter.zone
    reason = HoldReason(change.hold_reason)
    return {
        "id": str(change.pk),
        "counter": change.counter.metrica_id,
        "order": change.order.order_id,
        "order_status": change.order_status,
        "status_date_time": clock(change.status_date_time, zone),
        "received_at": clock(change.received_at, zone),
        "hold": reason.value,
        "message": str(reason.label),
        "next_step": str(sentence(reason)),
    }


class HoldsView(ApiView):
    @described(
        name="list_holds",
        summary="Status changes that wait for a person",
        description="The work list, the newest first: why each is held and what is to be done. Mending the cause lets "
        "go of all that it held.",
        answers={200: page_of(HoldShape)},
        errors=[400],
        parameters=[
            query("counter", "Only of this counter (Metrica's number).", kind=NUMBER_OF_COUNTER),
            query("hold", "Only for this reason.", values=HoldReason.values),
            *PAGE_PARAMETERS,
        ],
        examples=[example("A status that is not mapped", docs.HOLDS, status=200)],
        tags=["holds"],
    )
    def get(self, request: Request) -> Response:
        parameters = self.parameters("counter", "hold", *PARAMETERS)
        rows = StatusChange.objects.visible_to(self.actor).filter(delivery=Delivery.HELD)
        counters = Counter.objects.visible_to(self.actor).order_by()
        if number := parameters.get("counter"):
            if not (number.isascii() and number.isdigit() and len(number) < 19):
                raise bad_request("bad_counter", _("Write the counter's number."), field="counter")
            rows = rows.filter(counter__metrica_id=int(number))
            counters = counters.filter(metrica_id=int(number))
        if reason := parameters.get("hold"):
            rows = rows.filter(hold_reason=choice(reason, field="hold", choices=HoldReason.values))
        return Response(
            page(
                request=request,
                rows=rows.select_related("order", "counter"),
                parameters=parameters,
                shape=lambda found: [hold_shape(change) for change in found],
                key=uuid.UUID,
                parts=Parts("counter", tuple(counters.values_list("pk", flat=True))),
            )
        )
