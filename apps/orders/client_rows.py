"""One incoming client, checked by the very readers that orders' rows meet (R1)."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.rows import OrderRow, RowError, RowReader

_OURS: Final = {"uniq_id": "client_uniq_id", "name": "client_name", "attributes": "client_attributes"}
_THEIRS: Final = {ours: theirs for theirs, ours in _OURS.items()}
FIELDS: Final = frozenset({*_OURS, *IDENTIFIER_KINDS})


class ClientReader(RowReader):
    """Reads the clients of one call for one counter. Errors and warnings are told under the clients' own names."""

    def read(self, raw: Any) -> OrderRow | list[RowError]:
        """The row, of which only what concerns the client is filled in; or everything that keeps it out."""
        if not isinstance(raw, Mapping):
            return [RowError("", "wrong_type", _("A client is an object with the fields of a client."))]
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
            if name not in FIELDS and name not in self._told and len(self._told) < 100:
                self._told.add(name)
                message = _("Nothing is known of this field; it is ignored.")
                warnings.append(RowError(str(name)[:100], "unknown_field", message))
        row.warnings = [_named(warning) for warning in warnings]
        return [_named(error) for error in errors] or row


def _named(error: RowError) -> RowError:
    head, dot, rest = error.field.partition(".")
    return RowError(f"{_THEIRS.get(head, head)}{dot}{rest}", error.code, error.message)
