"""One incoming client, checked by the very readers that orders' rows meet (R1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.clients.accepting import ClientRow
from apps.counters.attributes import Declared
from apps.counters.models import Counter
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.rows import LINE_KEY, OrderRow, RowError, RowReader

_OURS: Final = {"uniq_id": "client_uniq_id", "name": "client_name", "attributes": "client_attributes"}
_THEIRS: Final = {ours: theirs for theirs, ours in _OURS.items()}
FIELDS: Final = frozenset({*_OURS, *IDENTIFIER_KINDS})


@dataclass(frozen=True, slots=True)
class ReadClient:
    """A row that was read: the client, or what keeps it out; and what is worth knowing of it. `uniq_id`: as it was
    given, None where it could not be read."""

    uniq_id: str | None
    row: ClientRow | None
    errors: Sequence[RowError] = ()
    warnings: Sequence[RowError] = ()


class ClientReader(RowReader):
    """Reads the clients of one call for one counter. Errors and warnings are told under the clients' own names."""

    def read_client(self, raw: Any) -> ReadClient:
        if not isinstance(raw, Mapping):
            error = RowError("", "wrong_type", _("A client is an object with the fields of a client."))
            return ReadClient(None, None, [error])
        given = {_OURS[name]: value for name, value in raw.items() if name in _OURS}
        errors: list[RowError] = []
        warnings: list[RowError] = []
        row = OrderRow("", "")
        self._client(given, row, errors)
        if row.client_uniq_id is None and not any(error.field == "client_uniq_id" for error in errors):
            errors.append(RowError("client_uniq_id", "required", _("This field is required.")))
        for kind in IDENTIFIER_KINDS:
            if kind in raw:
                self._identifiers(kind, raw[kind], row, warnings)
        if given.get("client_attributes"):
            self._client_attributes(given["client_attributes"], row, errors)
        if self._declared is not None:
            self._check_attributes(self._declared, row, warnings, errors)
        for name in raw:
            if name not in FIELDS and name != LINE_KEY and name not in self._told and len(self._told) < 100:
                self._told.add(name)
                message = _("Nothing is known of this field; it is ignored.")
                warnings.append(RowError(str(name)[:100], "unknown_field", message))
        told = [_named(warning) for warning in warnings]
        if errors or row.client_uniq_id is None:
            named = raw.get("uniq_id")
            uniq_id = named[:255] if isinstance(named, str) and named else None
            return ReadClient(uniq_id, None, [_named(error) for error in errors], told)
        client = ClientRow(
            uniq_id=row.client_uniq_id,
            name=row.client_name,
            identifiers=row.identifiers,
            attributes=row.client_attributes or {},
        )
        return ReadClient(client.uniq_id, client, (), told)


def reader_of_clients(counter: Counter, *, now: datetime | None = None) -> ClientReader:
    """One query in detailed mode, none in simple mode."""
    declared = Declared.of(counter) if counter.is_detailed else None
    return ClientReader(zone=counter.zone, now=now or timezone.now(), declared=declared)


def _named(error: RowError) -> RowError:
    head, dot, rest = error.field.partition(".")
    return RowError(f"{_THEIRS.get(head, head)}{dot}{rest}", error.code, error.message)
