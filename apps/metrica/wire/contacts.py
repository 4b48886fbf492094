"""Customers in the detailed format: CSV and JSON, written and read (R5). Pages: contacts-data, uploadContacts,
uploadContactJson_1.

What the writers write, the readers read back the same, up to fractions of a second, the second hour of an overlap,
and, in JSON, days without a time, which get their 23:59:00 there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from apps.metrica.dates import format_local
from apps.metrica.problems import BadValue
from apps.metrica.vocabulary import CONTACT_COLUMNS, FIRST_DATE, IDENTIFIER_KINDS, Delimiter
from apps.metrica.wire import attributes as custom
from apps.metrica.wire import detailed, json_fields, reading, values
from apps.metrica.wire.detailed import DetailedWriter
from apps.metrica.wire.json_reading import ReadItem
from apps.metrica.wire.json_text import JsonRowsWriter
from apps.metrica.wire.reading import ReadRow
from apps.metrica.wire.rows import joined

_TIMES = {"create_date_time": "create_date_only", "update_date_time": "update_date_only"}
_PASSED_OVER = ("user_ids", "company_uniq_id", "user_comment")


@dataclass(slots=True)
class Contact:
    """One customer. Times are aware; where `…_date_only` is set, the time is 23:59:00 and only the day was given.

    Identifiers are normalised already. A `birth_date` before 1970, which Metrica does not support, is not written.
    `attributes`: values of the counter's custom attributes, by name.
    """

    uniq_id: str
    name: str = ""
    birth_date: date | None = None
    create_date_time: datetime | None = None
    update_date_time: datetime | None = None
    create_date_only: bool = False
    update_date_only: bool = False
    client_ids: Sequence[str] = ()
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    emails_md5: Sequence[str] = ()
    phones_md5: Sequence[str] = ()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _cells(contact: Contact, *, zone: ZoneInfo, attributes: custom.Names) -> list[str]:
    if not contact.uniq_id:
        raise BadValue("required", values.REQUIRED["uniq_id"])
    created, updated = contact.create_date_time, contact.update_date_time
    return [
        contact.uniq_id,
        contact.name,
        _birth_date(contact) or "",
        "" if created is None else format_local(created, zone, date_only=contact.create_date_only),
        "" if updated is None else format_local(updated, zone, date_only=contact.update_date_only),
        joined(contact.client_ids) if contact.client_ids else "",
        joined(contact.emails) if contact.emails else "",
        joined(contact.phones) if contact.phones else "",
        joined(contact.emails_md5) if contact.emails_md5 else "",
        joined(contact.phones_md5) if contact.phones_md5 else "",
        *custom.cells(contact.attributes, attributes),
    ]


class ContactsWriter(DetailedWriter[Contact]):
    known = CONTACT_COLUMNS
    cells = staticmethod(_cells)


class ContactsJsonWriter(JsonRowsWriter[Contact]):
    """JSON: `{"contacts": […]}`. Times go out on the clock of `zone`. Raises UnwritableRow."""

    def __init__(self, fp: BinaryIO, *, zone: ZoneInfo) -> None:
        super().__init__(fp, key="contacts", fields=partial(_fields, zone=zone))


def read_contacts(
    fp: BinaryIO,
    *,
    zone: ZoneInfo,
    delimiter: Delimiter = Delimiter.COMMA,
    columns_mapping: Mapping[str, str] | None = None,
    attributes: Mapping[str, bool] | None = None,
    ignore_unknown_columns: bool = False,
) -> Iterator[ReadRow[Contact]]:
    """Rows in file order, in flat memory; times come back in UTC. `zone` is the counter's.

    `columns_mapping`: {attribute: title in the file}; `attributes`: custom attributes of the counter, {name: whether
    multivalued}. A customer without any identifier is legal, though Metrica can match nothing to it.
    Raises UnusableFile at the call for the header, and while iterating where the file stops being readable.
    """
    attributes = attributes or {}
    table = reading.Table(
        fp,
        known=(*CONTACT_COLUMNS, *attributes),
        required=("uniq_id",),
        parsers={
            **reading.columns_of(attributes),
            "birth_date": values.day,
            "create_date_time": values.moment(zone),
            "update_date_time": values.moment(zone),
            **{kind: values.listed(parse) for kind, parse in values.IDENTIFIERS.items()},
        },
        delimiter=delimiter,
        ignore_unknown_columns=ignore_unknown_columns,
        columns_mapping=columns_mapping,
    )
    return (detailed.read_row(row, make=Contact, times=_TIMES, attributes=attributes) for row in table)


def read_contacts_json(
    fp: BinaryIO,
    *,
    zone: ZoneInfo,
    attributes: Mapping[str, bool] | None = None,
    ignore_unknown_fields: bool = False,
) -> Iterator[ReadItem[Contact]]:
    """Objects of `{"contacts": […]}` in their order, in flat memory; times come back in UTC.

    `attributes` as for CSV. The documented fields user_ids, company_uniq_id and user_comment are passed over.
    Raises UnusableJson while iterating where the body stops being readable.
    """
    parsers: dict[str, json_fields.Parser] = {
        "uniq_id": json_fields.text_of(str),
        "name": json_fields.text_of(str),
        "birth_date": json_fields.DAY,
        "create_date_time": json_fields.moment_in(zone),
        "update_date_time": json_fields.moment_in(zone),
        **{kind: json_fields.list_of(parse, digits=kind == "client_ids") for kind, parse in values.IDENTIFIERS.items()},
    }
    return detailed.read_items(
        fp,
        key="contacts",
        make=Contact,
        times=_TIMES,
        parsers=parsers,
        attributes=attributes,
        required=("uniq_id",),
        passed_over=_PASSED_OVER,
        ignore_unknown=ignore_unknown_fields,
    )


def _fields(contact: Contact, *, zone: ZoneInfo) -> dict[str, Any]:
    if not contact.uniq_id:
        raise BadValue("required", values.REQUIRED["uniq_id"])
    created, updated = contact.create_date_time, contact.update_date_time
    fields: dict[str, Any] = {
        "uniq_id": contact.uniq_id,
        "name": contact.name,
        "birth_date": _birth_date(contact),
        "create_date_time": None if created is None else format_local(created, zone),
        "update_date_time": None if updated is None else format_local(updated, zone),
        **{kind: tuple(getattr(contact, kind)) for kind in IDENTIFIER_KINDS},
        "attribute_values": custom.values(contact.attributes),
    }
    return {name: value for name, value in fields.items() if value}


def _birth_date(contact: Contact) -> str | None:
    day = contact.birth_date
    return day.isoformat() if day is not None and day >= FIRST_DATE else None
