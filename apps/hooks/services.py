"""Every write that a person asks for: endpoints, their secrets, messages sent once more or given up."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.models import Agency
from apps.audit import trace
from apps.audit.services import record
from apps.counters.encryption import encrypt
from apps.counters.models import Counter
from apps.hooks import door, rounds, signing
from apps.hooks.door import DoorClosed
from apps.hooks.models import SUBSCRIBABLE, Delivery, DeliveryState, Endpoint, EventType

BOTH_SECRETS = timedelta(hours=24)
"""For so long the old secret signs along with the new one."""

SHORTEST_SECRET = 24
LONGEST_SECRET = 200
_REPLAYED_AT_ONCE = 1000


@transaction.atomic
def create_endpoint(
    *,
    agency: Agency,
    name: str,
    url: str,
    events: Iterable[str],
    counters: Sequence[Counter] = (),
    active: bool = True,
    secret: str | None = None,
) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which is not shown again. `secret`: where it comes from outside.

    Raises ValidationError by field. The address is checked as it is written; ask `door.check` before about the rest.
    """
    text = signing.new_secret() if secret is None else secret
    endpoint = Endpoint(agency=agency, name=name.strip(), url=url.strip(), events=list(events), active=active)
    _check(endpoint, counters, secret=text)
    endpoint.secret_encrypted = encrypt(text)
    endpoint.created_by = trace.current().actor.label[:255]
    endpoint.save()
    endpoint.counters.set(counters)
    record(action="webhook.created", agency=agency, obj=endpoint, after=_facts(endpoint))
    return endpoint, text


@transaction.atomic
def update_endpoint(
    *,
    endpoint: Endpoint,
    name: str | None = None,
    url: str | None = None,
    events: Iterable[str] | None = None,
    counters: Sequence[Counter] | None = None,
    active: bool | None = None,
) -> Endpoint:
    """Change what is given. Another address is called at once, even while the old one had to wait, and so is one that
    is switched on again. Raises ValidationError by field."""
    endpoint = Endpoint.objects.select_for_update(of=("self",)).select_related("agency").get(pk=endpoint.pk)
    before = _facts(endpoint)
    endpoint.name = endpoint.name if name is None else name.strip()
    endpoint.events = endpoint.events if events is None else list(events)
    called = (endpoint.url, endpoint.active)
    endpoint.active = endpoint.active if active is None else active
    endpoint.url = endpoint.url if url is None else url.strip()
    if (endpoint.url, endpoint.active) != called:
        endpoint.not_before = endpoint.failing_since = None
        endpoint.failures = 0
    counters = list(endpoint.counters.all()) if counters is None else counters
    _check(endpoint, counters)
    endpoint.save(update_fields=["name", "url", "events", "active", "not_before", "failing_since", "failures"])
    endpoint.counters.set(counters)
    # Of an address the log shows only a part; that the rest was changed stands there all the same.
    if (after := _facts(endpoint)) != before or endpoint.url != called[0]:
        record(action="webhook.changed", agency=endpoint.agency_id, obj=endpoint, before=before, after=after)
        rounds.SENDING.wake_after_commit()
    return endpoint


@transaction.atomic
def delete_endpoint(*, endpoint: Endpoint) -> None:
    """The endpoint goes with all that waits for it and with its log."""
    record(action="webhook.deleted", agency=endpoint.agency_id, obj=endpoint, before=_facts(endpoint))
    endpoint.delete()


@transaction.atomic
def new_secret(*, endpoint: Endpoint, secret: str | None = None) -> str:
    """Another secret, which is returned and not shown again; the old one signs along for a day."""
    text = signing.new_secret() if secret is None else secret
    _check_secret(text)
    endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    until = timezone.now() + BOTH_SECRETS
    endpoint.old_secret_encrypted, endpoint.old_secret_until = endpoint.secret_encrypted, until
    endpoint.secret_encrypted = encrypt(text)
    endpoint.save(update_fields=["secret_encrypted", "old_secret_encrypted", "old_secret_until"])
    record(action="webhook.secret_changed", agency=endpoint.agency_id, obj=endpoint, details={"both_until": until})
    return text


@transaction.atomic
def enable_endpoint(*, endpoint: Endpoint) -> bool:
    """Call it again, beginning with what waited longest. False where it is called already."""
    rows = Endpoint.objects.filter(pk=endpoint.pk).exclude(disabled_at=None)
    done = rows.update(disabled_at=None, disabled_for="", failing_since=None, failures=0, not_before=None)
    if done:
        record(
            action="webhook.enabled",
            agency=endpoint.agency_id,
            obj=endpoint,
            details={"disabled_at": endpoint.disabled_at, "reason": endpoint.disabled_for},
        )
        rounds.SENDING.wake_after_commit()
    return bool(done)


@transaction.atomic
def try_now(*, endpoint: Endpoint) -> bool:
    """Do not wait for the next attempt. False where none is waited for."""
    rows = Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None).exclude(not_before=None)
    done = rows.update(not_before=None)
    if done:
        record(action="webhook.tried_at_once", agency=endpoint.agency_id, obj=endpoint)
        rounds.SENDING.wake_after_commit()
    return bool(done)


