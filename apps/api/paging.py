"""Pages by key, never by number: the next page costs the same at the first order and at the ten-millionth."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from apps.agencies.merging import Parts, merged
from apps.api.problems import bad_request

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
PARAMETERS = ("cursor", "limit")

M = TypeVar("M", bound=Model)
Shape = TypeVar("Shape")


class Page(TypedDict):
    """`next` is the address of the following page; null on the last one."""

    results: list[Any]
    next: str | None


@dataclass(frozen=True, slots=True)
class Sorting:
    """`by`: a time that rows are sorted by before their key; blank for the key alone."""

    by: str = ""
    ascending: bool = False

    def after(self, rows: QuerySet[M], cursor: str, key: Callable[[str], Any]) -> QuerySet[M]:
        """Rows beyond the one that the cursor names. Raises a Problem (400)."""
        moment, pk = self._read(cursor, key)
        beyond = "gt" if self.ascending else "lt"
        if not self.by:
            return rows.filter(**{f"pk__{beyond}": pk})
        # The first condition says nothing new; it is what lets the database enter its index at the right place.
        further = Q(**{f"{self.by}__{beyond}": moment}) | Q(**{f"pk__{beyond}": pk})
        return rows.filter(further, **{f"{self.by}__{beyond}e": moment})

    def columns(self) -> list[str]:
        sign = "" if self.ascending else "-"
        return [f"{sign}{name}" for name in (self.by, "pk") if name]

    def cursor(self, row: Model) -> str:
        moment = getattr(row, self.by).isoformat() if self.by else ""
        text = f"{self.by} {moment} {row.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _read(self, text: str, key: Callable[[str], Any]) -> tuple[datetime | None, Any]:
        try:
            plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
            by, moment, written = plain.split(" ")
            pk = key(written)
            if by != self.by or (isinstance(pk, int) and not 0 < pk < 2**63):
                raise ValueError
            return datetime.fromisoformat(moment).astimezone(UTC) if by else None, pk
        except (ValueError, OverflowError, binascii.Error):
            message = _("This cursor is not one of ours, or of another list.")
            next_step = _("Take the address in “next” as it is.")
            raise bad_request("bad_cursor", message, next_step, field="cursor") from None


NEWEST_FIRST = Sorting()


def page(
    *,
    request: Request,
    rows: QuerySet[M],
    parameters: Mapping[str, str],
    shape: Callable[[list[M]], list[Shape]],
    key: Callable[[str], Any] = int,
    sorting: Sorting = NEWEST_FIRST,
    parts: Parts | None = None,
    whole: QuerySet[M] | None = None,
) -> Page:
    """`limit` rows after the cursor, the newest first if not told otherwise. One query besides those of `shape`.

    `key` reads the primary key's text: int, or uuid.UUID. `parts`: what a list of many counters is read by. `whole`:
    out of which the rows of the page, and what comes along with them, are read once their keys are known: for filters
    that leave thousands. Raises a Problem (400) for a bad cursor or limit.
    """
    limit = _limit(parameters.get("limit"))
    if "cursor" in parameters:
        rows = sorting.after(rows, parameters["cursor"], key)
    found = list(merged(rows.order_by(*sorting.columns()), parts, stop=limit + 1, whole=whole))
    more = len(found) > limit
    found = found[:limit]
    address = replace_query_param(request.build_absolute_uri(), "cursor", sorting.cursor(found[-1])) if more else None
    return {"results": shape(found), "next": address}


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    message = _("A page holds 1 to %(limit)s rows.") % {"limit": MAX_LIMIT}
    raise bad_request("bad_limit", message, field="limit")
