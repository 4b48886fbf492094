"""`/cdp/api/v1/counter/{id}/…`: simple_orders and last_uploadings (uploadSimpleOrders, getLastUploadings pages)."""

from contextlib import closing
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.metrica.vocabulary import MAX_UPLOADINGS_PER_PAGE, Delimiter, MergeMode
from apps.sandbox.api.endpoint import Call, endpoint
from apps.sandbox.api.query import one_of, whole_number
from apps.sandbox.envelope import ApiError
from apps.sandbox.faults import RefusedRows
from apps.sandbox.models import Endpoint, FaultKind, SandboxCounter, SandboxUploading, UploadingStatus
from apps.sandbox.multipart import receive_file
from apps.sandbox.receiving import FileRefused, receive_simple_orders

_WIRE_TIME = "%Y-%m-%d %H:%M:%S"
_ERRORS_SHOWN = 20


class Source(StrEnum):
    API = "API"


@endpoint(Endpoint.UPLOAD, method="POST")
def simple_orders(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    query = call.request.GET
    merge_mode = one_of(query, "merge_mode", MergeMode)
    delimiter = one_of(query, "delimiter_type", Delimiter, default=Delimiter.COMMA)
    fail = call.has(FaultKind.FAILED)
    with closing(receive_file(call.request, call.body)) as file:
        try:
            uploading = receive_simple_orders(
                counter=counter,
                file=file,
                merge_mode=merge_mode,
                delimiter=delimiter,
                check=None if fail else RefusedRows(counter_number=counter.metrica_id),
                fail=fail,
            )
        except FileRefused as refused:
            call.uploading = refused.uploading.uuid
            shown = [
                (f"{problem.location}: {problem.message}" if problem.location else problem.message, problem.location)
                for problem in refused.problems[:_ERRORS_SHOWN]
            ]
            raise ApiError("invalid_uploading", shown[0][0], errors=shown) from refused
    call.uploading = uploading.uuid
    return {"uploading": wire_uploading(uploading, counter)}


@endpoint(Endpoint.LAST_UPLOADINGS)
def last_uploadings(call: Call) -> dict[str, Any]:
    counter = call.counter()
    query = call.request.GET
    limit = whole_number(query, "limit", default=10, most=MAX_UPLOADINGS_PER_PAGE)
    one_of(query, "source", Source, default=Source.API)
    uploadings = SandboxUploading.objects.filter(counter=counter).exclude(status=UploadingStatus.REFUSED)
    if text := query.get("datetime_offset", ""):
        uploadings = uploadings.filter(received_at__lt=_wire_time(text, counter))
    newest = uploadings.order_by("-received_at", "-pk")[:limit]
    return {"uploadings": [wire_uploading(uploading, counter) for uploading in newest]}


def wire_uploading(uploading: SandboxUploading, counter: SandboxCounter) -> dict[str, Any]:
    """The common answer of every upload; `datetime` on the counter's clock, without a zone, as seen live."""
    return {
        "uploading_id": str(uploading.uuid),
        "datetime": uploading.received_at.astimezone(counter.zone).strftime(_WIRE_TIME),
        "api_validation_status": uploading.status,
        "elements_count": uploading.elements_count,
        "entity_type": "SYSTEM",
        "uploading_format": "CSV",
        "uploading_source": "API",
    }


def _wire_time(text: str, counter: SandboxCounter) -> datetime:
    try:
        if len(text) != 19:
            raise ValueError(text)
        return datetime.strptime(text, _WIRE_TIME).replace(tzinfo=counter.zone)
    except ValueError:
        message = "datetime_offset must be written as yyyy-MM-dd HH:mm:ss."
        raise ApiError("invalid_parameter", message, location="datetime_offset") from None
