"""List filters: those over relations offer only what the actor may see (R11), and there is one reading of periods."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import RangeDateFilter, RangeDateTimeFilter, RelatedDropdownFilter

from apps.agencies.access import actor_of
from apps.agencies.actor import Actor
from apps.agencies.long_select import LongDropdownForm
from apps.metrica.text import Text

FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
CLOCK: Final = "clock"
COUNTERS_CLOCK: Final = "counter"
COUNTERS: Final = "counter__id__in"


def visible(model: type[models.Model], actor: Actor) -> models.QuerySet[Any]:
    """Rows of any model that the actor may see; of a model without an agency only platform staff see some."""
    rows = model._default_manager.all()
    if hasattr(rows, "visible_to"):
        return rows.visible_to(actor)
    return rows if actor.platform else rows.none()


class TenantRelatedFilter(RelatedDropdownFilter):
    """A drop-down of the related objects that are visible."""

    keeps_tenant_rules = True
    form_class = LongDropdownForm

    def field_choices(self, field: Any, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> list[tuple[str, str]]:
        rows = visible(field.remote_field.model, actor_of(request))
        return [(str(row.pk), str(row)) for row in rows]


class _Period:
    """A stretch of time that a person writes as their language writes days; `parameter_name` and `form_class` are the
    theme's. What cannot be read narrows nothing, and is said: beside the field, and above the list.

    The theme's own filters read days in English only, and as if they stood in the platform's zone.
    """

    parameter_name: Any
    field_path: str
    form_class: Any
    used_parameters: dict[str, Any]

    def narrow(self, rows: models.QuerySet[Any], *, start: datetime | None, end: datetime | None) -> Any:
        """Rows from `start` on and before `end`; None where that side is open."""
        if start is not None:
            rows = rows.filter(**{f"{self.field_path}__gte": start})
        return rows if end is None else rows.filter(**{f"{self.field_path}__lt": end})

    def read(self, request: HttpRequest, kind: type[forms.Field], text: str) -> Any:
        """What the field of a form makes of the text; None for nothing, and for nonsense."""
        try:
            return kind(required=False).clean(text.strip())
        except ValidationError:
            _say_once(request, _now("“%(text)s” is not understood, so it narrows nothing.") % {"text": text[:40]})
            return None


def days_asked(request: HttpRequest, name: str) -> list[date]:
    """The days by which a `DayRangeFilter` over that field narrows the list: none, one or both of its edges."""
    found = []
    for side in ("from", "to"):
        try:
            found.append(forms.DateField(required=False).clean(request.GET.get(f"{name}_{side}", "").strip()))
        except ValidationError:
            continue
    return [day for day in found if day is not None]


def _say_once(request: HttpRequest, text: str) -> None:
    """On the page of the list itself: what else reads the same filters has no place for messages."""
    match = request.resolver_match
    said: set[str] = request.__dict__.setdefault("said_by_filters", set())
    if match is not None and (match.url_name or "").endswith("_changelist") and text not in said:
        said.add(text)
        messages.warning(request, text)


def day_begins(day: date, zone: tzinfo | None = None) -> datetime:
    """The first moment of the day, on the viewer's clock if no zone is given. Days that no calendar of orders has are
    taken for the nearest that databases can hold in every zone."""
    moment = datetime.combine(min(max(day, FIRST_DAY), LAST_DAY), time())
    return timezone.make_aware(moment, zone)


class PeriodFilter(_Period, RangeDateTimeFilter):
    """From one moment to another on the viewer's own clock; a day without a time is meant as a whole."""

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return self.narrow(queryset, start=self._edge(request, "from"), end=self._edge(request, "to"))

    def _edge(self, request: HttpRequest, side: str) -> datetime | None:
        given = [str(self.used_parameters.get(f"{self.parameter_name}_{side}_{part}") or "") for part in (0, 1)]
        day = self.read(request, forms.DateField, given[0])
        clock = self.read(request, forms.TimeField, given[1])
        if day is None:
            return None
        day = min(max(day, FIRST_DAY), LAST_DAY)
        if clock is None:
            return day_begins(day + timedelta(days=1) if side == "to" else day)
        moment = timezone.make_aware(datetime.combine(day, clock))
        # The last minute or second that was written belongs to the period.
        return moment if side == "from" else moment + timedelta(seconds=1 if given[1].count(":") > 1 else 60)


