"""`/cdp/api/v1/counter/{id}/data/…` and `last_uploadings` (pages: uploadSimpleOrders, uploadContacts,
uploadContactJson_1, uploadOrders, uploadOrdersJson_1, getLastUploadings)."""

from contextlib import closing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from apps.api import limits
from apps.api.gateway.endpoint import Call, View, endpoint, told, within_limits
from apps.api.gateway.problems import SHOWN, Refused
from apps.api.gateway.reading import CsvSource, JsonSource, Source
from apps.api.gateway.receiving import receive
from apps.api.gateway.rows import CONTACTS, ORDERS, SIMPLE, Kind, RowMaker
from apps.api.models import ReceivedKind, ReceivedUpload
from apps.counters.attributes import Declared
from apps.counters.models import AttributeEntity, Counter
from apps.goals.models import StatusMapping
from apps.metrica.serving.body import receive_file, receive_json
from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.query import columns_mapping, one_of, whole_number
from apps.metrica.text import _
from apps.metrica.vocabulary import MAX_UPLOADINGS_PER_PAGE, Delimiter, MergeMode

_WIRE_TIME = "%Y-%m-%d %H:%M:%S"
_CSV, _JSON = "CSV", "JSON"


class UploadingSource(StrEnum):
    API = "API"


def upload(kind: Kind, *formats: str) -> View:
    """The address that takes uploads of `kind` in one format, or in either of two by Content-Type."""

    def view(call: Call) -> dict[str, Any]:
        query = call.request.GET
        file_format = formats[0] if len(formats) == 1 else _format(call)
        is_json = file_format == _JSON
        mode = one_of(query, "merge_mode", MergeMode)
        maker = _maker(call.counter, kind, mode=mode, is_json=is_json)
        delimiter = Delimiter.COMMA if is_json else one_of(query, "delimiter_type", Delimiter, default=Delimiter.COMMA)
        mapping = {} if is_json else columns_mapping(query)
        taken = receive_json if is_json else receive_file
        with closing(taken(call.request, call.body, most=settings.GATEWAY_MAX_FILE_BYTES, strict=False)) as file:
            source: Source = (
                JsonSource(file, maker=maker)  # type: ignore[arg-type]
                if is_json
                else CsvSource(file, maker=maker, delimiter=delimiter, columns_mapping=mapping)  # type: ignore[arg-type]
            )
            try:
                received = receive(
                    counter=call.counter,
                    source=source,
                    file=file,
                    mode=mode,
                    file_format=file_format,
                    count=lambda rows: within_limits(lambda: limits.take(call.key.pk, rows)),
                )
            except Refused as refused:
                raise _refusal(refused) from refused
        return {"uploading": wire(received, call.zone)}

    return view


def _refusal(refused: Refused) -> ApiError:
    problems = refused.problems[:SHOWN]
    error_type = "invalid_json" if refused.no_json else "invalid_uploading"
    return ApiError(error_type, problems[0].text, errors=[(problem.text, problem.location) for problem in problems])


def _format(call: Call) -> str:
    return _CSV if call.request.content_type in ("multipart/form-data", "text/csv") else _JSON


def _maker(counter: Counter, kind: Kind, *, mode: MergeMode, is_json: bool) -> RowMaker:
    """Two queries at most."""
    several: dict[str, bool] = {}
    if kind.has_attributes and counter.is_detailed:
        entity = AttributeEntity.CONTACT if kind is CONTACTS else AttributeEntity.ORDER
        several = Declared.of(counter).names(entity)
    return RowMaker(kind, mode=mode, several=several, statuses=_statuses(counter, kind), is_json=is_json)


def _statuses(counter: Counter, kind: Kind) -> dict[str, str]:
    """What statuses are called in the CRM, by their ids at Metrica; a word of the CRM itself means itself."""
    if kind is CONTACTS:
        return {}
    mapped = list(StatusMapping.objects.filter(counter=counter).values_list("crm_status", "metrica_id"))
    own = {crm_status for crm_status, _metrica_id in mapped}
    return {metrica_id: crm_status for crm_status, metrica_id in mapped if metrica_id and metrica_id not in own}


def _address(kind: Kind, *formats: str) -> Any:
    return endpoint(method="POST")(upload(kind, *formats))


simple_orders = _address(SIMPLE, _CSV)
contacts_csv = _address(CONTACTS, _CSV)
contacts_json = _address(CONTACTS, _JSON)
orders_csv = _address(ORDERS, _CSV)
orders_json = _address(ORDERS, _JSON)
# The old addresses took both.
contacts = _address(CONTACTS, _CSV, _JSON)
orders = _address(ORDERS, _CSV, _JSON)


@endpoint()
def last_uploadings(call: Call) -> dict[str, Any]:
    query = call.request.GET
    limit = whole_number(query, "limit", default=10, most=MAX_UPLOADINGS_PER_PAGE)
    one_of(query, "source", UploadingSource, default=UploadingSource.API)
    rows = ReceivedUpload.objects.visible_to(call.actor).filter(counter=call.counter)
    if text := query.get("datetime_offset", ""):
        rows = rows.filter(received_at__lt=_wire_time(text, call.zone))
    newest = rows.order_by("-received_at", "-id").defer("problems", "remarks", "ignored")[:limit]
    return {"uploadings": [wire(row, call.zone) for row in newest]}


def wire(row: ReceivedUpload, zone: ZoneInfo) -> dict[str, Any]:
    """The common answer of every upload. `datetime` without a zone, on the counter's clock."""
    return {
        "uploading_id": str(row.pk),
        "datetime": row.received_at.astimezone(zone).strftime(_WIRE_TIME),
        "api_validation_status": row.state,
        "elements_count": row.elements,
        "entity_type": ReceivedKind(row.kind).entity_type,
        "uploading_format": row.format,
        "uploading_source": "API",
    }


def _wire_time(text: str, zone: ZoneInfo) -> datetime:
    try:
        if len(text) != 19:
            raise ValueError(text)
        return datetime.strptime(text, _WIRE_TIME).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        message = _("datetime_offset is written as yyyy-MM-dd HH:mm:ss, on the counter's clock.")
        raise ApiError("invalid_parameter", told(message, code="date_format"), location="datetime_offset") from None
