"""Identifiers for those who only read: that there is one, and enough to tell two of them apart on one page. What stays
of a value is so little that nobody is found by it, in whatever list one tries.

Who acts is known to the trace of each request, so pages, exports and the API all ask here, and nobody passes it along.
Analysts see masks, and so do API keys that may only read; commands and workers see everything, as they have to send it.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from apps.agencies.actor import Actor, Right
from apps.audit import trace
from apps.metrica.redact import HIDDEN, mask_personal
from apps.metrica.vocabulary import IDENTIFIER_KINDS

_KINDS: Final = frozenset(IDENTIFIER_KINDS)
_SHORT: Final = 7


def may_see_identifiers(actor: Actor) -> bool:
    """Whoever works with orders."""
    return actor.can(Right.OPERATE)


def masked(kind: str, value: str) -> str:
    """`a•••@•••.com`, a phone or a ClientID `•••67`, a hash `•••`; `kind`: one of IDENTIFIER_KINDS."""
    if kind == "emails":
        name, at, host = value.rpartition("@")
        _rest, dot, last = host.rpartition(".")
        return f"{name[:1]}{HIDDEN}@{HIDDEN}{dot}{last if dot else ''}" if at else HIDDEN
    if kind in ("phones", "client_ids"):
        return f"{HIDDEN}{value[-2:]}" if len(value) > _SHORT else HIDDEN
    return HIDDEN  # its first characters would tell it from all others


def shown(kind: str, value: str) -> str:
    """The identifier as whoever acts now may see it."""
    return value if _all_is_seen() else masked(kind, value)


def shown_identifiers(identifiers: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """By kind, as whoever acts now may see them."""
    return {kind: [shown(kind, value) for value in values] for kind, values in identifiers.items()}


def shown_text(text: str) -> str:
    """A text that may hold identifiers, as a cell of somebody's file does."""
    return text if _all_is_seen() else mask_personal(text)


def shown_cells(cells: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(column, cell) of a row of ours, whose cells of identifiers may hold several with commas between them."""
    if _all_is_seen():
        return list(cells)
    return [(column, _masked_cell(column, cell)) for column, cell in cells]


def shown_line(cells: Sequence[tuple[str, str]], line: str) -> str:
    """The text of a row of ours, which holds these cells: as it was, or made anew of the masked ones."""
    if _all_is_seen():
        return line
    anew = io.StringIO(newline="")
    csv.writer(anew, lineterminator="").writerow([_masked_cell(*cell) for cell in cells])
    return anew.getvalue()


def _masked_cell(column: str, cell: str) -> str:
    if column not in _KINDS:
        return mask_personal(cell) if column == "name" else cell
    values = [part.strip(' "[]') for part in cell.split(",")]
    return ", ".join(masked(column, value) for value in values if value)


def _all_is_seen() -> bool:
    return may_see_identifiers(trace.current().actor)
