"""Every number leads to the list behind it, and the list shows that number."""

import html
import io
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.agencies import services as agencies
from apps.agencies.models import Membership, Role
from apps.agencies.paginator import ModestPaginator
from apps.audit import trace
from apps.counters.models import Counter
from apps.counters.services import pause
from apps.goals.services import set_status
from apps.imports import services as imports
from apps.imports.models import ImportJob
from apps.imports.tasks import take_in
from apps.orders import numbers
from apps.orders.admin_pages import held_groups, order_filters, work_filter
from apps.orders.models import Order, StatusChange
from apps.uploads.admin_pages import job as job_page
from apps.uploads.models import Upload
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.dashboard.conftest import roll_up
from tests.factories import SYSTEM, make_counter, make_member, make_staff

pytestmark = pytest.mark.django_db

HOME = "/admin/"
CHANGES = "/admin/orders/statuschange/"
ORDERS = "/admin/orders/order/"
CLIENT_ID = "1700000000123456789"


def rows(browser: Browser, url: str, **query: Any) -> list[Any]:
    answer = browser.get(url, query or None)
    assert answer.status_code == 200, url
    return list(answer.context["cl"].result_list)


def orders(browser: Browser, url: str = ORDERS, **query: Any) -> list[str]:
    found = rows(browser, url, **query)
    return sorted(row.order_id if isinstance(row, Order) else row.order.order_id for row in found)


def links(answer: Any, start: str) -> list[str]:
    found = re.findall(rf'href="({re.escape(start)}[^"]*)"', answer.content.decode())
    return [html.unescape(url) for url in found]


def series(browser: Browser, query: str = "") -> dict[str, Any]:
    charts = browser.get(HOME + query).context["charts"]
    return {f"{chart.name} {one.label}": one for chart in charts for one in chart.series}


@pytest.fixture
def sent(place: Place) -> Place:
    """Delivered: A-1 in progress, A-2 paid, once in progress, A-3 spam; A-4 waits. At another counter: B-1."""
    set_status(counter=place.counter, crm_status="junk", type="SPAM")
    far = make_counter(place.agency, account=place.account, name="Far shop")
    set_status(counter=far, crm_status="won", type="OTHER", goal_action_ids=["far_goal"])
    for name, statuses, counter in (
        ("A-1", ["new"], place.counter),
        ("A-2", ["new", "won"], place.counter),
        ("A-3", ["junk"], place.counter),
        ("B-1", ["won"], far),
    ):
        order = place.push(name, *statuses, counter=counter, revenue="100")
        replace(place, counter=counter).job(order=order)
    place.push("A-4", "won")
    return place


# ---- what waits ----


def test_what_waits_leads_to_as_many_status_changes(place: Place, browser: Browser):
    place.push("A-1", "new", "won", "new", "won", "new")
    place.push("A-2", "unknown")
    roll_up()
    counter_page = reverse("admin:counters_counter_change", args=[place.counter.pk])
    for page in (HOME, counter_page, "/admin/counters/counter/"):
        answer = browser.get(page)
        found = [url for url in links(answer, CHANGES) if "delivery=waiting" in url]
        assert found, page
        for url in found:
            assert orders(browser, url) == ["A-1"] * 5, url
    text = words(browser.get(CHANGES))
    assert "5 in the list" in text
    assert "A-1 Mine shop" in text


