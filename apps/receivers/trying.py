"""A mapping tried on a post that came: the rows as they would be stored, by the very checks that they will meet.
Nothing is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.counters.attributes import Declared
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.counters.models import Counter
from apps.goals.resolve import Resolver
from apps.orders import intake
from apps.orders.models import HoldReason, Source
from apps.orders.results import RowResult
from apps.orders.rows import OrderRow, RowError, RowReader
from apps.orders.showing import column_labels, stored
from apps.receivers import working
from apps.receivers.crm import amocrm
from apps.receivers.models import Kind, Post, Receiver

SHOWN: Final = 20
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Cell:
    """One field as it will be stored, or as it came where it cannot be."""

    label: str
    text: str
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """One order. `notes`: what is wrong with it as a whole."""

    number: int
    result: str
    type: str | None  # the order type that the status means; None where it is not mapped
    hold: Any
    cells: list[Cell]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Trial:
    lines: list[Line]
    rows: int
    rejected: int


def sample_of(receiver: Receiver) -> Post | None:
    """The newest post that a mapping can be tried on."""
    posts = Post.objects.filter(receiver=receiver, is_readable=True).exclude(state="ignored")
    if receiver.kind == Kind.BITRIX24:
        # Its posts hold no more than the deal's number: one of which the deal was read.
        posts = posts.exclude(documents_encrypted="")
    return posts.order_by("-pk").first()


def documents_of(receiver: Receiver, post: Post) -> list[Any]:
    """What the mapping is applied to, as it was when the post was worked on; nobody is asked anything. Empty where that
    is not known (any more)."""
    try:
        if post.documents_encrypted:
            return list(json.loads(decrypt(post.documents_encrypted)))
        document = json.loads(working.body_of(post))
    except UnreadableSecret:
        return []
    if receiver.kind == Kind.BITRIX24:
        return []
    if receiver.kind == Kind.AMOCRM:
        return list(amocrm.documents(document))
    return [document]


def tried(receiver: Receiver, post: Post, documents: Sequence[Any], kept: Mapping[str, Any]) -> Trial:
    """`documents`: of the post, by `documents_of`; `kept`: a mapping, saved or not. A fixed number of queries."""
    draft = Receiver(counter=receiver.counter, kind=receiver.kind, mapping=dict(kept))
    draft.statuses, draft.prefix = receiver.statuses, receiver.prefix
    counter = receiver.counter
    rows = working.mapped(draft, documents, received_at=post.received_at)
    shown = rows[:SHOWN]
    results = intake.accept_all(counter=counter, rows=shown, source=Source.WEBHOOK, dry_run=True).results
    declared = Declared.of(counter) if counter.is_detailed else None
    reader = RowReader(zone=counter.zone, now=timezone.now(), declared=declared)
    resolver = Resolver.for_counter(counter)
    lines = [
        _line(number, row, result, reader.read(row), counter, resolver)
        for number, (row, result) in enumerate(zip(shown, results, strict=True), start=1)
    ]
    return Trial(lines, len(rows), sum(line.result == "rejected" for line in lines))


def _line(
    number: int,
    raw: Mapping[str, Any],
    result: RowResult,
    read: OrderRow | list[RowError],
    counter: Counter,
    resolver: Resolver,
) -> Line:
    row = read if isinstance(read, OrderRow) else None
    names = _names(raw, result.errors)
    labels = column_labels()
    cells = []
    for name in names:
        text = _came(raw, name) if row is None else stored(row, name, counter=counter)
        label = labels.get(name) or name.partition(".")[2] or name
        cells.append(Cell(label, text[:_LONGEST], _of(result.errors, name), _of(result.warnings, name)))
    notes = [str(one.message) for one in (*result.errors, *result.warnings) if one.field not in names]
    meaning = resolver.meaning(row.order_status) if row is not None else None
    hold = HoldReason(result.hold).label if result.hold else ""
    return Line(number, result.result, meaning.type if meaning else None, hold, cells, notes)


def _names(raw: Mapping[str, Any], errors: Sequence[RowError]) -> list[str]:
    """The fields of the row in their usual order, those that it lacks among them, and its attributes one by one."""
    missing = {error.field for error in errors}
    names = [name for name in column_labels() if name in raw or name in missing]
    for group in ("attributes", "client_attributes"):
        names += [f"{group}.{name}" for name in raw.get(group, {})]
    return names


def _came(raw: Mapping[str, Any], name: str) -> str:
    group, dot, inner = name.partition(".")
    value = raw.get(group, {}).get(inner) if dot else raw.get(name)
    if value is None:
        return _("not found")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _of(errors: Sequence[RowError], name: str) -> list[str]:
    return [str(one.message) for one in errors if one.field == name]
