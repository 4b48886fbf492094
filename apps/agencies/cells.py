"""Cells of files that people open in a spreadsheet."""

from typing import Final

_FORMULA_SIGNS: Final = frozenset("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")  # the last four: = + - @ in full width


def guarded(cell: str) -> str:
    """The cell, an apostrophe before what would start a formula; reading it takes the apostrophe off again."""
    return f"'{cell}" if cell[:1] in _FORMULA_SIGNS and cell else cell


def bare(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA_SIGNS and cell[1:] else cell
