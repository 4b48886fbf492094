"""What the apps below tell the pages of this one: agencies know nothing of counters, an owner chooses among them."""

from collections.abc import Callable, Collection, Mapping, Sequence

counter_names: list[Callable[[int], Sequence[tuple[int, str]]]] = []
"""For an agency (primary key) its counters: Metrica's number, and what to call it. One query."""

counters_named: list[Callable[[Mapping[int, Collection[int]]], Mapping[tuple[int, int], str]]] = []
"""For agencies (primary keys) and numbers of counters of each: by both, what to call it. One query."""
