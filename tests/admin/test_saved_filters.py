"""Saved filters: whose they are, who sees and changes them, what is kept of them, and with which one a list begins."""

from typing import Any

import pytest
from django.contrib import admin
from django.http import QueryDict
from django.test import Client as Browser
from django.test import RequestFactory

from apps.agencies import saved_filters
from apps.agencies.access import actor_for_user
from apps.agencies.actor import NOBODY
from apps.agencies.merging import WHOLE
from apps.agencies.models import Role, SavedFilter, User
from apps.audit.models import AuditEntry
from apps.orders.models import Order
from tests.admin.access.table import OBJECTS, PLATFORM
from tests.admin.conftest import Place, make_place
from tests.admin.pages import messages
from tests.admin.test_limited_member import limited
from tests.factories import make_counter, make_membership, make_staff

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"
MENU = f"{LIST}filters/"


def save(browser: Browser, name: str, query: str = "delivery=held", *, shared: bool = False, page: str = MENU) -> Any:
    data = {"name": name, "query": query, **({"shared": "on"} if shared else {})}
    return browser.post(page, data, follow=True)


def act(browser: Browser, which: str, do: str, **more: str) -> Any:
    saved = SavedFilter.objects.get(name=which)
    return browser.post(f"{MENU}{saved.pk}/", {"do": do, **more})


def names(browser: Browser, query: str = "") -> list[str]:
    return [one["saved"].name for one in browser.get(MENU + query).context["filters"]]


# Keeping and choosing


def test_what_is_chosen_is_kept_and_leads_to_the_same_list(place: Place, browser: Browser):
    place.push("A-1", "unheard of")
    place.push("B-1", "new")
    answer = save(browser, "  Held   ones ", "delivery=held&q=A-")
    assert "Held ones" in messages(answer)
    assert answer.redirect_chain == [(f"{LIST}?delivery=held&q=A-", 302)]
    [one] = browser.get(MENU).context["filters"]
    assert (one["saved"].name, one["query"]) == ("Held ones", "delivery=held&q=A-")
    rows = browser.get(f"{LIST}?{one['query']}").context["cl"].result_list
    assert [order.order_id for order in rows] == ["A-1"]
    straight = browser.get(one["url"])
    assert straight.headers["Location"] == f"{LIST}?delivery=held&q=A-"


def test_the_one_that_is_chosen_is_marked(browser: Browser):
    save(browser, "Held", "delivery=held")
    assert 'aria-current="true"' in browser.get(f"{MENU}?delivery=held").content.decode()
    assert 'aria-current="true"' not in browser.get(f"{MENU}?delivery=waiting").content.decode()


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("delivery=held&nonsense=1&p=3&all=&_popup=1&e=1", "delivery=held"),
        ("delivery=held&next=https://evil.example/", "delivery=held"),
        ("q=%20x&o=-1", "o=-1&q=+x"),
        ("counter__id__exact=7&order_status__startswith=x", "counter__id__exact=7"),
        ("create_date_time_from=2026-01-01&create_date_time_to=", "create_date_time_from=2026-01-01"),
        ("counter__agency__slug=north&password=1", ""),
        ("q=%00", ""),
        (f"q={'x' * 3000}", ""),
        ("", ""),
        ("//evil.example", ""),
    ],
)
def test_only_what_the_list_knows_is_kept(browser: Browser, query: str, kept: str):
    answer = save(browser, "Mine", query)
    if kept:
        assert SavedFilter.objects.get().query == kept
    else:
        assert not SavedFilter.objects.exists()
        assert "Nothing is chosen" in messages(answer)
    assert answer.redirect_chain[0][0].startswith(f"{LIST}?")


def test_what_the_list_knows_no_more_is_dropped_when_it_is_applied(place: Place, browser: Browser):
    saved = SavedFilter.objects.create(
        agency=place.agency,
        user=place.owner,
        list_name="orders_order",
        name="Old",
        query="gone=1&q=A&next=//evil.example",
    )
    assert browser.get(f"{MENU}{saved.pk}/").headers["Location"] == f"{LIST}?q=A"
    assert "gone" not in browser.get(MENU).content.decode()


def test_names_are_ones_own_and_each_once(place: Place, browser: Browser, login: Any):
    save(browser, "Held")
    assert "You have a filter of this name already" in messages(save(browser, "Held", "q=x"))
    save(login(place.analyst), "Held")
    assert SavedFilter.objects.count() == 2
    for wrong in ("", "   ", "x" * 101):
        save(browser, wrong)
    assert SavedFilter.objects.count() == 2
    assert names(browser) == ["Held"]
    save(browser, "Other", "state__exact=failed", page="/admin/uploads/uploadjob/filters/")
    assert names(browser) == ["Held"]


