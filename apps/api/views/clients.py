"""Clients of a counter: sent by the thousand, listed by the page, shown with what their orders come to, erased."""

from typing import Any, Literal, NotRequired, TypedDict

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import client_docs as docs
from apps.api.base import ApiView, choice, is_plain, moment
from apps.api.client_shapes import ClientShape, ClientWithOrdersShape, client_shape, sums_of, with_orders
from apps.api.openapi import MOMENT, PAGE_PARAMETERS, described, example, of, page_of, query
from apps.api.paging import NEWEST_FIRST, PARAMETERS, Sorting, page
from apps.api.problems import conflict, not_found
from apps.api.rows_in import RowErrorShape, refusal, rows_of, told
from apps.clients import contacts, search
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.orders import people
from apps.orders.clients_in import ClientReport, accept_all
from apps.orders.models import Source
from apps.orders.results import RowResult


class ClientResultShape(TypedDict):
    """One row. `id`: the client's uniq_id, null where it could not be read. `warnings`: what was left out of a row that
    was taken."""

    index: int
    id: str | None
    result: Literal["created", "updated", "unchanged", "rejected"]
    errors: NotRequired[list[RowErrorShape]]
    warnings: NotRequired[list[RowErrorShape]]


class ClientReportShape(TypedDict):
    """`released`: how many held status changes of these clients' orders are free to go now."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    released: int
    results: list[ClientResultShape]


class ClientsView(ApiView):
    @described(
        name="list_clients",
        summary="Clients, newest first",
        description="The latest made first; with updated_after, the earliest changed first, so that the last page ends "
        "with what came last. Clients that were merged into others, or erased, are not among them.",
        answers={200: page_of(ClientShape)},
        errors=[400, 404],
        parameters=[
            query("search", "The beginning of a client's id or name, or a whole e-mail, phone or ClientID."),
            query(
                "updated_after",
                "Changed at that time or later. Without an offset it is the counter's time.",
                kind=MOMENT,
            ),
            *PAGE_PARAMETERS,
        ],
        examples=[example("One client", docs.PAGE, status=200)],
        tags=["clients"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        parameters = self.parameters("search", "updated_after", *PARAMETERS)
        clients = _present(Client.objects.visible_to(self.actor).filter(counter=counter))
        rows, sorting = clients, NEWEST_FIRST
        if text := parameters.get("updated_after"):
            rows = rows.filter(updated_at__gte=moment(text, field="updated_after", zone=counter.zone))
            sorting = Sorting("updated_at", ascending=True)
        if term := search.clean(parameters.get("search", "")):
            found = search.find(clients, term, counters=[counter.pk], digests=contacts.meant(term))
            rows = rows.filter(pk__in=found.keys)
        return Response(
            page(
                request=request,
                rows=rows,
                parameters=parameters,
                shape=lambda found: [client_shape(client, zone=counter.zone) for client in found],
                sorting=sorting,
            )
        )

    @described(
        name="send_clients",
        summary="Send clients",
        description="One client, or an array of them, without an order. Each row has its own result; with atomic=true "
        "one bad row keeps all out (400). Identifiers are added to those known, a name or an attribute that is left "
        "out stays, and null takes it away. What was held because nobody could be found by it is let go.",
        body=docs.BODY,
        answers={200: of(ClientReportShape)},
        errors=[400, 404, 411, 413, 415],
        parameters=[query("atomic", "All or nothing.", values=["true", "false"])],
        examples=[
            example("One client", docs.ONE_CLIENT),
            example("Several clients", docs.SEVERAL),
            example("Several clients", docs.ANSWER, status=200),
        ],
        tags=["clients"],
    )
    def post(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        atomic = self.parameters("atomic").get("atomic", "false").lower()
        choice(atomic, field="atomic", choices=("true", "false"))
        rows = _clients_of(self.payload())
        self.takes_rows(len(rows))
        report = accept_all(counter=counter, rows=rows, source=Source.API, atomic=atomic == "true")
        if atomic == "true" and report.rejected:
            raise refusal(report.results)
        return Response(_report_shape(report))


class ClientView(ApiView):
    def client(self, counter: Counter, uniq_id: str) -> Client:
        """The client of that id, or the one that it was merged into. One query. Raises a Problem (404)."""
        clients = Client.objects.visible_to(self.actor).filter(counter=counter).select_related("merged_into")
        client = clients.filter(uniq_id=uniq_id).first() if is_plain(uniq_id) else None
        if client is not None and client.merged_into is not None:
            client = client.merged_into
        if client is None or client.erased_at is not None:
            raise not_found(_("There is no such client."), "unknown_client")
        return client

    @described(
        name="read_client",
        summary="One client with its orders and what they come to",
        description="Identifiers as Metrica takes them. The id in the address is the CRM's (uniq_id) and may hold "
        "anything, slashes too, percent-encoded. An id that was merged into another client's leads to that one.",
        answers={200: of(ClientWithOrdersShape)},
        examples=[example("A client with an order", docs.CLIENT, status=200)],
        tags=["clients"],
    )
    def get(self, request: Request, metrica_id: int, client_id: str) -> Response:
        counter = self.counter(metrica_id)
        client = self.client(counter, client_id)
        base = request.build_absolute_uri("/").rstrip("/")
        return Response(with_orders(client, counter=counter, sums=sums_of(client, counter=counter), base=base))

    @described(
        name="erase_client",
        summary="Erase a client's personal data",
        description="Name, identifiers, attributes and the CRM's id go, of the client and of its orders; the orders "
        "stay with their ids, statuses and money, and what of them waits is held. In kept files of "
        "uploads the client's cells are blanked and files of imports that name it are deleted, in the background; the "
        "audit log stays. This cannot be undone. 409 while something of it is being sent: try in a minute.",
        answers={204: None},
        errors=[404, 409],
        tags=["clients"],
    )
    def delete(self, request: Request, metrica_id: int, client_id: str) -> Response:
        client = self.client(self.counter(metrica_id), client_id)
        try:
            people.erase_client(client=client)
        except ValidationError as error:
            [code] = [one.code for one in error.error_list]
            if code == "client_gone":
                raise not_found(_("There is no such client."), "unknown_client") from None
            next_step = _("Wait until the upload has ended, then send the request again.")
            raise conflict(str(code), " ".join(error.messages), next_step) from None
        return Response(status=204)


def _present(clients: QuerySet[Client]) -> QuerySet[Client]:
    """Those who are somebody: not merged into others, not erased."""
    return clients.filter(merged_into=None, erased_at=None)


def _clients_of(payload: Any) -> list[Any]:
    """One client, or an array of them. Raises a Problem (400, 413)."""
    return rows_of(
        payload,
        code="not_clients",
        neither=_("The body must be a client or an array of clients."),
        too_many=_("One request takes up to %(limit)s clients; here are %(given)s."),
    )


def _report_shape(report: ClientReport) -> ClientReportShape:
    return {
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
        "released": report.released,
        "results": [_result_shape(result) for result in report.results],
    }


def _result_shape(result: RowResult) -> ClientResultShape:
    shape: ClientResultShape = {"index": result.index, "id": result.id, "result": result.result}
    if result.errors:
        shape["errors"] = told(result.errors)
    if result.warnings:
        shape["warnings"] = told(result.warnings)
    return shape
