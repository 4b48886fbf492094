"""R11 in numbers: what somebody may not know of adds nothing to any sum, list or chart that they read."""

import difflib
import re
from dataclasses import replace
from typing import Any

import pytest

from apps.agencies.tenancy import counter_path_of
from tests.admin.access import found
from tests.admin.access.asking import Visitor, undone
from tests.admin.access.table import ADDRESSES
from tests.admin.access.who import NOBODY, OK, Line
from tests.admin.access.world import YOURS, World, asked, fill, grow
from tests.admin.pages import words
from tests.dashboard.conftest import roll_up

NO_LINE = Line(NOBODY, NOBODY)
LISTS = [
    name
    for name, model_admin in sorted(found.registered().items())
    if counter_path_of(model_admin.model) and ADDRESSES.get(f"{name}_changelist", NO_LINE).get.inside == OK
]
_REQUEST = r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}"
_TIME = r"(\d{1,2}(:\d\d)? [ap]\.m\.|noon|midnight|\d{1,2}:\d\d(:\d\d)?)"
_CLOCKS = re.compile(rf"\d+([.,]\d+)? (s|sec|min|h)\b( ago)?|just now|{_TIME}|{_REQUEST}", re.IGNORECASE)
LEFT_OUT = ("login", "logout", "second-step")  # the last makes a new key whenever it is opened
Page = tuple[str, str, Any]


def pages_of(person: str, world: World) -> list[Page]:
    """(key, address, query) of all that the person may see: of the things of `world.place` where it is of something."""
    pages = []
    for address in found.addresses():
        line, of_something = ADDRESSES[address.key], "<" in address.route
        if of_something and (person == "outside" or address.group not in found.registered()):
            continue
        values = found.values_of(world, address.group) if of_something else {}
        may = getattr(line.get, "owner" if of_something else person) == OK
        if may and not line.tells and address.key not in LEFT_OUT:
            pages.append((address.key, found.written(address, values), asked(line.query, world)))
    return pages


def read(visitor: Visitor, pages: list[Page]) -> dict[str, str]:
    """The words of the pages, without clocks and the names of requests."""
    told = {}
    for key, url, query in pages:
        with undone():
            answer = visitor.ask("GET", url, query)
        assert (answer.met, answer.leaks) == (OK, []), (key, visitor.name)
        told[key] = _CLOCKS.sub("", answer.text if answer.raw.streaming else words(answer.raw))
    return told


def _difference(before: str, after: str) -> list[str]:
    """The words that came and went."""
    lines = difflib.ndiff(*(re.split(r"[\s,]+", text) for text in (before, after)))
    return [line for line in lines if line[0] in "+-"][:20]


@pytest.mark.parametrize("person", ["outsider", "outside"])
def test_nothing_that_is_hidden_is_counted(world: World, person: str):
    """However much there is of it: the same words, on lists and on the pages of one's own things."""
    fill(world.elsewhere)
    own = replace(world, place=world.elsewhere) if person == "outsider" else world
    visitor, owner = Visitor(person, world), Visitor("owner", world)
    pages, owners_pages = pages_of(person, own), pages_of("owner", world)
    roll_up()
    before, owners = read(visitor, pages), read(owner, owners_pages)
    grow(world.place)
    roll_up()
    after, grown = read(visitor, pages), read(owner, owners_pages)
    assert {key: _difference(before[key], after[key]) for key in before if before[key] != after[key]} == {}
    # To those who may know, the pages do tell.
    told = {key for key in owners if owners[key] != grown[key]}
    assert {"index", "orders_order_changelist", "orders_heldchange_changelist", "counters_counter_change"} <= told


@pytest.mark.parametrize("model", LISTS)
def test_lists_of_the_limited_add_up_to_the_owners(world: World, model: str):
    """Each sees the rows of their own counter, all of them, and counts no others."""
    listed: dict[str, list[Any]] = {}
    people = [Visitor(person, world) for person in ("owner", "manager", "analyst", "inside", "outside")]
    for visitor in people:
        person, answer = visitor.name, visitor.ask("GET", f"/admin/{model.replace('_', '/', 1)}/", {"all": ""})
        listed[person] = answer.listed
        assert answer.raw.context["cl"].result_count == len(answer.listed), (model, person)
    model_class = found.registered()[model].model
    path = counter_path_of(model_class)
    shown = model_class._default_manager.filter(pk__in=listed["owner"])
    for person, counter in (("inside", world.place.counter.metrica_id), ("outside", YOURS)):
        assert set(listed[person]) == set(shown.filter(**{path: counter}).values_list("pk", flat=True)), person
    assert listed["inside"], f"the list of {model} is empty, and shows nothing"
    assert set(listed["owner"]) == set(listed["manager"]) == set(listed["analyst"])


def test_home_adds_up_what_is_theirs(world: World):
    roll_up()
    numbers = {}
    for person in ("owner", "inside", "outside", "outsider"):
        context = Visitor(person, world).ask("GET", "/admin/").raw.context
        numbers[person] = context["total"], {line.counter.pk for line in context["lines"]}
    assert numbers["inside"][1] == {world.place.counter.pk}
    assert numbers["outside"][1] == {world.yours.pk}
    assert numbers["owner"][1] == numbers["inside"][1] | numbers["outside"][1]
    assert not numbers["outsider"][1] & numbers["owner"][1]
    for what in ("waiting", "held", "rejected"):
        owner, inside, outside, outsider = (getattr(total, what) for total, _lines in numbers.values())
        assert owner == inside + outside, what
        assert (outside, outsider) == (1 if what == "held" else 0, 0), what
