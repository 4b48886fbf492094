"""`/sandbox/control/…`: what the CRM uploaded and told of itself, to look at with GET."""

from django.db.models import Prefetch
from django.http import HttpRequest

from apps.sandbox import shapes
from apps.sandbox.control.views import Body, control, page
from apps.sandbox.models import (
    SandboxAttribute,
    SandboxCustomer,
    SandboxCustomerEvent,
    SandboxOrderEvent,
    SandboxProduct,
    SandboxStatus,
)


def _get_customers(request: HttpRequest, _body: Body) -> Body:
    """Oldest first, each with its applied rows; `uniq_id` picks one customer."""
    rows = SandboxCustomer.objects.order_by("pk").prefetch_related(
        Prefetch("events", SandboxCustomerEvent.objects.select_related("uploading").order_by("pk"))
    )
    if "uniq_id" in request.GET:
        rows = rows.filter(uniq_id=request.GET["uniq_id"])
    return page(request, rows, "customers", shapes.customer)


def _get_events(request: HttpRequest, _body: Body) -> Body:
    """Applied rows of all orders in their order of application: type, incomes, notes; `id` picks one order id."""
    rows = SandboxOrderEvent.objects.order_by("pk").select_related("order", "uploading")
    if "id" in request.GET:
        rows = rows.filter(order__order_id=request.GET["id"])
    return page(request, rows, "events", shapes.step, counter="uploading__counter")


def _get_statuses(request: HttpRequest, _body: Body) -> Body:
    return page(request, SandboxStatus.objects.order_by("pk"), "statuses", shapes.status)


def _get_attributes(request: HttpRequest, _body: Body) -> Body:
    return page(request, SandboxAttribute.objects.order_by("pk"), "attributes", shapes.attribute)


def _get_products(request: HttpRequest, _body: Body) -> Body:
    return page(request, SandboxProduct.objects.order_by("pk"), "products", shapes.product)


customers = control(get=_get_customers)
events = control(get=_get_events)
statuses = control(get=_get_statuses)
attributes = control(get=_get_attributes)
products = control(get=_get_products)
