"""The calls that carried or looked for the files of a job.

Of each file the newest ones, whole only where they are shown so: calls may be many, and what was said in them long."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from django.db.models import Case, F, Value, When, Window
from django.db.models.functions import RowNumber

from apps.counters.models import ApiCall

SHOWN_CALLS: Final = 20
_LONG: Final = ("request_headers", "request_body", "response_headers", "response_body")

Calls = Mapping[UUID, list[ApiCall]]


def calls_of(upload_ids: Collection[UUID]) -> tuple[Calls, Calls]:
    """By upload: the calls that carried it, and those that looked for it; the newest of each, newest first. Whole are
    the newest that carried it, and the newest look that was answered. Two queries."""
    carried: dict[UUID, list[ApiCall]] = defaultdict(list)
    looked: dict[UUID, list[ApiCall]] = defaultdict(list)
    kind = Case(When(method="GET", then=Value("look")), default=Value("carry"))
    place = Window(RowNumber(), partition_by=[F("subject"), kind], order_by=F("id").desc())
    rows = ApiCall.objects.filter(subject__in=upload_ids).annotate(place=place).filter(place__lte=SHOWN_CALLS)
    for call in rows.defer(*_LONG).order_by("-id"):
        if call.subject is not None:
            (looked if call.method == "GET" else carried)[call.subject].append(call)
    answered = (next((call for call in calls if call.status == 200), None) for calls in looked.values())
    _complete([*(calls[0] for calls in carried.values()), *filter(None, answered)])
    return carried, looked


def _complete(calls: Collection[ApiCall]) -> None:
    if not calls:
        return
    whole = ApiCall.objects.only(*_LONG).in_bulk([call.pk for call in calls])
    for call in calls:
        found = whole.get(call.pk) or ApiCall()  # it may have been pruned just now
        for name in _LONG:
            setattr(call, name, getattr(found, name))
