"""From a document to rows for intake: which path of it holds which of our fields.

What the document does not have, or has empty, is left out of the row, so the order keeps what it has. A row without a
time of its own has happened when its post came: posts that are worked on late, or in another order, then still find
their place in the timeline (R3, R4).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.receivers import paths
from apps.receivers.models import Kind
from apps.receivers.paths import Path, PathError

ORDERS, EVENT_ID = "orders", "event_id"
MODIFIED: Final = "modified_date_time"
PRODUCT_ID, PRODUCT_QUANTITY = "product_id", "product_quantity"
MOST_ROWS: Final = 10_000

LABELS: Final[Mapping[str, Text]] = {
    "id": _("Order id"),
    "create_date_time": _("Created in the CRM"),
    "order_status": _("Status"),
    "status_date_time": _("Status since"),
    MODIFIED: _("Changed at"),
    "client_uniq_id": _("Client id"),
    "client_name": _("Client's name"),
    "client_ids": _("ClientID"),
    "emails": _("E-mails"),
    "phones": _("Phones"),
    "emails_md5": _("MD5 of e-mails"),
    "phones_md5": _("MD5 of phones"),
    "revenue": _("Revenue"),
    "cost": _("Cost"),
    "currency": _("Currency"),
    "goals": _("Extra goals"),
    "products": _("Products"),
    PRODUCT_ID: _("Product's id within “Products”"),
    PRODUCT_QUANTITY: _("Quantity within “Products”"),
}
"""Fields that a path is written for, in the order of the form."""

REQUIRED = ("id", "order_status")
_MOMENTS = ("create_date_time", "status_date_time")
_TEXTS = ("id", "order_status", "client_uniq_id", "client_name", "currency")
_MONEY = ("revenue", "cost")
_PREFIXED = ("id", "client_uniq_id")

_BITRIX24: Final = {
    "id": "deal.ID",
    "create_date_time": "deal.DATE_CREATE",
    "order_status": "status.name | status.code",
    "status_date_time": "deal.MOVED_TIME | deal.DATE_MODIFY",
    MODIFIED: "deal.DATE_MODIFY",
    "client_uniq_id": "contacts[0].ID",
    "client_name": "contacts[0].NAME + contacts[0].LAST_NAME",
    "emails": "contacts[*].EMAIL[*].VALUE | company.EMAIL[*].VALUE",
    "phones": "contacts[*].PHONE[*].VALUE | company.PHONE[*].VALUE",
    "revenue": "deal.OPPORTUNITY",
    "currency": "deal.CURRENCY_ID",
}
_AMOCRM: Final = {
    "id": "lead.id",
    "create_date_time": "lead.created_at | lead.date_create",
    "order_status": "status.code",
    "status_date_time": "lead.updated_at | lead.last_modified",
    "client_uniq_id": "contacts[0].id",
    "client_name": "contacts[0].name",
    "emails": "contacts[*].emails[*]",
    "phones": "contacts[*].phones[*]",
    "revenue": "lead.price",
}
USUAL: Final[Mapping[str, Mapping[str, str]]] = {Kind.BITRIX24: _BITRIX24, Kind.AMOCRM: _AMOCRM, Kind.GENERIC: {}}
"""The fields that a receiver of this kind begins with."""


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One order of a document. `row`: as intake takes it; `modified`: when the CRM changed it last, where that is said
    apart from when its status was set."""

    row: dict[str, Any]
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """The paths of a receiver, read. `statuses`: what a status of the CRM is called here."""

    orders: Path | None
    fields: Mapping[str, Path]
    attributes: Mapping[str, Path]
    client_attributes: Mapping[str, Path]
    statuses: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""

    def rows(self, documents: Iterable[Any], *, received_at: datetime) -> list[MappedRow]:
        """`received_at`: aware, when the post came."""
        return [
            self._row(one, received_at)
            for document in documents
            for one in (paths.listed(self.orders.values(document)) if self.orders is not None else _several(document))
        ]

    def _row(self, document: Any, received_at: datetime) -> MappedRow:
        row: dict[str, Any] = {}
        for name in (*_MOMENTS, MODIFIED):
            if name in self.fields and (found := self.fields[name].first(document)) is not None:
                row[name] = moment_text(found)
        for name in (*_TEXTS, *_MONEY):
            if name in self.fields and (found := _scalar(self.fields[name].values(document))) is not None:
                row[name] = found
        for name in IDENTIFIER_KINDS:
            if name in self.fields and (items := paths.listed(self.fields[name].values(document))):
                row[name] = items
        if "goals" in self.fields and (goals := self.fields["goals"].values(document)):
            row["goals"] = goals[0] if len(goals) == 1 else goals
        if products := self._products(document):
            row["products"] = products
        for name, given in (("attributes", self.attributes), ("client_attributes", self.client_attributes)):
            if values := {key: _one_or_all(found) for key, path in given.items() if (found := path.values(document))}:
                row[name] = values
        if "order_status" in row:
            status = str(row["order_status"]).strip()
            row["order_status"] = self.statuses.get(status, row["order_status"])
        for name in _PREFIXED:
            if self.prefix and name in row:
                row[name] = f"{self.prefix}{row[name]}"
        modified = row.pop(MODIFIED, None)
        if "status_date_time" not in row:
            row["status_date_time"] = modified or received_at.astimezone(UTC).isoformat()
        return MappedRow(row, modified)

    def _products(self, document: Any) -> Any:
        if "products" not in self.fields:
            return None
        found = self.fields["products"].values(document)
        if PRODUCT_ID not in self.fields:
            return found[0] if len(found) == 1 else found or None
        counted: dict[str, Any] = {}
        for item in paths.listed(found):
            identifier = _scalar(self.fields[PRODUCT_ID].values(item))
            if identifier is None:
                continue
            several = self.fields[PRODUCT_QUANTITY].first(item) if PRODUCT_QUANTITY in self.fields else 1
            quantity = _whole(1 if several is None else several)
            before = counted.get(str(identifier), 0)
            # One that cannot be counted is told by intake, in its own words.
            both = isinstance(quantity, int) and isinstance(before, int)
            counted[str(identifier)] = before + quantity if both else quantity
        return counted


