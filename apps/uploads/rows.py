"""From a status change to its row on the wire: always the full row (R5), on the clock of the counter (R9)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BigIntegerField, F, Func, TextField
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from apps.clients.models import Client
from apps.counters.models import Counter
from apps.counters.sealed_fields import parsed, reader
from apps.goals.resolve import Meaning, Resolver
from apps.metrica.identifiers import md5_of
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.orders.models import HoldReason, Order


class ChangeRow(NamedTuple):
    """A change with all that its row needs, as `columns` reads it: mostly text, which costs a fraction of what Django's
    own conversion of a million rows does. JSON stays text until the row is made."""

    id: str
    order: int
    order_status: str
    revenue: str | None
    cost: str | None
    currency: str
    goals: str
    order_id: str
    create_date_time: int | datetime  # seconds of the epoch on PostgreSQL
    create_date_only: bool
    identifiers: str
    client_uniq_id: str | None
    client_identifiers: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """How the changes for one kind of file are read: what to ask of StatusChange with `values_list`, and what becomes
    of the values. The rows of every reading begin with the fields of ChangeRow."""

    columns: Callable[[], list[Combinable]]
    make: Callable[[Iterable[Any]], Any]


def columns() -> list[Combinable]:
    """What to ask of StatusChange for a ChangeRow, with `values_list`."""
    return [
        as_text("id"),
        F("order_id"),
        F("order_status"),
        as_text("revenue"),
        as_text("cost"),
        F("currency"),
        as_text("goals"),
        F("order__order_id"),
        second_of("order__create_date_time"),
        F("order__create_date_only"),
        as_text("order__identifiers"),
        F("order__client__uniq_id"),
        as_text("order__client__identifiers"),
    ]


SIMPLE = Reading(columns, ChangeRow._make)


# EXTRACT counts in numeric, which takes a fifth of the whole query.
SECOND_OF = "FLOOR(DATE_PART('epoch', %(expressions)s))::bigint"


def as_text(name: str) -> Combinable:
    return Cast(name, TextField())


def second_of(name: str) -> Combinable:
    """The moment as seconds of the epoch on PostgreSQL, as Django has it elsewhere; see `aware`."""
    if connection.vendor != "postgresql":
        return F(name)
    return Func(F(name), template=SECOND_OF, output_field=BigIntegerField())


def aware(moment: int | datetime, zone: tzinfo) -> datetime:
    """The moment that `second_of` read. On PostgreSQL on the clock of `zone` at once, as the file will show it."""
    return datetime.fromtimestamp(moment, zone) if isinstance(moment, int) else moment


class RowMaker:
    """Makes rows for one counter. Keep it for one file: it remembers what each status meant."""

    attributes: Mapping[str, bool] = MappingProxyType({})
    """Custom attributes that a row may have, each with whether it has several values."""

    def __init__(self, *, counter: Counter, resolver: Resolver) -> None:
        self._resolver = resolver
        self._currency = counter.currency
        self._hash = counter.hash_identifiers
        self._zone: tzinfo = counter.zone or UTC
        self._read_own, self._read_clients = reader(Order, "identifiers"), reader(Client, "identifiers")
        self.used: dict[str, Meaning] = {}

    def problem(self, row: ChangeRow) -> str:
        """The hold reason that keeps the row back, or an empty text. Asked of every row, so it reads no JSON."""
        if self._resolver.meaning(row.order_status) is None:
            return self._resolver.problem(row.order_status)
        # A list that holds a text, be it sealed or not; within a text the quotation mark would be escaped.
        if '["' not in row.identifiers and (row.client_identifiers is None or '["' not in row.client_identifiers):
            return HoldReason.NO_IDENTIFIERS
        return ""

    def make(self, row: Any) -> Any:
        """The row of a change that has no problem."""
        status, created = row.order_status, row.create_date_time
        meaning = self.used.get(status) or self.meaning(status)
        client_ids, emails, phones, emails_md5, phones_md5 = self._identifiers(row)
        return SimpleOrder(
            row.order_id,
            aware(created, self._zone),
            row.create_date_only,
            meaning.wire_status,
            row.client_uniq_id or "",
            client_ids,
            emails,
            phones,
            emails_md5,
            phones_md5,
            None if row.revenue is None else Decimal(row.revenue),
            None if row.cost is None else Decimal(row.cost),
            goals_cell(meaning, row.goals) if meaning.wire_goals or row.goals != "[]" else (),
            row.currency or self._currency,
        )

    def meaning(self, status: str) -> Meaning:
        """Of a status that has no problem; noted as used."""
        meaning = self.used.get(status)
        if meaning is None:
            meaning = self._resolver.meaning(status)
            assert meaning is not None, "asked for a change with a problem"
            self.used[status] = meaning
        return meaning

    def noted(self, rows: Sequence[ChangeRow]) -> set[int]:
        """Orders (primary keys) that `note` will write."""
        return set()

    def note(self, rows: Sequence[ChangeRow]) -> None:
        """These rows have just been claimed for the file, in a step that is still open."""

    def mapping(self) -> dict[str, Any]:
        """What each status meant in this file, for the upload's record."""
        return {status: meaning.to_json() for status, meaning in self.used.items()}

    def _identifiers(self, row: ChangeRow) -> Sequence[Sequence[str]]:
        """Per kind the order's own, or where it has none of a kind, its client's."""
        own = self._read_own(row.identifiers)
        if row.client_identifiers is not None and row.client_identifiers != "{}":
            of_client = self._read_clients(row.client_identifiers)
            found = [own.get(kind) or of_client.get(kind) or () for kind in IDENTIFIER_KINDS]
        else:
            found = [own.get(kind) or () for kind in IDENTIFIER_KINDS]
        return hashed(found) if self._hash else found


@lru_cache(maxsize=10_000)
def goals_cell(meaning: Meaning, extras: str) -> Sequence[GoalPrice]:
    return goals_of(meaning, parsed(extras))


def goals_of(meaning: Meaning, extras: Sequence[Mapping[str, Any]]) -> Sequence[GoalPrice]:
    """The `goals` cell: the mapping's goals and the order's own, each once; the first price given for one counts.

    A goal that the status itself reaches is named only to give it a price.
    """
    prices: dict[str, Decimal | None] = dict.fromkeys(meaning.wire_goals)
    for extra in extras:
        goal, price = extra["goal_action_id"], extra.get("price")
        if prices.get(goal) is not None or (price is None and goal in meaning.goal_action_ids):
            continue
        prices[goal] = None if price is None else Decimal(price)
    return [GoalPrice(goal, price) for goal, price in prices.items()]


def hashed(found: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    client_ids, emails, phones, emails_md5, phones_md5 = found
    return (client_ids, (), (), _with_hashes(emails_md5, emails), _with_hashes(phones_md5, phones))


def _with_hashes(hashes: Sequence[str], values: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys([*hashes, *map(md5_of, values)])) if values else hashes
