"""The mapping here beside the mapping at Metrica, line by line, and which side changed what. No database, no HTTP."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps
from typing import Any, Final, Literal, Self

from apps.metrica.vocabulary import DEFAULT_STATUSES

Kind = Literal["ours_only", "theirs_only", "differs"]
FIELDS: Final = ("type", "name", "goal_action_ids")


@dataclass(frozen=True, slots=True)
class Said:
    """What one side says of a status. Goals are compared as a set: their order means nothing to Metrica."""

    type: str
    name: str
    goal_action_ids: tuple[str, ...] = ()

    def same_as(self, other: "Said | None") -> bool:
        return other is not None and self._key() == other._key()

    def _key(self) -> tuple[Any, ...]:
        return self.type, self.name, sorted(set(self.goal_action_ids))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "goal_action_ids": list(self.goal_action_ids)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        return None if value is None else cls(**{**value, "goal_action_ids": tuple(value["goal_action_ids"])})


@dataclass(frozen=True, slots=True)
class Line:
    """One status of which the two sides say different things.

    `agreed`: what both said when they last agreed, None if they never did. `crm_status` is empty where the status is
    at Metrica alone.
    """

    metrica_id: str
    crm_status: str
    ours: Said | None
    theirs: Said | None
    agreed: Said | None

    @property
    def kind(self) -> Kind:
        if self.theirs is None:
            return "ours_only"
        return "theirs_only" if self.ours is None else "differs"

    @property
    def fields(self) -> list[str]:
        """Of FIELDS, those that differ."""
        if self.ours is None or self.theirs is None:
            return list(FIELDS)
        one, other = self.ours, self.theirs
        same = {
            "type": one.type == other.type,
            "name": one.name == other.name,
            "goal_action_ids": set(one.goal_action_ids) == set(other.goal_action_ids),
        }
        return [name for name in FIELDS if not same[name]]

    @property
    def changed_by_us(self) -> bool:
        return self.ours is not None and not self.ours.same_as(self.agreed)

    @property
    def changed_by_them(self) -> bool:
        """Somebody else gave the status another meaning at Metrica, took it away, or made it before we did."""
        if self.theirs is None:
            return self.agreed is not None
        return not self.theirs.same_as(self.agreed)

    @property
    def blocks(self) -> bool:
        """Whether a person has to choose before anything is sent. What is at Metrica alone is in nobody's way."""
        return self.ours is not None and self.changed_by_them

    def to_json(self) -> dict[str, Any]:
        sides = {name: getattr(self, name) for name in ("ours", "theirs", "agreed")}
        said = {name: side.to_json() if side else None for name, side in sides.items()}
        return {"metrica_id": self.metrica_id, "crm_status": self.crm_status, **said}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        sides = {name: Said.from_json(value[name]) for name in ("ours", "theirs", "agreed")}
        return cls(metrica_id=value["metrica_id"], crm_status=value["crm_status"], **sides)


def lines_between(
    *,
    ours: Mapping[str, tuple[str, Said]],
    theirs: Mapping[str, Said],
    agreed: Mapping[str, Said],
) -> list[Line]:
    """What differs, ours first. `ours`: {id at Metrica: (CRM status, what it says)}.

    A status at Metrica alone that is one of its own four, as it is by itself, is nobody's difference; nor is one that
    we gave up, as it stood then: Metrica knows no way to take it back.
    """
    lines = []
    for metrica_id, (crm_status, said) in ours.items():
        other = theirs.get(metrica_id)
        if not said.same_as(other):
            lines.append(Line(metrica_id, crm_status, said, other, agreed.get(metrica_id)))
    for metrica_id, other in theirs.items():
        if metrica_id in ours or other.same_as(agreed.get(metrica_id)) or stands_by_itself(metrica_id, other):
            continue
        lines.append(Line(metrica_id, "", None, other, agreed.get(metrica_id)))
    return lines


def digest(said: Iterable[tuple[str, Said]], *more: object) -> str:
    """Tells two states of a side apart; the order of statuses does not count."""
    states = sorted([metrica_id, *one._key()] for metrica_id, one in said)
    return sha256(dumps([states, *map(str, more)], ensure_ascii=False).encode()).hexdigest()


def stands_by_itself(metrica_id: str, said: Said) -> bool:
    """One of Metrica's own four, with nothing added to it."""
    own = DEFAULT_STATUSES.get(metrica_id)
    return own is not None and said.type == own.value and not said.goal_action_ids
