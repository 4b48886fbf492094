"""Every address of the project, read from its URL configuration, and what is written into it for its arguments."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from apps.clients.models import Client
from apps.imports.models import ImportJob
from apps.orders.models import Order
from apps.receivers.addresses import hash_of
from apps.receivers.models import Receiver
from apps.uploads.models import UploadJob
from tests.admin.access import found as admin_pages
from tests.admin.access.table import ADDRESSES
from tests.admin.access.world import World

ELSEWHERE = {"sandbox/": "a Metrica to play with, which knows of no agency: tests/sandbox"}
"""Beginnings of addresses that are not in the table, and why."""

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_NAMED = re.compile(r"\(\?P<(\w+)>[^)]*\)")

ARGUMENTS: dict[str, Callable[[World], Any]] = {
    "metrica_id": lambda world: world.place.counter.metrica_id,
    "order_id": lambda world: Order.objects.get(order_id=f"{world.place.mark}-1").order_id,
    "crm_status": lambda world: "new",
    "pk": lambda world: UploadJob.objects.get(counter=world.place.counter).pk,
    "path": lambda world: "nowhere/",
    "counter_id": lambda world: world.place.counter.metrica_id,
    "client_id": lambda world: Client.objects.get(counter=world.place.counter).uniq_id,
    "/api/v1/imports/<uuid:pk>/ pk": lambda world: _import(world),
    "/api/v1/imports/<uuid:pk>/errors.csv pk": lambda world: _import(world),
    "/api/v1/imports/<uuid:pk>/cancel/ pk": lambda world: _import(world),
    "public_id": lambda world: Receiver.objects.get(counter=world.place.counter).public_id,
    "receiver_secret": lambda world: _open(world),
}
"""What is written into an address for its argument; for one address alone under `address argument`. Those of the admin
are in tests/admin/access/table.py."""


def _import(world: World) -> Any:
    return ImportJob.objects.filter(counter=world.place.counter).earliest("pk").pk


def _open(world: World) -> str:
    """A secret that opens the receiver, so that the table tells who gets in with it: it is the key by itself."""
    secret = "a-secret-that-opens-the-receiver-of-this-world"
    Receiver.objects.filter(counter=world.place.counter).update(secret_hash=hash_of(secret))
    return secret


@dataclass(frozen=True, slots=True)
class Route:
    """`route` is its name in the table; `name` the one in the URL configuration; `page`: of the admin's table."""

    route: str
    name: str
    page: Any = None

    @property
    def group(self) -> str:
        """What is tried together, in one world."""
        if self.page is not None and self.page.group in admin_pages.registered():
            return f"admin {self.page.group.partition('_')[0]}"
        return "api" if self.route.startswith("/api/") else "rest"

    @property
    def has_arguments(self) -> bool:
        return bool(_ARGUMENT.search(self.route))

    def address(self, world: World) -> str:
        """With the things of `world.place` in it. Raises KeyError for an argument that nobody knows."""
        if self.page is not None:
            return admin_pages.written(self.page, admin_pages.values_of(world, self.page.group))

        def value(found: re.Match[str]) -> str:
            make = ARGUMENTS.get(f"{self.route} {found[1]}") or ARGUMENTS[found[1]]
            return str(make(world))

        return _ARGUMENT.sub(value, self.route)


@cache
def routes() -> tuple[Route, ...]:
    return tuple(_walk(get_resolver().url_patterns, ""))


def _walk(entries: list[Any], start: str) -> Iterator[Route]:
    for entry in entries:
        route = start + str(entry.pattern).removeprefix("^")
        if route and route.startswith(tuple(ELSEWHERE)):
            continue
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield from _named(entry, route)


def _named(entry: URLPattern, route: str) -> Iterator[Route]:
    if route.startswith("admin/") or not route.startswith(("api/", "cdp/", "in/")):
        for page in admin_pages._addresses(entry, route):
            known = page.key in ADDRESSES
            yield Route(_readable(page.route), entry.name or "", page if known else None)
    else:
        yield Route(_readable(route), entry.name or "")


def _readable(route: str) -> str:
    return "/" + _NAMED.sub(r"<\1>", route).removesuffix("$")
