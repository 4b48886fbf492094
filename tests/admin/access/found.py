"""What the project really offers to people, read from its URLs and from the admin: the table is held against it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from apps.agencies.actor import system
from tests.admin.access.table import ARGUMENTS, ELSEWHERE, OBJECTS
from tests.admin.access.world import Place, World

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_CHOICES = re.compile(r"\(\?P<app_label>([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Address:
    """`key` is its name in the table. `route` has arguments in it as URL configurations write them. `group`: what is
    tried together with it, a model's name where it has one."""

    key: str
    route: str
    group: str


def name_of(model: type[models.Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


@cache
def registered() -> dict[str, Any]:
    return {name_of(model): model_admin for model, model_admin in admin.site._registry.items()}


@cache
def addresses() -> list[Address]:
    """Every one that is meant for people."""
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(entries: list[Any], start: str) -> Iterator[Address]:
    for entry in entries:
        route = start + str(entry.pattern).removeprefix("^" if start else "")
        if route and route.startswith(tuple(ELSEWHERE)):
            continue
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield from _addresses(entry, route)


def _addresses(entry: URLPattern, route: str) -> Iterator[Address]:
    parts = route.split("/")
    model = "_".join(parts[1:3]) if parts[0] == "admin" else ""
    group = model if model in registered() else "site"
    if labels := _CHOICES.search(route):
        for label in labels[1].split("|"):
            yield Address(f"app_list/{label}", route.replace(labels[0], label).rstrip("$"), group)
    elif entry.name:
        yield Address(entry.name, route, group)
    else:
        # Django's own, without a name: a model's old addresses, and whatever is nowhere.
        yield Address(f"{group}_" if route.endswith("<path:object_id>/") else route, route, group)


def object_of(model: str, place: Place) -> Any:
    """The object of the place whose page is looked at."""
    return OBJECTS[registered()[model].model](place)


def values_of(world: World, group: str) -> dict[str, Any]:
    """What is written into the addresses of a group: the things of `world.place`."""
    values = {name: make(world, group) for name, make in ARGUMENTS.items()}
    return {**values, "object_id": object_of(group, world.place).pk} if group in registered() else values


def written(address: Address, values: dict[str, Any]) -> str:
    """The address with its arguments filled in. Raises KeyError for one that nobody knows."""
    text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", address.route).removesuffix("$")
    return "/" + _ARGUMENT.sub(lambda found: str(values[found[1]]), text)


def arguments() -> set[str]:
    """All that stand in addresses."""
    text = " ".join(re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", address.route) for address in addresses())
    return set(_ARGUMENT.findall(text)) - {"object_id", "app_label"}


def request_of_all_rights() -> HttpRequest:
    """By one who may everything, so that nothing is left out."""
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.actor = system("tests")  # type: ignore[attr-defined]
    return request


@cache
def actions() -> list[str]:
    """`model.action`, however it is given: as a function, by its name, or by the apps below."""
    request, found = request_of_all_rights(), set()
    for name, model_admin in registered().items():
        base: Any = model_admin
        offered = set(model_admin.get_actions(request)) | {action for _do, action, _title in base._get_base_actions()}
        found |= {f"{name}.{action}" for action in offered - {"delete_selected"}}
    return sorted(found)


def filters_of(model: str) -> list[str]:
    """Parameters of the filters of a model's list."""
    request, model_admin = request_of_all_rights(), registered()[model]
    found: list[str] = []
    for item in model_admin.get_list_filter(request):
        if isinstance(item, type):
            spec: Any = item(request, {}, model_admin.model, model_admin)
        else:
            path, kind = item if isinstance(item, (tuple, list)) else (item, admin.FieldListFilter.create)
            field = get_fields_from_path(model_admin.model, path)[-1]
            spec = kind(field, request, {}, model_admin.model, model_admin, field_path=path)
        found += spec.expected_parameters()
    return found


@cache
def autocompletes() -> list[str]:
    """`model.field` of each that a form uses."""
    found = set()
    request = request_of_all_rights()
    for name, model_admin in registered().items():
        found |= {f"{name}.{field}" for field in model_admin.get_autocomplete_fields(request)}
        for inline in {*model_admin.get_inlines(request, None), *model_admin.get_inlines(request, model_admin.model())}:
            found |= {f"{name_of(inline.model)}.{field}" for field in inline.autocomplete_fields}
    return sorted(found)


def relations() -> list[tuple[str, str, str, str]]:
    """(app, model, field, model that it leads to) of all that Django's autocomplete answers for, whether a form uses it
    or not."""
    return [
        (model._meta.app_label, str(model._meta.model_name), field.name, name_of(field.remote_field.model))
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if getattr(field, "remote_field", None) and not field.auto_created
        if name_of(field.remote_field.model) in registered()
    ]
