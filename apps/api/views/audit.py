"""GET audit/: who did what to which object, before and after, when, from where, under which request (R12)."""

from typing import Any, TypedDict

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.agencies.merging import Parts
from apps.api import audit_docs as docs
from apps.api.base import ApiView, moment
from apps.api.formats import clock
from apps.api.openapi import MOMENT, NUMBER_OF_COUNTER, PAGE_PARAMETERS, described, example, page_of, query
from apps.api.paging import NEWEST_FIRST, PARAMETERS, Sorting, page
from apps.api.problems import bad_request
from apps.audit import known, naming
from apps.audit.models import AuditEntry

_FILTERS = ("action", "object", "actor", "counter", "from", "to", "request_id")


class ActorShape(TypedDict):
    """`kind`: person, key, system or nobody."""

    kind: str
    id: str
    name: str


class ObjectShape(TypedDict):
    """`type`: such as counters.counter; `name`: as it was called then."""

    type: str
    id: str
    name: str


class SealShape(TypedDict):
    """The entry's place in its agency's chain, and the hash that stands there."""

    position: int
    hash: str


class AuditEntryShape(TypedDict):
    """One act. `action`: its code; `summary`: the same in words. `counter`: Metrica's number of the counter that it
    concerns. `before`, `after`: the fields that changed. `source`: web, api, command or worker. `seal`: null until the
    entry is put into the chain, within minutes."""

    id: int
    at: str
    actor: ActorShape
    action: str
    summary: str
    object: ObjectShape | None
    counter: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    details: dict[str, Any]
    source: str
    ip: str | None
    request_id: str
    seal: SealShape | None


def entry_shape(entry: AuditEntry) -> AuditEntryShape:
    """No query where the link came with the entry."""
    link = getattr(entry, "link", None)
    return {
        "id": entry.pk,
        "at": clock(entry.at, None),
        "actor": {"kind": entry.actor_kind, "id": entry.actor_id, "name": entry.actor_label},
        "action": entry.action,
        "summary": str(naming.action_name(entry.action)),
        "object": _object(entry),
        "counter": entry.counter,
        "before": entry.before,
        "after": entry.after,
        "details": entry.details,
        "source": entry.source,
        "ip": entry.ip,
        "request_id": entry.request_id,
        "seal": None if link is None else {"position": link.position, "hash": link.hash},
    }


def _object(entry: AuditEntry) -> ObjectShape | None:
    if not entry.object_type:
        return None
    return {"type": entry.object_type, "id": entry.object_id, "name": entry.object_label}


class AuditView(ApiView):
    @described(
        name="list_audit",
        summary="The audit log, newest first",
        description="All that people, keys, commands and workers did in the agency. A key that is limited to counters "
        "sees what concerns these, and nothing of the agency as a whole. With from or to they are sorted by "
        "their time.",
        answers={200: page_of(AuditEntryShape)},
        errors=[400],
        parameters=[
            query("action", "This action (counter.changed), or all that begin so (counter.)."),
            query("object", "What was done to: a type (counters.counter), or a type and an id (counters.counter:12)."),
            query("actor", "Whose name has this in it, in capitals or not."),
            query("counter", "What concerns this counter (Metrica's number).", kind=NUMBER_OF_COUNTER),
            query("from", "At that time or later. Without an offset it is UTC.", kind=MOMENT),
            query("to", "Before that time. Without an offset it is UTC.", kind=MOMENT),
            query("request_id", "All that this request did."),
            *PAGE_PARAMETERS,
        ],
        examples=[example("A counter's setting was changed", docs.PAGE, status=200)],
        tags=["audit"],
    )
    def get(self, request: Request) -> Response:
        parameters = self.parameters(*_FILTERS, *PARAMETERS)
        rows: QuerySet[AuditEntry] = AuditEntry.objects.visible_to(self.actor)
        rows = self._by_words(rows, parameters)
        sorting = NEWEST_FIRST
        for name, lookup in (("from", "at__gte"), ("to", "at__lt")):
            if text := parameters.get(name):
                rows = rows.filter(**{lookup: moment(text, field=name, zone=None)})
                sorting = Sorting("at")
        if number := parameters.get("counter"):
            if not (number.isascii() and number.isdigit() and len(number) < 19):
                raise bad_request("bad_counter", _("Write the counter's number."), field="counter")
            rows = rows.filter(counter=int(number))
        limit = self.actor.counters
        return Response(
            page(
                request=request,
                rows=rows,
                whole=AuditEntry.objects.select_related("link"),
                parameters=parameters,
                shape=lambda found: [entry_shape(entry) for entry in found],
                sorting=sorting,
                parts=None if limit is None else Parts("counter", tuple(limit)),
            )
        )

    def _by_words(self, rows: QuerySet[AuditEntry], parameters: dict[str, str]) -> QuerySet[AuditEntry]:
        agencies = self.actor.agencies
        if action := parameters.get("action"):
            whole = action in naming.ACTIONS

            def fits(value: str) -> bool:
                return value == action if whole else value.startswith(action)

            found = known.entries_with("action", fits, agencies=agencies)
            rows = rows.none() if found is None else rows.filter(found)
        if actor := parameters.get("actor", "").casefold():
            found = known.entries_with("actor_label", lambda value: actor in value.casefold(), agencies=agencies)
            rows = rows.none() if found is None else rows.filter(found)
        if thing := parameters.get("object"):
            kind, colon, key = thing.partition(":")
            rows = rows.filter(object_type=kind, object_id=key) if colon else rows.filter(object_type=kind)
        if request_id := parameters.get("request_id"):
            rows = rows.filter(request_id=request_id)
        return rows