class DayRangeFilter(_Period, RangeDateFilter):
    """From one day to another, both whole, over a field that holds a time: on the viewer's clock; or with
    `clock=counter`, as pages that count by the counter's days link here, on the clock of each row's counter."""

    template = "admin/day_range.html"

    def __init__(self, field: Any, request: HttpRequest, params: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, request, params, *args, **kwargs)
        self.on_counters_clock = COUNTERS_CLOCK in (self.used_parameters.pop(CLOCK, None) or ())
        if self.on_counters_clock:
            self.used_parameters[CLOCK] = COUNTERS_CLOCK

    def expected_parameters(self) -> list[str | None]:
        return [*super().expected_parameters(), CLOCK]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        first, last = (
            self.read(request, forms.DateField, str(self.used_parameters.get(f"{self.parameter_name}_{side}") or ""))
            for side in ("from", "to")
        )
        if first is None and last is None:
            return queryset
        zones = self._zones(request, queryset.model) if self.on_counters_clock else {}
        if not zones:
            start, end = _edges(first, last, None)
            return self.narrow(queryset, start=start, end=end)
        edges = {name: _edges(first, last, zone) for name, zone in zones.items()}
        starts, ends = zip(*edges.values(), strict=True)
        # All of it lies between these: what an index can find.
        rows = self.narrow(
            queryset,
            start=min(starts) if first is not None else None,
            end=max(ends) if last is not None else None,
        )
        if len(set(edges.values())) == 1:
            return rows
        each = models.Q()
        for name, (start, end) in edges.items():
            part = models.Q(counter__time_zone=name)
            if start is not None:
                part &= models.Q(**{f"{self.field_path}__gte": start})
            each |= part if end is None else part & models.Q(**{f"{self.field_path}__lt": end})
        return rows.filter(each)

    def _zones(self, request: HttpRequest, model: type[models.Model]) -> dict[str, tzinfo]:
        """Of the counters that the list can be of, by their names. One query."""
        counters = visible(model._meta.get_field("counter").remote_field.model, actor_of(request))  # type: ignore[union-attr]
        chosen = [*numbers_in(request.GET.get("counter__id__exact")), *numbers_in(request.GET.get(COUNTERS))]
        if chosen:
            counters = counters.filter(pk__in=chosen)
        names = counters.order_by().values_list("time_zone", flat=True).distinct()
        return {name: ZoneInfo(name or "UTC") for name in names}


def _edges(first: date | None, last: date | None, zone: tzinfo | None) -> tuple[datetime | None, datetime | None]:
    """The first moment of the one day, and the first after the other."""
    after = None if last is None else min(max(last, FIRST_DAY), LAST_DAY) + timedelta(days=1)
    return None if first is None else day_begins(first, zone), None if after is None else day_begins(after, zone)


def numbers_in(text: str | None) -> list[int]:
    """Primary keys joined by commas; what is none is left out."""
    parts = (text or "").split(",")
    return [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) <= 18]


class LinkFilter(SimpleListFilter):
    """A filter that links set and nobody chooses from the panel: there it says what it is about, and how to go without.

    `only`: what is shown, in words.
    """

    template = "admin/link_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Any:
        if self.value():
            yield {"only": self.only(), "without": changelist.get_query_string(remove=[self.parameter_name])}

    def only(self) -> Text:
        return str(self.value())


class CountersFilter(LinkFilter):
    """Several counters at once, as pages link that show numbers of several."""

    title = _("counters")
    parameter_name = COUNTERS

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return queryset.filter(counter__in=numbers_in(self.value())) if self.value() else queryset

    def only(self) -> str:
        number = len(numbers_in(self.value()))
        return ngettext("%(count)s counter", "%(count)s counters", number) % {"count": number}


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
