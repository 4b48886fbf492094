"""The admin by keyboard, and the menus beside a list, in a real browser."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from apps.agencies.models import SavedFilter
from tests.admin.conftest import Place
from tests.admin.pages import sheet
from tests.browser.chromium import Session
from tests.browser.test_walk import fits, session  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIST = "/admin/orders/order/"


def focused(session: Session) -> str:  # noqa: F811
    return str(session.page.evaluate("document.activeElement.id"))


def test_slash_searches_the_list_and_elsewhere_everything(session: Session, place: Place):  # noqa: F811
    order = place.push("D-1001", "new")
    place.push("D-1002", "new")
    page = session.page
    session.go(LIST)
    page.keyboard.press("/")
    assert focused(session) == "searchbar"
    page.keyboard.type("D-1002")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=D-1002**")
    session.go("/admin/")
    page.keyboard.press("/")
    page.wait_for_function("document.activeElement.id === 'search-input-command'")
    page.keyboard.type("D-10")
    page.locator("#command-results-list a").nth(1).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#command-results-list li.active").inner_text().startswith("receipt_long\nD-1001")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/orders/order/{order.pk}/change/")


def test_the_search_opens_by_its_button_and_by_ctrl_k_and_closes(session: Session, place: Place):  # noqa: F811
    page = session.page
    session.go(f"/admin/counters/counter/{place.counter.pk}/change/")
    search = page.locator("#gp-search")
    for begin in (
        lambda: page.keyboard.press("Control+k"),
        lambda: page.get_by_role("button", name="Search everywhere").press("Enter"),
        lambda: page.get_by_role("button", name="Search everywhere").click(),
    ):
        begin()
        search.wait_for(state="visible")
        page.wait_for_function("document.activeElement.id === 'search-input-command'")
        page.keyboard.type("zzz")
        page.get_by_text("Nothing is found.").wait_for()
        page.keyboard.press("j")  # a letter of the words, not a key
        page.keyboard.press("Escape")
        search.wait_for(state="hidden")
    assert not page.evaluate("document.body.classList.contains('overflow-hidden')")


def test_the_question_mark_shows_the_keys(session: Session, place: Place):  # noqa: F811
    page = session.page
    session.go(LIST)
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    page.keyboard.press("/")  # what is asked comes first
    assert focused(session) != "searchbar"
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Keys").wait_for(state="hidden")
    page.keyboard.press("/")
    page.keyboard.type("?")
    assert page.input_value("#searchbar") == "?"
    assert not page.locator("#gp-keys[open]").count()


def test_j_and_k_turn_from_order_to_order(session: Session, place: Place):  # noqa: F811
    orders = [place.push(f"D-{number}", "new") for number in range(3)]
    page = session.page
    session.go(f"{LIST}{orders[1].pk}/change/")
    page.keyboard.press("j")
    page.wait_for_url(f"**/{orders[0].pk}/change/")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("j")  # the last one
    page.keyboard.press("k")
    page.wait_for_url(f"**/{orders[1].pk}/change/")


def test_a_filter_is_saved_chosen_begun_with_and_deleted(session: Session, place: Place):  # noqa: F811
    place.push("A-1", "unheard of")
    place.push("B-1", "new")
    page = session.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    session.go(f"{LIST}?delivery=held")
    assert not [url for url in asked if "/filters/" in url and "/static/" not in url]
    menu = page.locator("summary", has_text="Saved filters")
    menu.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Save what is chosen now as").fill("Held ones")
    page.keyboard.press("Enter")
    page.get_by_text("“Held ones” is in the menu").wait_for()
    assert SavedFilter.objects.get().query == "delivery=held"
    session.go(LIST)
    menu.click()
    page.get_by_role("link", name="Held ones").click()
    page.wait_for_url("**delivery=held**")
    assert page.locator("#result_list tbody tr").count() == 1
    menu.click()
    page.get_by_label("What to do with “Held ones”").click()
    page.get_by_role("button", name="Begin with this one").click()
    page.get_by_text("this list begins with “Held ones”").wait_for()
    session.go("/admin/")
    page.get_by_role("link", name="Orders").first.click()
    page.wait_for_url("**delivery=held**")
    page.get_by_role("link", name="Show everything").first.click()
    page.wait_for_load_state("networkidle")
    assert page.locator("#result_list tbody tr").count() == 2
    menu.click()
    page.get_by_label("What to do with “Held ones”").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("is deleted").wait_for()
    assert not SavedFilter.objects.exists()


def test_escape_and_a_click_elsewhere_close_a_menu(session: Session, place: Place):  # noqa: F811
    page = session.page
    session.go(LIST)
    export, saved = page.locator("summary", has_text="Export"), page.locator("summary", has_text="Saved filters")
    export.click()
    page.get_by_role("link", name="As CSV").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="As CSV").wait_for(state="hidden")
    export.click()
    saved.click()
    page.get_by_role("link", name="As CSV").wait_for(state="hidden")
    page.get_by_text("No filter is saved yet").wait_for()
    page.locator("h1").first.click()
    page.get_by_text("No filter is saved yet").wait_for(state="hidden")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_list_is_taken_along(session: Session, place: Place, tmp_path: Path, width: int):  # noqa: F811
    place.push("A-1", "new")
    place.push("B-1", "new")
    page = session.page
    page.set_viewport_size({"width": width, "height": 844})
    session.go(f"{LIST}?q=A-")
    tables = []
    for name in ("As CSV", "As an Excel workbook"):
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert fits(session)
        page.keyboard.press("Escape")
        content = path.read_bytes()
        text = content if path.suffix == ".xlsx" else content.decode("utf-8-sig")
        tables.append(sheet(content) if isinstance(text, bytes) else list(csv.reader(io.StringIO(text))))
    assert [row[0] for row in tables[0]] == ["Order", "A-1"]
    assert tables[0] == tables[1]


def test_the_menus_fit_a_phone_in_both_languages(session: Session, place: Place):  # noqa: F811
    SavedFilter.objects.create(
        agency=place.agency, user=place.manager, list_name="orders_order", name="A name " * 10, query="q=A"
    )
    page = session.page
    page.set_viewport_size({"width": 390, "height": 844})
    for language in ("en", "ru"):
        session.speak(language)
        session.go(f"{LIST}?q=A")
        for number in range(2):
            page.locator(".gp-drop > summary").nth(number).click()
            body = page.locator(".gp-drop[open] .gp-drop__body")
            page.wait_for_load_state("networkidle")
            box: Any = body.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert fits(session)
