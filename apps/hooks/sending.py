"""One request to an endpoint and what came of it. The attempt is committed before anything leaves (R6's manner), so a
worker that dies meanwhile leaves a message that goes once more."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import record
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.hooks import door, payloads, signing, waits
from apps.hooks.door import DoorClosed, NotReached
from apps.hooks.models import Delivery, DeliveryState, DisabledFor, Endpoint, Event, EventType

log = structlog.get_logger(__name__)

GONE = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `headers` and `body` are what was sent; empty where nothing could be made."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int | None = None
    answer: str = ""
    seconds: float | None = None
    error_code: str = ""
    error_message: str = ""
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def send_next(endpoint_id: int) -> bool:
    """Send the oldest open message of the endpoint. True where it was taken, so that the next may go at once."""
    endpoint = Endpoint.objects.sendable(timezone.now()).select_related("agency").filter(pk=endpoint_id).first()
    if endpoint is None:
        return False
    waiting = Delivery.objects.open().filter(endpoint=endpoint).select_related("event__agency", "event__counter")
    message = waiting.order_by("pk").first()
    if message is None or not _note_attempt(message):
        return False
    outcome = _request(endpoint, message)
    _settle(endpoint, message, outcome)
    return outcome.ok


def send_test(endpoint: Endpoint) -> Delivery:
    """Call the endpoint at once, whatever else waits for it. It is tried once and says nothing of the endpoint's
    health."""
    with transaction.atomic():
        event = Event.objects.create(agency_id=endpoint.agency_id, type=EventType.TEST)
        message = Delivery.objects.create(endpoint=endpoint, event=event, state=DeliveryState.ABANDONED, attempts=1)
    outcome = _request(endpoint, message)
    state = DeliveryState.DELIVERED if outcome.ok else DeliveryState.ABANDONED
    Delivery.objects.filter(pk=message.pk).update(state=state, sent_at=timezone.now(), **_told(outcome))
    message.refresh_from_db()
    return message


def _note_attempt(message: Delivery) -> bool:
    """False where another worker has sent it meanwhile."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        mine = Delivery.objects.open().filter(pk=message.pk, attempts=message.attempts)
        if not mine.update(attempts=F("attempts") + 1, sent_at=now):
            return False
        Endpoint.objects.filter(pk=message.endpoint_id).update(last_tried_at=now)
    message.attempts += 1
    return True


def _request(endpoint: Endpoint, message: Delivery) -> Outcome:
    try:
        body = payloads.body(message.event)
    except Exception:
        # A message that cannot be made must not stop the whole round, nor be tried again and again without a pause.
        log.exception("webhook message cannot be made", delivery=str(message.pk))
        return Outcome(error_code="internal_error", error_message=_("The message could not be made. See the log."))
    try:
        keys = secrets_of(endpoint)
    except UnreadableSecret:
        return Outcome(
            body=body,
            error_code="unreadable_secret",
            error_message=_("The secret cannot be read: a key is missing in ENCRYPTION_KEYS. Make a new secret."),
        )
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Goalpost-Event": message.event.type,
        "Goalpost-Event-Id": str(message.event_id),
        "Goalpost-Delivery": str(message.pk),
        "Goalpost-Attempt": str(message.attempts),
        signing.HEADER: signing.sign(body=body, secrets=keys),
    }
    began = time.monotonic()
    try:
        answer = door.post(endpoint.url, body=body, headers=headers, timeout=settings.WEBHOOK_TIMEOUT_SECONDS)
    except (DoorClosed, NotReached) as problem:
        took = time.monotonic() - began
        return Outcome(headers, body, seconds=took, error_code=problem.code, error_message=str(problem))
    if 200 <= answer.status < 300:
        return Outcome(headers, body, answer.status, answer.body, answer.seconds)
    why = _("It was not taken: the answer was HTTP %(status)s, and 2xx was expected.") % {"status": answer.status}
    code, asked = f"http_{answer.status}", answer.retry_after
    return Outcome(headers, body, answer.status, answer.body, answer.seconds, code, why, asked)


def secrets_of(endpoint: Endpoint) -> list[str]:
    """The secrets to sign with, the present one first. Raises UnreadableSecret."""
    keys = [decrypt(endpoint.secret_encrypted)]
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > timezone.now():
        keys.append(decrypt(endpoint.old_secret_encrypted))
    return keys


def _told(outcome: Outcome) -> dict[str, object]:
    """What the log keeps of an attempt."""
    return {
        "headers": dict(outcome.headers),
        "body_bytes": len(outcome.body),
        "body_sha256": hashlib.sha256(outcome.body).hexdigest(),
        "http_status": outcome.status,
        "answer": outcome.answer,
        "seconds": outcome.seconds,
        "error_code": outcome.error_code,
        "error_message": outcome.error_message,
        "finished_at": timezone.now(),
    }


def _settle(endpoint: Endpoint, message: Delivery, outcome: Outcome) -> None:
    """What came of a message that was given up meanwhile, or that another worker has sent since, changes nothing."""
    now = timezone.now()
    told = _told(outcome)
    if not outcome.ok:
        told["finished_at"] = None
    with transaction.atomic(durable=True):
        state = DeliveryState.DELIVERED if outcome.ok else DeliveryState.FAILED
        mine = Delivery.objects.open().filter(pk=message.pk, attempts=message.attempts)
        if mine.update(state=state, **told):
            _note_health(endpoint, outcome, now)
    log.info(
        "webhook sent",
        delivery=str(message.pk),
        endpoint=endpoint.pk,
        kind=message.event.type,
        attempt=message.attempts,
        status=outcome.status,
        code=outcome.error_code,
    )


def _note_health(endpoint: Endpoint, outcome: Outcome, now: datetime) -> None:
    """What an address did says nothing of the one that was written in its place meanwhile."""
    rows = Endpoint.objects.filter(pk=endpoint.pk, url=endpoint.url)
    if outcome.ok:
        rows.update(failures=0, failing_since=None, not_before=None, last_ok_at=now)
        return
    failures = endpoint.failures + 1
    wait = waits.after(failures, first=settings.WEBHOOK_RETRY_SECONDS, asked=outcome.retry_after)
    failing_since = Coalesce("failing_since", now)
    known = rows.update(failures=failures, failing_since=failing_since, not_before=now + wait)
    if known and (reason := _enough(endpoint, outcome, now)):
        disable(endpoint=endpoint, reason=reason, at=now)


def _enough(endpoint: Endpoint, outcome: Outcome, now: datetime) -> DisabledFor | None:
    """Why it is not called any more, if so."""
    if outcome.status == GONE:
        return DisabledFor.GONE
    since = endpoint.failing_since
    if since is not None and now - since >= timedelta(hours=settings.WEBHOOK_GIVE_UP_HOURS):
        return DisabledFor.FAILING
    return None


def disable(*, endpoint: Endpoint, reason: DisabledFor, at: datetime) -> None:
    """Stop calling the endpoint; an alert tells people. What waits for it waits on. Belongs inside a transaction."""
    rows = Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None)
    if not rows.update(disabled_at=at, disabled_for=reason, not_before=None):
        return
    endpoint = Endpoint.objects.select_related("agency").get(pk=endpoint.pk)
    record(
        action="webhook.disabled",
        agency=endpoint.agency_id,
        obj=endpoint,
        details={"reason": reason, "failing_since": endpoint.failing_since, "failures": endpoint.failures},
    )
    log.warning("webhook disabled", endpoint=endpoint.pk, reason=str(reason))
