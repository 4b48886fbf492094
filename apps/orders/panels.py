"""What the apps below put on the pages of this one: orders know nothing of uploads, their pages do."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.counters.ui.bulk import BulkAct
from apps.metrica.text import Text
from apps.orders.models import Order


@dataclass(frozen=True, slots=True)
class UploadFact:
    """The file that carries a change, as the order's page shows it. `upload_id`: by which its row is shown.

    `mapping`: what each CRM status meant when the file was written (see Meaning.to_json).
    """

    upload_id: UUID
    url: str
    state: str
    state_label: Text
    sent_at: datetime | None
    attempts: int
    problem: Text = ""
    mapping: Mapping[str, Any] = field(default_factory=dict)


upload_facts: list[Callable[[Collection[UUID]], Mapping[UUID, UploadFact]]] = []
"""Facts of uploads, by their ids, for all changes of a timeline at once."""

resend_facts: list[Callable[[Order], Mapping[UUID, list[UploadFact]]]] = []
"""Uploads that carried a state of the order once more, by the id of the change."""


@dataclass(frozen=True, slots=True)
class SentRow:
    """A row exactly as it went to Metrica, and what Metrica said to its file.

    `cells`: (column, value) of those that were filled; `line`: the very text; both empty where `problem` says why they
    cannot be shown. `exchange`: what the ledger has of the call, for admin/exchange.html.
    """

    upload: UploadFact
    cells: list[tuple[str, str]] = field(default_factory=list)
    line: str = ""
    problem: Text = ""
    http_status: int | None = None
    uploading_id: str = ""
    exchange: Mapping[str, Any] = field(default_factory=dict)


sent_rows: list[Callable[[Order, UUID], SentRow | None]] = []
"""Read the row of an order out of the file of that upload; None where the upload is none of its counter's."""

rejected_filters: list[Any] = []
"""Further filters of the list of rejected changes."""

change_filters: list[Any] = []
"""Further filters of the list of status changes."""

order_bulk_acts: list[BulkAct] = []
"""Acts for several orders, picked in the list."""
