"""What the apps below put on the pages of this one: counters know nothing of orders and uploads, their pages do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.counters.models import Counter
from apps.counters.ui.acts import Act, offer
from apps.counters.ui.pages import Panel
from apps.metrica.text import Text


@dataclass(frozen=True, slots=True)
class Mark:
    """A small word beside a counter in the list, with the page it leads to."""

    text: Text
    tone: str
    icon: str = ""
    url: str = ""


counter_inlines: list[type[Any]] = []
"""Rows edited inside the counter (the status mapping)."""

counter_tiles: list[Panel] = []
"""Numbers above the counter's settings."""

counter_panels: list[Panel] = []
"""Whatever stands below the counter's settings."""

counter_marks: list[Callable[[Iterable[Counter]], Mapping[int, list[Mark]]]] = []
"""Marks in the list, for all counters of a page at once: {primary key: marks}."""

COUNTED_AT_MOST = 1000

waiting_counts: list[Callable[[Counter], int]] = []
"""How much of a counter would leave for Metrica if something left now, counted up to COUNTED_AT_MOST."""

freed_counts: list[Callable[[Counter, Any], int]] = []
"""How much of what a counter holds would be free with its settings as they are in memory, counted up to
COUNTED_AT_MOST. The other argument is the mapping as its editor has it; None: as it is kept."""


def counter_actions(*acts: Act) -> None:
    """Let the counter's page have these acts."""
    offer(Counter, *acts)
