"""Files for Metrica, and the list of those it got. Pages: uploadSimpleOrders, uploadContacts, uploadContactJson_1,
uploadOrders, uploadOrdersJson_1, getLastUploadings.

Every upload takes a seekable file and sends it from where it stands, in flat memory. It returns only what Metrica
called PASSED, and raises UploadRefused (invalid or FAILED), UnknownOutcome when the file may or may not have been
taken in, NotSent when nothing left, or another MetricaError.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import BinaryIO

from apps.metrica import catalogue
from apps.metrica.answers import Uploading, read_uploading, read_uploadings
from apps.metrica.bodies import Body, JsonFile, MultipartFile, Shown
from apps.metrica.endpoints.group import Group, cdp
from apps.metrica.errors import Effect
from apps.metrica.redact import shown_csv, shown_json
from apps.metrica.vocabulary import (
    IDENTIFIER_KINDS,
    MAX_UPLOADINGS_PER_PAGE,
    ORDER_COLUMNS,
    Delimiter,
    MergeMode,
)
from apps.metrica.wire.header import format_columns_mapping

# What the ledger may see of customers and orders: no names, no birthdays, nothing that a CRM calls its own.
_SHOWN_OF_CONTACTS = ("uniq_id", "create_date_time", "update_date_time", *IDENTIFIER_KINDS)
_SHOWN_OF_ORDERS = ORDER_COLUMNS


class Uploads(Group):
    def upload_simple_orders(
        self,
        counter_id: int,
        file: BinaryIO,
        *,
        filename: str = "orders.csv",
        merge_mode: MergeMode = MergeMode.SAVE,
        delimiter: Delimiter = Delimiter.COMMA,
    ) -> Uploading:
        """Customers and orders in one CSV file (page: uploadSimpleOrders)."""
        return self._upload(
            counter_id,
            "simple_orders",
            MultipartFile(file, filename=filename),
            {"merge_mode": merge_mode.value, "delimiter_type": delimiter.value},
        )

    def upload_contacts(
        self,
        counter_id: int,
        file: BinaryIO,
        *,
        filename: str = "contacts.csv",
        merge_mode: MergeMode = MergeMode.SAVE,
        delimiter: Delimiter = Delimiter.COMMA,
        columns_mapping: Mapping[str, str] | None = None,
    ) -> Uploading:
        """Customers as CSV (page: uploadContacts). `columns_mapping`: {attribute: title in the file}."""
        shown = _csv_excerpt(_SHOWN_OF_CONTACTS, delimiter, columns_mapping)
        return self._upload(
            counter_id,
            "contacts/csv",
            MultipartFile(file, filename=filename, shown=shown),
            _csv_params(merge_mode, delimiter, columns_mapping),
        )

    def upload_contacts_json(
        self, counter_id: int, file: BinaryIO, *, merge_mode: MergeMode = MergeMode.SAVE
    ) -> Uploading:
        """Customers as JSON, `{"contacts": […]}` (page: uploadContactJson_1)."""
        shown = partial(shown_json, shown=_SHOWN_OF_CONTACTS, inside=("contacts",))
        body = JsonFile(file, shown=shown)
        return self._upload(counter_id, "contacts/json", body, {"merge_mode": merge_mode.value})

    def upload_orders(
        self,
        counter_id: int,
        file: BinaryIO,
        *,
        filename: str = "orders.csv",
        merge_mode: MergeMode = MergeMode.SAVE,
        delimiter: Delimiter = Delimiter.COMMA,
        columns_mapping: Mapping[str, str] | None = None,
    ) -> Uploading:
        """Orders in the detailed format as CSV (page: uploadOrders). `columns_mapping`: {attribute: title}."""
        shown = _csv_excerpt(_SHOWN_OF_ORDERS, delimiter, columns_mapping)
        return self._upload(
            counter_id,
            "orders/csv",
            MultipartFile(file, filename=filename, shown=shown),
            _csv_params(merge_mode, delimiter, columns_mapping),
        )

    def upload_orders_json(
        self, counter_id: int, file: BinaryIO, *, merge_mode: MergeMode = MergeMode.SAVE
    ) -> Uploading:
        """Orders in the detailed format as JSON, `{"orders": […]}` (page: uploadOrdersJson_1)."""
        shown = partial(
            shown_json,
            shown=(*_SHOWN_OF_ORDERS, "goal_action_id", "price"),
            inside=("orders", "goals"),
            with_all=("products",),
        )
        body = JsonFile(file, shown=shown)
        return self._upload(counter_id, "orders/json", body, {"merge_mode": merge_mode.value})

    def last_uploadings(
        self, counter_id: int, *, limit: int = MAX_UPLOADINGS_PER_PAGE, before: str | None = None
    ) -> list[Uploading]:
        """Recent uploads, newest first, at most 1000 (page: getLastUploadings).

        `before` is the `datetime` of the oldest upload already seen; the answer holds only strictly earlier ones, so
        of several uploads in that second some may be missed.
        """
        if not 1 <= limit <= MAX_UPLOADINGS_PER_PAGE:
            raise ValueError(f"limit is {limit}, but must be from 1 to {MAX_UPLOADINGS_PER_PAGE}.")
        params = {"limit": str(limit)}
        if before is not None:
            params["datetime_offset"] = before
        return self._transport.call("GET", f"{cdp(counter_id)}/last_uploadings", params=params, read=read_uploadings)

    def _upload(self, counter_id: int, what: str, body: Body, params: Mapping[str, str]) -> Uploading:
        return self._transport.call(
            "POST", f"{cdp(counter_id)}/data/{what}", params=params, read=_passed, body=body, effect=Effect.UPLOADS
        )


def _csv_params(
    merge_mode: MergeMode, delimiter: Delimiter, columns_mapping: Mapping[str, str] | None
) -> dict[str, str]:
    params = {"merge_mode": merge_mode.value, "delimiter_type": delimiter.value}
    if columns_mapping:
        params["columns_mapping"] = format_columns_mapping(columns_mapping)
    return params


def _csv_excerpt(shown: Sequence[str], delimiter: Delimiter, columns_mapping: Mapping[str, str] | None) -> Shown:
    mapping = columns_mapping or {}
    titles = frozenset(mapping.get(attribute, attribute) for attribute in shown)
    return partial(shown_csv, delimiter=delimiter.char, shown=titles)


def _passed(answer: object) -> Uploading:
    uploading = read_uploading(answer)
    if not uploading.passed:
        raise catalogue.FAILED.error(http_status=200, detail=f"uploading_id {uploading.uploading_id}")
    return uploading
