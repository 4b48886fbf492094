"""What the apps below put beside the mapping: goals know nothing of orders, the mapping's editor does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.counters.models import Counter
from apps.counters.ui.pages import Panel
from apps.goals.statuses import StatusRow
from apps.metrica.text import Text


@dataclass(frozen=True, slots=True)
class DraftButton:
    """A button below the mapping that takes the mapping as it is being written, unsaved, to a page of its own.

    `view`: name of an address that takes a counter's key.
    """

    view: str
    title: Text
    icon: str


draft_buttons: list[DraftButton] = []

mapping_notes: list[Panel] = []
"""Drawn above the mapping: what needs a person there."""

freed_counts: list[Callable[[Counter, Sequence[StatusRow]], int]] = []
"""How much of what a counter holds would be free with its settings as they are in memory and with this mapping, counted
up to COUNTED_AT_MOST."""
