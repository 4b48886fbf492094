"""Orders: finding one, reading its timeline, and writing by hand through the one door (R1)."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.counters import services
from apps.orders.models import Order, StatusChange
from apps.uploads.models import Resend, Upload, UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import errors, messages, words
from tests.factories import make_counter

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"
ADD = "/admin/orders/order/add/"


def page(order: Order) -> str:
    return reverse("admin:orders_order_change", args=[order.pk])


def act(order: Order, name: str) -> str:
    return reverse(f"admin:orders_order_{name}", args=[order.pk])


def found(browser: Browser, term: str) -> set[str]:
    answer = browser.get(LIST, {"q": term})
    assert answer.status_code == 200
    return {order.order_id for order in answer.context["cl"].result_list}


# ---- the list ----


def test_the_list_says_what_became_of_each_order(place: Place, browser: Browser):
    place.push("A-1", "won", revenue="5000.50", client_uniq_id="C-1", client_name="Anna")
    place.push("A-2", "unknown")
    text = words(browser.get(LIST))
    assert "A-1 Mine shop" in text
    assert "Paid won" in text
    assert "5,000.50 ₽" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Anna" in text
    assert "Not mapped unknown" in text
    assert "The status is not mapped" in text


def test_the_list_costs_the_same_for_many_orders_and_counters(
    place: Place, browser: Browser, django_assert_num_queries: Any
):
    place.push("A-0", "won")
    with django_assert_num_queries(10):
        browser.get(LIST)
    for number in range(1, 4):
        counter = make_counter(place.agency, account=place.account, name=f"More {number}")
        for one in range(3):
            place.push(f"B-{number}-{one}", "won", "unknown", counter=counter, client_uniq_id=f"C-{one}")
    with django_assert_num_queries(10):
        assert "B-3-2" in words(browser.get(LIST))


@pytest.mark.parametrize(
    "term",
    ["D-1001", "D-10", "C-77", "anna@example.com", "ANNA@example.com ", "+7 (903) 123-45-67", "8 903 123 45 67",
     "1700000000123456789"],
)  # fmt: skip
def test_an_order_is_found_by_whatever_one_has_at_hand(place: Place, browser: Browser, term: str):
    place.push(
        "D-1001",
        "won",
        client_uniq_id="C-77",
        emails=["anna@example.com"],
        phones=["79031234567"],
        client_ids=["1700000000123456789"],
    )
    place.push("X-9", "won")
    assert found(browser, term) == {"D-1001"}


def test_an_order_is_found_by_its_clients_contact(place: Place, browser: Browser):
    place.push("A-1", "won", client_uniq_id="C-1", emails=["first@example.com"])
    place.push("A-2", "won", client_uniq_id="C-1", emails=["second@example.com"])
    assert found(browser, "first@example.com") == {"A-1", "A-2"}


@pytest.mark.parametrize("term", ["001", "%", "_-1001", "' OR 1=1 --", "\\", "💥" * 300])
def test_words_that_mean_nothing_find_nothing(place: Place, browser: Browser, term: str):
    place.push("D-1001", "won")
    assert found(browser, term) == set()


def test_a_nul_byte_in_the_search_breaks_nothing(place: Place, browser: Browser):
    assert browser.get(LIST, {"q": "D-1001\x00"}).status_code == 200


def test_searching_costs_the_same_for_many_orders(place: Place, browser: Browser, django_assert_num_queries: Any):
    for number in range(8):
        place.push(f"D-{number}", "won", client_uniq_id="C-7", emails=["x@example.com"])
    with django_assert_num_queries(25):
        assert len(found(browser, "x@example.com")) == 8


def test_filters_by_what_is_to_do(place: Place, browser: Browser):
    place.push("WAIT", "won")
    place.push("HELD", "unknown")
    rejected = place.push("BAD", "won")
    rejected.changes.update(delivery="rejected", reject_message="why")
    for state, expected in (
        ("waiting", {"WAIT"}),
        ("held", {"HELD"}),
        ("rejected", {"BAD"}),
        ("nonsense", {"WAIT", "HELD", "BAD"}),
    ):
        answer = browser.get(LIST, {"delivery": state})
        assert {order.order_id for order in answer.context["cl"].result_list} == expected


def test_filters_by_days_on_the_viewers_clock(place: Place, browser: Browser):
    place.push("A-1", "won")
    day = timezone.localtime(place.began).date()
    for start, end, expected in (
        (day, day, 1),
        (day + timedelta(days=1), "", 0),
        ("", day - timedelta(days=1), 0),
        ("nonsense", "", 1),
    ):
        answer = browser.get(LIST, {"create_date_time_from": str(start), "create_date_time_to": str(end)})
        assert len(answer.context["cl"].result_list) == expected, (start, end)


def test_an_empty_list_says_what_to_do(place: Place, browser: Browser):
    text = words(browser.get(LIST))
    assert "No order yet" in text
    assert "Add order" in text
    assert "Nothing matches" in words(browser.get(LIST, {"q": "nothing"}))


# ---- the page ----


def test_the_timeline_tells_the_whole_story(place: Place, browser: Browser, django_assert_num_queries: Any):
    order = place.push("A-1", "new", "won", revenue="5000", cost="3200", client_uniq_id="C-1", client_name="Anna")
    place.job(order=order)
    later = (place.began + timedelta(hours=5)).isoformat()
    place.push("A-1", "unknown", status_date_time=later, emails=["new@example.com"], revenue="7000")
    with django_assert_num_queries(17):
        answer = browser.get(page(order))
    text = words(answer).replace("\N{NO-BREAK SPACE}", " ")
    assert "Not all of it is delivered: the status is not mapped." in text
    newest, paid, first = (answer.context["steps"][number].change.order_status for number in range(3))
    assert (newest, paid, first) == ("unknown", "won", "new")
    assert "Goals reached CRM: Order created 1,800 ₽ CRM: Order paid 1,800 ₽ goal_Mine 1,800 ₽" in text
    assert "Map the status" in text
    assert "REST API · key crm" in text
    assert "revenue 5,000 ₽ → 7,000 ₽" in text
    assert "Delivered" in text
    assert "Upload: Passed" in text
    assert "days left to bind the order to a visit" in text
    assert "Anna" in text
    assert "new@example.com" in text


def test_the_page_costs_the_same_for_a_long_timeline(place: Place, browser: Browser, django_assert_num_queries: Any):
    short = place.push("A-1", "new")
    long = place.push("A-2", *["new", "won"] * 20)
    with django_assert_num_queries(16):
        browser.get(page(short))
    with django_assert_num_queries(16):
        assert len(browser.get(page(long)).context["steps"]) == 40


def test_what_is_not_sent_yet_is_a_forecast(place: Place, browser: Browser):
    order = place.push("A-1", "won")
    text = words(browser.get(page(order)))
    assert "1 status change is on its way to Metrica." in text
    assert "Will reach CRM: Order created CRM: Order paid goal_Mine" in text
    assert "Goals reached" not in text


def test_a_delivered_status_shows_what_it_meant_when_it_was_sent(place: Place, browser: Browser):
    """The mapping of today does not change what Metrica got."""
    order = place.push("A-1", "won")
    place.job(order=order)
    meant = {
        "won": {
            "type": "OTHER",
            "goal_action_ids": ["old_goal"],
            "order_status": "old_goal",
            "goals": [],
            "source": "mapping",
        }
    }
    Upload.objects.update(mapping=meant)
    text = words(browser.get(page(order)))
    assert "Goals reached old_goal" in text
    assert "goal_Mine" not in text


def test_a_late_status_and_the_state_sent_again_are_shown(place: Place, browser: Browser):
    order = place.push("A-1", "new", "won")
    place.job(order=order)
    upload = Upload.objects.get()
    Resend.objects.create(upload=upload, order=order, change=place.change("A-1", "won"))
    late = {"status_date_time": (place.began + timedelta(minutes=5)).isoformat(), "create_date_time": None}
    place.push("A-1", "late one", **late)
    answer = browser.get(page(order))
    assert [step.came_late for step in answer.context["steps"]] == [False, True, False]
    text = words(answer)
    assert "came late" in text
    assert "sent again" in text
    row = reverse("admin:orders_order_sent", args=[order.pk, upload.pk])
    changed = browser.get(page(order)).content.decode().count(f'href="{row}"')
    assert changed == 3, "of either status that it carried, and of the state that it carried once more"
    assert browser.get(row).status_code == 200


def test_a_held_status_can_be_fixed_or_given_up(place: Place, browser: Browser, login: Any):
    order = place.push("A-1", "unheard of")
    change = place.change("A-1")
    held = browser.get(page(order)).content.decode()
    assert reverse("admin:orders_heldchange_map", args=[change.pk]) in held
    give_up = reverse("admin:orders_heldchange_reject", args=[change.pk])
    assert f'href="{give_up}?next={page(order)}"' in held
    assert give_up not in login(place.analyst).get(page(order)).content.decode()
    answer = browser.post(give_up, {"why": "a test order", "next": page(order)}, follow=True)
    assert answer.redirect_chain[-1][0] == page(order)
    assert "a test order" in words(answer)


def test_a_rejected_status_says_why_and_can_be_tried_again(place: Place, browser: Browser):
    order = place.push("A-1", "won")
    order.changes.update(delivery="rejected", reject_message="Metrica does not like it")
    answer = browser.get(page(order))
    text = words(answer)
    assert "The current state was rejected: Metrica has nothing of this order yet." in text
    assert "Metrica does not like it Correct what is wrong here or in the CRM" in text
    assert f"/admin/orders/rejectedchange/{place.change('A-1').pk}/correct/" in answer.content.decode()
    assert "1 status goes once more" in messages(browser.post(act(order, "retry"), follow=True))
    assert place.change("A-1").delivery == "waiting"


def test_times_are_the_viewers_with_the_counters_on_hover(place: Place, browser: Browser):
    place.counter = services.update_counter(counter=place.counter, time_zone="Asia/Vladivostok")
    place.owner.time_zone = "Europe/Berlin"
    place.owner.save()
    row = {"create_date_time": "2026-03-02 10:00:00", "status_date_time": "2026-03-02 10:00:00"}
    order = place.push("A-1", "won", **row)
    text = browser.get(page(order)).content.decode()
    assert "2026-03-02 01:00:00 Europe/Berlin" in text
    assert "2026-03-02 10:00:00 Asia/Vladivostok" in text


def test_a_closed_window_is_told(place: Place, browser: Browser):
    place.began = timezone.now() - timedelta(days=30)
    text = words(browser.get(page(place.push("OLD", "won"))))
    assert "The binding window is over" in text
    assert "Closed" in text


EVIL = "<script>alert(1)</script>"


def test_what_a_crm_writes_is_text_on_every_page(place: Place, browser: Browser):
    order = place.push(
        EVIL,
        f"{EVIL}-status",
        client_uniq_id=f"{EVIL}-client",
        client_name=f"{EVIL}-name",
        products={f"{EVIL}-sku": 2},
        attributes={f"{EVIL}-attribute": f"{EVIL}-value"},
    )
    StatusChange.objects.update(reject_message=f"{EVIL}-message", received_by=f"{EVIL}-by")
    held = place.change(EVIL)
    clients = "/admin/clients/client/"
    pages = [
        *(LIST, page(order), act(order, "status"), "/admin/orders/heldchange/", "/admin/", clients),
        *(f"{clients}{order.client_id}/change/", reverse("admin:orders_heldchange_map", args=[held.pk])),
        f"{LIST}?q={EVIL}",
    ]
    for url in pages:
        text = browser.get(url).content.decode()
        assert "<script>alert(1)" not in text, url
        assert "&lt;script&gt;alert(1)" in text or url == "/admin/", url


# ---- by hand ----

NEW = {
    "id": "H-1",
    "create_date_time": "2026-03-02T10:00:00",
    "order_status": "won",
    "client_uniq_id": "C-1",
    "client_name": "Anna",
    "phones": "8 (903) 123-45-67",
    "revenue": "5000,50",
    "goals": "deal_won:100",
}


def test_an_order_by_hand_enters_by_the_one_door(place: Place, browser: Browser):
    answer = browser.post(ADD, {"counter": place.counter.pk, **NEW}, follow=True)
    assert "The order is taken in." in messages(answer)
    order = Order.objects.get(order_id="H-1")
    change = order.changes.get()
    assert (change.source, change.received_by) == ("admin", place.owner.email)
    assert order.create_date_time.astimezone(place.counter.zone).isoformat() == "2026-03-02T10:00:00+03:00"
    assert order.identifiers == {"phones": ["79031234567"]}
    assert str(change.revenue) == "5000.5000"
    assert change.goals == [{"goal_action_id": "deal_won", "price": "100"}]
    assert str(order.client) == "Anna"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 300}, "id"),
        ({"create_date_time": "2026-02-30T10:00:00"}, "create_date_time"),
        ({"revenue": "-5"}, "revenue"),
        ({"currency": "XYZ"}, "currency"),
        ({"goals": "a b/c"}, "goals"),
    ],
)
def test_what_intake_refuses_stands_at_its_field(place: Place, browser: Browser, changes: Any, field: str):
    answer = browser.post(ADD, {"counter": place.counter.pk, **NEW, **changes})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert not Order.objects.exists()


def test_a_bad_phone_is_remarked_and_the_order_stays(place: Place, browser: Browser):
    answer = browser.post(ADD, {"counter": place.counter.pk, **NEW, "phones": "12"}, follow=True)
    assert "Phones:" in messages(answer)
    assert Order.objects.get().identifiers == {}


def test_without_a_counter_the_page_says_what_comes_first(login: Any, db: None):
    from tests.factories import make_agency, make_member

    text = words(login(make_member(make_agency())).get(ADD))
    assert "Add a counter first" in text


def test_a_status_by_hand_goes_on_with_the_timeline(place: Place, browser: Browser):
    order = place.push("A-1", "new", revenue="100")
    text = browser.get(act(order, "status")).content.decode()
    assert '<option value="won">' in text
    answer = browser.post(act(order, "status"), {"order_status": "won", "cost": "30"}, follow=True)
    assert "The status is in the timeline." in messages(answer)
    change = place.change("A-1", "won")
    assert (change.source, change.received_by) == ("admin", place.owner.email)
    assert (int(change.revenue), int(change.cost)) == (100, 30)


def test_a_status_that_intake_refuses_stays_in_the_form(place: Place, browser: Browser):
    order = place.push("A-1", "new")
    answer = browser.post(act(order, "status"), {"order_status": "won", "revenue": "many"})
    assert answer.status_code == 200
    assert "This is no amount" in errors(answer)
    assert order.changes.count() == 1


def test_the_current_state_is_sent_again_on_demand(place: Place, browser: Browser):
    order = place.push("A-1", "won")
    assert "Send the current state again" not in words(browser.get(page(order)))
    place.job(order=order)
    answer = browser.post(act(order, "resend"), follow=True)
    assert "goes once more with the next upload" in messages(answer)
    order.refresh_from_db()
    assert order.resend_due
    assert "The current state will be sent once more" in words(answer)


def test_one_order_is_uploaded_now(place: Place, browser: Browser):
    order = place.push("A-1", "new", "won")
    place.push("A-2", "new")
    assert "2 status changes of this order will leave for Metrica" in words(browser.get(act(order, "upload")))
    browser.post(act(order, "upload"))
    assert UploadJob.objects.get().only_orders == [order.pk]


def test_chosen_orders_are_uploaded_now_after_a_question(place: Place, browser: Browser):
    orders = [place.push(f"A-{number}", "new", "won") for number in range(3)]
    place.push("A-9", "new")
    data = {"action": "upload_orders", "_selected_action": [order.pk for order in orders], "index": "0"}
    asked = browser.post(LIST, data)
    assert "3 orders are chosen. 6 status changes will leave for Metrica." in words(asked)
    assert not UploadJob.objects.exists()
    carried = {name: value for name, value in asked.context["carried"] if name != "_selected_action"}
    browser.post(LIST, {**data, **carried})
    assert UploadJob.objects.get().only_orders == sorted(order.pk for order in orders)


def test_orders_of_two_counters_make_two_jobs(place: Place, browser: Browser):
    second = make_counter(place.agency, account=place.account)
    orders = [place.push("A-1", "PAID"), place.push("B-1", "PAID", counter=second)]
    data = {"action": "upload_orders", "_selected_action": [order.pk for order in orders], "_confirmed": "1"}
    answer = browser.post(LIST, data, follow=True)
    assert "2 uploads are on their way" in messages(answer)
    assert {job.counter_id for job in UploadJob.objects.all()} == {place.counter.pk, second.pk}


def test_a_client_shows_their_orders_and_identifiers(place: Place, browser: Browser, django_assert_num_queries: Any):
    order = place.push("A-1", "won", client_uniq_id="C-1", client_name="Anna", phones=["79031234567"], revenue="100")
    place.push("A-2", "new", client_uniq_id="C-1")
    url = reverse("admin:clients_client_change", args=[order.client_id])
    with django_assert_num_queries(11):
        text = words(browser.get(url))
    for expected in ("Anna", "C-1", "79031234567", "A-1", "A-2", "Paid won"):
        assert expected in text
    clients = browser.get("/admin/clients/client/", {"q": "8 903 123-45-67"})
    assert [client.uniq_id for client in clients.context["cl"].result_list] == ["C-1"]
