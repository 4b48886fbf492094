"""counters/ and counters/{metrica_id}/: listed, read, changed."""

from typing import Any, TypedDict

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import answer_docs as docs
from apps.api.base import ApiView, text_field
from apps.api.formats import clock_or_none
from apps.api.openapi import PAGE_PARAMETERS, SHORT_TEXT, Schema, described, example, of, page_of
from apps.api.paging import PARAMETERS, page
from apps.api.problems import FieldError, field_error, invalid
from apps.counters.models import FEWEST_PEOPLE_DAYS, MOST_DAYS, Counter, DeliveryPolicy, Mode
from apps.counters.services import block_reason, pause, resume, update_counter
from apps.metrica.vocabulary import CURRENCIES
from apps.uploads.modes import switch_mode


class AccountShape(TypedDict):
    login: str
    state: str


class CounterShape(TypedDict):
    """`blocked`: the hold reason that everything of this counter has now, or null. `first_clients_at`: in detailed
    mode, orders are bound only to visits after it. `keep_files_days`, `keep_people_days`: null means always."""

    metrica_id: int
    name: str
    site: str
    account: AccountShape | None
    time_zone: str
    mode: str
    delivery: str
    schedule: str
    currency: str
    hash_identifiers: bool
    keep_files_days: int | None
    keep_people_days: int | None
    wave_pause_seconds: int
    paused: bool
    pause_reason: str
    blocked: str | None
    next_upload_at: str | None
    last_passed_at: str | None
    first_clients_at: str | None


def counter_shape(counter: Counter) -> CounterShape:
    """No query where the account came with the counter."""
    account = counter.account
    return {
        "metrica_id": counter.metrica_id,
        "name": counter.name,
        "site": counter.site,
        "account": None if account is None else {"login": account.login, "state": account.state},
        "time_zone": counter.time_zone,
        "mode": counter.mode,
        "delivery": counter.delivery,
        "schedule": counter.schedule,
        "currency": counter.currency,
        "hash_identifiers": counter.hash_identifiers,
        "keep_files_days": counter.keep_files_days,
        "keep_people_days": counter.keep_people_days,
        "wave_pause_seconds": counter.wave_pause_seconds,
        "paused": counter.paused_at is not None,
        "pause_reason": counter.pause_reason,
        "blocked": block_reason(counter) or None,
        "next_upload_at": clock_or_none(counter.next_upload_at, counter.zone),
        "last_passed_at": clock_or_none(counter.last_passed_at, counter.zone),
        "first_clients_at": clock_or_none(counter.first_clients_at, counter.zone),
    }


_TEXTS = ("name", "site", "time_zone", "delivery", "schedule", "currency", "mode", "pause_reason")
PATCH_BODY: Schema = {
    "type": "object",
    "properties": {
        "name": SHORT_TEXT,
        "site": SHORT_TEXT,
        "time_zone": {**SHORT_TEXT, "description": "As IANA names it: Europe/Moscow."},
        "schedule": {
            "type": "string",
            "description": "manual, as they come, every so often (5m, 1h), or daily at a time of the counter's day.",
            "pattern": "^(manual|as they come|[1-9][0-9]?m|[1-9]h|daily ([01][0-9]|2[0-3]):[0-5][0-9])$",
        },
        "currency": {"type": "string", "enum": sorted(CURRENCIES)},
        "mode": {"type": "string", "enum": Mode.values},
        "delivery": {"type": "string", "enum": DeliveryPolicy.values},
        "hash_identifiers": {
            "type": "boolean",
            "description": "E-mails and phones leave for Metrica as MD5 hashes; visits are found by them as well.",
        },
        "keep_files_days": {
            "type": "integer",
            "nullable": True,
            "minimum": 1,
            "maximum": MOST_DAYS,
            "description": "Files of uploads are deleted so many days after their end. null: kept always.",
        },
        "keep_people_days": {
            "type": "integer",
            "nullable": True,
            "minimum": FEWEST_PEOPLE_DAYS,
            "maximum": MOST_DAYS,
            "description": "Identifiers are forgotten so many days after an order's last change, and do not come back. "
            "null: kept always.",
        },
        "paused": {"type": "boolean", "description": "While it is, nothing leaves for Metrica; what comes in is held."},
        "pause_reason": {**SHORT_TEXT, "description": "Why, for people; with paused: true."},
        "wave_pause_seconds": {"type": "integer", "minimum": 0, "maximum": 2147483647},
    },
    "additionalProperties": False,
}


