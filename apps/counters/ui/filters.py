"""List filters of one's own."""

from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str


class DayRangeFilter(RangeDateFilter):
    """From one day to another, both whole, on the viewer's clock, over a field that holds a time."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start = self._day(f"{self.parameter_name}_from")
        end = self._day(f"{self.parameter_name}_to")
        if start is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": start})
        if end is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": end + timedelta(days=1)})
        return queryset

    def _day(self, parameter: str) -> datetime | None:
        text = self.used_parameters.get(parameter)
        day = parse_date_str(text) if isinstance(text, str) else None
        return None if day is None else timezone.make_aware(datetime.combine(day, time()))
