"""Why a file is refused: the places that are to blame, in Metrica's words for places."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from apps.api.models import ReceivedUpload
from apps.audit.services import clean_text
from apps.metrica.text import Text
from apps.metrica.wire.csvio import CellError, UnusableFile
from apps.metrica.wire.json_reading import FieldError, UnusableJson

MAX_PROBLEMS = 100
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """`location`: `line 3, column revenue` of a CSV file, `orders[2].revenue` of a JSON body; "" for all of it."""

    location: str
    code: str
    message: Text

    @property
    def text(self) -> str:
        place = f"{self.location}: " if self.location else ""
        return f"{place}{self.message} [{self.code}]"

    def kept(self) -> dict[str, Any]:
        return {"location": clean_text(self.location), "code": self.code, "message": clean_text(str(self.message))}


class Refused(Exception):
    """The upload was refused whole; nothing of it was taken in."""

    def __init__(self, upload: ReceivedUpload, problems: Sequence[Problem], *, no_json: bool = False) -> None:
        super().__init__("; ".join(f"{problem.location}: {problem.code}" for problem in problems))
        self.upload = upload
        self.problems = list(problems)
        self.no_json = no_json


def place_of(line: int, column: str = "") -> str:
    return f"line {line}, column {column}" if column else f"line {line}"


def of_cells(errors: Sequence[CellError]) -> list[Problem]:
    return [Problem(place_of(error.line, error.column), error.code, error.message) for error in errors]


def of_fields(errors: Sequence[FieldError]) -> list[Problem]:
    return [Problem(error.location, error.code, error.message) for error in errors]


def of_unusable(error: UnusableFile | UnusableJson) -> Iterator[Problem]:
    yield from of_cells(error.errors) if isinstance(error, UnusableFile) else of_fields(error.errors)
