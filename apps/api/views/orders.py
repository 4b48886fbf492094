"""Orders of a counter: taken in by the thousand, listed by the page, shown one by one with their timeline."""

from django.http import StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from apps.agencies.models import ApiKey
from apps.api import limits
from apps.api import order_docs as docs
from apps.api.base import ApiView, choice, is_plain
from apps.api.openapi import MOMENT, PAGE_PARAMETERS, described, example, of, page_of, query
from apps.api.order_filters import FILTERS, Statuses, filtered, sorting_for
from apps.api.order_shapes import OrderShape, OrderWithTimelineShape, order_shape, timeline_shape, window_shape
from apps.api.orders_in import ReportShape, ResultShape, orders_of, report_shape, result_shape, take_in
from apps.api.paging import PARAMETERS, page
from apps.api.parsing import check_charset
from apps.api.problems import bad_request, invalid, not_found
from apps.api.repeating import HEADER
from apps.api.rows_in import row_problems
from apps.api.streams import LastLineShape, LineResultShape, is_stream, streamed
from apps.counters.models import Counter
from apps.metrica.vocabulary import OrderType
from apps.orders.models import Delivery, HoldReason, Order
from apps.uploads.models import Upload

MAX_TIMELINE = 1000
TIME = "Without an offset it is the counter's time."


