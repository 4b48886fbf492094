"""What an order's page tells and does besides its timeline: the picture, the neighbours, the row sent, what is held."""

import html
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.orders.models import Erasure, Order
from apps.uploads.models import Upload
from tests.admin.conftest import Place, keep
from tests.admin.pages import messages, words

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"


def page(order: Order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


def act(order: Order, name: str) -> str:
    return reverse(f"admin:orders_order_{name}", args=[order.pk])


# ---- the picture ----


def test_the_picture_has_a_way_for_each_status(place: Place, browser: Browser):
    order = place.push("A-1", "new", "won", revenue="500")
    place.job(order=order)
    answer = browser.get(page(order))
    new, won = answer.context["picture"].stations
    assert (new.name, new.gap, won.gap) == ("new", "", "+1 h")
    assert new.arrived and new.latency and new.x < won.x
    text = answer.content.decode()
    assert f'href="#change-{won.step.change.pk}"' in text
    assert "style=" not in text[text.index("<svg width") : text.index("</svg>")]


def test_a_long_timeline_draws_the_newest(place: Place, browser: Browser):
    order = place.push("A-1", *["new", "won"] * 40)
    picture = browser.get(page(order)).context["picture"]
    assert (len(picture.stations), picture.left_out) == (60, 20)
    assert "20 earlier statuses are only in the list below" in words(browser.get(page(order)))


def test_what_changed_from_one_status_to_the_next(place: Place, browser: Browser):
    order = place.push("A-1", "new", revenue="100", products={"sku": 1})
    later = (place.began + timedelta(hours=5)).isoformat()
    place.push(
        "A-1",
        "won",
        status_date_time=later,
        create_date_time=None,
        revenue=None,
        products={"sku": 2},
        phones=["79031234567"],
    )
    newest, first = browser.get(page(order)).context["steps"]
    assert first.differences == []
    told = {str(one.name): (one.before, one.after) for one in newest.differences if one.told}
    assert told["status"] == ("new", "won")
    assert told["products"] == ("sku × 1", "sku × 2")
    assert told["revenue"][1] == ""
    assert [str(one.name) for one in newest.differences if not one.told] == ["identifiers"]


# ---- from one to the next ----


def kept(**parameters: str) -> dict[str, str]:
    return {"_changelist_filters": "&".join(f"{name}={value}" for name, value in parameters.items())}


def test_next_and_previous_keep_the_search_and_the_filter(place: Place, browser: Browser):
    orders = [place.push(f"{'A' if number % 2 else 'B'}-{number}", "won") for number in range(6)]
    of_search = [order for order in orders if order.order_id.startswith("A")]
    listed = browser.get(LIST, {"q": "A-"}).content.decode()
    assert f"{of_search[1].pk}/change/?_changelist_filters=q%3DA-" in listed
    turn = browser.get(page(of_search[1]), kept(q="A-")).context["turn"]
    assert turn.newer == f"{page(of_search[2])}?_changelist_filters=q%3DA-"
    assert turn.older == f"{page(of_search[0])}?_changelist_filters=q%3DA-"
    assert turn.back == f"{LIST}?q=A-"
    end = browser.get(page(of_search[2]), kept(q="A-", p="3")).context["turn"]
    assert (end.newer, bool(end.older)) == ("", True)


def test_without_a_search_the_neighbours_are_those_of_the_whole_list(place: Place, browser: Browser):
    first, second = place.push("A-1", "won"), place.push("A-2", "won")
    for filters in ({}, kept(nonsense="1"), kept(counter__id__exact="x")):
        turn = browser.get(page(first), filters).context["turn"]
        assert turn.newer.startswith(page(second)), filters
        assert turn.older == ""


def test_the_neighbours_are_only_ones_own(place: Place, other: Place, browser: Browser):
    mine = place.push("A-1", "won")
    theirs = other.push("A-2", "won")
    for filters in ({}, kept(q="A-"), kept(counter__id__exact=str(other.counter.pk))):
        turn = browser.get(page(mine), filters).context["turn"]
        assert str(theirs.pk) not in (turn.newer + turn.older).replace("_changelist_filters", ""), filters


def header_acts(browser: Browser, url: str) -> list[dict[str, Any]]:
    """Those behind the button “More” as well."""
    shown = browser.get(url).context["actions_detail"]
    return [one for button in shown for one in button.get("items", [button])]


def test_after_an_act_the_list_is_still_narrowed(place: Place, browser: Browser):
    order, _other = place.push("A-1", "new"), place.push("B-1", "new")
    here = f"{page(order)}?{urlencode(kept(q='A-'))}"
    hold = next(one for one in header_acts(browser, here) if one["title"] == "Hold")
    asked = browser.get(hold["path"])
    assert dict(asked.context["carried"]) == {"next": here}
    assert asked.context["cancel_url"] == here
    done = browser.post(reverse("admin:orders_order_hold", args=[order.pk]), {"next": here})
    assert (done.status_code, done.url) == (302, here)
    held = browser.get(here)
    assert held.context["turn"].back == f"{LIST}?q=A-"
    assert f"release/?next={quote(here)}" in html.unescape(held.content.decode()), "and so do the fixes in the timeline"
    away = browser.post(reverse("admin:orders_order_release", args=[order.pk]), {"next": "https://evil.example/"})
    assert away.url == page(order)


def test_without_a_narrowed_list_acts_have_plain_addresses(place: Place, browser: Browser):
    order = place.push("A-1", "new")
    paths = [one["path"] for one in header_acts(browser, page(order))]
    assert paths and not [path for path in paths if "?" in path]


def test_of_a_period_the_neighbours_are_those_by_creation(place: Place, browser: Browser):
    """The list of a period is sorted by when orders were created, whenever they came."""
    made = {}
    for name, hours in (("LATE", 5), ("EARLY", 1), ("MIDDLE", 3), ("SAME", 3)):
        moment = (place.began + timedelta(hours=hours)).isoformat()
        made[name] = place.push(name, "won", create_date_time=moment, status_date_time=moment)
    day = place.began.date()
    period = {"create_date_time_from": str(day), "create_date_time_to": str(day + timedelta(days=1))}
    listed = [order.order_id for order in browser.get(LIST, period).context["cl"].result_list]
    assert listed == ["LATE", "SAME", "MIDDLE", "EARLY"]
    for above, name, below in zip(["", *listed], listed, [*listed[1:], ""], strict=False):
        turn = browser.get(page(made[name]), kept(**period)).context["turn"]
        assert turn.newer.startswith(page(made[above])) if above else not turn.newer, name
        assert turn.older.startswith(page(made[below])) if below else not turn.older, name


# ---- the row that was sent ----


def sent(order: Order) -> str:
    return reverse("admin:orders_order_sent", args=[order.pk, order.changes.get().upload_id])


def test_the_row_as_it_was_sent_and_the_answer(place: Place, browser: Browser):
    order = place.push("A-1", "won")
    place.job(order=order)
    assert sent(order) in browser.get(page(order)).content.decode()
    answer = browser.get(sent(order))
    assert answer.context["row"].cells == [
        ("id", "A-1"), ("create_date_time", "2026-01-01 10:00:00"), ("order_status", "PAID")
    ]  # fmt: skip
    text = words(answer)
    assert "A-1,2026-01-01 10:00:00,PAID" in text
    assert "Mine-at-metrica" in text
    assert "HTTP 200" in text


@pytest.mark.parametrize(
    ("file_format", "content"),
    [
        ("json", b'{"orders": [{"id": "A-11"}, {"id": "A-1", "order_status": "PAID", "products": {"x": 2}}]}'),
        ("csv", b'id,order_status,products\r\nA-11,NEW,\r\n"A-1",PAID,"{""x"": 2}"\r\n'),
    ],
)
def test_the_row_is_that_of_the_very_order(place: Place, browser: Browser, file_format: str, content: bytes):
    order = place.push("A-1", "won")
    place.job(order=order)
    upload = Upload.objects.get()
    upload.format = file_format
    keep(upload, place.counter, content)
    cells = dict(browser.get(sent(order)).context["row"].cells)
    assert cells == {"id": "A-1", "order_status": "PAID", "products": '{"x": 2}'}


@pytest.mark.parametrize("trouble", ["missing", "no row", "no file"])
def test_a_row_that_cannot_be_shown_says_why(place: Place, browser: Browser, trouble: str):
    order = place.push("A-9" if trouble == "no row" else "A-1", "won")
    place.job(order=order)
    if trouble == "missing":
        Upload.objects.update(file="uploads/nowhere.gz")
    elif trouble == "no file":
        Upload.objects.update(file="")
    answer = browser.get(sent(order))
    assert answer.status_code == 200
    assert answer.context["row"].problem and not answer.context["row"].cells


def test_a_file_of_another_counter_has_no_row_of_the_order(place: Place, other: Place, browser: Browser):
    mine, theirs = place.push("A-1", "won"), other.push("A-1", "won")
    other.job(order=theirs)
    upload = theirs.changes.get().upload_id
    assert browser.get(reverse("admin:orders_order_sent", args=[mine.pk, upload])).status_code == 404
    assert browser.post(reverse("admin:orders_order_sent", args=[mine.pk, upload])).status_code == 405


# ---- held and released ----


def test_what_waits_is_held_and_released(place: Place, browser: Browser):
    order = place.push("A-1", "new", "won")
    assert "2 statuses are held until somebody releases them" in messages(browser.post(act(order, "hold"), follow=True))
    assert {change.hold_reason for change in order.changes.all()} == {"by_hand"}
    assert "Hold" not in [button["title"] for button in browser.get(page(order)).context["actions_detail"]]
    assert "2 released" in messages(browser.post(act(order, "release"), follow=True))
    assert {change.delivery for change in order.changes.all()} == {"waiting"}


# ---- by status ----


def test_orders_are_found_by_their_status(place: Place, browser: Browser):
    place.push("A-1", "won")
    place.push("A-2", "new")
    place.push("A-3", "Ждёт оплаты")
    for term, expected in (("WON", {"A-1"}), ("new", {"A-2"}), ("Ждёт оплаты", {"A-3"}), ("wo", set())):
        rows = browser.get(LIST, {"q": term}).context["cl"].result_list
        assert {order.order_id for order in rows} == expected, term
    assert {order.order_id for order in browser.get(LIST, {"status": "won"}).context["cl"].result_list} == {"A-1"}
    text = browser.get(LIST, {"status": "never seen"}).content.decode()
    assert "Nothing matches" in text


def test_a_client_is_found_by_the_start_of_the_name(place: Place, browser: Browser):
    place.push("A-1", "won", client_uniq_id="C-1", client_name="Анна Петрова")
    place.push("A-2", "won", client_uniq_id="C-2", client_name="Иван")
    rows = browser.get(LIST, {"q": "анна"}).context["cl"].result_list
    assert {order.order_id for order in rows} == {"A-1"}


# ---- clients ----


def client_act(order: Order, name: str) -> str:
    return reverse(f"admin:clients_client_{name}", args=[order.client_id])


def test_a_client_shows_money_and_where_identifiers_came_from(place: Place, browser: Browser):
    order = place.push("A-1", "won", client_uniq_id="C-1", revenue="100", phones=["79031234567"])
    place.push("A-2", "new", client_uniq_id="C-1", revenue="30")
    answer = browser.get(reverse("admin:clients_client_change", args=[order.client_id]))
    text = words(answer).replace("\N{NO-BREAK SPACE}", " ")
    assert "Paid so far 100 ₽" in text
    assert "Total revenue 130 ₽ 2 orders" in text
    assert "Phone 79031234567 finds some visits A-1" in text


def test_a_duplicate_is_offered_and_merged(place: Place, browser: Browser):
    kept_order = place.push("A-1", "won", client_uniq_id="C-1")
    place.push("A-2", "won", client_uniq_id="C-2")
    asked = browser.get(client_act(kept_order, "merge"))
    assert '<option value="C-2">' in asked.content.decode(), "they share an e-mail"
    wrong = browser.post(client_act(kept_order, "merge"), {"uniq_id": "C-9"})
    assert "This counter has no client of that id" in words(wrong)
    answer = browser.post(client_act(kept_order, "merge"), {"uniq_id": "C-2"}, follow=True)
    assert "1 order moved" in messages(answer)
    assert "C-2" not in words(browser.get("/admin/clients/client/"))
    found = browser.get("/admin/clients/client/", {"q": "C-2"}).context["cl"].result_list
    assert [client.uniq_id for client in found] == ["C-1"], "the old id still finds the person"


def test_a_client_of_another_counter_is_no_duplicate(place: Place, other: Place, browser: Browser):
    mine = place.push("A-1", "won", client_uniq_id="C-1")
    other.push("A-1", "won", client_uniq_id="Z-1")
    assert "no client of that id" in words(browser.post(client_act(mine, "merge"), {"uniq_id": "Z-1"}))


def test_a_person_is_erased_after_reading_what_that_means(place: Place, browser: Browser):
    order = place.push("A-1", "won", client_uniq_id="C-1", client_name="Anna")
    place.job(order=order)
    text = words(browser.get(client_act(order, "erase")))
    assert "(1 order)" in text
    assert "Not erased: the orders with their ids" in text
    assert "This field is required" in words(browser.post(client_act(order, "erase"), {}))
    answer = browser.post(client_act(order, "erase"), {"sure": "on"}, follow=True)
    assert "Kept files are gone through now" in messages(answer)
    text = words(answer)
    assert "Who it was is not kept any more" in text
    assert "Anna" not in text and "mine@mail.example" not in text
    assert "A-1" in text
    page = answer.request["PATH_INFO"]
    for code, said in (("internal_error", "broke off"), ("unreadable_secret", "ENCRYPTION_KEYS")):
        Erasure.objects.update(failures=1, error_code=code, not_before=timezone.now())
        assert said in words(browser.get(page))
