"""The row of one order as it stood in a file, for the order's page: the proof of what Metrica got."""

import csv
import json
from typing import BinaryIO, Final
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.clients.masking import shown_cells, shown_line
from apps.counters.admin_pages.ledger import readable
from apps.counters.models import ApiCall
from apps.metrica.text import Text
from apps.orders.models import Order
from apps.orders.panels import SentRow
from apps.uploads import files
from apps.uploads.admin_pages.facts import fact
from apps.uploads.models import Upload, UploadFormat
from apps.uploads.problems import describe

MOST_BYTES: Final = 256 * 1024 * 1024
"""A larger file is not searched while somebody waits for the page."""

Found = tuple[list[tuple[str, str]], str]


def sent_row(order: Order, upload_id: UUID) -> SentRow | None:
    """Two queries, and one look through the kept file."""
    upload = Upload.objects.filter(pk=upload_id, job__counter=order.counter_id).first()
    if upload is None:
        return None
    cells: list[tuple[str, str]] = []
    line = ""
    problem: Text = ""
    if not upload.file and upload.file_gone_at is None:
        problem = _("The file has not been written yet, or is not kept any more.")
    elif upload.bytes > MOST_BYTES:
        problem = _("The file is too large to be searched here. Download it from the page of its upload.")
    else:
        try:
            with files.plain(upload) as stream:
                find = _in_json if upload.format == UploadFormat.JSON else _in_csv
                cells, line = find(stream, order.order_id) or ([], "")
        except files.FileUnusable as error:
            told = describe(error.code)
            problem = f"{told.message} {told.next_step}" if told else error.code
        if not (cells or problem):
            problem = _("This file has no row of the order.")
    call = ApiCall.objects.filter(subject=upload.pk).order_by("-id").first()
    return SentRow(
        upload=fact(upload),
        cells=shown_cells(cells),
        line=shown_line(cells, line),
        problem=problem,
        http_status=upload.http_status,
        uploading_id=upload.uploading_id,
        exchange={"call": call, "response_body": readable(call.response_body)} if call else {},
    )


def _in_csv(stream: BinaryIO, order_id: str) -> Found | None:
    """No cell of ours holds a line break, so a line is a row; only lines with the id in them are taken apart."""
    header = next(csv.reader([stream.readline().decode()]), [])
    if "id" not in header:
        return None
    place, needle = header.index("id"), _quoted(order_id).encode()
    for line in stream:
        if needle not in line:
            continue
        text = line.decode().rstrip("\r\n")
        row = next(csv.reader([text]), [])
        if len(row) > place and row[place] == order_id:
            return [(name, cell) for name, cell in zip(header, row, strict=False) if cell], text
    return None


def _in_json(stream: BinaryIO, order_id: str) -> Found | None:
    for item in json.load(stream).get("orders", []):
        if item.get("id") == order_id:
            cells = [(name, _said(value)) for name, value in item.items() if value not in (None, "", [], {})]
            return cells, json.dumps(item, ensure_ascii=False)
    return None


def _quoted(text: str) -> str:
    return text.replace('"', '""')


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
