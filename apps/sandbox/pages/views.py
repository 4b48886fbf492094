"""Pages: counters, uploads with rows and errors, orders with their history, visits with goals reached."""

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from apps.metrica.vocabulary import OrderType
from apps.sandbox.models import (
    SandboxCounter,
    SandboxCustomer,
    SandboxOrder,
    SandboxProduct,
    SandboxToken,
    SandboxUploading,
    SandboxVisit,
    UploadFormat,
    UploadKind,
)
from apps.sandbox.pages.common import REACHES, ROWS
from apps.sandbox.pages.common import counter_of as _counter
from apps.sandbox.pages.common import page_of as _page


def start(request: HttpRequest) -> HttpResponse:
    """All counters with what they received, and the tokens that open them."""
    counters = SandboxCounter.objects.order_by("metrica_id").annotate(
        uploads=_count(SandboxUploading),
        orders_received=_count(SandboxOrder),
        visits_made=_count(SandboxVisit),
        owner_token=Subquery(
            SandboxToken.objects.filter(login=OuterRef("owner_login"), revoked=False).order_by("pk").values("token")[:1]
        ),
    )
    tokens = SandboxToken.objects.filter(revoked=False).order_by("login", "pk")
    return render(request, "sandbox/start.html", {"page": _page(request, counters), "tokens": tokens[:ROWS]})


def uploads(request: HttpRequest, number: int) -> HttpResponse:
    found = _counter(number)
    rows = SandboxUploading.objects.filter(counter=found).order_by("-received_at", "-pk")
    return render(request, "sandbox/uploads.html", {"counter": found, "tab": "uploads", "page": _page(request, rows)})


def upload(request: HttpRequest, uuid: str) -> HttpResponse:
    """One file: its answer, its errors, its rows as they were applied."""
    found = get_object_or_404(SandboxUploading.objects.select_related("counter"), uuid=uuid)
    rows: QuerySet[Any] = found.events.select_related("order").order_by("line", "pk")
    if found.kind == UploadKind.CONTACTS:
        rows = found.customer_events.select_related("customer").order_by("line", "pk")
    context = {"counter": found.counter, "tab": "uploads", "upload": found, "page": _page(request, rows)}
    return render(request, "sandbox/upload.html", context)


def upload_file(_request: HttpRequest, uuid: str) -> FileResponse:
    """The very bytes that were received."""
    found = get_object_or_404(SandboxUploading, uuid=uuid)
    if not found.body.name or not found.body.storage.exists(found.body.name):
        raise Http404("The file is not kept any more.")
    content_type = "application/json" if found.uploading_format == UploadFormat.JSON else "text/csv"
    filename = f"{found.uuid}.{found.uploading_format.lower()}"
    return FileResponse(found.body.open("rb"), as_attachment=True, filename=filename, content_type=content_type)


def orders(request: HttpRequest, number: int) -> HttpResponse:
    found = _counter(number)
    rows = SandboxOrder.objects.filter(counter=found).order_by("-id").prefetch_related(REACHES)
    order_id, kind = request.GET.get("id", ""), request.GET.get("type", "")
    if order_id:
        rows = rows.filter(order_id=order_id)
    if kind in list(OrderType):
        rows = rows.filter(type=kind)
    context = {
        "counter": found,
        "tab": "orders",
        "page": _page(request, rows),
        "order_id": order_id,
        "kind": kind,
        "kinds": list(OrderType),
    }
    return render(request, "sandbox/orders.html", context)


def order(request: HttpRequest, pk: str) -> HttpResponse:
    """One order: how it stands, every row that was applied to it, goals reached."""
    found = get_object_or_404(SandboxOrder.objects.select_related("counter", "visit"), pk=pk)
    events = found.events.select_related("uploading").order_by("pk")
    names = SandboxProduct.objects.filter(counter=found.counter, name__in=list(found.products or {}))
    named = dict(names.values_list("name", "humanized"))
    customer = SandboxCustomer.objects.filter(key=found.customer_key).first() if found.customer_key else None
    context = {
        "counter": found.counter,
        "tab": "orders",
        "order": found,
        "customer": customer,
        "products": [(name, named.get(name, ""), quantity) for name, quantity in (found.products or {}).items()],
        "page": _page(request, events),
        "reaches": found.reaches.order_by("pk")[:ROWS],
    }
    return render(request, "sandbox/order.html", context)


def visit(request: HttpRequest, pk: int) -> HttpResponse:
    """One visit: its visitor, goals reached in it and with which income, orders bound to it."""
    found = get_object_or_404(SandboxVisit.objects.select_related("counter"), pk=pk)
    context = {
        "counter": found.counter,
        "tab": "visits",
        "visit": found,
        "page": _page(request, found.reaches.select_related("order").order_by("pk")),
        "orders": found.orders.order_by("pk")[:ROWS],
    }
    return render(request, "sandbox/visit.html", context)


def _count(model: type[SandboxUploading] | type[SandboxOrder] | type[SandboxVisit]) -> Coalesce:
    """How many rows of `model` a counter has; only for the counters of one page, so each is one look into an index."""
    rows = model._base_manager.filter(counter=OuterRef("pk")).order_by().values("counter")
    return Coalesce(Subquery(rows.annotate(rows=Count("pk")).values("rows")), 0, output_field=IntegerField())
