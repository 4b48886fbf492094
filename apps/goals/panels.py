"""What the apps below put beside the mapping: goals know nothing of orders, the mapping's editor does."""

from dataclasses import dataclass

from apps.counters.ui.pages import Panel
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