def test_there_is_an_end_to_them(place: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr(saved_filters, "MOST", 2)
    for name in "abc":
        answer = save(browser, name)
    assert "Delete one" in messages(answer)
    assert SavedFilter.objects.count() == 2


def test_renaming_and_deleting(browser: Browser):
    save(browser, "Held")
    answer = act(browser, "Held", "rename", name="Waits for us", query="q=A&nonsense=1")
    assert answer.headers["Location"] == f"{LIST}?q=A"
    assert names(browser) == ["Waits for us"]
    act(browser, "Waits for us", "delete", query="")
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "?x", "\r\nLocation: x", "q=a#b"])
def test_nothing_leads_away(browser: Browser, target: str):
    save(browser, "Held")
    for answer in (
        act(browser, "Held", "nothing", query=target),
        browser.post(MENU, {"name": "x", "query": target}),
        browser.post(MENU, {"name": "x", "query": f"q={target}", "next": target}),
    ):
        assert answer.headers["Location"].startswith(f"{LIST}?")


# Who sees and changes what


def test_ones_own_are_nobody_elses_and_shared_ones_are_everybodys(place: Place, login: Any):
    owner, manager, analyst = login(place.owner), login(place.manager), login(place.analyst)
    save(owner, "My own")
    save(owner, "Of all", shared=True)
    assert names(owner) == ["My own", "Of all"]
    assert names(manager) == names(analyst) == ["Of all"]
    own = SavedFilter.objects.get(name="My own")
    for browser in (manager, analyst):
        assert browser.get(f"{MENU}{own.pk}/").status_code == 404
        assert browser.post(f"{MENU}{own.pk}/", {"do": "delete"}).status_code == 404
    assert act(analyst, "Of all", "delete").status_code == 403
    assert act(analyst, "Of all", "rename", name="x").status_code == 403
    assert analyst.get(f"{MENU}{SavedFilter.objects.get(name='Of all').pk}/").status_code == 302
    assert act(manager, "Of all", "rename", name="Ours").status_code == 302
    assert act(manager, "Ours", "delete").status_code == 302
    assert names(owner) == ["My own"]


def test_an_analyst_saves_for_herself_and_not_for_all(place: Place, login: Any):
    analyst = login(place.analyst)
    assert 'name="shared"' not in analyst.get(f"{MENU}?q=x").content.decode()
    assert analyst.post(MENU, {"name": "x", "query": "q=x", "shared": "on"}).status_code == 403
    save(analyst, "Mine")
    assert names(analyst) == ["Mine"]
    assert 'name="shared"' in login(place.manager).get(f"{MENU}?q=x").content.decode()


def test_who_is_limited_to_counters_has_only_ones_own(place: Place, login: Any):
    make_counter(place.agency, name="Yours", metrica_id=60_000_001)
    save(login(place.owner), "Of all: Mine shop", shared=True)
    browser = login(limited(place.agency, Role.MANAGER).user)
    assert names(browser) == []
    shared = SavedFilter.objects.get()
    assert browser.get(f"{MENU}{shared.pk}/").status_code == 404
    assert browser.post(MENU, {"name": "x", "query": "q=x", "shared": "on"}).status_code == 403
    save(browser, "My own")
    assert names(browser) == ["My own"]


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_another_agencys_are_not_there_on_any_list(full: Place, other: Place, login: Any, model: Any):
    list_name = f"{model._meta.app_label}_{model._meta.model_name}"
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/filters/"
    saved = SavedFilter.objects.get(agency=full.agency, list_name=list_name)
    for role in ("owner", "manager", "analyst"):
        stranger, insider = login(getattr(other, role)), login(getattr(full, role))
        if model in PLATFORM:
            assert stranger.get(base).status_code == stranger.post(base, {"name": "x"}).status_code == 403
            assert insider.get(f"{base}{saved.pk}/").status_code == 403
            continue
        assert full.mark not in stranger.get(base).content.decode()
        for do in ("rename", "delete", "start", "whole", ""):
            assert stranger.post(f"{base}{saved.pk}/", {"do": do, "name": "stolen"}).status_code == 404
        assert stranger.get(f"{base}{saved.pk}/").status_code == 404
        assert f"{full.mark} filter" in insider.get(base).content.decode()
        assert insider.get(f"{base}{saved.pk}/").status_code == 302
        # Not by the address of another list either.
        elsewhere = "clients/client" if model is Order else "orders/order"
        assert insider.get(f"/admin/{elsewhere}/filters/{saved.pk}/").status_code == 404
    saved.refresh_from_db()
    assert saved.name == f"{full.mark} filter"


