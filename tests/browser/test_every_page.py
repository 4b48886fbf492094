"""Each main page for everybody: no barrier that axe-core calls serious or critical, in light and dark, on a desk and on
a phone; and on a phone nothing has to be pushed sideways, in neither language."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from tests.admin.conftest import Place
from tests.browser import axe, pages, stage
from tests.browser.chromium import Session
from tests.counters.conftest import Yandex, at_yandex
from tests.factories import PASSWORD, make_staff

__all__ = ["at_yandex"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "postgresql", reason="a page looks the same whatever the database is"),
]

DESK = {"width": 1280, "height": 900}
ON_A_PHONE = {"width": pages.PHONE, "height": 844}
OWNERS = [name for name, _view in (*pages.of("owner"), *pages.of("shop"))]
HALF = len(OWNERS) // 2


@pytest.fixture
def scene(place: Place, live_server: Any) -> pages.Scene:
    return stage.build(place, live_server.url)


@pytest.fixture
def session(at_yandex: Yandex, browser_session: Session) -> Iterator[Session]:
    yield browser_session
    assert browser_session.complaints == []
    assert browser_session.strangers == []


def enter(session: Session, place: Place, who: str) -> None:
    person = make_staff("staff@platform.example") if who == "staff" else place.owner
    person.set_password(PASSWORD)
    person.save()
    if who != "nobody":
        session.log_in(person.email, PASSWORD)


def barriers(session: Session) -> Iterator[str]:
    for theme, size in (("light", ON_A_PHONE), ("light", DESK), ("dark", DESK)):
        session.choose_theme(theme)
        session.page.set_viewport_size(size)
        session.page.wait_for_timeout(200)
        yield from (f"{theme}, {size['width']} px: {one}" for one in axe.findings(session.page))


def width(session: Session) -> Iterator[str]:
    session.page.set_viewport_size(ON_A_PHONE)
    session.page.wait_for_timeout(100)
    if told := pages.is_too_wide(session):
        yield told
    session.page.set_viewport_size(DESK)


def wrong(
    session: Session, scene: pages.Scene, names: list[str], look: Callable[[Session], Iterator[str]]
) -> dict[str, list[str]]:
    found = {}
    for name in names:
        pages.PAGES[name].open(session, scene)
        if told := list(look(session)):
            found[name] = told
        pages.close_window(session)
    return found


def told(found: dict[str, list[str]]) -> str:
    return "\n".join(f"{name}:\n  " + "\n  ".join(lines) for name, lines in found.items())


PARTS = [
    pytest.param("owner", OWNERS[:HALF], id="owner-1"),
    pytest.param("owner", OWNERS[HALF:], id="owner-2"),
    *(pytest.param(who, [name for name, _view in pages.of(who)], id=who) for who in ("staff", "nobody")),
]


def test_each_page_is_looked_at():
    assert sorted(name for part in PARTS for name in part.values[1]) == sorted(pages.PAGES)


@pytest.mark.parametrize(("who", "names"), PARTS)
def test_there_is_no_barrier(session: Session, place: Place, scene: pages.Scene, who: str, names: list[str]):
    enter(session, place, who)
    found = wrong(session, scene, names, barriers)
    assert not found, told(found)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_each_page_fits_a_phone(session: Session, place: Place, scene: pages.Scene, language: str):
    found = {}
    for who in ("nobody", "owner", "staff"):
        session.log_out()
        enter(session, place, who)
        if who == "nobody":
            session.go("/admin/login/")
        session.speak(language)
        names = OWNERS if who == "owner" else [name for name, _view in pages.of(who)]
        found |= wrong(session, scene, names, width)
    assert not found, told(found)


def test_what_opens_is_no_barrier_either(session: Session, place: Place, scene: pages.Scene):
    """Menus, panels and choices that a page keeps folded up until they are asked for."""
    enter(session, place, "owner")
    page = session.page
    found = {}

    def look(name: str) -> None:
        page.wait_for_timeout(200)
        if lines := axe.findings(page):
            found[name] = lines

    for theme in ("light", "dark"):
        session.go("/admin/orders/order/")
        session.choose_theme(theme)
        page.locator("[x-on\\:click*=openUserLinks]").first.click()
        look(f"the person's menu, {theme}")
        page.keyboard.press("Escape")
        session.go("/admin/orders/order/")
        page.locator("[x-on\\:click*='filterOpen = true']").click()
        look(f"the filters, {theme}")
        session.go("/admin/orders/order/")
        page.locator("input.action-select").first.check()
        look(f"a chosen row, {theme}")
        pages.counter(session, scene)
        page.locator("a:visible", has_text="more_horiz").first.click()
        look(f"further acts, {theme}")
        pages.fix(session, scene)
        page.locator("#dialog input[data-goals-from]").focus()
        page.locator(".gp-picker__list").wait_for()
        look(f"the choice of goals, {theme}")
    assert not found, told(found)
