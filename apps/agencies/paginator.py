"""Pages of lists that may hold millions of rows."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class LimitedPaginator(Paginator):
    """Counts no further than `COUNT_LIMIT`: beyond that a person narrows the list by a filter instead of leafing."""

    COUNT_LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        return self.object_list.order_by()[: self.COUNT_LIMIT].count()
