"""R11, and what each role may: every address below /admin/ and of a person's own, by GET and POST, asked by everybody.

Somebody to whom it is shut changes nothing by asking, and leaves no trace of having done it; somebody from whom it is
hidden reads nothing of it.
"""

from collections import Counter as Tally
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.admin.access import found
from tests.admin.access.asking import Visitor, changed, everything, undone
from tests.admin.access.table import ADDRESSES, ARGUMENTS, OBJECTS
from tests.admin.access.who import PEOPLE, SHUT, Line, Meets
from tests.admin.access.world import World, asked

# Filters and sums, which are the database's work, are asked on both.
pytestmark = pytest.mark.skipif(connection.vendor == "postgresql", reason="a door is shut whatever the database is")

GROUPS = sorted({address.group for address in found.addresses()})
Request = tuple[str, str, str, Any, Meets, bool]  # key, method, address, data, what is met, whether it may tell


def test_every_address_has_its_line():
    twice = [key for key, times in Tally(address.key for address in found.addresses()).items() if times > 1]
    assert not twice, f"two addresses have one name, so that one line speaks of both: {twice}"
    known = {address.key: address.route for address in found.addresses()}
    missing = {key: route for key, route in known.items() if key not in ADDRESSES}
    assert not missing, (
        f"say in ADDRESSES (tests/admin/access/table.py) who gets in by GET and by POST, for each of {missing}; "
        "for example "
        + ", ".join(f'"{key}": Line(READ, OPERATE)' for key in missing)
        + " — or, for a model's six addresses, **pages(…)"
    )
    gone = set(ADDRESSES) - set(known)
    assert not gone, f"take out of ADDRESSES what is no address any more: {gone}"


def test_every_model_with_pages_has_its_object():
    missing = {model_admin.model for model_admin in found.registered().values()} - set(OBJECTS)
    assert not missing, f"say in OBJECTS which object of an agency these pages show: {missing}"


def test_every_argument_is_known():
    missing = found.arguments() - set(ARGUMENTS)
    assert not missing, f"say in ARGUMENTS what is written into an address for {missing}"


@pytest.mark.parametrize("group", GROUPS)
def test_who_gets_in(world: World, group: str):
    problems: list[str] = []
    for person in PEOPLE:
        visitor, requests = Visitor(person, world), list(_requests(world, group, person))
        for key, method, url, data, meets, tells in requests:
            if meets not in SHUT:
                with undone():
                    problems += _ask(visitor, key, method, url, data, meets, tells)
        shut = [request for request in requests if request[4] in SHUT]
        with undone():
            before = everything()
            for request in shut:
                problems += _ask(visitor, *request)
            touched = changed(before)
        if touched:
            problems += _culprits(visitor, shut) or [f"together, what is shut to {person} changed {touched}"]
    assert not problems, "\n".join(["", *problems])


def _requests(world: World, group: str, person: str) -> Iterator[Request]:
    values = found.values_of(world, group)
    for address in found.addresses():
        if address.group == group:
            line: Line = ADDRESSES[address.key]
            url, tells = found.written(address, values), line.tells
            yield address.key, "GET", url, asked(line.query, world), getattr(line.get, person), tells
            yield address.key, "POST", url, asked(line.data, world), getattr(line.post, person), tells


def _ask(visitor: Visitor, key: str, method: str, url: str, data: Any, meets: Meets, tells: bool) -> list[str]:
    answer = visitor.ask(method, url, data)
    problems = []
    if answer.met != meets:
        problems.append(f"{key}: {method} {url} by {visitor.name}: {answer.met}, not {meets.value} as the table says")
    if visitor.name == "anonymous" and visitor.is_logged_in:
        problems.append(f"{key}: {method} {url} logs in whoever comes")
    if answer.leaks and not tells:
        problems.append(f"{key}: {method} {url} by {visitor.name} shows {answer.leaks}, which is hidden from them")
    return problems


def _culprits(visitor: Visitor, requests: list[Request]) -> list[str]:
    """Which of the requests it was that changed something."""
    problems = []
    for key, method, url, data, _meets, _tells in requests:
        with undone():
            before = everything()
            visitor.ask(method, url, data)
            if touched := changed(before):
                problems.append(f"{key}: {method} {url} by {visitor.name}, to whom it is shut, changed {touched}")
    return problems
