"""All addresses that a person can open, from the admin's registry and from the lists themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.templatetags.admin_list import result_headers
from django.test import Client as Browser
from django.urls import NoReverseMatch, URLPattern, URLResolver, reverse

from apps.agencies.actor import Actor
from tests.benchmarks.pages import values

NOT_OPENED = ("logout", "autocomplete")
"""Ends the visit; answers only a field that asks."""


_OF_ROWS = ("job", "client", "request_id", "counter__id__in")
"""Filters whose values are other ones on every database."""


@dataclass(frozen=True, slots=True)
class Address:
    """`page`: what it is, the same for everybody and on every database; `path`: where; `kind`: for the table."""

    page: str
    path: str
    kind: str = "page"


def admin_addresses(browser: Browser, actor: Actor, missing: list[str]) -> Iterator[Address]:
    for pattern in admin.site.get_urls():
        if isinstance(pattern, URLPattern) and pattern.name and pattern.name not in NOT_OPENED:
            yield from _of_site(pattern, missing)
    for model, model_admin in admin.site._registry.items():
        yield from _of_model(browser, actor, model, model_admin, missing)


def _of_site(pattern: URLPattern, missing: list[str]) -> Iterator[Address]:
    name = f"admin:{pattern.name}"
    if pattern.name == "search":
        for words in ("coun", values.NOTHING):
            yield Address(f"{name} {words}", f"{reverse(name)}?s={words}")
        return
    try:
        yield Address(name, reverse(name))
    except NoReverseMatch:
        if pattern.name == "app_list":
            for label in sorted({model._meta.app_label for model in admin.site._registry}):
                yield Address(f"{name} {label}", reverse(name, args=[label]))
        elif "<path:" not in str(pattern.pattern) and "(?P<url>" not in str(pattern.pattern):
            missing.append(f"the address {name}: {pattern.pattern}")


def _of_model(browser: Browser, actor: Actor, model: Any, model_admin: Any, missing: list[str]) -> Iterator[Address]:
    label = model._meta.label_lower
    start = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    path = reverse(f"{start}_changelist")
    answer = browser.get(path)
    if answer.status_code != 200:
        yield Address(f"{label} list", path, "list")
        return
    changelist = answer.context_data["cl"]
    yield from _of_list(label, path, changelist, model, actor, missing)
    keys = [("", row.pk) for row in list(changelist.result_list)[:1]]
    keys += [(f" ({which})", key) for which, key in values.striking(model, actor) if key is not None]
    for pattern in _patterns(model_admin.get_urls()):
        name = f"admin:{pattern.name}"
        wanted = list(pattern.pattern.converters)
        own = values.arguments(pattern.name or "", actor)
        if pattern.name in (None, f"{start[6:]}_changelist") or not _is_own(pattern):
            continue
        page = f"{label} {pattern.name.removeprefix(f'{start[6:]}_')}"
        try:
            if not wanted:
                yield Address(page, reverse(name))
            elif own is not None:
                for which, given in own:
                    yield Address(f"{page}{which}", reverse(name, args=given))
            elif len(wanted) == 1:
                for which, key in keys:
                    yield Address(f"{page}{which}", reverse(name, args=[key]))
            else:
                missing.append(f"the address {name} with {', '.join(wanted)}")
        except NoReverseMatch:
            missing.append(f"the address {name}: {pattern.pattern}")


def _of_list(label: str, path: str, changelist: Any, model: Any, actor: Actor, missing: list[str]) -> Iterator[Address]:
    yield Address(f"{label} list", path, "list")
    pages = changelist.paginator.num_pages
    if pages > 1:
        yield Address(f"{label} list, page 2", f"{path}?p=2", "list")
        yield Address(f"{label} list, last page", f"{path}?p={pages}", "list")
    for place, header in enumerate(result_headers(changelist)):
        if header.get("sortable"):
            for sign, way in (("", "rising"), ("-", "falling")):
                yield Address(f"{label} list by {header['text']}, {way}", f"{path}?o={sign}{place}", "sorted")
    for spec in changelist.filter_specs:
        try:
            for which, parameters in values.choices(spec):
                name = next(iter(parameters))
                of_these_rows = name in _OF_ROWS and which != values.NOTHING
                of_these_rows = of_these_rows or (name.endswith("__exact") and which.isdecimal())
                shown = f"{name}, object" if of_these_rows else f"{name}={which}"
                yield Address(f"{label} list, {shown}", f"{path}?{urlencode(parameters)}", "filter")
        except values.Unknown as unknown:
            missing.append(f"{label}: {unknown}")
    for which, parameters in values.together(model, actor):
        yield Address(f"{label} list, {which}", f"{path}?{urlencode(parameters)}", "filter")
    if changelist.search_fields:
        for kind, words in values.searches(model, changelist.root_queryset, actor):
            yield Address(f"{label} search, {kind}", f"{path}?{urlencode({'q': words})}", "search")


def _patterns(entries: Any) -> Iterator[URLPattern]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns)
        else:
            yield entry


def _is_own(pattern: URLPattern) -> bool:
    """Not Django's own redirect of old addresses, nor a saved filter, which only leads to its list; and a workbook
    takes the time that its rows take."""
    name = str(pattern.name)
    return bool(pattern.name) and "delete" not in name and not name.endswith(("_filter", "_export_xlsx"))
