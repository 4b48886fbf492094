"""What an erased client was known by, and whether a text or a row that is kept somewhere tells of it.

Somebody else's rows must not go along: a mark counts as a whole only, never as a part of a longer number or word. What
is short enough to stand in many places for many reasons, as the id 7 may, counts in its own field alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

LONG: Final = 5
"""Characters from which on an id is looked for in any text."""

_AMONG_DIGITS: Final = r"[\s().\-/\u2010-\u2015]{0,3}"
"""What people put between the digits of a phone."""

_NOTHING: Final = re.compile(r"(?!)")
_SEVERAL: Final = re.compile(r"[\s,;|]+")


@dataclass(frozen=True, slots=True)
class Marks:
    """`orders`, `clients`: their ids in the CRM; `client_ids`: Metrica's; `since`: when the first trace of it came
    (aware), None if that is not known."""

    orders: frozenset[str]
    clients: frozenset[str]
    client_ids: frozenset[str]
    names: frozenset[str]
    since: datetime | None
    _ids: re.Pattern[str]
    _person: re.Pattern[str]

    @classmethod
    def of(cls, kept: Mapping[str, Sequence[str]]) -> "Marks":
        clients = frozenset(kept.get("clients", ())) - {""}
        client_ids = frozenset(kept.get("client_ids", ()))
        names = frozenset(" ".join(name.casefold().split()) for name in kept.get("names", ()))
        since = next(iter(kept.get("since", ())), "")
        return cls(
            orders=frozenset(kept.get("orders", ())) - {""},
            clients=clients,
            client_ids=client_ids,
            names=names - {""},
            since=datetime.fromisoformat(since) if since else None,
            _ids=_any_of(map(_id, _longest_first(one for one in clients | client_ids if len(one) >= LONG))),
            _person=_any_of(
                [
                    *map(_email, kept.get("emails", ())),
                    *map(_phone, kept.get("phones", ())),
                    *(rf"(?<![0-9a-z]){re.escape(one)}(?![0-9a-z])" for one in kept.get("hashes", ())),
                    *map(_name, names),
                ]
            ),
        )

    def within(self, text: str) -> bool:
        """Whether a cell, or any other text, says who the client is. Neither ids of orders nor short ids do."""
        if not text:
            return False
        return (
            self.names_in(text) or " ".join(text.casefold().split()) in self.names or self._ids.search(text) is not None
        )

    def within_any(self, texts: Iterable[str]) -> bool:
        return any(map(self.within, texts))

    def names_in(self, text: str) -> bool:
        """The same, for texts in which ids and single words are those of something else."""
        return self._person.search(text.casefold()) is not None

    def is_id(self, text: str) -> bool:
        """Whether it is an id of the client, or of one of its orders, and nothing else."""
        text = text.strip()
        return text in self.clients or text in self.orders

    def own(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is of the client by its ids: `id`, `client_uniq_id` and `client_ids`, as intake calls
        them."""
        if _text(row.get("id")) in self.orders or _text(row.get("client_uniq_id")) in self.clients:
            return True
        given = row.get("client_ids")
        texts = given if isinstance(given, list | tuple) else _SEVERAL.split(_text(given))
        return not self.client_ids.isdisjoint(map(_text, texts))

    def hidden_in(self, text: str, *, by: str) -> str:
        """The text with `by` in place of the client's ids, as far as they are long."""
        return self._ids.sub(by, text)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    joined = "|".join(patterns)
    return re.compile(joined) if joined else _NOTHING


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted(texts, key=lambda text: (-len(text), text))


def _id(text: str) -> str:
    # 12345 is neither in A-12345 nor in 12345.50.
    return rf"(?<![\w-])(?<!\d[.,]){re.escape(text)}(?![\w-])(?![.,]\d)"


def _email(text: str) -> str:
    return rf"(?<![\w.+%-]){re.escape(text)}(?![\w-]|\.\w)"


def _phone(text: str) -> str:
    """However it is written: with 8 or without a code, in groups, in brackets."""
    code, number = text[:-10], text[-10:]
    codes = [f"(?:00|810)?{code}", *(["8"] if code == "7" else [])] if code else []
    begin = f"(?:{'|'.join(codes)})?" if codes else ""
    return rf"(?<!\d){begin}{_AMONG_DIGITS.join(number)}(?!\d)"


def _name(text: str) -> str:
    """A name of one word is that of many people, so in the midst of a text it says nothing."""
    words = [re.escape(word) for word in text.split()]
    return r"(?<!\w)" + r"\s+".join(words) + r"(?!\w)" if len(words) > 1 else _NOTHING.pattern


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()
