"""Every address of the API that is read, with each filter of the order list."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote, urlencode

from django.test import Client as Browser
from django.utils import timezone

from apps.agencies.actor import Actor
from apps.api.order_filters import FILTERS
from apps.api.urls import urlpatterns
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.imports.models import ImportJob
from apps.metrica.vocabulary import OrderType
from apps.orders.models import Delivery, HoldReason, Order
from apps.uploads.models import UploadJob
from tests.benchmarks.pages import values
from tests.benchmarks.pages.addresses import Address

START = "/api/v1/"
NOT_READ = ("upload-retry", "upload-cancel", "nothing-here", "order-statuses", "import-cancel")
"""They only write, or answer that nothing is there."""
AT_METRICA = ("status-drift",)
"""Asks Metrica."""


def api_addresses(browser: Browser, key: str, actor: Actor, missing: list[str]) -> Iterator[Address]:
    counter = Counter.objects.visible_to(actor).order_by("pk").first()
    assert counter is not None
    order = Order.objects.filter(counter=counter).order_by("-pk").first()
    job = UploadJob.objects.filter(counter=counter).order_by("-pk").first()
    client = Client.objects.present().filter(counter=counter, erased_at=None).order_by("-pk").first()
    files = ImportJob.objects.filter(counter=counter).order_by("-pk")
    imported = {"import": files.first(), "import-errors": files.filter(reported__gt=0).first()}
    known = {
        "metrica_id": counter.metrica_id,
        "order_id": quote(order.order_id, safe="") if order else "1",
        "client_id": quote(client.uniq_id, safe="") if client else "1",
        "crm_status": quote("Отказ"),
        "pk": job.pk if job else "0" * 32,
    }
    for pattern in urlpatterns:
        name = pattern.name
        if name in NOT_READ or name in AT_METRICA:
            continue
        wanted = pattern.pattern.converters
        if not set(wanted) <= set(known):
            missing.append(f"the address api:{name}: {pattern.pattern}")
            continue
        path = START + str(pattern.pattern)
        if name in imported:
            if (file := imported[name]) is None:
                continue  # what was filled in has none
            known_here = {**known, "pk": file.pk}
        else:
            known_here = known
        for part, converter in wanted.items():
            kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
            path = path.replace(f"<{kind}:{part}>", str(known_here[part]))
        yield Address(f"api {name}", path, "list")
        if name == "orders" and order is not None:
            yield from _orders(browser, key, path, counter, order, missing)
        if name == "clients" and client is not None:
            yield from _clients(path, client)
        if name == "audit":
            yield from _audit(path, counter)
        if name == "holds":
            yield Address("api holds, counter", f"{path}?counter={counter.metrica_id}", "filter")
            for reason in HoldReason:
                yield Address(f"api holds, {reason}", f"{path}?hold={reason.value}", "filter")


def _clients(path: str, client: Client) -> Iterator[Address]:
    for place, text in enumerate([client.uniq_id, client.name or "Анна", "+7 999 000-00-01", values.NOTHING]):
        yield Address(f"api clients, search={place + 1}", f"{path}?{urlencode({'search': text})}", "search")
    for days in (1, 400):
        since = {"updated_after": (timezone.now() - timedelta(days=days)).isoformat()}
        yield Address(f"api clients, updated_after={days}", f"{path}?{urlencode(since)}", "filter")


def _audit(path: str, counter: Counter) -> Iterator[Address]:
    now = timezone.now()
    given = {
        "action": ["upload_job.finished", "upload_job."],
        "object": [f"counters.counter:{counter.pk}", "counters.counter"],
        "actor": ["key", values.NOTHING],
        "counter": [str(counter.metrica_id)],
        "from": [(now - timedelta(days=1)).isoformat()],
        "to": [(now - timedelta(days=400)).isoformat()],
        "request_id": [values.NOTHING],
    }
    for name, some in given.items():
        for place, value in enumerate(some):
            yield Address(f"api audit, {name}={place + 1}", f"{path}?{urlencode({name: value})}", "filter")


def _orders(
    browser: Browser, key: str, path: str, counter: Counter, order: Order, missing: list[str]
) -> Iterator[Address]:
    following = browser.get(f"{path}?limit=1000", headers={"Authorization": f"Bearer {key}"}).json().get("next")
    yield Address("api orders, a thousand", f"{path}?limit=1000", "list")
    if following:
        yield Address("api orders, next page", following, "list")
    now = timezone.now()
    given: dict[str, list[str]] = {
        "status": [order.order_status, values.NOTHING],
        "type": [each.value for each in OrderType],
        "delivery": list(Delivery.values),
        "hold": list(HoldReason.values),
        "created_after": [(now - timedelta(days=days)).isoformat() for days in (1, 400)],
        "created_before": [(now - timedelta(days=days)).isoformat() for days in (1, 400)],
        "updated_after": [(now - timedelta(days=days)).isoformat() for days in (1, 400)],
        "client": [order.client.uniq_id if order.client else "C-1", values.NOTHING],
        "search": [order.order_id, order.order_id[:3], "+7 999 000-00-01", values.NOTHING],
    }
    for name in FILTERS:
        if name not in given:
            missing.append(f"the filter {name} of the order list of the API")
        for place, value in enumerate(given.get(name, [])):
            which = value if name in ("type", "delivery", "hold") else str(place + 1)
            yield Address(
                f"api orders, {name}={which}",
                f"{path}?{urlencode({name: value})}",
                "search" if name == "search" else "filter",
            )
