"""R11 as one table: every address × method × caller, generated from the URL configuration, asked by real requests.

An address without its line fails, and the line that one would have to write is printed with what was met. Whoever adds
an address reads that line, and copies it into table.txt if it says what it should. ACCESS=write appends what is missing
by itself; it changes no line that is there.
"""

import os

import pytest
from django.db import connection
from django.template.response import SimpleTemplateResponse

from tests.access import routes
from tests.access.asking import Callers
from tests.access.letters import CALLERS, FILE, KEYS, LET_IN, METHODS, NOBODY, PEOPLE, Line, read
from tests.admin.access.conftest import world
from tests.admin.access.world import World

__all__ = ["world"]

on_one_database = pytest.mark.skipif(
    connection.vendor == "postgresql", reason="a door is shut whatever the database is"
)
TABLE = read(FILE.read_text("utf-8").splitlines())
GROUPS = sorted({route.group for route in routes.routes()})
LINKS = ("/invitation/", "/welcome/", "/report/", "/in/")
"""Whoever has such an address may enter: that is what it is for."""
OF_NOBODY = ("/api/v1/schema/", "/api/v1/docs/", "/api/v1/<path>", "/cdp/api/v1/")
"""Addresses of the API that tell nothing of any agency."""


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views do all they do, and pages are not drawn: that takes most of the time and comes after every door.
    tests/admin/access draws and reads them."""
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")


@on_one_database
@pytest.mark.usefixtures("_undrawn")
@pytest.mark.parametrize("group", GROUPS)
def test_who_gets_in(world: World, group: str):
    callers = Callers(world)
    wrong: list[str] = []
    missing: list[str] = []
    for route in (one for one in routes.routes() if one.group == group):
        met = callers.line_of(route)
        known = TABLE.get(route.route)
        if known is None:
            missing.append(str(met))
        elif known.met != met.met:
            wrong += _differences(known, met)
    if missing and os.environ.get("ACCESS") == "write":
        _append(missing)
    assert not missing, "\n".join(["these addresses have no line in tests/access/table.txt:", *missing])
    assert not wrong, "\n".join(["what was met is not what tests/access/table.txt says:", *wrong])


def _append(lines: list[str]) -> None:
    """In one piece: several workers may do so at once."""
    file = os.open(FILE, os.O_WRONLY | os.O_APPEND)
    os.write(file, "".join(f"{line}\n" for line in lines).encode())
    os.close(file)


def _differences(known: Line, met: Line) -> list[str]:
    found = [
        f"{method} {known.route} by {caller}: {met.of(method, caller)}, not {known.of(method, caller)}"
        for method in METHODS
        for caller in CALLERS
        if met.of(method, caller) != known.of(method, caller)
    ]
    return [*found, f"    {met}"]


def test_no_line_speaks_of_an_address_that_is_gone():
    gone = set(TABLE) - {route.route for route in routes.routes()}
    assert not gone, f"take out of tests/access/table.txt: {sorted(gone)}"


def test_two_addresses_do_not_share_a_line():
    names = [route.route for route in routes.routes()]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})


# What holds of each line whatever it says, so that a line that was copied unread does not let somebody in.


def _of_keys(route: str) -> bool:
    return route.startswith(("/api/", "/cdp/")) and route not in OF_NOBODY


@pytest.mark.parametrize("route", [route for route in TABLE if _of_keys(route)])
def test_where_keys_open_no_login_does_and_no_dead_key(route: str):
    line = TABLE[route]
    for method in METHODS:
        shut = line.of(method, NOBODY)
        assert shut == "1", (method, NOBODY)
        for caller in PEOPLE:
            assert line.of(method, caller) == shut, (method, caller)
        for caller in ("expired", "revoked"):
            # Metrica calls a token that opens nothing 403 invalid_token, and its scripts wait for that.
            assert line.of(method, caller) == ("3" if route.startswith("/cdp/") else shut), (method, caller)
        assert line.of(method, "away") == "3", method
        assert line.of(method, "read") not in LET_IN or method == "GET", method
        assert line.of(method, "write") not in LET_IN or method != "GET", method


@pytest.mark.parametrize("route", [route for route in TABLE if not _of_keys(route)])
def test_where_people_work_no_key_opens_anything(route: str):
    line = TABLE[route]
    for method in METHODS:
        for caller in KEYS:
            assert line.of(method, caller) == line.of(method, NOBODY), (method, caller)


@pytest.mark.parametrize("route", [one.route for one in routes.routes() if one.has_arguments and one.route in TABLE])
def test_a_stranger_does_not_learn_that_a_thing_is_there(route: str):
    """404 for what somebody else has; never a way in. A dialog of the theme asks before the thing is looked for."""
    if route.startswith(LINKS) or route in OF_NOBODY or route in DIALOGS or route in LEADS_ON:
        return
    line = TABLE[route]
    for method in METHODS:
        for caller in ("other", "outsider") if _of_keys(route) else ("outsider",):
            assert line.of(method, caller) not in LET_IN, (method, caller)


DIALOGS: frozenset[str] = frozenset(
    f"/admin/agencies/{page}/<path:object_id>/{act}/"
    for page, act in (
        ("membership", "password-link"),
        ("membership", "second-step-off"),
        ("invitation", "send-again"),
        ("invitation", "withdraw"),
        ("apikey", "revoke"),
    )
)
LEADS_ON: frozenset[str] = frozenset(
    route.route for route in routes.routes() if route.route.endswith("/<path:object_id>/")
)
"""A model's old addresses only lead to its page, be it there or not."""
