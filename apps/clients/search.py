"""Finding people the way one has them at hand: a phone in any writing, an e-mail, a ClientID, a client id, a name."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Final, TypeVar

from django.db.models import Case, Model, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from apps.clients import contacts
from apps.clients.models import Client
from apps.clients.words import AfterFirstWord

M = TypeVar("M", bound=Model)

LIMIT: Final = contacts.LIMIT
MOST_NAMES: Final = 40
LEGAL_FORMS: Final = frozenset(
    ["ооо", "оао", "зао", "пао", "ао", "нао", "ип", "пк", "нко", "ано", "тоо", "чп", "гуп", "муп", "фгуп", "llc", "ltd"]
)
_MARKS = ("", "«", '"', "“")
_MARKS_OF_FIRMS = ("«", '"')
_QUOTES = re.compile(r"""[«»"“”„]+""")
_LAST = "\U0010ffff"
_MOST_WORDS = 6
_TURNED_WORDS = 3
_PLAIN: Final = 3


def beginning(rows: QuerySet[Any], name: str, term: str) -> QuerySet[Any]:
    """Rows whose text `name` begins so. As a range, which both databases answer from the index of (counter, `name`):
    the texts that are searched so are compared by their bytes."""
    return rows.filter(**{f"{name}__gte": term, f"{name}__lt": term + _LAST})


@dataclass(slots=True)
class Meant:
    """Primary keys of what a search means, `LIMIT` of each way. `exact`: of those whose id is just what was written.
    `cut`: whether there are more than these."""

    keys: set[int] = field(default_factory=set)
    exact: set[int] = field(default_factory=set)
    cut: bool = False

    def take(self, rows: QuerySet[Any]) -> None:
        """The first `LIMIT` of these rows. One query."""
        self._add(list(rows.order_by().values_list("pk", flat=True)[: LIMIT + 1]))

    def take_by_id(self, rows: QuerySet[Any], name: str, term: str, *, key: Any = "pk") -> None:
        """By the start of the id, which is in the field `name`. `key`: of what the row means. A query for each
        spelling, and one more where they were cut: the one itself may stand behind all that begin with it."""
        written, rows = list(spellings(term)), rows.order_by()
        cut = False
        for spelling in written:
            found = list(beginning(rows, name, spelling).values_list(name, key)[: LIMIT + 1])
            cut = cut or len(found) > LIMIT
            self._add([pk for _id, pk in found])
            self.exact.update(pk for own, pk in found if own in written)
        if cut:
            exact = rows.filter(**{f"{name}__in": written}).values_list(name, key)[:LIMIT]
            self.exact.update(pk for _id, pk in exact)
        self.keys |= self.exact

    def take_told(self, told: Collection[Any], keys: Iterable[int], rows: QuerySet[Any]) -> None:
        """Those with these keys, which stand in the lines of `contacts.who_told`."""
        self.cut = self.cut or len(told) >= contacts.LIMIT
        if wanted := set(keys):
            self.take(rows.filter(pk__in=wanted))

    def join(self, other: "Meant") -> None:
        self.keys |= other.keys
        self.cut = self.cut or other.cut

    def _add(self, found: Sequence[int]) -> None:
        self.cut = self.cut or len(found) > LIMIT
        self.keys.update(found[:LIMIT])


def exact_first(rows: QuerySet[M], meant: Meant) -> QuerySet[M]:
    """What is meant of the rows: what has the very id that was written, then the newest."""
    # Without any to put first, PostgreSQL would read the number that is left for the number of a column.
    first = [Case(When(pk__in=meant.exact, then=Value(0)), default=Value(1))] if meant.exact else []
    return rows.filter(pk__in=meant.keys).order_by(*first, "-pk")


def find(rows: QuerySet[Client], term: str, *, counters: Collection[int], digests: Collection[int]) -> Meant:
    """The clients meant: by the start of the client id or of the name (see `names`), or by a contact (`digests`, see
    `contacts.meant`). `counters`: keys of all that are searched. Each query is cut off and answered by an index.
    """
    rows = rows.filter(counter__in=counters)
    meant = Meant()
    # The id of a client that was merged means the one that it became.
    meant.take_by_id(rows, "uniq_id", term, key=Coalesce("merged_into_id", "pk"))
    meant.join(_called(rows, term))
    told = contacts.who_told(counters=counters, digests=digests)
    meant.take_told(told, (client for _order, client in told if client is not None), rows)
    return meant


