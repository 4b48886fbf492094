"""A post is written down before it is answered: that is all that the CRM waits for.

The same event once more is counted and not worked on again. By what it is the same, differs: amoCRM's bodies hold the
time of the change, and a mapping may name the event's own id. A body that tells no time is the same only while nothing
else has come: new, paid and new again are three changes. And Bitrix24 says no more than that a deal has changed;
its state is read later, so a post that was not worked on yet stands for all that came meanwhile, and a later one for a
state of its own.
"""

import hashlib
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from apps.audit import trace
from apps.counters.encryption import encrypt
from apps.receivers import bodies, mapping, rounds
from apps.receivers.crm import bitrix24
from apps.receivers.models import Kind, Post, PostState, Receiver


def keep(receiver: Receiver, *, body: bytes, content_type: str, document: Any) -> tuple[Post, bool]:
    """The post, and whether it had come before. `document`: the body, read; None where it cannot be."""
    readable = document is not None
    text = bodies.dumped(bodies.clean(document)) if readable else body.decode("utf-8", "replace").replace("\x00", " ")
    post = Post(
        receiver=receiver,
        request_id=trace.current().request_id[:64],
        content_type=content_type[:100],
        bytes=len(body),
        body_encrypted=encrypt(text),
        is_readable=readable,
        digest=_digest(receiver, body, document),
        event_key=_event_key(receiver, body, document),
    )
    if (before := _repeated(receiver, post)) is not None:
        return before, True
    try:
        with transaction.atomic():
            post.save(force_insert=True)
            rounds.WORKING.wake_after_commit()
    except IntegrityError:
        if post.event_key is None:
            raise
        # Two of them at the same moment.
        before = _again(Post.objects.filter(receiver=receiver, event_key=post.event_key))
        if before is None:
            raise
        return before, True
    return post, False


def refuse(receiver: Receiver, code: str) -> None:
    """Note, for people, that a post with the right address could not prove itself."""
    told = {"refused": F("refused") + 1, "refused_at": timezone.now(), "refused_for": code}
    Receiver.objects.filter(pk=receiver.pk).update(**told)


def _digest(receiver: Receiver, body: bytes, document: Any) -> str:
    if receiver.kind == Kind.BITRIX24 and (deal := bitrix24.deal_of(document)):
        return hashlib.sha256(f"deal {deal}".encode()).hexdigest()
    return hashlib.sha256(body).hexdigest()


def _event_key(receiver: Receiver, body: bytes, document: Any) -> str | None:
    if document is None or receiver.kind == Kind.BITRIX24:
        return None
    if receiver.kind == Kind.AMOCRM:
        return hashlib.sha256(body).hexdigest()
    name = mapping.event_id(receiver.mapping, document)
    return hashlib.sha256(f"event {name}".encode("utf-8", "surrogatepass")).hexdigest() if name else None


def _repeated(receiver: Receiver, post: Post) -> Post | None:
    """The post that this one repeats."""
    rows = Post.objects.filter(receiver=receiver)
    if post.event_key is not None:
        return _again(rows.filter(event_key=post.event_key))
    if receiver.kind == Kind.BITRIX24:
        return _again(rows.filter(digest=post.digest, state=PostState.WAITING, attempts=0))
    newest = rows.order_by("-pk").first()
    return _again(rows.filter(pk=newest.pk)) if newest is not None and newest.digest == post.digest else None


def _again(rows: Any) -> Post | None:
    """Count it, if it is still there and as it was."""
    before: Post | None = rows.order_by("-pk").first()
    if before is None:
        return None
    done = rows.filter(pk=before.pk).update(repeats=F("repeats") + 1, repeated_at=timezone.now())
    return before if done else None
