"""Paths into a post: `order.customer.phones[0].number`, and what stands there.

A path is names with dots between them. After a name, `[0]` takes one item of a list (`[-1]` the last one), `[*]` all of
them, `[name=ClientID]` the first whose `name` is `ClientID`; `["a.b"]` is a name with signs of its own. `a | b` takes
`b` where `a` has nothing, `a + b` joins both with a space, and `=RUB` is the text itself.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text

LONGEST = 500
MOST_FOUND = 1000
"""Values that one path finds in one post; no field takes more."""

_NAME = re.compile(r"[^.\[\]|+=\"]+")
_QUOTED = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')
_INDEX = re.compile(r"\[(-?\d{1,6})\]")
_EACH = re.compile(r"\[\*\]")
_WHERE = re.compile(r"\[([^\[\]=\"]+)=([^\[\]]*)\]")


class PathError(ValueError):
    """The text is no path. `message` says why, for people."""

    def __init__(self, message: Text) -> None:
        super().__init__(str(message))
        self.message = message


@dataclass(frozen=True, slots=True)
class Name:
    name: str

    def step(self, value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping) and self.name in value:
            yield value[self.name]


@dataclass(frozen=True, slots=True)
class Index:
    at: int

    def step(self, value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= self.at < len(value):
            yield value[self.at]
        elif isinstance(value, Mapping) and str(self.at) in value:
            yield value[str(self.at)]


@dataclass(frozen=True, slots=True)
class Each:
    def step(self, value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value
        elif isinstance(value, Mapping):
            yield from value.values()
        elif value not in (None, ""):
            yield value  # one where there may be several


@dataclass(frozen=True, slots=True)
class Where:
    name: str
    text: str

    def step(self, value: Any) -> Iterator[Any]:
        items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        for item in items:
            if isinstance(item, Mapping) and _plain(item.get(self.name)) == _plain(self.text):
                yield item
                return


Step = Name | Index | Each | Where


@dataclass(frozen=True, slots=True)
class Constant:
    text: str

    def values(self, document: Any) -> list[Any]:
        return [self.text]


@dataclass(frozen=True, slots=True)
class Place:
    """One way into the document."""

    steps: tuple[Step, ...]

    def values(self, document: Any) -> list[Any]:
        found: list[Any] = [document]
        for step in self.steps:
            found = [each for value in found for each in step.step(value)][:MOST_FOUND]
        return [value for value in found if not is_empty(value)]


@dataclass(frozen=True, slots=True)
class Path:
    """`ways`: each a sum of terms; the first that finds something is taken."""

    ways: tuple[tuple[Place | Constant, ...], ...]

    def values(self, document: Any) -> list[Any]:
        """All that stands there, nothing empty among it."""
        for terms in self.ways:
            found = [values for term in terms if (values := term.values(document))]
            if not found:
                continue
            if len(terms) == 1:
                return found[0]
            joined = " ".join(str(values[0]) for values in found if _is_scalar(values[0]))
            return [joined] if joined else []
        return []

    def first(self, document: Any) -> Any:
        """The first of these values; None where there is none."""
        found = self.values(document)
        return found[0] if found else None


def is_empty(value: Any) -> bool:
    """True for what says nothing: null, an empty text, an empty list."""
    return value is None or (isinstance(value, str) and not value.strip()) or (value == [] or value == {})


@lru_cache(maxsize=2000)
def read(text: str) -> Path:
    """Raises PathError."""
    text = text.strip()
    if len(text) > LONGEST:
        raise PathError(_("A path has 500 characters at most."))
    if text.startswith("="):
        constant = text[1:].strip()
        if not constant:
            raise PathError(_("Write the text that is meant after the “=”."))
        return Path(((Constant(constant),),))
    return Path(tuple(tuple(_term(term) for term in _cut(way, "+")) for way in _cut(text, "|")))


def _cut(text: str, sign: str) -> Iterable[str]:
    """At a sign that stands outside of brackets."""
    depth, start, parts = 0, 0, []
    quoted = False
    for at, mark in enumerate(text):
        if mark == '"' and depth:
            quoted = not quoted
        elif not quoted and mark == "[":
            depth += 1
        elif not quoted and mark == "]":
            depth -= 1
        elif mark == sign and not depth:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _term(text: str) -> Place | Constant:
    text = text.strip()
    if text.startswith("=") and text[1:].strip():
        return Constant(text[1:].strip())
    if not text:
        raise PathError(_("A part of the path is empty. Write for example order.number."))
    return Place(tuple(_steps(text)))


def _steps(text: str) -> Iterator[Step]:
    at, wants_name = 0, True
    while at < len(text):
        if (found := _QUOTED.match(text, at)) is not None:
            yield Name(found[1].replace('\\"', '"').replace("\\\\", "\\"))
        elif (found := _INDEX.match(text, at)) is not None:
            yield Index(int(found[1]))
        elif (found := _EACH.match(text, at)) is not None:
            yield Each()
        elif (found := _WHERE.match(text, at)) is not None:
            yield Where(found[1].strip(), found[2].strip().strip('"'))
        elif wants_name and (found := _NAME.match(text, at)) is not None and found[0].strip():
            yield Name(found[0].strip())
        else:
            raise PathError(
                _("The path cannot be read from “%(rest)s” on. Write it like order.phones[0].number.")
                % {"rest": text[at : at + 30]}
            )
        at = found.end()
        wants_name = text[at : at + 1] == "."
        if wants_name:
            at += 1
            if at == len(text):
                raise PathError(_("After the last dot a name is missing."))


def _plain(value: Any) -> str:
    return str(value).strip().casefold() if _is_scalar(value) else ""


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def known_paths(document: Any, *, most: int = 300) -> list[tuple[str, str]]:
    """(path, beginning of what stands there) of all that a post holds, for people who choose among them."""
    found: list[tuple[str, str]] = []

    def walk(value: Any, path: str) -> None:
        if len(found) >= most:
            return
        if isinstance(value, Mapping):
            for name, one in value.items():
                plain = _NAME.fullmatch(name) and name == name.strip() and name
                shown = name if plain else '["{}"]'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
                walk(one, f"{path}.{shown}" if path and plain else f"{path}{shown}")
        elif isinstance(value, list):
            for at, one in enumerate(value[:3]):
                walk(one, f"{path}[{at}]")
        elif path:
            found.append((path, "" if value is None else str(value)[:60]))

    walk(document, "")
    return found


def listed(values: Sequence[Any]) -> list[Any]:
    """The values with lists among them opened."""
    return [item for value in values for item in (value if isinstance(value, list) else [value]) if not is_empty(item)]
