"""Pages of lists that may hold millions of rows."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from apps.agencies.merging import Parts, counted


class LimitedPaginator(Paginator):
    """Counts no further than `COUNT_LIMIT`: beyond that a person narrows the list by a filter instead of leafing."""

    COUNT_LIMIT = 10_000
    parts: Parts | None = None

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        return counted(self.object_list, self.parts, most=self.COUNT_LIMIT)


class ModestPaginator(LimitedPaginator):
    """For lists that put together what lies far apart, or of which each row is looked at for itself."""

    COUNT_LIMIT = 3_000


class ShortPaginator(LimitedPaginator):
    """For lists of which each row is looked at for itself before it counts."""

    COUNT_LIMIT = 250
