"""How what is known of somebody and what a row says come together (page: modes): one rule for orders and clients."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_OF_A_KIND: Final = 100
"""More identifiers of one kind no person has; of a "client" that stands for everybody the latest are kept."""


def identifiers(given: Sequence[str], held: Sequence[str]) -> list[str]:
    """A list of identifiers that is added to; of too many the latest are kept."""
    return list(dict.fromkeys([*held, *given]))[-MAX_OF_A_KIND:]


def attributes(given: Mapping[str, Any], held: Mapping[str, Any], *, united: bool = False) -> dict[str, Any]:
    """Each attribute by itself; with `united`, lists are added to. None takes one away."""
    result = {**held, **given}
    if united:
        for name, values in given.items():
            known = held.get(name)
            if isinstance(values, list) and isinstance(known, list):
                result[name] = list(dict.fromkeys([*known, *values]))
    return {name: value for name, value in result.items() if value is not None}
