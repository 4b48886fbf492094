"""How big each agency and each counter is: few big ones, many small ones."""

import random
from dataclasses import dataclass

BIGGEST_SHARE = 0.10
"""Of all orders, in the first counter of the first agency."""

_STEEPNESS, _FLATNESS = 1.1, 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """`counters_of[agency]`: how many counters each agency has, the biggest first. `slots`: for each of the equal parts
    of all orders the counter (its index over all) that gets it, in mixed order, so that neighbours in time belong to
    different counters. Orders whose numbers differ by a multiple of `len(slots)` are of one counter."""

    counters_of: list[int]
    slots: list[int]


def sizes(*, orders: int, agencies: int, counters: int, seed: int) -> Sizes:
    counters_of = _spread(counters, agencies)
    slots = max(2 * counters, orders // 100)
    first = round(slots * BIGGEST_SHARE)
    rest = _spread(slots - first, counters - 1)
    # The first counters belong to the first agency, so without shuffling it would have nearly everything.
    generator = random.Random(seed)
    generator.shuffle(rest)
    mixed = [counter for counter, number in enumerate([first, *rest]) for _slot in range(number)]
    generator.shuffle(mixed)
    return Sizes(counters_of, mixed)


def _spread(total: int, parts: int) -> list[int]:
    """`total` in falling parts, each at least 1."""
    weights = [1 / (rank + _FLATNESS) ** _STEEPNESS for rank in range(parts)]
    whole = sum(weights)
    found = [1 + int((total - parts) * weight / whole) for weight in weights]
    for rank in range(total - sum(found)):
        found[rank % parts] += 1
    return found