class CountersView(ApiView):
    @described(
        name="list_counters",
        summary="Counters",
        description="Those that the key may see, the latest added first, with how each delivers and what blocks it.",
        answers={200: page_of(CounterShape)},
        errors=[400],
        parameters=PAGE_PARAMETERS,
        examples=[example("One counter", docs.COUNTERS, status=200)],
        tags=["counters"],
    )
    def get(self, request: Request) -> Response:
        counters = Counter.objects.visible_to(self.actor).select_related("account")
        return Response(
            page(
                request=request,
                rows=counters,
                parameters=self.parameters(*PARAMETERS),
                shape=lambda found: [counter_shape(counter) for counter in found],
            )
        )


class CounterView(ApiView):
    @described(
        name="read_counter",
        summary="One counter",
        description="By its number at Metrica: how it delivers, when next, and what blocks it now.",
        answers={200: of(CounterShape)},
        examples=[example("A counter in detailed mode", docs.COUNTER, status=200)],
        tags=["counters"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        return Response(counter_shape(self.counter(metrica_id)))

    @described(
        name="change_counter",
        summary="Change settings of a counter",
        description="What is left out stays. `mode` switches between simple and detailed: a file that is under way is "
        "finished as it is, and what comes after it goes in the new mode. `paused` stops all that leaves.",
        body=PATCH_BODY,
        answers={200: of(CounterShape)},
        errors=[400, 404, 411, 413, 415],
        examples=[
            example("Detailed mode, every hour", {"mode": "detailed", "schedule": "1h"}),
            example("As it is then", docs.COUNTER, status=200),
        ],
        tags=["counters"],
    )
    def patch(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        values = _read(self.payload_object(known=PATCH_BODY["properties"]))
        with transaction.atomic():
            if (mode := values.pop("mode", None)) is not None:
                switch_mode(counter=counter, mode=mode)
            paused, reason = values.pop("paused", None), values.pop("pause_reason", "")
            if values:
                update_counter(counter=counter, **values)
            if paused is True:
                pause(counter=counter, reason=reason)
            elif paused is False:
                resume(counter=counter)
        return Response(counter_shape(self.counter(metrica_id)))


def _read(values: dict[str, Any]) -> dict[str, Any]:
    """Settings out of a body, as the services take them. Raises a Problem (400)."""
    errors: list[FieldError] = []
    found: dict[str, Any] = {name: text_field(values, name, errors) for name in _TEXTS if name in values}
    for name in ("hash_identifiers", "paused"):
        if name in values:
            found[name] = values[name]
            if not isinstance(values[name], bool):
                errors.append(field_error(name, "not_a_boolean", _("Write true or false.")))
    if "pause_reason" in values and values.get("paused") is not True:
        message = _("A reason goes with “paused”: true alone.")
        errors.append(field_error("pause_reason", "not_paused", message))
    elif len(found.get("pause_reason", "")) > 255:
        errors.append(field_error("pause_reason", "max_length", _("Write at most 255 characters.")))
    for name, fewest in (("keep_files_days", 1), ("keep_people_days", FEWEST_PEOPLE_DAYS)):
        if name in values:
            days = found[name] = values[name]
            if days is not None and (not isinstance(days, int) or isinstance(days, bool)):
                message = _("Write a whole number of days, or null for always.")
                errors.append(field_error(name, "not_a_number", message))
            elif days is not None and not fewest <= days <= MOST_DAYS:
                message = _("Write from %(fewest)s to %(most)s days, or null for always.")
                errors.append(field_error(name, "out_of_range", message % {"fewest": fewest, "most": MOST_DAYS}))
    if "wave_pause_seconds" in values:
        seconds = found["wave_pause_seconds"] = values["wave_pause_seconds"]
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds < 2**31:
            errors.append(field_error("wave_pause_seconds", "not_a_number", _("Write a whole number of seconds.")))
    if errors:
        raise invalid(errors)
    return found
