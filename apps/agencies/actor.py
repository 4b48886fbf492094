"""Who acts: a person within an agency, an API key, or the system itself. Every right is asked of this (R11)."""

from dataclasses import dataclass, field
from enum import StrEnum


class Right(StrEnum):
    """What one may do with an agency's things."""

    READ = "read"
    OPERATE = "operate"  # mappings, orders, uploads, counters' settings
    ADMINISTER = "administer"  # people, API keys, Metrica accounts


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts.

    `agencies` are primary keys of the agencies in view; None means all of them (platform staff, the system).
    `counters` are Metrica's counter numbers that a person or an API key is limited to; None means no limit.
    `platform` marks the platform's own staff and the system itself: they alone make and close agencies.
    """

    kind: str  # "person" | "key" | "system" | "nobody"
    label: str
    id: str = ""
    agencies: frozenset[int] | None = frozenset()
    rights: frozenset[Right] = field(default_factory=frozenset)
    counters: frozenset[int] | None = None
    platform: bool = False

    def can(self, right: Right) -> bool:
        return right in self.rights

    def reaches(self, agency_id: int) -> bool:
        """True where this agency is in view."""
        return self.agencies is None or agency_id in self.agencies

    @property
    def agency_id(self) -> int | None:
        """The one agency in view, or None where there are several or all."""
        if self.agencies is not None and len(self.agencies) == 1:
            return next(iter(self.agencies))
        return None


NOBODY = Actor(kind="nobody", label="")
ALL_RIGHTS = frozenset(Right)


def system(label: str = "system") -> Actor:
    """The scheduler, a worker or a management command."""
    return Actor(kind="system", label=label, agencies=None, rights=ALL_RIGHTS, platform=True)
