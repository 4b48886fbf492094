"""The files that Metrica takes: which writer makes one of each kind and format, and by which call it goes."""

from collections.abc import Mapping
from typing import Any, BinaryIO, Final, Protocol
from zoneinfo import ZoneInfo

from apps.metrica.client import MetricaClient, Uploading
from apps.metrica.wire.contacts import ContactsJsonWriter, ContactsWriter
from apps.metrica.wire.orders import OrdersJsonWriter, OrdersWriter
from apps.metrica.wire.rows import UnwritableRow
from apps.metrica.wire.simple_orders import SimpleOrdersWriter
from apps.uploads.models import Upload, UploadFormat, UploadKind

JSON_ROWS: Final = 300
"""In detailed mode a file of no more rows is JSON, which says lists and numbers as what they are; a larger one is CSV,
which is written and taken in faster and in flat memory."""

UNWRITABLE = UnwritableRow


class Writer(Protocol):
    rows: int
    bytes_written: int

    def write_many(self, records: Any) -> None: ...

    def sha256(self) -> str: ...


class Maker(Protocol):
    """Makes the records of one file out of what was read."""

    @property
    def attributes(self) -> Mapping[str, bool]:
        """Custom attributes that a record may have, each with whether it has several values."""

    def make(self, row: Any) -> Any: ...

    def mapping(self) -> dict[str, Any]:
        """What each status meant in the file, for the upload's record."""


def smallest_format(rows: int) -> UploadFormat:
    """The format for a file of detailed mode that will have about so many rows."""
    return UploadFormat.JSON if rows <= JSON_ROWS else UploadFormat.CSV


def open_writer(
    kind: UploadKind, file_format: UploadFormat, stream: BinaryIO, *, zone: ZoneInfo, attributes: Mapping[str, bool]
) -> Writer:
    if kind == UploadKind.SIMPLE_ORDERS:
        return SimpleOrdersWriter(stream, zone=zone)
    contacts = kind == UploadKind.CONTACTS
    if file_format == UploadFormat.JSON:
        return ContactsJsonWriter(stream, zone=zone) if contacts else OrdersJsonWriter(stream, zone=zone)
    if contacts:
        return ContactsWriter(stream, zone=zone, attributes=attributes)
    return OrdersWriter(stream, zone=zone, attributes=attributes)


def finish(writer: Writer) -> None:
    """Write what a file of this format ends with."""
    if isinstance(writer, ContactsJsonWriter | OrdersJsonWriter):
        writer.finish()


def upload(metrica: MetricaClient, counter_id: int, file: BinaryIO, *, of: Upload) -> Uploading:
    """Send the file by the call that takes its kind and format. Raises MetricaError."""
    if of.kind == UploadKind.SIMPLE_ORDERS:
        return metrica.upload_simple_orders(counter_id, file, filename=f"{of.pk}.csv")
    contacts = of.kind == UploadKind.CONTACTS
    if of.format == UploadFormat.JSON:
        send = metrica.upload_contacts_json if contacts else metrica.upload_orders_json
        return send(counter_id, file)
    send_csv = metrica.upload_contacts if contacts else metrica.upload_orders
    return send_csv(counter_id, file, filename=f"{of.pk}.csv")
