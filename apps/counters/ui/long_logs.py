"""What has a log of its own that may be long: it is counted only so far, and goes along when its owner is deleted."""

from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest

MOST_COUNTED: Final = 1000


def at_most(rows: QuerySet[Any]) -> int:
    """How many there are, counted as far as MOST_COUNTED."""
    return len(rows.order_by().values_list("pk")[:MOST_COUNTED])


class LongLogMixin:
    """For an admin of such things."""

    model: Any

    def log_of(self, objs: list[Any]) -> QuerySet[Any]:
        """All lines of their logs."""
        raise NotImplementedError

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The log goes with them, and asks for no right of its own."""
        named = list(objs)
        lines = self.log_of(named)
        count = at_most(lines)
        more = "+" if count == MOST_COUNTED else ""
        counts = {
            self.model._meta.verbose_name: len(named),
            lines.model._meta.verbose_name_plural: f"{count}{more}",
        }
        return [str(one) for one in named], counts, set(), []