@transaction.atomic
def send_again(*, delivery: Delivery) -> Delivery:
    """The same event once more, as a message of its own behind all that waits."""
    again = Delivery.objects.create(endpoint_id=delivery.endpoint_id, event_id=delivery.event_id, is_replay=True)
    record(
        action="webhook.sent_again",
        agency=delivery.endpoint.agency_id,
        obj=delivery.endpoint,
        details={"delivery": str(delivery.pk), "again": str(again.pk)},
    )
    rounds.SENDING.wake_after_commit()
    return again


def send_again_since(*, endpoint: Endpoint, since: datetime) -> int:
    """All that happened since then (aware) and is not waiting anyway, once more, each event once and in its old order,
    behind all that waits. Returns how many.

    Written in parts, each committed on its own: it may be hundreds of thousands. Who asks for the same meanwhile, by a
    second press of the button, gets what is left.
    """
    began = timezone.now()
    happened = Q(event__created_at__gte=since, event__created_at__lt=began)
    told = Delivery.objects.filter(happened, endpoint=endpoint).exclude(event__type=EventType.TEST)
    waits = Exists(Delivery.objects.open().filter(endpoint=endpoint, event=OuterRef("event")))
    replays = Delivery.objects.filter(endpoint=endpoint, event=OuterRef("event"), is_replay=True)
    asked = Exists(replays.filter(created_at__gte=began))
    events = told.exclude(waits).exclude(asked).order_by("event_id").values_list("event_id", flat=True).distinct()
    done, after = 0, UUID(int=0)
    while part := _replay(endpoint, events.filter(event_id__gt=after)):
        done, after = done + len(part), part[-1]
    with transaction.atomic():
        record(
            action="webhook.sent_again",
            agency=endpoint.agency_id,
            obj=endpoint,
            details={"since": since, "deliveries": done},
        )
        rounds.SENDING.wake_after_commit()
    return done


@transaction.atomic
def _replay(endpoint: Endpoint, events: "QuerySet[Delivery, UUID]") -> list[UUID]:
    """The next of these, once more; by one at a time, so that each goes once."""
    Endpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    part = list(events[:_REPLAYED_AT_ONCE])
    Delivery.objects.bulk_create([Delivery(endpoint=endpoint, event_id=one, is_replay=True) for one in part])
    return part


@transaction.atomic
def give_up(*, delivery: Delivery) -> bool:
    """Do not send this message any more, so that those behind it have their turn. False where it is sent already."""
    mine = Delivery.objects.open().filter(pk=delivery.pk)
    done = mine.update(state=DeliveryState.ABANDONED, finished_at=timezone.now())
    if done:
        # It was perhaps the one thing that the receiver did not take: how it does is to be seen from here on.
        fresh = {"not_before": None, "failing_since": None, "failures": 0}
        Endpoint.objects.filter(pk=delivery.endpoint_id).update(**fresh)
        record(
            action="webhook.given_up",
            agency=delivery.endpoint.agency_id,
            obj=delivery.endpoint,
            details={"delivery": str(delivery.pk), "event": delivery.event.type, "attempts": delivery.attempts},
        )
        rounds.SENDING.wake_after_commit()
    return bool(done)


def _check(endpoint: Endpoint, counters: Iterable[Counter], *, secret: str | None = None) -> None:
    """Raises ValidationError with all complaints by field."""
    errors: dict[str, list[ValidationError]] = {}

    def complain(field: str, message: Any, code: str) -> None:
        errors.setdefault(field, []).append(ValidationError(message, code=code))

    same_name = Endpoint.objects.filter(agency=endpoint.agency_id, name=endpoint.name).exclude(pk=endpoint.pk)
    if not endpoint.name:
        complain("name", _("Give it a name."), "required")
    elif len(endpoint.name) > 100:
        complain("name", _("A name has 100 characters at most."), "max_length")
    elif same_name.exists():
        complain("name", _("There is a webhook of this name already. Choose another name."), "duplicate")
    try:
        door.check_text(endpoint.url)
    except DoorClosed as closed:
        complain("url", str(closed), closed.code)
    known = [kind.value for kind in SUBSCRIBABLE]
    if not endpoint.events or not set(endpoint.events) <= set(known):
        message = _("Choose one or more of: %(choices)s.") % {"choices": ", ".join(known)}
        complain("events", message, "invalid_choice")
    endpoint.events = [kind for kind in known if kind in endpoint.events]
    if any(counter.agency_id != endpoint.agency_id for counter in counters):
        complain("counters", _("Choose counters of this agency."), "invalid_choice")
    if secret is not None:
        try:
            _check_secret(secret)
        except ValidationError as problem:
            errors["secret"] = problem.error_list
    if errors:
        raise ValidationError(errors)


def _check_secret(text: str) -> None:
    fits = SHORTEST_SECRET <= len(text) <= LONGEST_SECRET and text.isascii() and text.isprintable() and " " not in text
    if not fits:
        raise ValidationError(_("A secret is 24 to 200 printable ASCII characters without spaces."), code="bad_secret")


def _facts(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "url": door.shown(endpoint.url),
        "events": endpoint.events,
        "counters": sorted(endpoint.counters.values_list("metrica_id", flat=True)) if endpoint.pk else [],
        "active": endpoint.active,
    }
