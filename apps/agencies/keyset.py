"""Long lists by the chunk, each read by itself: nothing is held open between two of them, however slow the reader is.

A row that is changed meanwhile, so that it moves in the list, may be met twice or not at all; no other is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import OrderBy

from apps.agencies.merging import Parts, merged

M = TypeVar("M", bound=models.Model)

NOTHING = Q(pk__in=[])


def chunks(rows: QuerySet[M], size: int, parts: Parts | None = None) -> Iterator[list[M]]:
    """The rows in their order, those that are the same in it by their key. One query a chunk, besides those that the
    queryset prefetches."""
    steps = _steps(rows)
    if steps[-1].path == "pk":
        sorted_by: Any = rows.query.order_by or rows.model._meta.ordering or ()
        rows = rows.order_by(*sorted_by, "pk")
    chunk = list(merged(rows, parts, stop=size))
    while chunk:
        yield chunk
        chunk = list(merged(rows.filter(_behind(steps, chunk[-1])), parts, stop=size)) if len(chunk) == size else []


@dataclass(frozen=True, slots=True)
class Step:
    """One of the things by which rows are ordered: the lookup of its value, its direction, and where nulls stand."""

    path: str
    descending: bool
    nullable: bool
    nulls_last: bool

    def value_of(self, row: Any) -> Any:
        for name in self.path.split("__"):
            row = getattr(row, name, None)
        return row

    def same(self, value: Any) -> Q:
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})

    def beyond(self, value: Any) -> Q:
        if value is None:
            return NOTHING if self.nulls_last else Q(**{f"{self.path}__isnull": False})
        further = Q(**{f"{self.path}__{'lt' if self.descending else 'gt'}": value})
        return further | Q(**{f"{self.path}__isnull": True}) if self.nullable and self.nulls_last else further

    def not_before(self, value: Any) -> Q:
        """True of all that comes from here on: it says nothing new, but an index can begin there."""
        return Q() if self.nullable else Q(**{f"{self.path}__{'lte' if self.descending else 'gte'}": value})


def _behind(steps: list[Step], last: Any) -> Q:
    """Of the rows behind `last`: further on by the first step, or the same in it and further on by the next, …"""
    found, same = NOTHING, Q()
    for step in steps:
        value = step.value_of(last)
        found |= same & step.beyond(value)
        same &= step.same(value)
    return found if len(steps) == 1 else steps[0].not_before(steps[0].value_of(last)) & found


def _steps(rows: QuerySet[Any]) -> list[Step]:
    nulls_smallest = bool(connections[rows.db].features.order_by_nulls_first)
    steps: list[Step] = []
    for item in rows.query.order_by or rows.model._meta.ordering:
        path, descending = _read(item)
        for name, down in _resolved(rows.model, path, descending):
            nullable = _may_be_null(rows.model, name)
            steps.append(Step(name, down, nullable, nulls_last=down == nulls_smallest))
            if name == rows.model._meta.pk.name:
                return steps  # whatever comes behind the key decides nothing
    return [*steps, Step("pk", descending=False, nullable=False, nulls_last=False)]


def _read(item: Any) -> tuple[str, bool]:
    if isinstance(item, str):
        return item.removeprefix("-"), item.startswith("-")
    if isinstance(item, OrderBy) and not (item.nulls_first or item.nulls_last):
        of: Any = item.expression
        if isinstance(of, F):
            return of.name, item.descending  # type: ignore[attr-defined]
    raise ValueError(f"Rows cannot be read on from where they are ordered by {item!r}.")


def _resolved(model: type[models.Model], path: str, descending: bool) -> Iterator[tuple[str, bool]]:
    """By a related object means by what its model is ordered by."""
    if path == "pk":
        yield str(model._meta.pk.name), descending
        return
    try:
        field = get_fields_from_path(model, path)[-1]
    except FieldDoesNotExist:  # what the queryset has counted for each row
        yield path, descending
        return
    if not field.is_relation or path.endswith("_id"):
        yield path, descending
        return
    related: Any = field.related_model
    for item in related._meta.ordering or (related._meta.pk.name,):
        name, down = _read(item)
        yield from _resolved(model, f"{path}__{name}", descending != down)


def _may_be_null(model: type[models.Model], path: str) -> bool:
    try:
        return any(getattr(field, "null", False) for field in get_fields_from_path(model, path))
    except FieldDoesNotExist:
        return False