def test_the_list_of_changes_shows_what_waits_unless_it_is_narrowed(sent: Place, browser: Browser):
    assert orders(browser, CHANGES) == ["A-4"]
    assert orders(browser, CHANGES, delivery="delivered") == ["A-4"], "all that was ever delivered has no end"
    assert orders(browser, CHANGES, delivery="nonsense") == ["A-4"]
    assert orders(browser, CHANGES, q="A-4") == ["A-4"]
    today = timezone.localdate()
    assert len(rows(browser, CHANGES, received_at_from=today)) == 6
    assert len(rows(browser, CHANGES, received_at_from=today, delivery="delivered")) == 5
    assert rows(browser, CHANGES, received_at_to=today - timedelta(days=1)) == []
    for nonsense in ({"received_at_from": "x"}, {"received_at_to": "2026-99-99"}):
        assert orders(browser, CHANGES, delivery="delivered", **nonsense) == ["A-4"], (
            "a day that is none narrows nothing"
        )
        assert orders(browser, CHANGES, **nonsense) == ["A-4"]
    assert rows(browser, CHANGES, received_at_from=today + timedelta(days=1)) == []
    change = sent.change("A-4")
    answer = browser.get(reverse("admin:orders_statuschange_change", args=[change.pk]))
    assert answer.headers["Location"] == f"/admin/orders/order/{change.order_id}/change/#change-{change.pk}"


def test_the_list_of_changes_costs_the_same_for_many(sent: Place, browser: Browser, django_assert_num_queries: Any):
    with django_assert_num_queries(7):
        browser.get(CHANGES)
    for number in range(6):
        sent.push(f"M-{number}", "PAID", counter=make_counter(sent.agency, account=sent.account))
    with django_assert_num_queries(7):
        assert len(rows(browser, CHANGES)) == 7


def test_neither_an_outsider_nor_who_is_limited_sees_changes_of_others(sent: Place, other: Place, login: Any):
    outsider = login(other.owner)
    today = timezone.localdate()
    job = Upload.objects.filter(job__counter=sent.counter).first().job_id
    for query in ({}, {"received_at_from": today}, {"job": job}, {"counter__id__in": f"{sent.counter.pk}"}):
        assert rows(outsider, CHANGES, **query) == []
    member = Membership.objects.get(user=make_member(sent.agency, Role.MANAGER, "limited@mine.example"))
    far = Counter.objects.get(name="Far shop")
    limited = agencies.change_member(actor=SYSTEM, member=member, role=Role.MANAGER, counter_ids=[far.metrica_id]).user
    assert orders(login(limited), CHANGES, received_at_from=today) == ["B-1"]
    assert orders(login(sent.analyst), CHANGES) == ["A-4"]


# ---- the charts ----


def test_numbers_of_the_charts_lead_to_lists_that_have_as_many(sent: Place, browser: Browser):
    roll_up()
    found = series(browser)
    for name, number, listed in (
        ("changes Received", 6, ["A-1", "A-2", "A-2", "A-3", "A-4", "B-1"]),
        ("types In progress", 1, ["A-1"]),
        ("types Paid", 1, ["A-2"]),
        ("types Spam", 1, ["A-3"]),
        ("types Other", 1, ["B-1"]),
        ("money Revenue, RUB", None, ["A-2"]),
        ("goals CRM: Order created", 2, ["A-1", "A-2"]),
        ("goals CRM: Order paid", 1, ["A-2"]),
        ("goals CRM: Spam order", 1, ["A-3"]),
        ("goals Your JavaScript goals", 2, ["A-2", "B-1"]),
    ):
        one = found[name]
        assert number is None or one.total == str(number), name
        assert orders(browser, one.url) == listed, name
    uploads = rows(browser, found["changes Delivered"].url)
    assert len(uploads) == 4, "each says how much it delivered"
    assert {one.url for one in found.values() if one.total == "0"} == {""}
    page = browser.get(HOME)
    assert {html.unescape(url) for url in links(page, ORDERS)} >= {found["types Paid"].url}
    assert "clock=counter" in found["types Paid"].url
    assert "Days are those of each counter's own clock" in words(page)


