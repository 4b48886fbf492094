"""Cells that lists have in common when they leave as a file."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.agencies.exporting import Cell
from apps.metrica.text import Text

COUNTER = (
    Cell(_("Counter"), lambda row: row.counter and row.counter.name),
    Cell(_("Counter number"), lambda row: row.counter and row.counter.metrica_id),
)


def money(title: Text, owner: Callable[[Any], Any] = lambda row: row) -> tuple[Cell, Cell]:
    """Revenue and its currency of what `owner` finds; both blank where there is no such thing."""
    return (
        Cell(title, lambda row: getattr(owner(row), "revenue", None)),
        Cell(_("Currency"), lambda row: getattr(owner(row), "currency", "")),
    )


def seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return max(0.0, round((ended - began).total_seconds(), 3)) if began and ended else None
