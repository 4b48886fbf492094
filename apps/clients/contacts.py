"""The look-up of people: which order first told an e-mail, a phone or a ClientID, and of which client.

Only digests are kept, eight bytes each, so that one index serves all kinds on every database, and so that who knows a
value is found by its hash as well. They are keyed (see `blind`): who has the database alone cannot try which phone
gives which digest. They are written beside orders and clients, in the same transaction, when a value is new to them;
whoever has the value already needs no further line.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from apps.agencies.bulk import insert_rows
from apps.clients.blind import all_keyed, keyed
from apps.clients.models import Client, Contact
from apps.metrica.identifiers import NORMALIZERS, IdentifierError, md5_of

LIMIT: Final = 500
"""So many lines of one search are read: who looks for a person does not leaf through more."""

NO_ORDER: Final = 0
"""In place of an order's key, where a client came with the identifier by itself."""

_DIGITS = re.compile(r"\d")
_SPELLED_EMAIL = re.compile(r"(?:mailto:)?[^<>]*<([^<>\s]+)>|mailto:(\S+)", re.IGNORECASE)


Told = tuple[str, str, Any, int | None]
"""(kind, value, key of the order that told it or NO_ORDER, key of the client whose it is or None where it is the
order's alone)."""


def digest(kind: str, value: str) -> int:
    """Of a normalised value, as it is kept. A phone and its hash have the same one, a phone and a ClientID of the same
    digits not."""
    return keyed(unkeyed(kind, value))


def unkeyed(kind: str, value: str) -> int:
    """What is keyed; of old, this itself was kept."""
    if kind.endswith("_md5"):
        start = value[:16]
    elif kind == "client_ids":
        start = md5_of(f"ClientID {value}")[:16]
    else:
        start = md5_of(value)[:16]
    return int(start, 16) - (1 << 63)


def forms(kind: str, value: str) -> list[int]:
    """The digests by which the value may be kept: one, and that of old until no line has it any more."""
    plain = unkeyed(kind, value)
    return [keyed(plain)] if all_keyed() else [keyed(plain), plain]


def digests_of(identifiers: Mapping[str, Sequence[str]]) -> dict[int, tuple[str, str]]:
    """{digest: (kind, value)} of all identifiers of an order or a client."""
    return {
        one: (kind, value) for kind, values in identifiers.items() for value in values for one in forms(kind, value)
    }


def note(*, counter_id: int, told: Collection[Told], at: datetime) -> None:
    """Write down what orders told. One statement."""
    insert_rows(
        Contact,
        ("digest", "order_key", "client_id"),
        [(digest(kind, value), order, client) for kind, value, order, client in told],
        same={"counter_id": counter_id, "told_at": at, "keyed": True},
    )


def take_back(*, counter_id: int, gone: Collection[tuple[str, str, int | None]]) -> None:
    """Forget what clients came with by themselves and do not have any more: (kind, value, key of the client). What an
    order told stays, as its own. Two queries at most."""
    pairs = {(one, client) for kind, value, client in gone if client is not None for one in forms(kind, value)}
    if not pairs:
        return
    lines = Contact.objects.filter(
        digest__among=[one for one, _client in pairs], counter=counter_id, order_key=NO_ORDER
    ).order_by()
    keys = [pk for pk, one, client in lines.values_list("pk", "digest", "client_id") if (one, client) in pairs]
    if keys:
        Contact.objects.filter(pk__among=keys).delete()


def meant(term: str) -> set[int]:
    """Digests of all that the words may be: a phone in any writing, an e-mail, a ClientID, a hash."""
    found = set()
    for kind, normalize in NORMALIZERS.items():
        for spelling in _spellings(kind, term):
            try:
                found.update(forms(kind, normalize(spelling)))
            except IdentifierError:
                continue
    return found


def who_told(*, counters: Collection[int], digests: Collection[int]) -> list[tuple[int, int | None]]:
    """(order key, client's key or None) of whoever has one of these, at most `LIMIT`. One query, by index."""
    if not digests:
        return []
    rows = Contact.objects.filter(digest__in=digests, counter__in=counters).order_by()
    return list(rows.values_list("order_key", "client_id")[:LIMIT])


def origins(client: Client) -> dict[tuple[str, str], tuple[int, datetime]]:
    """{(kind, value): (key of the order that told it first or NO_ORDER, when)} of what the client is known by. One
    query."""
    known = digests_of(client.identifiers)
    rows = Contact.objects.filter(digest__in=known, counter=client.counter_id, client=client).order_by("-pk")
    return {known[found]: (order, at) for found, order, at in rows.values_list("digest", "order_key", "told_at")}


def alike(client: Client) -> list[Client]:
    """Other clients of the counter that something of this one was told of as well. Only shown: who they are is for a
    person to say (R5). Two queries."""
    told = who_told(counters=[client.counter_id], digests=list(digests_of(client.identifiers)))
    others = {key for _order, key in told if key is not None and key != client.pk}
    return list(Client.objects.present().filter(pk__in=others, counter=client.counter_id).order_by("pk")[:10])


def hand_over(*, source: Client, target: Client) -> None:
    """What was told of `source` is told of `target` from now on, and what it does not have any more as well."""
    Contact.objects.filter(client=source).update(client=target)


def forget(*, client: Client, order_keys: Collection[int]) -> int:
    """Erase what was told of a client, whether it has it still or not, and by its orders. Returns how many lines."""
    of_orders, _by_model = Contact.objects.filter(order_key__among=order_keys).delete()
    of_client, _by_model = Contact.objects.filter(client=client).delete()
    return of_orders + of_client


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