def test_orders_that_are_soon_too_old_are_all_listed_whatever_else_waits(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    """As many as the board counts, though newer work would fill the list by itself."""
    now = timezone.now()
    for number, days in enumerate((22, 20, 19, 17, 1)):
        place.push(f"O-{number}", "won", create_date_time=(now - timedelta(days=days)).isoformat())
    place.push("O-5", "won", create_date_time=(now - timedelta(days=20)).isoformat())
    place.job(order=Order.objects.get(order_id="O-5"))  # matched or not, it was sent in time
    place.push("O-6", "nobody knows it", create_date_time=(now - timedelta(days=20)).isoformat())
    assert StatusChange.objects.get(order__order_id="O-6").delivery == "held"
    monkeypatch.setattr(work_filter, "MOST_WITH_WORK", 3)
    assert orders(browser, delivery="closing") == ["O-1", "O-2", "O-6"]
    assert numbers.whole_work_of([place.counter.pk])[place.counter.pk].closing == 3
    assert orders(browser, delivery="closing", counter__id__exact=place.counter.pk) == ["O-1", "O-2", "O-6"]


def test_a_filtered_board_leads_to_its_own_counters(sent: Place, browser: Browser):
    roll_up()
    for number in range(2):
        make_counter(sent.agency, account=sent.account, name=f"Mine too {number}")
    found = series(browser, "?q=mine")
    assert "counter__id__in=" in found["changes Received"].url
    assert orders(browser, found["changes Received"].url) == ["A-1", "A-2", "A-2", "A-3", "A-4"]
    assert orders(browser, found["goals Your JavaScript goals"].url) == ["A-2"]
    answer = browser.get(found["types Paid"].url)
    assert "Counters 3 counters Take it away" in words(answer)
    assert answer.context["cl"].has_active_filters
    assert len(rows(browser, series(browser, "?q=mine")["changes Delivered"].url)) == 3


def test_too_many_counters_for_an_address_are_said(sent: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr("apps.dashboard.behind.MOST_NAMED", 1)
    roll_up()
    make_counter(sent.agency, account=sent.account, name="Mine too")
    assert "these are too many to be named" in words(browser.get(f"{HOME}?q=mine"))
    assert "counter__id" not in series(browser, "?q=mine")["types Paid"].url
    assert "too many to be named" not in words(browser.get(HOME))


def test_each_javascript_goal_leads_to_its_orders(sent: Place, browser: Browser):
    extra = sent.push("A-5", "new", goals=[{"goal_action_id": "extra_goal", "price": None}])
    sent.job(order=extra)
    set_status(counter=sent.counter, crm_status="won", type="PAID", goal_action_ids=["goal_Mine", "цель"])
    roll_up()
    lines = {line.identifier: line for line in browser.get(f"{HOME}?counter={sent.counter.pk}").context["goal_lines"]}
    assert orders(browser, lines["goal_Mine"].url) == ["A-2"]
    assert orders(browser, lines["extra_goal"].url) == ["A-5"]
    assert "Goal reached extra_goal" in words(browser.get(lines["extra_goal"].url))
    assert orders(browser, ORDERS, goal="nothing") == []
    assert orders(browser, ORDERS, goal="far_goal") == ["B-1"]


def test_a_filter_without_an_index_looks_at_the_newest_and_says_so(sent: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr(order_filters, "MOST_LOOKED_AT", 2)
    assert orders(browser, ORDERS, sent_as="SPAM") == []
    assert orders(browser, ORDERS, sent_as="SPAM", counter__id__exact=sent.counter.pk) == ["A-3"]
    assert "Looked for among the newest" in words(browser.get(ORDERS, {"sent_as": "SPAM"}))
    assert "Looked for among the newest" not in words(browser.get(ORDERS))


def test_work_is_looked_for_among_what_the_other_filters_leave(
    place: Place, browser: Browser, login: Any, monkeypatch: pytest.MonkeyPatch
):
    """However much newer work there is that they do not leave."""
    far = make_counter(place.agency, account=place.account, name="Far shop")
    old = timezone.now() - timedelta(days=60)
    place.push("H-1", "mystery", create_date_time=old.isoformat(), client_uniq_id="C-1", phones=["79031234567"])
    for number in range(2, 5):
        place.push(f"H-{number}", "riddle", counter=far)
    monkeypatch.setattr(work_filter, "MOST_WITH_WORK", 2)
    client = Order.objects.get(order_id="H-1").client_id
    day = timezone.localtime(old).date()
    by_an_index_of_each_counter = (
        {"create_date_time_to": day},
        {"create_date_time_from": day, "create_date_time_to": day},
        {"status": "mystery"},
        {"q": "mystery"},
    )
    for person in (place.owner, make_staff()):
        browser = login(person)
        everywhere = person is not place.owner
        for query in by_an_index_of_each_counter if everywhere else ():
            # Of so many counters these are too much for a page: what it does is said.
            assert orders(browser, delivery="held", **query) == [], query
            assert "Looked for among the newest 2 orders" in words(browser.get(ORDERS, {"delivery": "held", **query}))
        for query in (
            *(by_an_index_of_each_counter if not everywhere else ()),
            *({**query, "counter__id__exact": place.counter.pk} for query in by_an_index_of_each_counter),
            {"client": client},
            {"q": "8 (903) 123-45-67"},
            {"q": "H-1"},
            {"counter__id__exact": place.counter.pk},
            {"counter__id__in": f"{place.counter.pk}"},
        ):
            assert orders(browser, delivery="held", **query) == ["H-1"], query
            assert "Looked for among" not in words(browser.get(ORDERS, {"delivery": "held", **query}))
        whole = browser.get(ORDERS, {"delivery": "held"})
        assert "Looked for among the newest 2 orders with such work." in words(whole)
        assert orders(browser, delivery="held") == ["H-3", "H-4"]
        assert orders(browser, delivery="held", create_date_time_from="nonsense") == ["H-3", "H-4"]
        assert orders(browser, delivery="held", q="H-", counter__id__in=f"{far.pk}") == ["H-2", "H-3", "H-4"]


def test_where_each_order_is_looked_at_fewer_are_counted(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    for number in range(4):
        place.push(f"H-{number}", "mystery")
    monkeypatch.setattr(work_filter, "MOST_WITH_WORK", 2)
    monkeypatch.setattr(ModestPaginator, "COUNT_LIMIT", 3)
    answer = browser.get(ORDERS, {"delivery": "held", "status": "mystery"})
    assert answer.context["cl"].result_count == 3
    assert answer.context["cl"].paginator.COUNT_LIMIT == 3  # so it says "or more"
    assert browser.get(ORDERS, {"status": "mystery"}).context["cl"].result_count == 4


def test_orders_with_several_such_changes_are_counted_once(place: Place, login: Any, monkeypatch: pytest.MonkeyPatch):
    for number in range(1, 4):
        place.push(f"H-{number}", "mystery", "riddle")
    monkeypatch.setattr(work_filter, "MOST_WITH_WORK", 3)
    browser = login(make_staff())
    assert orders(browser, delivery="held") == ["H-1", "H-2", "H-3"]
    assert "Looked for among" not in words(browser.get(ORDERS, {"delivery": "held"}))


def test_what_is_soon_too_old_is_looked_for_among_days(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    now = timezone.now()
    for number, days in enumerate((20, 19, 19, 19)):
        place.push(f"O-{number}", "won", create_date_time=(now - timedelta(days=days)).isoformat())
    monkeypatch.setattr(work_filter, "MOST_WITH_WORK", 2)
    day = timezone.localtime(now - timedelta(days=20)).date()
    assert orders(browser, delivery="closing", create_date_time_to=day) == ["O-0"]
    assert orders(browser, delivery="closing") == ["O-2", "O-3"]
    assert orders(browser, delivery="closing", counter__id__in="0") == []


def test_what_is_searched_for_is_looked_through_whole(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    """A person's orders, be they the newest of all or not."""
    for number in range(4):
        place.push(f"A-{number}", "won", emails=[], phones=["79031234567"] if number < 2 else ["79990000000"])
    place.push("A-4", "new", emails=["x@mail.example"])
    monkeypatch.setattr(order_filters, "MOST_LOOKED_AT", 2)
    assert orders(browser, without="email") == ["A-3"]
    assert orders(browser, without="email", q="8 903 123-45-67") == ["A-0", "A-1"]
    assert "Looked for among" not in words(browser.get(ORDERS, {"without": "email", "q": "8 903 123-45-67"}))
    assert orders(browser, without="client_id", q="new") == ["A-4"]


# ---- who lacks what ----


def test_shares_of_identifiers_lead_to_the_orders_that_lack_them(place: Place, browser: Browser):
    place.push("A-1", "won", client_ids=[CLIENT_ID])
    place.push("A-2", "won", emails=[], phones=["79031234567"])
    place.push("A-3", "won", emails=[], client_uniq_id="C-1", phones=["79031234568"])
    place.push("A-4", "won", emails=[], client_uniq_id="C-1", client_ids=[])
    place.push("A-5", "won", emails_md5=["0123456789abcdef0123456789abcdef"], emails=[])
    roll_up()
    answer = browser.get(HOME)
    assert "20% · 60% · 40%" in words(answer)
    found = {re.search(r"without=(\w+)", url)[1]: url for url in links(answer, ORDERS) if "without=" in url}  # type: ignore[index]
    assert orders(browser, found["client_id"]) == ["A-2", "A-3", "A-4", "A-5"]
    assert orders(browser, found["phone"]) == ["A-1", "A-5"], "the client's phone is the order's as well"
    assert orders(browser, found["email"]) == ["A-2", "A-3", "A-4"]
    assert len(orders(browser, ORDERS, without="nonsense")) == 5


def test_the_counters_page_shows_the_shares_and_their_trend(place: Place, browser: Browser):
    place.push("A-1", "won", client_ids=[CLIENT_ID])
    old = (timezone.now() - timedelta(days=40)).isoformat()
    place.push("A-2", "won", create_date_time=old, status_date_time=old)
    page = reverse("admin:counters_counter_change", args=[place.counter.pk])
    assert "No orders were created in these days, or they are not counted yet." in words(browser.get(page))
    roll_up()
    answer = browser.get(page)
    text = words(answer)
    assert "ClientID 100% before: 0% those without" in text
    assert "E-mail 100% before: 100% those without" in text
    assert "1 order of these days" in text
    assert "Share of orders with each identifier, week by week" in answer.content.decode()
    (url,) = [url for url in links(answer, ORDERS) if "without=phone" in url]
    assert orders(browser, url) == ["A-1"]


# ---- an upload ----


def test_an_uploads_numbers_lead_to_its_changes(sent: Place, browser: Browser):
    upload = Upload.objects.order_by("pk")[1]
    bad = sent.push("BAD", "won")
    bad.changes.update(delivery="rejected", upload_id=upload.pk, reject_code="invalid_uploading")
    type(upload.job).objects.filter(pk=upload.job_id).update(changes=4, delivered=2, rejected=2, held=1)
    answer = browser.get(reverse("admin:uploads_uploadjob_change", args=[upload.job_id]))
    assert orders(browser, f"{CHANGES}?job={upload.job_id}") == ["A-2", "A-2", "BAD"]
    assert orders(browser, f"{CHANGES}?job={upload.job_id}&delivery=delivered") == ["A-2", "A-2"]
    for url in (f"{CHANGES}?job={upload.job_id}", f"{CHANGES}?job={upload.job_id}&delivery=delivered"):
        assert url in links(answer, CHANGES)
    assert "Rejected 2 1 stands in its files now; the others went on since" in words(answer)
    assert f"/admin/orders/heldchange/?counter__id__exact={sent.counter.pk}" in links(
        answer, "/admin/orders/heldchange/"
    )
    assert "Upload job Mine shop" in words(browser.get(f"{CHANGES}?job={upload.job_id}"))
    assert orders(browser, CHANGES, job="nonsense") == []


def test_all_that_an_upload_rejected_is_listed_be_it_settled_or_not(place: Place, browser: Browser):
    job = place.job(state="partly_failed", rejected=3)
    upload = Upload.objects.get().pk
    for name, code in (("R-1", "invalid_uploading"), ("R-2", "invalid_uploading"), ("R-3", "given_up")):
        place.push(name, "won").changes.update(delivery="rejected", reject_code=code, upload_id=upload)
    for hours, status in ((9, "new"), (10, "won")):
        later = (place.began + timedelta(hours=hours)).isoformat()
        place.push("R-2", status, status_date_time=later)
    url = f"/admin/orders/rejectedchange/?job={job.pk}"
    assert orders(browser, url) == ["R-1", "R-2", "R-3"]
    assert orders(browser, f"{url}&show=left") == ["R-3"]
    assert orders(browser, "/admin/orders/rejectedchange/") == ["R-1"]
    assert "Rejected 3" in words(browser.get(reverse("admin:uploads_uploadjob_change", args=[job.pk])))


def test_a_page_that_does_not_show_all_rejected_rows_says_how_many_there_are(
    place: Place, browser: Browser, monkeypatch: Any
):
    monkeypatch.setattr(job_page, "SHOWN_REJECTED", 2)
    job = place.job(state="partly_failed", rejected=3)
    Upload.objects.update(state="refused", error_code="invalid_uploading")
    for number in range(3):
        place.push(f"R-{number}", "won").changes.update(delivery="rejected", upload_id=Upload.objects.get().pk)
    page = reverse("admin:uploads_uploadjob_change", args=[job.pk])
    assert "2 of 3 rejected rows are shown here. All of them" in words(browser.get(page))
    monkeypatch.setattr(numbers, "LIMIT", 3)
    assert "2 of 3 or more rejected rows are shown here." in words(browser.get(page))
    monkeypatch.setattr(job_page, "SHOWN_REJECTED", 5)
    assert "shown here" not in words(browser.get(page))


def test_exact_files_are_said_to_hold_formulas(place: Place, browser: Browser):
    place.push("=1+1", "won")
    job = place.job()
    for page in (
        reverse("admin:uploads_uploadjob_change", args=[job.pk]),
        reverse("admin:uploads_uploadjob_dry_run", args=[place.counter.pk]),
    ):
        assert "look at it in a text editor rather than in a spreadsheet" in words(browser.get(page)), page


def test_uploads_in_lists_lead_to_what_they_delivered_and_rejected(place: Place, browser: Browser):
    """At home, on the counter's page, and in the list of uploads; a nought leads nowhere."""
    roll_up()
    job = place.job(order=place.push("A-1", "won"), state="partly_failed", changes=2, rejected=1)
    place.push("R-1", "won").changes.update(delivery="rejected", upload_id=Upload.objects.get().pk)
    place.job(state="failed", delivered=0)
    delivered, rejected = f"{CHANGES}?job={job.pk}&delivery=delivered", f"/admin/orders/rejectedchange/?job={job.pk}"
    counter_page = reverse("admin:counters_counter_change", args=[place.counter.pk])
    for page in (HOME, counter_page, "/admin/uploads/uploadjob/"):
        answer = browser.get(page)
        assert [url for url in links(answer, CHANGES) if "job=" in url] == [delivered], page
        assert [url for url in links(answer, "/admin/orders/rejectedchange/") if "job=" in url] == [rejected], page
    assert orders(browser, delivered) == ["A-1"]
    assert orders(browser, rejected) == ["R-1"]


# ---- imports, holds, accounts, clients ----


def test_what_an_import_held_leads_to_its_own_holds(place: Place, browser: Browser, monkeypatch: Any):
    for name in ("BEFORE-1", "BEFORE-2"):
        place.push(name, "unheard of")
    with trace.traced(actor=SYSTEM, source="web", request_id="import-1"):
        text = f"id,create_date_time,order_status,emails\nI-1,{place.began:%Y-%m-%d %H:%M:%S},unheard of,a@b.example\n"
        job = imports.receive(counter=place.counter, name="a.csv", content=io.BytesIO(text.encode()))
        imports.start(job=job)
    take_in(str(job.pk))
    job = ImportJob.objects.get(pk=job.pk)
    assert job.held == {"unmapped_status": 1}
    answer = browser.get(reverse("admin:imports_importjob_change", args=[job.pk]))
    (url,) = links(answer, "/admin/orders/heldchange/?")
    assert orders(browser, url) == ["I-1"]
    page = browser.get(url)
    chips = page.context["reasons"]
    assert chips
    assert all("request_id=import-1" in one["url"] for one in chips)
    assert [one["count"] for one in chips] == [1], "those of the import alone"
    (status,) = page.context["held_statuses"]
    assert (status.status, status.count) == ("unheard of", 1)
    assert orders(browser, status.listed) == ["I-1"]
    assert "not only those listed here" in words(page), "the mapping is that of the counter"
    assert "reject_status" not in page.content.decode(), "that would give up what others brought"
    assert "reject_status" in browser.get("/admin/orders/heldchange/").content.decode()
    monkeypatch.setattr(numbers, "OF_REQUEST", 1)
    assert "The status is not mapped 1 or more" in words(browser.get(url))


def test_what_an_import_cannot_send_is_counted_for_itself(
    place: Place, browser: Browser, django_assert_num_queries: Any
):
    pause(counter=place.counter, reason="x")
    place.counter.refresh_from_db()
    place.push("BEFORE", "won")
    with trace.traced(actor=SYSTEM, source="api", request_id="one-1"):
        place.push("OF-IT", "won")
    browser.get("/admin/orders/heldchange/")
    with django_assert_num_queries(9):
        page = browser.get("/admin/orders/heldchange/?request_id=one-1")
    assert [one.count for one in page.context["held_counters"]] == [1]
    assert "not only what is listed here" in words(page)
    (both,) = browser.get("/admin/orders/heldchange/").context["held_counters"]
    assert both.count == 2


def test_holds_say_or_more_only_where_a_count_stopped(place: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr(numbers, "LIMIT", 3)
    far = make_counter(place.agency, account=place.account, name="Far shop")
    for number in range(2):
        place.push(f"A-{number}", "mystery")
        place.push(f"B-{number}", "mystery", counter=far)
    text = words(browser.get("/admin/orders/heldchange/"))
    assert "The status is not mapped 4" in text
    assert "or more" not in text
    place.push("A-2", "mystery")
    place.push("A-3", "mystery")
    text = words(browser.get("/admin/orders/heldchange/"))
    assert "The status is not mapped 5 or more" in text
    assert "4 status changes Map" in text, "all of them were looked at"
    monkeypatch.setattr(held_groups, "STATUS_ROWS", 5)
    assert "or more status changes Map" in words(browser.get("/admin/orders/heldchange/"))


def test_a_status_to_map_leads_to_its_changes(place: Place, browser: Browser):
    place.push("A-1", "mystery")
    place.push("A-2", "riddle")
    answer = browser.get("/admin/orders/heldchange/")
    (url,) = [one.listed for one in answer.context["held_statuses"] if one.status == "mystery"]
    assert html.escape(url) in answer.content.decode()
    assert orders(browser, url) == ["A-1"]


def test_an_account_counts_all_its_counters(place: Place, browser: Browser):
    for number in range(55):
        make_counter(place.agency, account=place.account, name=f"Shop {number}")
    answer = browser.get(reverse("admin:counters_metricaaccount_change", args=[place.account.pk]))
    assert "Counters 56" in words(answer)
    assert "All 56 counters" in words(answer)
    url = f"/admin/counters/counter/?account__id__exact={place.account.pk}"
    assert url in links(answer, "/admin/counters/counter/")
    assert browser.get(url).context["cl"].result_count == 56


def test_all_orders_of_a_client_are_of_that_client(place: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr("apps.orders.admin_pages.panels.ORDERS_OF_CLIENT", 1)
    for number in range(2):
        place.push(f"A-{number}", "won", client_uniq_id="C-1", client_name="Anna")
        place.push(f"B-{number}", "won", client_uniq_id="C-10", emails=["x@mail.example"])
    client = Order.objects.get(order_id="A-0").client
    answer = browser.get(reverse("admin:clients_client_change", args=[client.pk]))  # type: ignore[union-attr]
    (url,) = links(answer, f"{ORDERS}?")
    assert orders(browser, url) == ["A-0", "A-1"]
    assert "Client Anna Take it away" in words(browser.get(url))
    assert orders(browser, ORDERS, client="nonsense") == []


def test_that_not_all_orders_of_a_client_are_added_up_is_said_whatever_they_are_paid_in(
    place: Place, browser: Browser, monkeypatch: Any
):
    for number, currency in enumerate(("RUB", "USD", "RUB")):
        place.push(f"A-{number}", "won", client_uniq_id="C-1", revenue="5", currency=currency)
    page = reverse("admin:clients_client_change", args=[Order.objects.get(order_id="A-0").client_id])
    assert "of the newest" not in words(browser.get(page))
    monkeypatch.setattr(numbers, "MONEY_LIMIT", 3)
    assert words(browser.get(page)).count("of the newest 3") == 2, "beside each currency"


@pytest.mark.parametrize(
    ("empty", "leads_to"),
    [
        ("/admin/uploads/uploadjob/", "/admin/counters/counter/?q="),
        ("/admin/clients/client/", "/admin/orders/order/add/"),
        (CHANGES, f"{ORDERS}?q="),
    ],
)
def test_an_empty_list_leads_on(place: Place, browser: Browser, login: Any, empty: str, leads_to: str):
    button = f'gp-button--main" href="{leads_to}"'
    assert button in browser.get(empty).content.decode()
    assert browser.get(leads_to).status_code == 200
    offered = button in login(place.analyst).get(empty).content.decode()
    assert offered is not leads_to.endswith("/add/"), "a reader adds nothing"


def test_what_is_not_theirs_is_not_named_by_a_filter(place: Place, other: Place, browser: Browser):
    theirs = other.push("Z-1", "won", client_uniq_id="Zeta-client", client_name="Zeta person")
    job = other.job(order=theirs)
    for url in (f"{ORDERS}?client={theirs.client_id}", f"{CHANGES}?job={job.pk}", f"{ORDERS}?goal=goal_Zeta"):
        answer = browser.get(url)
        assert list(answer.context["cl"].result_list) == []
        assert "Zeta person" not in answer.content.decode()
        assert "Zeta shop" not in answer.content.decode()


def test_the_counters_that_need_attention_are_shown(place: Place, browser: Browser):
    place.push("A-1", "unknown")
    make_counter(place.agency, account=place.account, name="Fine")
    roll_up()
    answer = browser.get(HOME)
    assert "1 needs attention" in words(answer)
    assert f"{HOME}?problems=1#board" in links(answer, HOME)
    assert 'id="board"' in answer.content.decode()
    assert [line.counter.name for line in browser.get(f"{HOME}?problems=1").context["lines"]] == ["Mine shop"]


def test_searches_say_what_they_look_for(place: Place, browser: Browser):
    for url in (ORDERS, "/admin/clients/client/"):
        assert "beginning of" in browser.get(url).content.decode()


def test_a_bounded_count_says_so_in_words(place: Place, browser: Browser, monkeypatch: Any):
    monkeypatch.setattr(numbers, "LIMIT", 2)
    for number in range(3):
        place.push(f"A-{number}", "won", "unknown")
    text = words(browser.get(reverse("admin:counters_counter_change", args=[place.counter.pk])))
    assert "Waiting 2 or more" in text
    assert "Held 2 or more" in text
    assert "2 or more waiting" in words(browser.get("/admin/counters/counter/"))
    assert StatusChange.objects.filter(delivery="waiting").count() == 3
