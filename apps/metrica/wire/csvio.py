"""What all of Metrica's CSV files share: cell errors, the file that cannot be used, bounded reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.metrica.text import Text


@dataclass(frozen=True, slots=True)
class CellError:
    """One thing wrong with a file. Line 1 is the header; `column` is "" when it is not about one column."""

    line: int
    column: str
    code: str
    message: Text


class UnusableFile(ValueError):
    """The file cannot be read as what it should be, so none of its rows counts."""

    def __init__(self, errors: Sequence[CellError]) -> None:
        super().__init__("; ".join(f"line {error.line}: {error.code}" for error in errors))
        self.errors = list(errors)
