"""The comparison as a person reads it: from home and the counter's page to sums, days, goals and causes."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.counters.models import Counter
from apps.counters.services import disconnect_account
from apps.dashboard.comparison import running
from apps.dashboard.models import CompareState, Comparison, DayFigures
from tests.admin.conftest import Place
from tests.admin.pages import errors, messages, words
from tests.dashboard.conftest import Loop
from tests.factories import make_counter, make_member
from tests.metrica.servers import envelope

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/dashboard/comparison/"


def page(counter: Counter) -> str:
    return reverse("admin:dashboard_comparison_change", args=[counter.pk])


@pytest.fixture
def owner(loop: Loop, login: Any) -> Browser:
    return login(make_member(loop.counter.agency))


def fill(loop: Loop) -> None:
    """Four orders, of which Metrica matched three; one without ClientID, one too late, one in dollars."""
    loop.push("A-1", "new", "lead", "won", revenue="5000", cost="3200")
    loop.push("A-2", "new", client_ids=[], emails=["a@mail.example"])
    loop.push("A-3", "junk", ago=4)
    loop.push("A-4", "won", ago=3, revenue="10", currency="USD")
    loop.deliver()
    loop.push("A-5", "new", ago=27)
    loop.deliver()
    loop.metrica.set(
        loop.day(3), visits=50, cdpOrdersAllOrders=2, cdpOrdersPayed=2, cdpOrdersRUBRevenue=5900,
        cdpOrdersRUBProfit=2700, cdp_order_in_progress=2, cdp_order_paid=2, good_lead=4,
    )  # fmt: skip
    loop.metrica.set(loop.day(5), visits=9, cdpOrdersSpam=1, cdp_order_spam=1)


def test_the_page_shows_both_sides_and_says_how_to_read_them(loop: Loop, owner: Browser) -> None:
    fill(loop)
    loop.compare()
    answer = owner.get(page(loop.counter))
    text = words(answer)
    assert answer.context["whole"].matched == 3 / 4
    for part in (
        "Matched by Metrica 75% 1 order without a visit",
        "Delivered orders 5 1 of them too late to be matched",
        "Metrica counts an order on the day of the visit to which it was matched, Goalpost on the day of its creation",
        "up to two hours after its upload",
        "28 of 28 days are known",
        "Orders without spam 4 2 −2 50%",
        "Paid 2 2 0",
        "Spam 1 1 0",
        "Revenue 5,000 ₽ 5,900 ₽ +900 ₽ 118%",
        "Profit 1,800 ₽ 2,700 ₽ +900 ₽ 150%",
        "1 paid order is in another currency than RUB",
        "CRM: Order created 4 2 −2 50%",
        "good_lead 1 4 +3 400%",
        "CRM: Order canceled 0 0 0",
    ):
        assert part in text.replace("\N{NO-BREAK SPACE}", " "), part
    assert "Days delivered, and below it Metrica's; days of the counter's clock Day" in text
    assert "not over yet" in text


def test_likely_causes_come_with_the_page_that_mends_them(loop: Loop, owner: Browser) -> None:
    fill(loop)
    loop.metrica.first_party, loop.metrica.zone = False, "Asia/Omsk"
    loop.metrica.goals, loop.metrica.condition = ["good_lead"], "contain"
    loop.compare()
    answer = owner.get(page(loop.counter))
    text, source = words(answer), answer.content.decode()
    for part in (
        "Metrica's time zone for this counter is Asia/Omsk, here it is Europe/Moscow",
        "25% of the orders carry no ClientID",
        "Advanced matching is off at Metrica",
        "20% of the orders were delivered later than 21 days after their creation",
        "Metrica does not have these goals, so nothing reaches them: deal.",
        "is not “matches exactly”, so other events may count: good_lead.",
    ):
        assert part in text, part
    for url in (
        f"/admin/counters/counter/{loop.counter.pk}/change/",
        f"/admin/orders/order/?counter__id__exact={loop.counter.pk}",
        f"/admin/goals/goal/?counter__id__exact={loop.counter.pk}",
        f"https://metrika.yandex.ru/settings?id={loop.counter.metrica_id}",
    ):
        assert f'href="{url}"' in source, url
    for cause in answer.context["causes"]:
        if not cause.url.startswith("https://metrika.yandex.ru/"):
            assert owner.get(cause.url).status_code == 200, cause.url


def test_nothing_to_complain_of_names_no_cause(loop: Loop, owner: Browser) -> None:
    for number in range(5):
        loop.push(f"A-{number}", "won")
    loop.deliver()
    loop.metrica.set(loop.day(2), visits=1, cdpOrdersAllOrders=5, cdpOrdersPayed=5)
    loop.compare()
    answer = owner.get(page(loop.counter))
    assert answer.context["causes"] == []
    assert "Likely causes" not in words(answer)
    assert "Matched by Metrica 100% of the orders that can be matched" in words(answer)


def test_what_may_not_show_yet_and_what_comes_from_elsewhere_is_said(loop: Loop, owner: Browser) -> None:
    loop.push("A-1", "new")
    loop.deliver(at=timezone.now())
    loop.metrica.set(loop.day(2), visits=1, cdpOrdersAllOrders=3)
    loop.metrica.sampled = True
    loop.compare()
    text = words(owner.get(page(loop.counter)))
    assert "an estimate from a part of the visits" in text
    assert "1 order was delivered within the two hours before Metrica was asked." in text
    assert "something else uploads orders, too" in text
    assert "Matched by Metrica 300%" in text


def test_a_share_that_drops_is_said_on_the_page_in_the_list_and_at_home(loop: Loop, owner: Browser) -> None:
    for number in range(10):
        loop.push(f"A-{number}", "new", ago=40)
    loop.deliver(at=loop.at(39))
    for number in range(10):
        loop.push(f"B-{number}", "new", ago=4)
    loop.deliver()
    loop.metrica.set(loop.day(40), visits=1, cdpOrdersAllOrders=9)
    loop.metrica.set(loop.day(4), visits=1, cdpOrdersAllOrders=6)
    state = loop.compare(days=56)
    assert (state.matched, state.matched_before) == (0.6, 0.9)
    sentence = "Metrica matched 60% of the orders of the last 28 days, and 90% of the 28 days before."
    assert sentence in words(owner.get(page(loop.counter)))
    assert "60% 90%" in words(owner.get(LIST))
    home = owner.get("/admin/")
    (line,) = home.context["lines"]
    assert (line.matched, line.matched_tone, line.trouble) == ("60%", "warn", 1)
    assert f'href="{page(loop.counter)}"' in home.content.decode()


def test_the_trend_is_drawn_of_weeks(loop: Loop, owner: Browser) -> None:
    loop.push("A-1", "new", ago=10)
    loop.push("A-2", "new", ago=4)
    loop.deliver()
    loop.metrica.set(loop.day(11), visits=1, cdpOrdersAllOrders=1)
    loop.compare()
    answer = owner.get(page(loop.counter))
    points = dict(answer.context["whole"].points)
    assert points[loop.day(11)] is None
    assert [points[loop.day(ago)] for ago in (10, 5, 4, 0)] == [1.0, 1.0, 0.0, 0.0]
    assert 'data-type="line"' in answer.content.decode()


def test_the_period_can_be_chosen_and_days_nobody_added_up_are_not_summed(loop: Loop, owner: Browser) -> None:
    fill(loop)
    loop.compare()
    short, long = owner.get(f"{page(loop.counter)}?days=7"), owner.get(f"{page(loop.counter)}?days=91")
    assert short.context["whole"].ours.late == 0
    assert (len(long.context["whole"].lines), long.context["whole"].known_days) == (91, 28)
    assert "28 of 91 days are known" in words(long)
    assert owner.get(f"{page(loop.counter)}?days=x").context["days"] == 28


def test_a_counter_that_was_never_compared_has_its_page(loop: Loop, owner: Browser) -> None:
    answer = owner.get(page(loop.counter))
    assert "Not compared with Metrica yet" in words(answer)
    assert not Comparison.objects.exists()
    assert "Nothing to compare yet" in words(owner.get(LIST))
    tile = words(owner.get(reverse("admin:counters_counter_change", args=[loop.counter.pk])))
    assert "Matched by Metrica — not compared yet" in tile
    for wrong in ("0", "x", "99999999999999999999", str(loop.counter.pk + 1)):
        assert owner.get(f"{LIST}{wrong}/change/").status_code == 404, wrong


def test_an_act_on_the_counters_page_asks_for_it(loop: Loop, owner: Browser) -> None:
    loop.push("A-1", "new")
    loop.deliver()
    url = reverse("admin:counters_counter_compare-orders", args=[loop.counter.pk])
    assert "Nothing is sent or changed" in words(owner.get(url))
    assert "366" in errors(owner.post(url, {"days": "400"}))
    answer = owner.post(url, {"days": "30"}, follow=True)
    assert answer.redirect_chain == [(page(loop.counter), 302)]
    assert "Metrica is being asked" in messages(answer)
    assert "The comparison is queued" in words(answer)
    assert (loop.state().state, loop.state().asked_days) == (CompareState.QUEUED, 30)
    part = f"{page(loop.counter)}?part=state"
    assert "hx-get" in owner.get(part).content.decode()
    running.run(loop.counter.pk)
    assert owner.get(part).headers["HX-Refresh"] == "true"
    again = reverse("admin:dashboard_comparison_compare", args=[loop.counter.pk])
    assert owner.post(again, {"days": "7"}).status_code == 302
    assert loop.state().asked_days == 7


def test_what_went_wrong_is_said_with_what_to_do(loop: Loop, owner: Browser) -> None:
    assert loop.counter.account is not None
    loop.metrica.refusals = [(503, envelope("backend_error", code=503))]
    loop.compare()
    Comparison.objects.update(not_before=timezone.now() + timedelta(minutes=4))
    text = words(owner.get(page(loop.counter)))
    assert "Metrica will be asked again in" in text
    disconnect_account(account=loop.counter.account, reason="x")
    running.request(counter=loop.counter)
    running.run(loop.counter.pk)
    answer = owner.get(page(loop.counter))
    assert "no Metrica account that is connected, so Metrica could not be asked. Connect the Yandex account" in words(
        answer
    )
    assert answer.context["actions_detail"] == []  # it cannot be asked
    assert "Failed" in words(owner.get(LIST))


def test_pages_cost_the_same_for_any_number_of_orders_and_counters(
    loop: Loop, owner: Browser, django_assert_num_queries: Any
) -> None:
    fill(loop)
    loop.compare()
    owner.get(page(loop.counter))
    with django_assert_num_queries(5):
        owner.get(page(loop.counter))
    with django_assert_num_queries(5):
        owner.get(LIST)
    for number in range(30):
        loop.push(f"B-{number}", "won")
        Comparison.objects.create(counter=make_counter(account=loop.counter.account), matched=0.5)
    loop.deliver()
    loop.compare(days=91)
    with django_assert_num_queries(5):
        owner.get(f"{page(loop.counter)}?days=91")
    with django_assert_num_queries(5):
        owner.get(LIST)


def test_an_agency_sees_itself(loop: Loop, place: Place, login: Any) -> None:
    loop.push("A-1", "new")
    loop.deliver()
    loop.compare()
    stranger = login(place.owner)
    assert stranger.get(page(loop.counter)).status_code == 404
    assert stranger.post(reverse("admin:dashboard_comparison_compare", args=[loop.counter.pk])).status_code == 404
    assert "North shop" not in words(stranger.get(LIST))
    loop.deliver(at=timezone.now())
    DayFigures.objects.filter(side="ours", day=loop.day(2)).update(fresh=1)
    analyst = login(make_member(loop.counter.agency, "analyst"))
    assert "Compare again in two hours" in words(analyst.get(page(loop.counter)))
    assert "/compare/" not in analyst.get(page(loop.counter)).content.decode()
    assert analyst.get(page(loop.counter)).context["actions_detail"] == []
    url = reverse("admin:counters_counter_compare-orders", args=[loop.counter.pk])
    assert analyst.post(url, {"days": "7"}).status_code == 403
    assert loop.state().state == CompareState.IDLE


def test_in_russian(loop: Loop, owner: Browser) -> None:
    fill(loop)
    loop.compare()
    assert owner.get(page(loop.counter), HTTP_ACCEPT_LANGUAGE="ru").status_code == 200
    assert owner.get(LIST, HTTP_ACCEPT_LANGUAGE="ru").status_code == 200
    assert DayFigures.objects.exists()
