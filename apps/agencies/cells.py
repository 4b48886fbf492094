"""Cells of files that people open in a spreadsheet."""

from typing import Final

_FORMULA_SIGNS: Final = frozenset("=+-@\t\r'")


def guarded(cell: str) -> str:
    """The cell, an apostrophe before what would start a formula; reading it takes the apostrophe off again."""
    return f"'{cell}" if cell[:1] in _FORMULA_SIGNS and cell else cell