class CounterOrdersView(ApiView):
    @described(
        name="send_orders",
        summary="Send orders",
        description="One order, or an array of them. Several rows with one id are successive changes in their order. "
        "Each row has its own result; with atomic=true one bad row keeps all out (400). As application/x-ndjson: any "
        "number of orders, one on each line, with a line in the answer for each and one that sums up.",
        body=docs.BODY,
        streamed=(docs.ORDER, {"oneOf": [of(LineResultShape), of(LastLineShape)]}),
        answers={200: of(ReportShape)},
        errors=[400, 404, 411, 413, 415],
        parameters=[query("atomic", "All or nothing.", values=["true", "false"])],
        examples=[
            example("One order", docs.ONE_ORDER),
            example("Several rows", docs.SEVERAL),
            example("Several rows", docs.ANSWER, status=200),
        ],
        tags=["orders"],
    )
    def post(self, request: Request, metrica_id: int) -> Response | StreamingHttpResponse:
        counter = self.counter(metrica_id, alone=True)
        atomic = self.parameters("atomic").get("atomic", "false").lower()
        choice(atomic, field="atomic", choices=("true", "false"))
        if is_stream(request):
            return self._streamed(request, counter, atomic=atomic == "true")
        rows = orders_of(self.payload())
        self.takes_rows(len(rows))
        return Response(report_shape(take_in(counter=counter, rows=rows, atomic=atomic == "true")))

    def may_repeat(self, request: Request) -> None:
        if is_stream(request):
            raise bad_request(
                "idempotency_not_for_streams",
                _("The answer to a body of any length is not kept, so an Idempotency-Key cannot be kept to here."),
                _("Leave the header out: lines that were taken already are answered with “unchanged”."),
                field=HEADER,
            )

    def _streamed(self, request: Request, counter: Counter, *, atomic: bool) -> StreamingHttpResponse:
        if atomic:
            raise bad_request(
                "atomic_not_for_streams",
                _("All or nothing is not possible for a body that is taken line by line."),
                _("Send up to 10,000 orders as a JSON array, or leave atomic out."),
                field="atomic",
            )
        check_charset(request)
        key = request.auth.pk if isinstance(request.auth, ApiKey) else None
        before_row = (lambda: limits.take_when_possible(key)) if key is not None else None
        return streamed(request=request._request, counter=counter, before_row=before_row)

    @described(
        name="list_orders",
        summary="Orders, newest first",
        description="The latest received first. With created_after or created_before: the latest created first. With "
        "updated_after: the earliest updated first, so that the last page ends with what came last.",
        answers={200: page_of(OrderShape)},
        errors=[400, 404],
        parameters=[
            query("status", "In this status now (as the CRM writes it)."),
            query("type", "In a status of this type now.", values=[each.value for each in OrderType]),
            query("delivery", "With a status change in this delivery state.", values=Delivery.values),
            query("hold", "With a status change held for this reason.", values=HoldReason.values),
            query("created_after", f"Created in the CRM at that time or later. {TIME}", kind=MOMENT),
            query("created_before", f"Created in the CRM before that time. {TIME}", kind=MOMENT),
            query("updated_after", f"Something of it was received at that time or later. {TIME}", kind=MOMENT),
            query("client", "Of this client (its id in the CRM)."),
            query("search", "The beginning of an order's id, a client, an e-mail, a phone or a ClientID."),
            *PAGE_PARAMETERS,
        ],
        examples=[example("One order", docs.LISTED, status=200)],
        tags=["orders"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        parameters = self.parameters(*FILTERS, *PARAMETERS)
        statuses = Statuses(counter)
        orders = Order.objects.visible_to(self.actor).filter(counter=counter)
        rows = filtered(orders, counter=counter, parameters=parameters, statuses=statuses, actor=self.actor)
        return Response(
            page(
                request=request,
                rows=rows,
                whole=orders.select_related("client", "current_change"),
                parameters=parameters,
                shape=lambda found: [order_shape(order, zone=counter.zone, statuses=statuses) for order in found],
                sorting=sorting_for(parameters),
            )
        )


class OneOrderView(ApiView):
    """What the endpoints of one order share."""

    def order(self, counter: Counter, order_id: str) -> Order:
        """The order with its client and present state. One query. Raises a Problem (404)."""
        order = self.find(counter, order_id)
        if order is None:
            raise not_found(_("There is no such order."), "unknown_order")
        return order

    def find(self, counter: Counter, order_id: str) -> Order | None:
        if not is_plain(order_id):
            return None
        orders = Order.objects.visible_to(self.actor).select_related("client", "current_change")
        return orders.filter(counter=counter, order_id=order_id).first()

    def shown(self, counter: Counter, order: Order) -> OrderWithTimelineShape:
        """Four queries at most, however long the timeline."""
        statuses = Statuses(counter)
        changes = list(order.changes.with_overtaken().order_by("-status_date_time", "-seq")[:MAX_TIMELINE])[::-1]
        uploads = {change.upload_id for change in changes if change.upload_id is not None}
        kept = Upload.objects.visible_to(self.actor).filter(pk__in=uploads) if uploads else Upload.objects.none()
        return {
            **order_shape(order, zone=counter.zone, statuses=statuses),
            "window": window_shape(order, zone=counter.zone),
            "timeline": timeline_shape(
                changes, zone=counter.zone, statuses=statuses, sent_as=dict(kept.values_list("pk", "mapping"))
            ),
        }


class OrderView(OneOrderView):
    @described(
        name="read_order",
        summary="One order with its timeline",
        description=f"The newest {MAX_TIMELINE} changes, by when they happened in the CRM, oldest first. The id in the "
        "address may hold anything, slashes too, percent-encoded.",
        answers={200: of(OrderWithTimelineShape)},
        examples=[example("A paid order", docs.WITH_TIMELINE, status=200)],
        tags=["orders"],
    )
    def get(self, request: Request, metrica_id: int, order_id: str) -> Response:
        counter = self.counter(metrica_id)
        return Response(self.shown(counter, self.order(counter, order_id)))


class OrderStatusesView(OneOrderView):
    @described(
        name="append_status",
        summary="Append one status change",
        description="To an order that is known, by the rules of send_orders; what is left out stays as it is. The same "
        "state again changes nothing.",
        body=docs.CHANGE,
        answers={200: of(ResultShape)},
        errors=[400, 404, 411, 413, 415],
        examples=[example("Paid", docs.ONE_CHANGE), example("A new status", docs.APPENDED, status=200)],
        tags=["orders"],
    )
    def post(self, request: Request, metrica_id: int, order_id: str) -> Response:
        counter = self.counter(metrica_id)
        order = self.order(counter, order_id)
        given = self.payload_object(known=docs.STATE_PROPERTIES)
        self.takes_rows(1)
        [result] = take_in(counter=counter, rows=[{**given, "id": order.order_id}]).results
        if result.result == "rejected":
            raise invalid(row_problems(result))
        return Response(result_shape(result))


class EndsLikeStatusesView(OrderStatusesView):
    """…/orders/{id}/statuses/: for GET it can only be an order whose id ends so."""

    @described(name="", summary="", answers={}, exclude=True)
    def get(self, request: Request, metrica_id: int, order_id: str) -> Response:
        counter = self.counter(metrica_id)
        order = self.find(counter, f"{order_id}/statuses")
        if order is None:
            raise MethodNotAllowed("GET")
        return Response(self.shown(counter, order))
