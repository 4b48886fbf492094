"""The people of the table, and what each of them may meet."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Meets(StrEnum):
    """What somebody meets at an address. Where it is not theirs to do, nothing at all may have changed."""

    OK = "let in"  # a page, a file, on to another page, a form that says what is missing
    LOGIN = "the login page"
    NO_AGENCY = "the page that says what to do without an agency"
    FORBIDDEN = "403"
    NOT_THERE = "404"
    NO_METHOD = "405"
    # Of an action in a list: it is done; or the list comes back, and nothing was.
    DOES = "does it"
    NOTHING = "nothing happens"


OK, LOGIN, NO_AGENCY, DOES, NOTHING = Meets.OK, Meets.LOGIN, Meets.NO_AGENCY, Meets.DOES, Meets.NOTHING
FORBIDDEN, NOT_THERE, NO_METHOD = Meets.FORBIDDEN, Meets.NOT_THERE, Meets.NO_METHOD
SHUT = frozenset({LOGIN, NO_AGENCY, FORBIDDEN, NOT_THERE, NO_METHOD, NOTHING})
"""Whoever meets one of these has changed nothing."""


@dataclass(frozen=True, slots=True)
class Who:
    """A row of the table. Of whose things is asked: those of the agency that is full of them, at the counter “Quokka”.

    `outsider`: an owner of another agency. `inside`: a manager who is limited to that counter; `outside`: one who is
    limited to another counter of the same agency. `staff`: the platform's own.
    """

    anonymous: Meets = LOGIN
    no_agency: Meets = NO_AGENCY
    outsider: Meets = OK
    owner: Meets = OK
    manager: Meets = OK
    analyst: Meets = OK
    inside: Meets = OK
    outside: Meets = OK
    staff: Meets = OK

    def but(self, **other: Meets) -> "Who":
        return replace(self, **other)


PEOPLE = tuple(field.name for field in fields(Who))

# ---- pages without an object: lists, forms for something new ----
EVERYBODY = Who()
OPERATORS = EVERYBODY.but(analyst=FORBIDDEN)
OWNERS = OPERATORS.but(manager=FORBIDDEN, inside=FORBIDDEN, outside=FORBIDDEN)
UNLIMITED = EVERYBODY.but(inside=FORBIDDEN, outside=FORBIDDEN)  # what concerns all of an agency
STAFF = OWNERS.but(outsider=FORBIDDEN, owner=FORBIDDEN)
NOBODY = STAFF.but(staff=FORBIDDEN)
NOWHERE = Who(**dict.fromkeys(PEOPLE[2:], NOT_THERE))
NO_WAY = Who(**dict.fromkeys(PEOPLE[2:], NO_METHOD))  # not by this method

# ---- something of a counter ----
READ = EVERYBODY.but(outsider=NOT_THERE, outside=NOT_THERE)
OPERATE = READ.but(analyst=FORBIDDEN)
ADMINISTER = OPERATE.but(manager=FORBIDDEN, inside=FORBIDDEN)
NEVER = ADMINISTER.but(owner=FORBIDDEN, staff=FORBIDDEN)
ONLY_READ = NO_WAY.but(outsider=NOT_THERE, outside=NOT_THERE)  # there to see, and nothing can be posted to it

# ---- something of all of an agency: who is limited to counters has no part in it ----
_LIMITED = {"inside": NOT_THERE, "outside": NOT_THERE}
READ_WHOLE, OPERATE_WHOLE, ADMINISTER_WHOLE, NEVER_WHOLE = (
    who.but(**_LIMITED) for who in (READ, OPERATE, ADMINISTER, NEVER)
)
# The rights of its page are asked before it is looked for.
SEE_WHOLE = READ.but(inside=FORBIDDEN, outside=FORBIDDEN)

# ---- something of the platform ----
STAFF_ONLY = Who(**dict.fromkeys(PEOPLE[2:-1], NOT_THERE))

# ---- actions in lists, on rows of the counter ----
DO = Who(**{**dict.fromkeys(PEOPLE[2:], DOES), "outsider": NOTHING, "analyst": NOTHING, "outside": NOTHING})


@dataclass(frozen=True, slots=True)
class Line:
    """One address. `query` and `data`: what is asked and posted along, made of the world where it is a function.

    `tells`: its answer names the agency to whoever has the link; that is what the link is for.
    """

    get: Who
    post: Who
    query: Any = None
    data: Any = None
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a list. `row`: an object of the full agency, of the world, that it really does something to."""

    who: Who
    row: Any