def test_who_works_in_two_agencies_has_those_of_the_one_in_view(place: Place, other: Place, login: Any):
    make_membership(other.agency, place.owner, Role.OWNER)
    browser = login(place.owner)
    save(browser, "Here")
    browser.post("/agency/", {"agency": other.agency.pk})
    assert names(browser) == []
    save(browser, "There")
    browser.post("/agency/", {"agency": place.agency.pk})
    assert names(browser) == ["Here"]


def test_staff_have_their_own_of_all_agencies(place: Place, login: Any):
    save(login(place.owner), "Theirs", shared=True)
    browser = login(make_staff())
    assert names(browser) == []
    save(browser, "Ours", shared=True)
    assert names(browser) == ["Ours"]
    assert SavedFilter.objects.get(name="Ours").agency is None
    assert names(login(place.owner)) == ["Theirs"]


def test_nobody_sees_any(place: Place):
    SavedFilter.objects.create(agency=place.agency, user=place.owner, list_name="x", name="x", query="q=x", shared=True)
    for actor in (None, NOBODY):
        assert not SavedFilter.objects.visible_to(actor).exists()
    assert SavedFilter.objects.visible_to(actor_for_user(place.analyst)).count() == 1


def test_what_is_for_all_leaves_a_trace_and_ones_own_none(place: Place, browser: Browser):
    save(browser, "Mine")
    act(browser, "Mine", "delete")
    assert not AuditEntry.objects.filter(action__startswith="saved_filter").exists()
    save(browser, "Ours", shared=True)
    act(browser, "Ours", "rename", name="All of us")
    act(browser, "All of us", "delete")
    made, renamed, deleted = AuditEntry.objects.filter(action__startswith="saved_filter").order_by("pk")
    assert (made.action, made.after["parameters"]) == ("saved_filter.created", "delivery=held")
    assert (renamed.before["name"], renamed.after["name"]) == ("Ours", "All of us")
    assert (deleted.action, deleted.agency) == ("saved_filter.deleted", place.agency)


def test_whom_a_shared_one_looks_for_is_not_in_the_log(place: Place, browser: Browser):
    looked_for = ["79031234567", "anna@plain.example", "Anna Petrova"]
    for term in looked_for:
        save(browser, term if term != "Anna Petrova" else "VIP", f"delivery=held&q={term}", shared=True)
    act(browser, "79031234567", "rename", name="+7 903 123-45-67")
    act(browser, "anna@plain.example", "delete")
    entries = AuditEntry.objects.filter(action__startswith="saved_filter")
    told = repr(list(entries.values_list("object_label", "before", "after", "details")))
    assert entries.count() == 5 and "delivery=held&q=(hidden)" in told
    assert not [word for word in (*looked_for, "Anna", "plain", "123-45", "1234567") if word in told]


def test_posting_takes_a_token(place: Place):
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(place.owner)
    assert strict.post(MENU, {"name": "x", "query": "q=x"}).status_code == 403


# The start of a list


def test_a_list_begins_with_the_chosen_one_for_this_person_alone(place: Place, browser: Browser, login: Any):
    save(browser, "Held", shared=True)
    save(browser, "Mine", "q=A")
    act(browser, "Held", "start")
    assert browser.get(LIST).headers["Location"] == f"{LIST}?delivery=held"
    assert login(place.manager).get(LIST).status_code == 200
    assert browser.get("/admin/clients/client/").status_code == 200
    act(browser, "Mine", "start")
    assert browser.get(LIST).headers["Location"] == f"{LIST}?q=A"
    assert len(User.objects.get(pk=place.owner.pk).start_filters) == 1
    act(browser, "Mine", "whole")
    assert browser.get(LIST).status_code == 200


def test_the_whole_list_is_a_click_away(place: Place, browser: Browser):
    save(browser, "Held")
    act(browser, "Held", "start")
    here = f"http://testserver{LIST}?delivery=held"
    assert browser.get(LIST, headers={"referer": here}).status_code == 200
    assert browser.get(f"{LIST}?q=").status_code == 200
    assert browser.get(LIST, headers={"referer": "http://testserver/admin/"}).status_code == 302
    assert browser.post(LIST, {"action": "x"}).status_code in (200, 302)


