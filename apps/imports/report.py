"""The report on what a file's rows lacked: `FILE.errors.csv`, made to be corrected and imported again.

One line a row: where, what and why, then the row's own cells. Safe to open in a spreadsheet: no cell begins a formula.
"""

import csv
import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from apps.imports.columns import REPORT_COLUMNS

_FORMULA_SIGNS = frozenset("=+-@\t\r'")


def report_path(file: Path) -> Path:
    """`orders.csv` → `orders.errors.csv`; any other name gets `.errors.csv` at its end."""
    stem = file.name[:-4] if file.name.lower().endswith(".csv") else file.name
    return file.with_name(f"{stem}.errors.csv")


def guarded(cell: str) -> str:
    """The cell, an apostrophe before what would start a formula. Reading a report takes it off again."""
    return f"'{cell}" if cell[:1] in _FORMULA_SIGNS and cell else cell


class ErrorReport:
    """Writes the report as rows go wrong. No row, no file; one left by an earlier run is removed. A context manager."""

    def __init__(self, path: Path, *, header: Sequence[str], delimiter: str) -> None:
        self.path = path
        self.rows = 0
        self._delimiter = delimiter
        # A corrected report that goes wrong again does not carry its old reasons along.
        is_report = tuple(name.strip().casefold() for name in header[: len(REPORT_COLUMNS)]) == REPORT_COLUMNS
        self._skip = len(REPORT_COLUMNS) if is_report else 0
        self._header = [*REPORT_COLUMNS, *header[self._skip :]]
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> "ErrorReport":
        if not os.access(self.path.parent, os.W_OK):  # told before the first row rather than at the first bad one
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, *, line: int, cells: Sequence[str], errors: Iterable[tuple[str, str, str]]) -> None:
        """One row and its errors, each as (column, code, reason)."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file, delimiter=self._delimiter)
            self._writer.writerow(map(guarded, self._header))
        columns, codes, reasons = zip(*errors, strict=True)
        told = (str(line), ", ".join(filter(None, columns)), ", ".join(filter(None, codes)), " ".join(reasons))
        self._writer.writerow(map(guarded, (*told, *cells[self._skip :])))
        self.rows += 1
