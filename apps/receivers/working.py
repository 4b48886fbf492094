"""One post, worked on: read, mapped, taken in. The attempt is committed before anything leaves for the CRM; what became
of the post is committed together with its orders, so no worker that dies leaves one without the other (R2)."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone, translation

from apps.agencies.actor import Actor
from apps.audit import trace
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt
from apps.hooks import waits
from apps.orders import intake
from apps.orders.models import Order, Source
from apps.orders.results import RowResult
from apps.receivers import mapping
from apps.receivers.crm import amocrm, bitrix24
from apps.receivers.crm.calls import CrmRefused, CrmSilent, NotThere
from apps.receivers.mapping import MappedRow
from apps.receivers.models import OPEN, Kind, Post, PostState, Receiver

log = structlog.get_logger(__name__)

SHOWN_ROWS: Final = 200
MOST_TRIES_OF_OURS: Final = 5
"""After so many attempts that broke off for no reason that we know, a person is asked."""

_LEASE: Final = 60.0
"""Seconds after which a post whose worker died is worked on once more, at first."""


@dataclass(slots=True)
class Outcome:
    """What came of one attempt. `rows`: for intake; `documents`: what was read for them."""

    state: PostState
    code: str = ""
    detail: str = ""
    retry_after: float | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    documents: list[Any] | None = None


class _Lost(Exception):
    """Another worker has the post, or a person has decided otherwise."""


def work_next(receiver_id: int) -> bool:
    """Work on the receiver's oldest post that is due. True where it was settled for now: the next may follow."""
    receiver = Receiver.objects.select_related("counter__agency", "counter__account").filter(pk=receiver_id).first()
    post = Post.objects.due(timezone.now()).filter(receiver=receiver_id).order_by("pk").first()
    if receiver is None or post is None or not _note_attempt(post):
        return False
    actor = Actor(kind="system", label=receiver.label, agencies=None)
    with trace.traced(actor=actor, source="worker", request_id=post.request_id), translation.override("en"):
        try:
            outcome = _read(receiver, post)
            if outcome.rows:
                _take_in(receiver, post, outcome)
            else:
                _settle(post, outcome)
        except _Lost:
            log.info("post was settled elsewhere", post=str(post.pk))
        except Exception:
            log.exception("post broke off", post=str(post.pk))
            with suppress(_Lost):
                _settle(post, Outcome(PostState.FAILED, "internal_error"))
    return True


def documents_of(receiver: Receiver, document: Any) -> list[Any]:
    """What the mapping is applied to: the post itself, or what is read from the CRM by it; empty where the post is
    about something else. Raises CrmSilent, CrmRefused, NotThere, UnreadableSecret. Not within a transaction."""
    url = decrypt(receiver.crm_url_encrypted) if receiver.crm_url_encrypted else ""
    if receiver.kind == Kind.BITRIX24:
        if not bitrix24.deal_of(document):
            return []
        if not url:
            raise CrmRefused("not_set_up")
        return [bitrix24.read(document, url=url)]
    if receiver.kind == Kind.AMOCRM:
        token = decrypt(receiver.crm_token_encrypted) if receiver.crm_token_encrypted else ""
        return list(amocrm.documents(document, url=url, token=token))
    return [document]


def mapped(receiver: Receiver, documents: Sequence[Any], *, received_at: Any) -> list[dict[str, Any]]:
    """The rows of the documents, with the times at which they are true. One query."""
    rules = mapping.of(receiver.mapping, statuses=receiver.statuses, prefix=receiver.prefix)
    found = rules.rows(documents, received_at=received_at)
    standing = _standing(receiver, found)
    return [_timed(one, standing) for one in found]


def body_of(post: Post) -> str:
    """What came, as text. Raises UnreadableSecret."""
    return decrypt(post.body_encrypted)


def _standing(receiver: Receiver, rows: Sequence[MappedRow]) -> dict[str, str]:
    """At which status the orders stand that the CRM tells two times of."""
    ids = {str(one.row["id"]).strip()[:255] for one in rows if one.modified and "id" in one.row}
    if not ids:
        return {}
    orders = Order.objects.filter(counter=receiver.counter_id, order_id__in=ids)
    return dict(orders.values_list("order_id", "order_status"))


def _timed(one: MappedRow, standing: dict[str, str]) -> dict[str, Any]:
    """An order that stands at this status already did not get it just now: whatever else is new about it is true since
    the CRM changed it last."""
    row = one.row
    if one.modified and standing.get(str(row.get("id", "")).strip()) == str(row.get("order_status", "")).strip():
        return {**row, "status_date_time": one.modified}
    return row


