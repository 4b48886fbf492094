"""Requests that may be sent twice and act once: the header Idempotency-Key.

The answer is written in the transaction of what the request did, under a key that can be there once. So whoever comes
second waits for the first one's transaction: after its commit it finds the answer, and after its end by a fault or a
crash it finds nothing and acts itself. No row ever says "in progress", so none can be left behind.
"""

import hashlib
import random
import time
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from apps.agencies.bulk import delete_rows
from apps.api import bodies
from apps.api.models import KeptAnswer
from apps.api.problems import Problem, bad_request, conflict
from apps.counters import encryption
from apps.counters.models import Counter
from apps.orders.erasing import Place
from apps.orders.marks import Marks
from apps.orders.models import Erasure

if TYPE_CHECKING:
    from apps.api.base import ApiView

HEADER: Final = "Idempotency-Key"
METHODS: Final = ("POST", "PUT", "PATCH")
LONGEST: Final = 255
WAIT_SECONDS: Final = 5
"""So long a repetition waits for the first request to end: most do within it, and each that waits keeps a thread of the
server busy."""

RETRY_AFTER: Final = 2
KEPT_HEADERS: Final = ("Location", "ETag")
_TRIES: Final = 5
ANSWERS_AT_ONCE: Final = 1000

Act = Callable[[], HttpResponseBase]
"""Gives an answer that is rendered, if it does not stream."""


def once(view: "ApiView", request: Request, act: Act) -> HttpResponseBase:
    """The answer of `act`, or the one that it gave before. Raises a Problem: 400 for a bad key, 409 where the key came
    with another request or its first request is still under way."""
    given = request.headers.get(HEADER)
    if given is None or request.method not in METHODS:
        return act()
    wanted = _Wanted(view, request, given)
    if (answer := wanted.kept()) is not None:
        return answer
    if not view.acts_in_one_transaction:
        response = act()
        wanted.keep(response)
        return response
    return wanted.acted(act)


def prune(now: datetime) -> int:
    """Forget answers whose time is over. Returns how many."""
    return delete_rows(KeptAnswer.objects.filter(created_at__lt=_oldest(now)).order_by("created_at"))


def forget_answers(counter: Counter, _marks: Marks, _erasure: Erasure, place: Place, end: float) -> None:
    """The part of an erasure that is about kept answers; see `orders.erasing`. What they say of whom is not searched:
    all that the agency got so far go, and a request that is sent again acts again."""
    answers = KeptAnswer.objects.filter(agency_id=counter.agency_id).order_by("pk")
    while time.monotonic() < end:
        if not delete_rows(answers, most=ANSWERS_AT_ONCE):
            place.done = True
            return


class _Wanted:
    """One request with a key: which answer is wanted."""

    def __init__(self, view: "ApiView", request: Request, given: str) -> None:
        given = given.strip()
        if not (0 < len(given) <= LONGEST and given.isascii() and given.isprintable()):
            message = _("An Idempotency-Key has 1 to 255 characters, all of them printable ASCII.")
            raise bad_request("bad_idempotency_key", message, _("A fresh UUID for each new request is right."))
        view.may_repeat(request)
        actor = view.actor
        limits = "" if actor.counters is None else ",".join(map(str, sorted(actor.counters)))
        assert actor.agency_id is not None, "a key is of one agency"
        self._agency = actor.agency_id
        self._key = _hash(f"{self._agency}", limits, f"{request.method}", request.path_info, given)
        self._request = _hash(
            request.META.get("QUERY_STRING", ""),
            (request.content_type or "").partition(";")[0].strip().lower(),
            bodies.whole(request._request) if bodies.is_there(request._request) else b"",
        )

    def kept(self) -> HttpResponse | None:
        """The answer that is there. Raises a Problem (409) if it answers something else."""
        found = KeptAnswer.objects.filter(pk=self._key, created_at__gte=_oldest(timezone.now())).first()
        if found is None or found.status is None:
            return None
        if found.request != self._request:
            raise conflict(
                "idempotency_key_reused",
                _("This Idempotency-Key came with another request before."),
                _("Take a new key for a new request, or send the very same request again."),
            )
        try:
            content = zlib.decompress(encryption.open_bytes(bytes(found.answer)))
        except encryption.UnreadableSecret:
            return None  # its encryption key is gone: act again, which does no harm
        response = HttpResponse(content, status=found.status, content_type="application/json")
        for name, value in found.headers.items():
            response.headers[name] = value
        response.headers["Idempotency-Replayed"] = "true"
        return response

    def acted(self, act: Act) -> HttpResponseBase:
        """Act in one transaction with keeping the answer. Where another writer is met in a deadlock, all of it is tried
        again; where a first request does not end, the caller is told to come back."""
        for attempt in range(1, _TRIES + 1):
            try:
                with transaction.atomic():
                    if (answer := self._taken()) is not None:
                        return answer
                    response = act()
                    self.keep(response)
                    return response
            except OperationalError as error:
                state = getattr(error.__cause__, "sqlstate", None)
                if state == "55P03" or "database is locked" in str(error):
                    raise _in_progress() from error
                if state not in ("40001", "40P01") or attempt == _TRIES:
                    raise
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - only spreads the tries
        raise AssertionError("unreachable")

    def keep(self, response: HttpResponseBase) -> None:
        """Of an answer that says that something was done; what was refused may be tried again with the same key."""
        if not 200 <= response.status_code < 300 or not isinstance(response, HttpResponse):
            KeptAnswer.objects.filter(pk=self._key).delete()
            return
        KeptAnswer.objects.update_or_create(
            pk=self._key,
            defaults={
                "agency_id": self._agency,
                "request": self._request,
                "status": response.status_code,
                "answer": encryption.seal_bytes(zlib.compress(response.content, 1)),
                "headers": {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
                "created_at": timezone.now(),
            },
        )

    def _taken(self) -> HttpResponse | None:
        """Make the key ours until the end of the transaction; None once it is, else the answer of whoever had it."""
        postgresql = connection.vendor == "postgresql"
        with connection.cursor() as cursor:
            if postgresql:
                cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            KeptAnswer.objects.filter(pk=self._key, created_at__lt=_oldest(timezone.now())).delete()
            row = KeptAnswer(pk=self._key, agency_id=self._agency, request=self._request)
            KeptAnswer.objects.bulk_create([row], ignore_conflicts=True)
            if postgresql:
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
        return self.kept()


def _oldest(now: datetime) -> datetime:
    return now - timedelta(hours=settings.IDEMPOTENCY_HOURS)


def _hash(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(b"%d:" % len(text) + text)
    return digest.hexdigest()


def _in_progress() -> Problem:
    return Problem(
        status=409,
        code="idempotency_in_progress",
        message=_("The first request with this Idempotency-Key is still under way."),
        next_step=_("Send it again after the seconds that Retry-After says; you then get the first one's answer."),
        headers={"Retry-After": str(RETRY_AFTER)},
    )