def test_a_start_that_is_deleted_or_not_theirs_any_more_is_forgotten(place: Place, browser: Browser, login: Any):
    save(browser, "Held", shared=True)
    manager = login(place.manager)
    act(manager, "Held", "start")
    assert manager.get(LIST).status_code == 302
    act(browser, "Held", "delete")
    assert manager.get(LIST).status_code == 200
    save(browser, "Held again", shared=True)
    act(manager, "Held again", "start")
    make_counter(place.agency, metrica_id=60_000_001)
    from apps.agencies import services
    from tests.factories import SYSTEM

    services.change_member(
        actor=SYSTEM, member=place.manager.memberships.get(), role="manager", counter_ids=[60_000_001]
    )
    assert manager.get(LIST).status_code == 200


def test_starts_of_two_lists_stand_side_by_side(browser: Browser):
    save(browser, "Held")
    jobs = "/admin/uploads/uploadjob/"
    save(browser, "Failed", "state__exact=failed", page=f"{jobs}filters/")
    act(browser, "Held", "start")
    browser.post(f"{jobs}filters/{SavedFilter.objects.get(name='Failed').pk}/", {"do": "start"})
    assert browser.get(LIST).status_code == browser.get(jobs).status_code == 302
    assert browser.get(jobs).headers["Location"] == f"{jobs}?state__exact=failed"


# What it costs


def test_every_list_has_its_menu(place: Place, login: Any):
    browser = login(make_staff())
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert f"{base}filters/" in browser.get(f"{base}?q=").content.decode(), base
        assert browser.get(f"{base}filters/?q=x").status_code == 200, base


def test_a_list_costs_no_query_more_for_them(place: Place, browser: Browser, django_assert_num_queries: Any):
    browser.get(LIST)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as before:
        browser.get(LIST)
    number = len(before)
    save(browser, "Held", shared=True)
    save(browser, "Mine", "q=A")
    browser.get(f"{LIST}?q=")  # shows what was said of saving
    with django_assert_num_queries(number):
        browser.get(LIST)


def test_the_same_name_in_two_agencies(place: Place):
    second = make_place("Omega")
    for one in (place, second):
        saved_filters.save_filter(
            actor=actor_for_user(one.owner), list_name="orders_order", name="Held", query="delivery=held", shared=True
        )
    assert SavedFilter.objects.filter(name="Held").count() == 2


@pytest.mark.parametrize(
    ("model", "before"),
    [
        ("orders/heldchange", "reason=by_hand"),
        ("orders/rejectedchange", "show=left"),
        ("counters/counter", "q=far"),
        ("uploads/uploadjob", "state__exact=failed"),
    ],
)
def test_what_means_all_of_a_list_leads_to_all_of_it(place: Place, browser: Browser, model: str, before: str):
    """The number on the home page is that of the whole list, whatever the list begins with for the person."""
    place.push("A-1", "unheard of")
    place.job()
    page = f"/admin/{model}/"
    save(browser, "Mine", before, page=f"{page}filters/")
    browser.post(f"{page}filters/{SavedFilter.objects.get().pk}/", {"do": "start"})
    from_home = {"referer": "http://testserver/admin/"}
    assert browser.get(page, headers=from_home).status_code == 302
    assert f'href="{page}?q="' in browser.get("/admin/").content.decode()
    assert browser.get(f"{page}?q=", headers=from_home).status_code == 200


def test_the_way_back_from_an_order_leads_to_the_list_whose_neighbours_it_has(place: Place, browser: Browser):
    order = place.push("A-1", "new")
    save(browser, "Held")
    act(browser, "Held", "start")
    page = f"{LIST}{order.pk}/change/"
    turn = browser.get(page).context["turn"]
    assert (turn.back, turn.narrowed) == (f"{LIST}?q=", False)
    assert browser.get(turn.back, headers={"referer": f"http://testserver{page}"}).status_code == 200
    from_the_whole = browser.get(page, {"_changelist_filters": "q="}).context["turn"]
    assert (from_the_whole.back, from_the_whole.narrowed) == (f"{LIST}?q=", False)


def test_the_whole_list_is_read_by_one_index_however_it_is_asked_for(place: Place):
    for query in ("", "q=", "p=2"):
        request = RequestFactory().get(LIST, QueryDict(query))
        request.actor = actor_for_user(make_staff())  # type: ignore[attr-defined]
        assert admin.site.get_model_admin(Order).parts_of(request) is WHOLE, query
