"""`/cdp/api/v1/counter/{id}/data/…` and `last_uploadings` (pages: uploadSimpleOrders, uploadContacts,
uploadContactJson_1, uploadOrders, uploadOrdersJson_1, getLastUploadings)."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from apps.metrica.serving.body import receive_file, receive_json
from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.query import columns_mapping, one_of, whole_number
from apps.metrica.vocabulary import MAX_UPLOADINGS_PER_PAGE, Delimiter, MergeMode
from apps.sandbox import switches
from apps.sandbox.api.endpoint import Call, View, endpoint
from apps.sandbox.faults import RefusedRows, hidden_seconds
from apps.sandbox.models import (
    Endpoint,
    FaultKind,
    SandboxCounter,
    SandboxUploading,
    UploadFormat,
    UploadingStatus,
    UploadKind,
)
from apps.sandbox.receiving import FileRefused, receive

_WIRE_TIME = "%Y-%m-%d %H:%M:%S"
_MOSCOW = ZoneInfo("Europe/Moscow")
_ERRORS_SHOWN = 20
_NO_JSON = ("invalid_json", "empty", "bom", "encoding")


class Source(StrEnum):
    API = "API"


def upload(kind: UploadKind, *formats: UploadFormat) -> View:
    """The address that takes uploads of `kind` in one format, or in either of two by Content-Type."""

    def view(call: Call) -> dict[str, Any]:
        counter = call.counter(to_change=True)
        query = call.request.GET
        form = _format(call, formats)
        merge_mode = one_of(query, "merge_mode", MergeMode)
        delimiter, mapping = Delimiter.COMMA, {}
        if form is UploadFormat.CSV:
            delimiter = one_of(query, "delimiter_type", Delimiter, default=Delimiter.COMMA)
            mapping = _mapping(call, kind)
        fail = call.has(FaultKind.FAILED)
        taken = receive_file if form is UploadFormat.CSV else receive_json
        with closing(taken(call.request, call.body)) as file:
            try:
                uploading = receive(
                    kind=kind,
                    counter=counter,
                    file=file,
                    merge_mode=merge_mode,
                    uploading_format=form,
                    delimiter=delimiter,
                    columns_mapping=mapping,
                    check=None if fail else RefusedRows(counter_number=counter.metrica_id),
                    fail=fail,
                )
            except FileRefused as refused:
                call.uploading = refused.uploading.uuid
                shown = [
                    (
                        f"{problem.location}: {problem.message}" if problem.location else problem.message,
                        problem.location,
                    )
                    for problem in refused.problems[:_ERRORS_SHOWN]
                ]
                no_json = form is UploadFormat.JSON and refused.problems[0].code in _NO_JSON
                error_type = "invalid_json" if no_json else "invalid_uploading"
                raise ApiError(error_type, shown[0][0], errors=shown) from refused
        call.uploading = uploading.uuid
        return {"uploading": wire_uploading(uploading, counter)}

    return view


def _format(call: Call, formats: tuple[UploadFormat, ...]) -> UploadFormat:
    if len(formats) == 1:
        return formats[0]
    return UploadFormat.CSV if call.request.content_type == "multipart/form-data" else UploadFormat.JSON


def _mapping(call: Call, kind: UploadKind) -> dict[str, str]:
    """`columns_mapping`, which the simple format does not have; there a switch says what becomes of it."""
    if kind is UploadKind.SIMPLE_ORDERS and call.request.GET.get("columns_mapping"):
        simple = switches.values()["simple_columns_mapping"]
        if simple == "ignore":
            return {}
        if simple == "refuse":
            message = "columns_mapping is not possible with simple_orders."
            raise ApiError("invalid_parameter", message, location="columns_mapping")
    return columns_mapping(call.request.GET)


def _address(kind: UploadKind, *formats: UploadFormat) -> Any:
    return endpoint(Endpoint.UPLOAD, method="POST")(upload(kind, *formats))


simple_orders = _address(UploadKind.SIMPLE_ORDERS, UploadFormat.CSV)
contacts_csv = _address(UploadKind.CONTACTS, UploadFormat.CSV)
contacts_json = _address(UploadKind.CONTACTS, UploadFormat.JSON)
orders_csv = _address(UploadKind.ORDERS, UploadFormat.CSV)
orders_json = _address(UploadKind.ORDERS, UploadFormat.JSON)
# The old addresses took both.
contacts = _address(UploadKind.CONTACTS, UploadFormat.CSV, UploadFormat.JSON)
orders = _address(UploadKind.ORDERS, UploadFormat.CSV, UploadFormat.JSON)


@endpoint(Endpoint.LAST_UPLOADINGS)
def last_uploadings(call: Call) -> dict[str, Any]:
    counter = call.counter()
    query = call.request.GET
    limit = whole_number(query, "limit", default=10, most=MAX_UPLOADINGS_PER_PAGE)
    one_of(query, "source", Source, default=Source.API)
    uploadings = SandboxUploading.objects.filter(counter=counter).exclude(status=UploadingStatus.REFUSED)
    moved = switches.values()
    if moved["products_listed"] == "hidden":
        uploadings = uploadings.exclude(kind=UploadKind.PRODUCTS)
    if behind := hidden_seconds(call.faults):
        uploadings = uploadings.filter(received_at__lte=timezone.now() - timedelta(seconds=behind))
    if text := query.get("datetime_offset", ""):
        uploadings = uploadings.filter(received_at__lt=_wire_time(text, _list_zone(counter, moved)))
    newest = uploadings.order_by("-received_at", "-pk")[:limit]
    zone = _list_zone(counter, moved)
    return {"uploadings": [_wire(uploading, zone) for uploading in newest]}


def wire_uploading(uploading: SandboxUploading, counter: SandboxCounter) -> dict[str, Any]:
    """The common answer of every upload. One query."""
    return _wire(uploading, _list_zone(counter, switches.values()))


def _list_zone(counter: SandboxCounter, moved: Mapping[str, str]) -> ZoneInfo:
    return _MOSCOW if moved["uploading_clock"] == "moscow" else counter.zone


def _wire(uploading: SandboxUploading, zone: ZoneInfo) -> dict[str, Any]:
    """`datetime` without a zone, as seen live."""
    return {
        "uploading_id": str(uploading.uuid),
        "datetime": uploading.received_at.astimezone(zone).strftime(_WIRE_TIME),
        "api_validation_status": uploading.status,
        "elements_count": uploading.elements_count,
        "entity_type": UploadKind(uploading.kind).entity_type,
        "uploading_format": uploading.uploading_format,
        "uploading_source": "API",
    }


def _wire_time(text: str, zone: ZoneInfo) -> datetime:
    try:
        if len(text) != 19:
            raise ValueError(text)
        return datetime.strptime(text, _WIRE_TIME).replace(tzinfo=zone)
    except ValueError:
        message = "datetime_offset must be written as yyyy-MM-dd HH:mm:ss."
        raise ApiError("invalid_parameter", message, location="datetime_offset") from None
