"""List filters that offer only what the actor may see (R11)."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter

from apps.agencies.access import actor_of
from apps.agencies.actor import Actor


def visible(model: type[models.Model], actor: Actor) -> models.QuerySet[Any]:
    """Rows of any model that the actor may see; of a model without an agency only platform staff see some."""
    rows = model._default_manager.all()
    if hasattr(rows, "visible_to"):
        return rows.visible_to(actor)
    return rows if actor.platform else rows.none()


class TenantRelatedFilter(RelatedDropdownFilter):
    """A drop-down of the related objects that are visible."""

    keeps_tenant_rules = True

    def field_choices(self, field: Any, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, str]]:
        rows = visible(field.remote_field.model, actor_of(request))
        return [(str(row.pk), str(row)) for row in rows]


class PeriodFilter(RangeDateTimeFilter):
    """From one moment to another on the viewer's own clock; a day without a time is meant as a whole.

    The theme's own reads the viewer's numbers as if they stood in the platform's zone and in English.
    """

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        name, given = self.parameter_name, dict(self.used_parameters)
        for end, whole_day in (("from", "00:00"), ("to", "23:59:59.999999")):
            if given.get(f"{name}_{end}_0") and not given.get(f"{name}_{end}_1"):
                given[f"{name}_{end}_1"] = whole_day
        form = self.form_class(name=name, data=given)
        form.full_clean()
        for end, lookup in (("from", "gte"), ("to", "lte")):
            if moment := form.cleaned_data.get(f"{name}_{end}"):
                queryset = queryset.filter(**{f"{self.field_path}__{lookup}": moment})
        return queryset


_KINDS = ("exact", "in", "isnull", "gte", "gt", "lte", "lt")
"""How the values of a filter's field are compared. Never by a part of a text: that finds out the whole by guessing."""


def is_offered(model: type[models.Model], filters: Any, lookup: str) -> bool:
    """Whether one of a list's filters asks for this in an address."""
    for item in filters:
        path = item[0] if isinstance(item, (tuple, list)) else item
        if isinstance(path, str):
            field = get_fields_from_path(model, path)[-1]
            names = {path, *(f"{path}__{key}" for key in _keys(field))}
            if lookup in names or any(lookup == f"{name}__{kind}" for name in names for kind in _KINDS):
                return True
        elif lookup == getattr(path, "parameter_name", None):
            return True
    return False


def _keys(field: Any) -> Iterable[str]:
    """What a relation may be compared by."""
    return {"pk", field.target_field.name} if field.is_relation and hasattr(field, "target_field") else ()


def tenant_filters(model: type[models.Model], filters: Any) -> list[Any]:
    """The same filters, with those over relations replaced by ones that keep the rules."""
    return [_tenant_filter(model, item) for item in filters]


def _tenant_filter(model: type[models.Model], item: Any) -> Any:
    path, kind = item if isinstance(item, (tuple, list)) else (item, None)
    if not isinstance(path, str) or getattr(kind, "keeps_tenant_rules", False):
        return item
    try:
        field = get_fields_from_path(model, path)[-1]
    except FieldDoesNotExist:
        return item
    return (path, TenantRelatedFilter) if field.is_relation else item
