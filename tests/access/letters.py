"""How the table writes statuses and callers: a letter for each status, a column for each caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("table.txt")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

NOBODY = "nobody"
KEYS = ("other", "read", "write", "limited", "expired", "revoked", "away")
PEOPLE = ("outsider", "owner", "manager", "inside", "outside", "analyst", "staff")
CALLERS = (NOBODY, *KEYS, *PEOPLE)
"""`nobody` has neither key nor login. Keys: of another agency; with a scope; limited to another counter; expired;
revoked; used from outside of its networks. People: an owner of another agency; those of the agency; a manager limited
to this counter, and one limited to another; the platform's staff."""

LETTERS = {
    200: "o",
    201: "c",
    202: "a",
    204: "n",
    301: ">",
    302: ">",
    304: "=",
    400: "?",
    401: "1",
    403: "3",
    404: "4",
    405: "5",
    409: "9",
    411: "l",
    413: "t",
    415: "u",
    422: "v",
    429: "7",
    500: "!",
    502: "x",
    503: "x",
}
LOGIN = "L"
LET_IN = frozenset("ocan>=?9tuvx")
"""Whoever meets one of these has got past the door."""


def letter_of(answer: Any) -> str:
    to = answer.headers.get("Location", "")
    if answer.status_code == 302 and to.startswith("/admin/login/"):
        return LOGIN
    return LETTERS.get(answer.status_code, f"<{answer.status_code}>")


@dataclass(frozen=True)
class Line:
    """One address: for each method the letters, in the order of CALLERS."""

    route: str
    met: Mapping[str, str]

    def of(self, method: str, caller: str) -> str:
        return self.met[method][CALLERS.index(caller)]

    def __str__(self) -> str:
        groups: dict[str, list[str]] = {}
        for method in METHODS:
            groups.setdefault(self.met[method], []).append(method)
        words = [f"{','.join(methods)} {_spaced(letters)}" for letters, methods in groups.items()]
        return f"{self.route:<72} {'   '.join(words)}"


def _spaced(letters: str) -> str:
    return f"{letters[0]} {letters[1 : 1 + len(KEYS)]} {letters[1 + len(KEYS) :]}"


def read(lines: Sequence[str]) -> dict[str, Line]:
    """The table by its routes. Raises ValueError for a line that cannot be read."""
    found: dict[str, Line] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip() or text.startswith("#"):
            continue
        route, *words = text.split()
        met: dict[str, str] = {}
        for start in range(0, len(words), 4):
            methods, *letters = words[start : start + 4]
            met |= dict.fromkeys(methods.split(","), "".join(letters))
        wrong = set(met) != set(METHODS) or any(len(letters) != len(CALLERS) for letters in met.values())
        if wrong or route in found:
            raise ValueError(f"line {number} cannot be read, or is there twice: {text}")
        found[route] = Line(route, met)
    return found
