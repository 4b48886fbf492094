"""The look-up of people: which order first told an e-mail, a phone or a ClientID, and of which client.

Only digests are kept, eight bytes each, so that one index serves all kinds on every database, and so that who knows a
value is found by its hash as well. They are written beside orders and clients, in the same transaction, when a value is
new to them; whoever has the value already needs no further line.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from apps.agencies.bulk import insert_rows
from apps.clients.models import Contact
from apps.metrica.identifiers import NORMALIZERS, IdentifierError, md5_of

LIMIT: Final = 500
"""So many lines of one search are read: who looks for a person does not leaf through more."""

_DIGITS = re.compile(r"\d")
_SPELLED_EMAIL = re.compile(r"(?:mailto:)?[^<>]*<([^<>\s]+)>|mailto:(\S+)", re.IGNORECASE)


Told = tuple[str, str, Any, int | None]
"""(kind, value, key of the order that told it, key of the client whose it is or None where it is the order's alone)."""


def digest(kind: str, value: str) -> int:
    """Of a normalised value. A phone and its hash have the same one, a phone and a ClientID of the same digits not."""
    if kind.endswith("_md5"):
        start = value[:16]
    elif kind == "client_ids":
        start = md5_of(f"ClientID {value}")[:16]
    else:
        start = md5_of(value)[:16]
    return int(start, 16) - (1 << 63)


def digests_of(identifiers: Mapping[str, Sequence[str]]) -> dict[int, tuple[str, str]]:
    """{digest: (kind, value)} of all identifiers of an order or a client."""
    return {digest(kind, value): (kind, value) for kind, values in identifiers.items() for value in values}


def note(*, counter_id: int, told: Collection[Told], at: datetime) -> None:
    """Write down what orders told. One statement."""
    insert_rows(
        Contact,
        ("digest", "order_key", "client_id"),
        [(digest(kind, value), order, client) for kind, value, order, client in told],
        same={"counter_id": counter_id, "told_at": at},
    )


def meant(term: str) -> set[int]:
    """Digests of all that the words may be: a phone in any writing, an e-mail, a ClientID, a hash."""
    found = set()
    for kind, normalize in NORMALIZERS.items():
        for spelling in _spellings(kind, term):
            try:
                found.add(digest(kind, normalize(spelling)))
            except IdentifierError:
                continue
    return found


def who_told(*, counters: Collection[int], digests: Collection[int]) -> list[tuple[int, int | None]]:
    """(order key, client's key or None) of whoever has one of these, at most `LIMIT`. One query, by index."""
    if not digests:
        return []
    rows = Contact.objects.filter(digest__in=digests, counter__in=counters).order_by()
    return list(rows.values_list("order_key", "client_id")[:LIMIT])


def _spellings(kind: str, term: str) -> Iterable[str]:
    yield term
    if kind == "emails" and (spelled := _SPELLED_EMAIL.search(term)):
        yield spelled[1] or spelled[2]
    if kind == "phones":
        # Whoever looks for a number writes it as they have it; each reading that makes sense is looked for.
        digits = "".join(_DIGITS.findall(term))
        yield f"+{digits}"
        if len(digits) == 10:
            yield f"+7{digits}"
