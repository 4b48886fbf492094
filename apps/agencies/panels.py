"""What the apps below tell the pages of this one: agencies know nothing of counters, an owner chooses among them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.agencies.actor import Actor

counter_names: list[Callable[[int], Sequence[tuple[int, str]]]] = []
"""For an agency (primary key) its counters: Metrica's number, and what to call it. One query."""


@dataclass(frozen=True, slots=True)
class Found:
    """One line of what the search everywhere found. `description`: what it is, and where."""

    title: str
    description: str
    link: Any
    icon: str


finders: list[Callable[[Actor, str], Sequence[Found]]] = []
"""For words (stripped, two characters or more) what they mean among the things that the actor sees, a few of each kind.
By indexes and cut off, as it is asked while one writes."""

MOST_FOUND = 7
"""Of one kind: who means another writes more of it."""
counters_named: list[Callable[[Mapping[int, Collection[int]]], Mapping[tuple[int, int], str]]] = []
"""For agencies (primary keys) and numbers of counters of each: by both, what to call it. One query."""