def _read(receiver: Receiver, post: Post) -> Outcome:
    if not post.is_readable:
        return Outcome(PostState.HELD, "unreadable_body") if post.bytes else Outcome(PostState.IGNORED, "empty_body")
    try:
        document = json.loads(body_of(post))
    except UnreadableSecret:
        return Outcome(PostState.HELD, "unreadable_post")
    try:
        documents = documents_of(receiver, document)
    except UnreadableSecret:
        return Outcome(PostState.HELD, "unreadable_secret")
    except NotThere as gone:
        return Outcome(PostState.IGNORED, gone.code)
    except CrmSilent as silent:
        return Outcome(PostState.FAILED, silent.code, silent.detail, silent.retry_after)
    except CrmRefused as refused:
        return Outcome(PostState.HELD, refused.code, refused.detail)
    if not documents:
        return Outcome(PostState.IGNORED, "other_event")
    kept = documents if receiver.kind != Kind.GENERIC else None
    if not receiver.is_mapped:
        return Outcome(PostState.HELD, "no_mapping", documents=kept)
    rows = mapped(receiver, documents, received_at=post.received_at)
    if not rows:
        return Outcome(PostState.HELD, "no_orders", documents=kept)
    if len(rows) > mapping.MOST_ROWS:
        return Outcome(PostState.HELD, "too_many_rows", documents=kept)
    return Outcome(PostState.DONE, rows=rows, documents=kept)


def _take_in(receiver: Receiver, post: Post, outcome: Outcome) -> None:
    def beside(results: Sequence[RowResult]) -> None:
        """In the transaction of the orders themselves."""
        rejected = sum(result.result == "rejected" for result in results)
        state, code = (PostState.HELD, "rows_rejected") if rejected else (PostState.DONE, "")
        _write(post, Outcome(state, code, rows=outcome.rows, documents=outcome.documents), results)

    # One chunk, so that all of the post is in one transaction.
    size = max(len(outcome.rows), 1)
    intake.accept_all(
        counter=receiver.counter, rows=outcome.rows, source=Source.WEBHOOK, chunk_size=size, beside=beside
    )


def _note_attempt(post: Post) -> bool:
    """False where another worker has it. Whoever dies from here on leaves a post that is due again later."""
    now = timezone.now()
    later = now + waits.after(post.tries + 1, first=_LEASE)
    with transaction.atomic(durable=True):
        mine = Post.objects.due(now).filter(pk=post.pk, attempts=post.attempts)
        told = {"attempts": F("attempts") + 1, "tries": F("tries") + 1, "tried_at": now, "not_before": later}
        if not mine.update(**told):
            return False
        Receiver.objects.filter(pk=post.receiver_id).update(last_worked_at=now)
    post.attempts += 1
    post.tries += 1
    return True


def _settle(post: Post, outcome: Outcome) -> None:
    if outcome.state == PostState.FAILED:
        outcome = _given_up(post, outcome)
    with transaction.atomic():
        _write(post, outcome, [])


def _given_up(post: Post, outcome: Outcome) -> Outcome:
    """Whether it is still worth trying."""
    if outcome.code == "internal_error":
        return Outcome(PostState.HELD, "gave_up") if post.tries >= MOST_TRIES_OF_OURS else outcome
    since = post.failing_since
    if since is not None and timezone.now() - since >= timedelta(hours=settings.RECEIVER_GIVE_UP_HOURS):
        return Outcome(PostState.HELD, "crm_unreachable", outcome.detail)
    return outcome


def _write(post: Post, outcome: Outcome, results: Sequence[RowResult]) -> None:
    """Raises _Lost, and then nothing may be committed."""
    now = timezone.now()
    open_again = outcome.state == PostState.FAILED
    wait = waits.after(post.tries, first=settings.RECEIVER_RETRY_SECONDS, asked=outcome.retry_after)
    told: dict[str, Any] = {
        "state": outcome.state,
        "error_code": outcome.code,
        "error_detail": outcome.detail,
        "not_before": now + wait if open_again else None,
        "finished_at": None if open_again else now,
        "failing_since": Coalesce("failing_since", now) if open_again else None,
        "results": [_told(result, outcome.rows) for result in _worst_first(results)[:SHOWN_ROWS]],
    }
    for name in ("created", "updated", "unchanged", "rejected"):
        told[name] = sum(result.result == name for result in results)
    if outcome.documents is not None:
        told["documents_encrypted"] = encrypt(json.dumps(outcome.documents, ensure_ascii=False))
    mine = Post.objects.filter(pk=post.pk, state__in=OPEN, attempts=post.attempts)
    if not mine.update(**told):
        raise _Lost
    log.info("post worked on", post=str(post.pk), state=str(outcome.state), code=outcome.code, rows=len(results))


def _worst_first(results: Sequence[RowResult]) -> list[RowResult]:
    return sorted(results, key=lambda result: result.result != "rejected")


def _told(result: RowResult, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # One that was rejected goes by what it was to be called.
    given = rows[result.index].get("id") if result.index < len(rows) else None
    return {
        "id": result.id or (str(given)[:255] if isinstance(given, (str, int)) else None),
        "result": result.result,
        "change": str(result.change) if result.change else None,
        "hold": result.hold,
        "errors": [[error.field, error.code, str(error.message)] for error in result.errors],
        "warnings": [[error.field, error.code, str(error.message)] for error in result.warnings],
    }
