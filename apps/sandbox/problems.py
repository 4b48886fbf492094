"""Why a file is refused: the rows and columns that are to blame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.sandbox.models import SandboxUploading


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One reason to refuse a file. In CSV line 1 is the header, 0 keeps the place back; `column` may be "".

    `path` is the place in a JSON body, `orders[0].id`; there `line` is the number of the element, from 0, and `column`
    the field.
    """

    line: int
    column: str
    code: str
    message: str
    path: str = ""
    field: str = ""  # where JSON calls the column otherwise

    @property
    def location(self) -> str:
        if self.path:
            return self.path
        if not self.line:
            return ""
        return f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"

    def kept(self) -> dict[str, Any]:
        """As the upload keeps it for the pages."""
        return {
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "message": self.message,
            "location": self.location,
        }


class RowsRefused(Exception):
    """Rows that turned out to be impossible only while they were applied."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        super().__init__("; ".join(f"{problem.location}: {problem.code}" for problem in problems))
        self.problems = list(problems)


class FileRefused(Exception):
    """The file was refused whole; `uploading` keeps it with its errors for the pages."""

    def __init__(self, uploading: SandboxUploading, problems: Sequence[RowProblem]) -> None:
        super().__init__("; ".join(f"{problem.location}: {problem.code}" for problem in problems))
        self.uploading = uploading
        self.problems = list(problems)


RowCheck = Callable[[int, Any], RowProblem | None]
"""A further check of each row (a limit, a switch, a fault), by its line and record: the problem, or None."""
