"""Finding people the way one has them at hand: a phone in any writing, an e-mail, a ClientID, a client id."""

import json
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from apps.clients.models import Client
from apps.metrica.identifiers import NORMALIZERS, IdentifierError, md5_of

_HASH_OF = {"emails": "emails_md5", "phones": "phones_md5"}
_KINDS = ("client_ids", "emails", "phones", "emails_md5", "phones_md5")
LIMIT = 500


def contacts(term: str) -> list[tuple[str, str]]:
    """What the words may be: (kind, normalised value) pairs, hashes of them included."""
    found: list[tuple[str, str]] = []
    for kind in _KINDS:
        try:
            value = NORMALIZERS[kind](term)
        except IdentifierError:
            continue
        found.append((kind, value))
        if kind in _HASH_OF:
            found.append((_HASH_OF[kind], md5_of(value)))
    return found


def having_contact(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """Rows whose `identifiers` hold what the words say. By index on PostgreSQL; SQLite reads the rows."""
    pairs = contacts(term)
    if not pairs:
        return rows.none()
    condition = Q()
    if connection.vendor == "postgresql":
        for kind, value in pairs:
            condition |= Q(identifiers__contains={kind: [value]})
        return rows.filter(condition)
    for _kind, value in pairs:
        condition |= Q(identifiers_text__contains=json.dumps(value))
    return rows.annotate(identifiers_text=Cast("identifiers", TextField())).filter(condition)


def find(rows: QuerySet[Client], term: str) -> set[int]:
    """Primary keys of the clients meant: by the start of the client id, or by a contact. Three queries at most."""
    term = term.strip()
    if not term or "\0" in term:
        return set()
    found = set(rows.filter(uniq_id__startswith=term).order_by().values_list("pk", flat=True)[:LIMIT])
    found.update(having_contact(rows, term).order_by().values_list("pk", flat=True)[:LIMIT])
    return found
