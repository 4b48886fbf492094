"""Pages of customers: who was uploaded, with which identifiers and attributes, and the orders that name them."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from apps.sandbox.models import SandboxCustomer, SandboxOrder
from apps.sandbox.pages.common import ROWS, counter_of, page_of


def customers(request: HttpRequest, number: int) -> HttpResponse:
    found = counter_of(number)
    rows = SandboxCustomer.objects.filter(counter=found).order_by("-id")
    uniq_id = request.GET.get("id", "")
    if uniq_id:
        rows = rows.filter(uniq_id=uniq_id)
    context = {"counter": found, "tab": "customers", "page": page_of(request, rows), "uniq_id": uniq_id}
    return render(request, "sandbox/customers.html", context)


def customer(request: HttpRequest, pk: str) -> HttpResponse:
    """One customer: how it stands, every row that was applied to it, its latest orders."""
    found = get_object_or_404(SandboxCustomer.objects.select_related("counter"), pk=pk)
    orders = list(SandboxOrder.objects.filter(customer_key=found.key).order_by("-pk")[: ROWS + 1])
    context = {
        "counter": found.counter,
        "tab": "customers",
        "customer": found,
        "page": page_of(request, found.events.select_related("uploading").order_by("pk")),
        "orders": orders[:ROWS],
        "has_more": len(orders) > ROWS,
    }
    return render(request, "sandbox/customer.html", context)
