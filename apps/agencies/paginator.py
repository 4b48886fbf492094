"""Pages of lists that may hold millions of rows."""

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import QuerySet, Value
from django.utils.functional import cached_property


class LimitedPaginator(Paginator):
    """Counts no further than `COUNT_LIMIT`: beyond that a person narrows the list by a filter instead of leafing."""

    COUNT_LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        rows = self.object_list.order_by()
        if not rows.query.distinct:
            # No column of the row where the database takes that, so an index alone can answer.
            bare = connections[rows.db].vendor == "postgresql"
            rows = rows.values(one=Value(1)) if bare else rows.values("pk")
        return rows[: self.COUNT_LIMIT].count()


class ShortPaginator(LimitedPaginator):
    """For lists of which each row is looked at for itself before it counts."""

    COUNT_LIMIT = 250
