"""Kept posts that tell of an erased client are deleted, with what was read from the CRM for them.

Orders stay, and nobody can have such a post processed again, which would bring the client back.

Posts that are yet to be worked on are waited for. What comes after the erasure is of somebody new.
"""

import json
import time
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from apps.agencies.ids import first_key
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.counters.models import Counter
from apps.orders.erasing import Place
from apps.orders.marks import Marks
from apps.orders.models import Erasure
from apps.receivers import mapping
from apps.receivers.crm import amocrm, bitrix24
from apps.receivers.models import OPEN, Kind, Post

_AT_ONCE: Final = 50
_NONE: Final = UUID(int=0)


def blank(counter: Counter, marks: Marks, erasure: Erasure, place: Place, end: float) -> None:
    """The part of an erasure that is about posts; see `orders.erasing`. `rest`: the `last` post that was looked at, and
    the one after which it begins `again`, as some could not be looked at yet. Raises UnreadableSecret at the end of a
    walk: an encryption key that is missing now may come back."""
    before = first_key(erasure.begun_at)
    posts = Post.objects.filter(receiver__counter=counter, pk__lt=before).select_related("receiver").order_by("pk")
    last = place.rest.get("last", str(_NONE))
    while time.monotonic() < end:
        some = list(posts.filter(pk__gt=last)[:_AT_ONCE])
        if not some:
            if "again" not in place.rest:
                place.done, place.rest = True, {}
                return
            if posts.open().exists():
                return
            unreadable = place.rest.pop("unreadable", False)
            last = place.rest["last"] = place.rest.pop("again")
            if unreadable:
                raise UnreadableSecret
            continue
        for post in some:
            if time.monotonic() > end:
                return
            try:
                seen = post.state not in OPEN and (not _names(post, marks) or _deleted(post, place))
            except UnreadableSecret:
                seen, place.rest["unreadable"] = False, True
            if not seen:
                place.rest.setdefault("again", last)
            last = place.rest["last"] = str(post.pk)
        place.save()


def _deleted(post: Post, place: Place) -> bool:
    """False where it is being worked on again meanwhile."""
    rows = Post.objects.filter(pk=post.pk, attempts=post.attempts).exclude(state__in=OPEN)
    gone = bool(rows.delete()[0])
    place.rows += gone
    return gone or not Post.objects.filter(pk=post.pk).exists()


def _names(post: Post, marks: Marks) -> bool:
    """Whether it says who the client is, or is about an order of theirs. Raises UnreadableSecret."""
    results = post.results if isinstance(post.results, list) else []
    if any(marks.own({"id": one.get("id")}) for one in results if isinstance(one, dict)):
        return True
    body = decrypt(post.body_encrypted)
    if not post.is_readable:
        return marks.within(body)
    document = json.loads(body)
    documents = json.loads(decrypt(post.documents_encrypted)) if post.documents_encrypted else []
    if marks.within_any(_texts([document, documents, results, post.error_detail])):
        return True
    receiver = post.receiver
    rules = mapping.of(receiver.mapping, statuses=receiver.statuses, prefix=receiver.prefix)
    rows = [one.row for one in rules.rows(documents or [document], received_at=post.received_at)]
    rows += [{"id": f"{receiver.prefix}{deal}"} for deal in _deals(receiver.kind, document)]
    return any(map(marks.own, rows))


def _deals(kind: str, document: Any) -> list[Any]:
    """Of a post that was not read from the CRM yet, or could not be."""
    if kind == Kind.BITRIX24:
        return [bitrix24.deal_of(document)]
    return [lead["id"] for _action, lead in amocrm.leads_of(document)] if kind == Kind.AMOCRM else []


def _texts(value: Any) -> Iterator[str]:
    """Every text and number of a document."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        if value is not None and not isinstance(value, bool):
            yield str(value)
        return
    for one in value:
        yield from _texts(one)