def _called(rows: QuerySet[Client], term: str) -> Meant:
    """Whose name, or what stands in it behind the first word, begins so, in one of the ways in which the words may be
    written: ranges of two indexes.

    The plain ways, and all of the second index, are asked one by one: of a name that many have, PostgreSQL would read
    all names rather than one range after another, and what an expression holds it guesses worst.
    """
    rows = rows.exclude(name="").alias(later=AfterFirstWord("name"))
    found = Meant()
    for name, starts in (("name", names(term)), ("later", later_words(term))):
        alone = len(starts) if name == "later" else _PLAIN
        for start in starts[:alone]:
            found.take(beginning(rows, name, start))
            if len(found.keys) >= LIMIT:
                found.cut = True
                return found
        rest = Q()
        for start in starts[alone:]:
            rest |= Q(**{f"{name}__gte": start, f"{name}__lt": start + _LAST})
        if rest:
            found.take(rows.filter(rest))
    return found


def names(term: str) -> list[str]:
    """Beginnings of names that the words may mean, `MOST_NAMES` at most: as they are written, each word with a capital,
    all in capitals or none; two or three words in any order, as a first name and a surname come; and a firm's name with
    quotation marks or without.
    """
    words = _words(term)
    if not words:
        return list(dict.fromkeys([term, term.title()]))
    found = dict.fromkeys([term, *_written(words)])
    if words[0].casefold() in LEGAL_FORMS and len(words) > 1:
        form, firm = words[0], words[1:]
        for own in dict.fromkeys([_capitals(firm), " ".join(firm), " ".join(firm).upper()]):
            found.update(dict.fromkeys(f"{start} {mark}{own}" for start in (form.upper(), form) for mark in _MARKS))
    else:
        if len(words) <= _TURNED_WORDS:
            found.update(dict.fromkeys(_capitals(turned) for turned in permutations(words)))
            found.update(dict.fromkeys(" ".join(turned).upper() for turned in permutations(words)))
        found.update(dict.fromkeys(_marked(words, _MARKS)))
    return list(found)[:MOST_NAMES]


def later_words(term: str) -> list[str]:
    """The same of what stands behind a name's first word: a surname, or a firm behind its legal form."""
    words = _words(term)
    if not words:
        return []
    plain = list(dict.fromkeys(_written(words)))[:_PLAIN]
    return [*plain, *_marked(words, _MARKS_OF_FIRMS)]


def _words(term: str) -> list[str]:
    """None where the term can be no name."""
    words = _QUOTES.sub(" ", term).split()[:_MOST_WORDS]
    return [] if "@" in term or any(sign.isdigit() for sign in term) else words


def _written(words: Sequence[str]) -> Iterable[str]:
    """In the ways in which people write without a thought; firms write their first word otherwise than the others."""
    whole, rest = " ".join(words), words[1:]
    return whole, _capitals(words), whole.upper(), whole.lower(), " ".join([_capital(words[0]), *rest]).strip()


def _marked(words: Sequence[str], marks: Iterable[str]) -> Iterable[str]:
    """With each of the quotation marks before them."""
    return (f"{mark}{own}" for mark in marks for own in (_capitals(words), " ".join(words).upper()))


def _capitals(words: Iterable[str]) -> str:
    return " ".join(_capital(word) for word in words)


def _capital(word: str) -> str:
    """Of a word with a hyphen each part: Римский-Корсаков."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in word.split("-"))


def spellings(term: str) -> Iterable[str]:
    """An id as it is written, and in capitals, as most CRMs write theirs."""
    return dict.fromkeys([term, term.upper()])


def clean(term: str) -> str:
    """The words without what surrounds them; empty where they can mean nothing."""
    term = term.strip()
    return "" if "\0" in term else term