def of(kept: Mapping[str, Any], *, statuses: Mapping[str, str], prefix: str) -> FieldMapping:
    """The mapping as a receiver keeps it. A path that cannot be read is as good as none: forms refuse them."""
    return FieldMapping(
        orders=_path(kept.get(ORDERS, "")),
        fields=_paths(kept.get("fields", {})),
        attributes=_paths(kept.get("attributes", {})),
        client_attributes=_paths(kept.get("client_attributes", {})),
        statuses=statuses,
        prefix=prefix,
    )


def usual(kind: str) -> dict[str, Any]:
    """What a new receiver of this kind begins with."""
    return {ORDERS: "", EVENT_ID: "", "fields": dict(USUAL[kind]), "attributes": {}, "client_attributes": {}}


def event_id(kept: Mapping[str, Any], document: Any) -> str:
    """By what the CRM tells this post from others; empty where it does not say."""
    path = _path(kept.get(EVENT_ID, ""))
    found = _scalar(path.values(document)) if path is not None else None
    return "" if found is None else str(found)


def moment_text(value: Any) -> Any:
    """Seconds or milliseconds since 1970 become a time with its offset; all else is for intake to read."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    whole, _dot, fraction = text.partition(".")
    if whole.isascii() and whole.isdigit() and (not fraction or fraction.isdigit()):
        if 9 <= len(whole) <= 10:
            return datetime.fromtimestamp(int(whole), UTC).isoformat()
        if 12 <= len(whole) <= 13:
            return datetime.fromtimestamp(int(whole) / 1000, UTC).isoformat()
    return value


def _several(document: Any) -> list[Any]:
    """Without a path to them, a list is a list of orders, and anything else is one."""
    return document if isinstance(document, list) else [document]


def _path(text: Any) -> Path | None:
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return paths.read(text)
    except PathError:
        return None


def _paths(given: Mapping[str, Any]) -> dict[str, Path]:
    return {name: path for name, text in given.items() if (path := _path(text)) is not None}


def _scalar(values: Iterable[Any]) -> Any:
    """The first value that is no list and no object; what else there is, so that intake says what is wrong."""
    found = list(values)
    return next((value for value in found if not isinstance(value, (dict, list))), found[0] if found else None)


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _whole(value: Any) -> Any:
    text = str(value).strip()
    whole, _dot, fraction = text.partition(".")
    return int(whole) if whole.isascii() and whole.isdigit() and not fraction.strip("0") and len(whole) < 10 else value
