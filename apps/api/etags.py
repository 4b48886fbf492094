"""Whether a thing is still as the caller saw it (RFC 9110, 13): an ETag of what it holds, asked within the write's own
lock, so that of two who change it at once only one is heard."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from apps.api.problems import Problem

Check = Callable[[str | None], None]
"""Takes the ETag that the thing has now, None where there is no such thing. Raises a Problem (412)."""


def etag_of(value: Any) -> str:
    """The ETag of a value as JSON carries it."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_known(request: Request, etag: str) -> bool:
    """True where the caller has this very answer already (If-None-Match): then 304 says enough."""
    given = request.headers.get("If-None-Match", "")
    return bool(given) and any(_plain(one) in ("*", etag) for one in parse_etags(given))


def condition(request: Request) -> Check:
    """What If-Match and If-None-Match ask for before a write. A weak ETag, or what is none, matches nothing."""
    wanted, unwanted = (
        None if (given := request.headers.get(name)) is None else parse_etags(given)
        for name in ("If-Match", "If-None-Match")
    )

    def check(present: str | None) -> None:
        if wanted is not None and (present is None or not {"*", present}.intersection(wanted)):
            raise _stale(present)
        if unwanted is not None and present is not None and {"*", present}.intersection(map(_plain, unwanted)):
            message = _("There is one already, and the request is for a new one alone.")
            raise Problem(status=412, code="exists_already", message=message, headers={"ETag": present})

    return check


def _plain(etag: str) -> str:
    return etag.removeprefix("W/")


def _stale(present: str | None) -> Problem:
    return Problem(
        status=412,
        code="stale_etag",
        message=_("It has changed since it was read, or is not there any more. Nothing was written."),
        next_step=_("Read it again, apply your change to what is there now, and send it with the new ETag."),
        headers={} if present is None else {"ETag": present},
    )
