"""The search everywhere: orders, clients, counters and pages, as far as the person sees them, by indexes alone."""

from typing import Any

import pytest
from django.test import Client as Browser

from apps.agencies.models import Role
from apps.clients import search as client_search
from apps.counters.models import Counter
from tests.admin.access.table import OBJECTS
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.admin.test_limited_member import both, limited  # noqa: F401
from tests.factories import make_counter, make_membership, make_staff

pytestmark = pytest.mark.django_db


def found(browser: Browser, words: str) -> list[tuple[str, str]]:
    answer = browser.get("/admin/search/", {"s": words, "extended": "1"})
    assert answer.status_code == 200
    return [(one.title, str(one.link)) for one in answer.context["results"]]


def test_orders_clients_and_counters_are_found(place: Place, browser: Browser):
    order = place.push("D-1001", "new", client_uniq_id="C-7", client_name="Anna Petrova", phones=["+79031234567"])
    assert order.client is not None
    its_page = ("D-1001", f"/admin/orders/order/{order.pk}/change/")
    clients_page = ("Anna Petrova", f"/admin/clients/client/{order.client.pk}/change/")
    assert found(browser, "d-1001") == [its_page]
    assert found(browser, "8 (903) 123-45-67") == [clients_page, its_page]
    assert found(browser, "Anna") == [clients_page, its_page]
    counter = ("Mine shop", f"/admin/counters/counter/{place.counter.pk}/change/")
    assert found(browser, "mine sh") == [counter]
    assert found(browser, str(place.counter.metrica_id)) == [counter]
    assert found(browser, "nothing of that kind") == []


def test_pages_are_found_by_the_words_of_the_menu(place: Place, browser: Browser):
    assert ("Audit log", "/admin/audit/auditentry/") in found(browser, "audit")
    place.owner.language = "ru"
    place.owner.save()
    assert "/admin/orders/order/" in [link for _title, link in found(browser, "заказ")]


def test_pages_that_are_closed_are_not_offered(place: Place, login: Any):
    make_counter(place.agency, metrica_id=60_000_001)
    assert found(login(place.analyst), "logins") == []
    assert found(login(make_staff()), "logins") != []
    browser = login(limited(place.agency, Role.MANAGER).user)
    assert found(browser, "people") == []
    assert found(login(place.manager), "people") != []


@pytest.mark.parametrize("role", ["owner", "manager", "analyst"])
def test_nothing_of_another_agency_is_found(full: Place, other: Place, login: Any, role: str):
    browser = login(getattr(other, role))
    words = {str(make(full)) for make in OBJECTS.values()}
    words |= {full.mark, f"{full.mark}-1", f"{full.mark.lower()}@mail.example", f"{full.mark}-client", "shop"}
    words |= {str(full.counter.metrica_id), full.account.login, f"{full.mark} person"}
    for said in words:
        answer = browser.get("/admin/search/", {"s": said})
        assert full.mark not in answer.content.decode(), said
    assert found(login(getattr(full, role)), f"{full.mark}-1")


def test_nothing_of_other_counters_is_found_by_who_is_limited(both: Place, login: Any):  # noqa: F811
    browser = login(limited(both.agency).user)
    both.push("Y-1", "new", counter=Counter.objects.get(name="Yours"), emails=["you@mail.example"])
    for said in (both.mark, f"{both.mark}-1", f"{both.mark.lower()}@mail.example", str(both.counter.metrica_id)):
        assert both.mark not in browser.get("/admin/search/", {"s": said}).content.decode(), said
    assert [title for title, _link in found(browser, "you@mail.example")] == ["Y-1"]
    assert [title for title, _link in found(browser, "yours")] == ["Yours"]


def test_what_was_found_in_one_agency_is_not_kept_for_the_next(place: Place, other: Place, login: Any):
    place.push("D-1001", "new")
    make_membership(other.agency, place.owner, Role.OWNER)
    browser = login(place.owner)
    assert found(browser, "D-1001")
    browser.post("/agency/", {"agency": other.agency.pk})
    assert found(browser, "D-1001") == []
    assert "no-store" in browser.get("/admin/search/", {"s": "D-1001"}).headers["Cache-Control"]


@pytest.mark.parametrize("words", ["", " ", "x", "\0", "\0\0\0", "%", "'; --", "=" * 500, "\udcff", "9" * 400])
def test_any_words_are_answered(browser: Browser, words: str):
    assert browser.get("/admin/search/", {"s": words.encode("utf-8", "replace")}).status_code == 200


def test_it_costs_the_same_for_many(place: Place, browser: Browser, django_assert_max_num_queries: Any):
    for number in range(12):
        place.push(f"D-{number:04}", "new", client_uniq_id=f"C-{number}", client_name="Anna")
    found(browser, "Anna")
    with django_assert_max_num_queries(37) as few:
        assert len(found(browser, "Anna")) == 14  # seven of each kind
    for number in range(12, 30):
        place.push(f"D-{number:04}", "new", client_uniq_id=f"C-{number}", client_name="Anna")
    with django_assert_max_num_queries(len(few)):
        assert len(found(browser, "Anna")) == 14


def test_the_very_id_comes_first_however_many_begin_with_it(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    far = make_counter(place.agency, account=place.account, name="Far shop")
    far_first = place.push("D-1", "new", client_uniq_id="c-1", counter=far)
    for number in range(12):
        place.push(f"D-1{number:02}", "new", client_uniq_id=f"C-1{number:02}")
    newest = place.push("D-1", "new", client_uniq_id="C-1")
    for number in range(12, 20):
        place.push(f"D-1{number:02}", "new", client_uniq_id=f"C-1{number:02}")
    assert [title for title, _link in found(browser, "d-1")][:3] == ["D-1", "D-1", "D-119"]
    assert [title for title, _link in found(browser, "c-1") if title.startswith(("C", "c"))][:3] == [
        "C-1",
        "c-1",
        "C-119",
    ]
    # Of the second counter the range may have nothing any more.
    monkeypatch.setattr(client_search, "LIMIT", 3)
    pages = {link for _title, link in found(browser, "d-1")[:2]}
    assert pages == {f"/admin/orders/order/{order.pk}/change/" for order in (far_first, newest)}
    assert {title for title, _link in found(browser, "c-1")[:2]} == {"C-1", "c-1"}


def test_a_list_says_that_its_search_was_cut_and_keeps_the_very_id(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    for name in ("D-10", "D-11", "D-12", "D-1"):
        place.push(name, "new", client_uniq_id=name.replace("D", "C"))
    for url, term in (("/admin/orders/order/", "D-1"), ("/admin/clients/client/", "C-1")):
        assert "The search stops" not in words(browser.get(url, {"q": term}))
    monkeypatch.setattr(client_search, "LIMIT", 2)
    for url, term in (("/admin/orders/order/", "D-1"), ("/admin/clients/client/", "C-1")):
        answer = browser.get(url, {"q": term})
        shown = {str(row) for row in answer.context["cl"].result_list}
        assert term in shown
        assert f"The search stops at the first {len(shown)} that fit: write more of it." in words(answer)
        assert "The search stops" not in words(browser.get(url, {"q": f"{term}0"}))


def test_what_a_crm_writes_is_text(place: Place, browser: Browser):
    place.push("<script>x</script>", "new")
    page = browser.get("/admin/search/", {"s": "<script>"}).content.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_whoever_is_not_logged_in_is_led_to_the_login(client: Browser):
    assert client.get("/admin/search/", {"s": "x"}).headers["Location"].startswith("/admin/login/")
