"""Pages by key, never by number: the next page costs the same at the first order and at the ten-millionth."""

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

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


def page(
    *,
    request: Request,
    rows: QuerySet[M],
    parameters: Mapping[str, str],
    shape: Callable[[list[M]], list[Shape]],
    key: Callable[[str], Any] = int,
) -> Page:
    """The newest rows first, `limit` of them, after the cursor. One query besides those of `shape`.

    `key` reads the primary key's text: int, or uuid.UUID. Raises a Problem (400) for a bad cursor or limit.
    """
    limit = _limit(parameters.get("limit"))
    if "cursor" in parameters:
        rows = rows.filter(pk__lt=_read(parameters["cursor"], key))
    found = list(rows.order_by("-pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    address = replace_query_param(request.build_absolute_uri(), "cursor", _write(found[-1].pk)) if more else None
    return {"results": shape(found), "next": address}


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    message = _("A page holds 1 to %(limit)s rows.") % {"limit": MAX_LIMIT}
    raise bad_request("bad_limit", message, field="limit")


def _write(pk: int | uuid.UUID) -> str:
    return base64.urlsafe_b64encode(str(pk).encode()).decode().rstrip("=")


def _read(text: str, key: Callable[[str], Any]) -> Any:
    try:
        value = key(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii"))
        if isinstance(value, int) and not 0 < value < 2**63:
            raise ValueError
    except (ValueError, binascii.Error):
        message = _("This cursor is not one of ours.")
        raise bad_request("bad_cursor", message, _("Take the address in “next” as it is."), field="cursor") from None
    return value
