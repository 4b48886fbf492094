"""The report on what a file's rows lacked, made to be corrected and imported again.

One line a row: where, what and why, then the row's own cells. Safe to open in a spreadsheet: no cell begins a formula.
"""

import csv
import errno
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from apps.agencies.cells import guarded
from apps.imports.columns import KEY_COLUMN, REPORT_COLUMNS, report_width


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of the file that was rejected, or taken without something of it. `errors`: (column, code, reason) each."""

    line: int
    cells: Sequence[str]
    errors: Sequence[tuple[str, str, str]]


def report_path(file: Path) -> Path:
    """`orders.csv` → `orders.errors.csv`; any other name gets `.errors.csv` at its end."""
    return file.with_name(report_name(file.name))


def report_name(name: str) -> str:
    stem = name[:-4] if name.lower().endswith(".csv") else name
    return f"{stem}.errors.csv"


class ReportLines:
    """The lines of a report on a file with this header, as CSV."""

    def __init__(self, *, header: Sequence[str], delimiter: str) -> None:
        self.delimiter = delimiter
        # A corrected report that goes wrong again does not carry its old reasons along.
        self._skip = report_width(header)
        self._header = [*REPORT_COLUMNS, *header[self._skip :]]

    def head(self) -> str:
        return self._written([self._header])

    def body(self, problems: Iterable[Problem]) -> str:
        return self._written(map(self._row, problems))

    def _row(self, problem: Problem) -> list[str]:
        columns, codes, reasons = zip(*problem.errors, strict=True)
        told = (", ".join(filter(None, columns)), ", ".join(filter(None, codes)), " ".join(reasons))
        return [str(problem.line), *told, *problem.cells[self._skip :]]

    def _written(self, rows: Iterable[Sequence[str]]) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter)
        writer.writerows(map(guarded, row) for row in rows)
        return text.getvalue()


def with_key(text: str, *, key: str, delimiter: str) -> str:
    """Lines of a report, each with the key of its import; of the header, the column's name."""
    anew = io.StringIO(newline="")
    writer, known = csv.writer(anew, delimiter=delimiter), len(REPORT_COLUMNS)
    for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        name = KEY_COLUMN if tuple(cells[:known]) == REPORT_COLUMNS else key
        writer.writerow([*cells[:known], name, *cells[known:]])
    return anew.getvalue()


class ErrorReport:
    """Writes the report into a file as rows go wrong. No row, no file; one left by an earlier run is removed. A context
    manager."""

    def __init__(self, path: Path, *, header: Sequence[str], delimiter: str) -> None:
        self.path = path
        self.rows = 0
        self._lines = ReportLines(header=header, delimiter=delimiter)
        self._file: IO[str] | None = None

    def __enter__(self) -> "ErrorReport":
        if not os.access(self.path.parent, os.W_OK):  # told before the first row rather than at the first bad one
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_exc: Any) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, problems: Sequence[Problem]) -> None:
        if not problems:
            return
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self._file.write(self._lines.head())
        self._file.write(self._lines.body(problems))
        self.rows += len(problems)
