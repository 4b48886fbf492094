"""Who is limited to some counters of an agency: how that is said, and what their pages are like. That they meet nothing
of the other counters is said by the table in tests/admin/access."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies import services
from apps.agencies.invitations import invite
from apps.agencies.models import ApiKey, Membership, Role
from apps.agencies.tenancy import counter_path_of
from apps.alerts.models import Alert
from apps.alerts.readers import readers
from apps.alerts.services import save_channel
from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.counters.models import Counter, MetricaAccount
from apps.orders.models import Order, StatusChange
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place, make_place
from tests.admin.pages import words
from tests.dashboard.conftest import roll_up
from tests.factories import SYSTEM, make_counter, make_key, make_member, make_membership

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(full: Place) -> Place:
    """The agency with one of everything at a counter that is not theirs; the counter that is theirs is “Yours”."""
    full.agency.name = "Two counters"
    full.agency.save()
    make_counter(full.agency, name="Yours", metrica_id=60_000_001)
    return full


def limited(agency: Any, role: str = Role.MANAGER, counters: tuple[int, ...] = (60_000_001,)) -> Membership:
    member = Membership.objects.get(user=make_member(agency, role, f"limited-{role}@two.example"))
    return services.change_member(actor=SYSTEM, member=member, role=role, counter_ids=counters)


@pytest.fixture
def browser(both: Place, login: Any) -> Browser:
    return login(limited(both.agency).user)


def test_their_own_counter_works_as_for_everybody(both: Place, browser: Browser):
    yours = Counter.objects.get(name="Yours")
    both.push("Y-1", "unheard of", counter=yours)
    home = browser.get("/admin/").content.decode()
    assert "Yours" in home
    assert both.mark not in home
    assert "agencies/membership" not in home  # the menu leads nowhere that is closed
    assert "/admin/hooks/endpoint/" not in home
    assert "/admin/hooks/delivery/" in home  # but to what became of their own messages
    page = browser.get("/admin/orders/order/").content.decode()
    assert "Y-1" in page
    assert browser.get(f"/admin/orders/order/{Order.objects.get(order_id='Y-1').pk}/change/").status_code == 200
    assert browser.get("/admin/orders/heldchange/").context["cl"].result_count == 1
    offered = browser.get("/admin/orders/order/add/").content.decode()
    assert "Yours" in offered
    assert both.mark not in offered
    browser.post(f"/admin/counters/counter/{yours.pk}/pause/", {"reason": "stock-taking", "_form_submitted": "on"})
    yours.refresh_from_db()
    assert yours.pause_reason == "stock-taking"


def test_saving_their_counter_leaves_its_account(both: Place, browser: Browser):
    from tests.admin.pages import form_data

    yours = Counter.objects.get(name="Yours")
    account = yours.account
    url = f"/admin/counters/counter/{yours.pk}/change/"
    data = form_data(browser, url, name="Yours, renamed")
    assert "account" not in data
    assert browser.post(url, {**data, "account": ""}).status_code == 302
    yours.refresh_from_db()
    assert (yours.name, yours.account) == ("Yours, renamed", account)


def test_the_log_shows_what_was_done_to_their_counters(both: Place, browser: Browser):
    yours = Counter.objects.get(name="Yours")
    order = both.push("Y-1", "new", counter=yours)
    browser.post(f"/admin/orders/order/{order.pk}/resend/", {"_form_submitted": "on"})
    rows = browser.get("/admin/audit/auditentry/").context["cl"].result_list
    assert rows
    assert {row.counter for row in rows} == {yours.metrica_id}
    assert {"counter.created"} <= {row.action for row in rows}
    foreign = (
        AuditEntry.objects.filter(agency=both.agency).exclude(counter=yours.metrica_id).values_list("pk", flat=True)
    )
    for pk in foreign:
        assert browser.get(f"/admin/audit/auditentry/{pk}/change/").status_code == 404
    chain.seal()
    assert chain.verify().ok


def test_an_analyst_may_be_limited_and_an_owner_not(both: Place, login: Any):
    browser = login(limited(both.agency, Role.ANALYST).user)
    assert browser.get("/admin/counters/counter/").context["cl"].result_count == 1
    assert browser.get(f"/admin/counters/counter/{both.counter.pk}/change/").status_code == 404
    with pytest.raises(ValidationError) as refusal:
        limited(both.agency, Role.OWNER)
    assert refusal.value.error_dict["counter_ids"][0].code == "owner_has_all"


def test_an_owner_names_the_counters_and_takes_the_limit_away(both: Place, login: Any):
    owner = login(both.owner)
    member = Membership.objects.get(user=both.manager)
    url = f"/admin/agencies/membership/{member.pk}/change/"
    page = owner.get(url).content.decode()
    assert "Yours · 60000001" in page
    these = {"role": "manager", "reach": "these"}
    assert owner.post(url, {**these, "counter_ids": ["60000001"]}).status_code == 302
    member.refresh_from_db()
    assert member.counter_ids == [60_000_001]
    assert "Yours · 60000001" in owner.get("/admin/agencies/membership/").content.decode()
    entry = AuditEntry.objects.get(action="member.counters_changed")
    assert (entry.before["counter_ids"], entry.after["counter_ids"]) == (None, [60_000_001])
    for wrong in (["1"], ["x"]):
        assert owner.post(url, {**these, "counter_ids": wrong}).status_code == 200
    answer = owner.post(url, {**these, "role": "owner", "counter_ids": ["60000001"]})
    assert "An owner has all counters" in answer.content.decode()
    owner.post(url, {"role": "manager", "reach": "all"})
    member.refresh_from_db()
    assert member.counter_ids is None


def test_taking_the_last_counter_away_does_not_give_all(both: Place, login: Any):
    """No box ticked is a mistake, not a wish; nor does a program that says nothing of it widen a limit."""
    owner, member = login(both.owner), limited(both.agency)
    url = f"/admin/agencies/membership/{member.pk}/change/"
    assert owner.get(url).context["adminform"].form["reach"].value() == "these"
    for given in ({"reach": "these"}, {}, {"reach": "everything"}):
        answer = owner.post(url, {"role": "manager", **given})
        assert answer.status_code == 200
        errors = answer.context["adminform"].form.errors
        assert set(errors) == ({"reach"} if given.get("reach") == "everything" else {"counter_ids"})
        member.refresh_from_db()
        assert member.counter_ids == [60_000_001]
    with pytest.raises(ValidationError) as refusal:
        limited_to_nothing: tuple[int, ...] = ()
        services.change_member(actor=SYSTEM, member=member, role=Role.MANAGER, counter_ids=limited_to_nothing)
    assert refusal.value.error_dict["counter_ids"][0].code == "none_chosen"
    # "All" is what it says, whatever boxes are still ticked out of sight.
    owner.post(url, {"role": "manager", "reach": "all", "counter_ids": ["60000001"]})
    member.refresh_from_db()
    assert member.counter_ids is None


def test_lists_of_people_name_the_counters_at_one_price(
    both: Place, login: Any, django_assert_num_queries: Any, django_assert_max_num_queries: Any
):
    numbers = []
    for number in range(6):
        numbers.append(60_000_100 + number)
        make_counter(both.agency, name=f"Shop {number}", metrica_id=numbers[-1])
    limited(both.agency)
    owner = login(both.owner)
    lists = ("/admin/agencies/membership/", "/admin/agencies/invitation/", "/admin/agencies/apikey/")
    invite(actor=SYSTEM, agency=both.agency, email="a@two.example", role="analyst", counter_ids=[60_000_001])
    make_key(both.agency, counter_ids=[60_000_001])
    prices = []
    for url in lists:
        owner.get(url)
        with django_assert_max_num_queries(30) as asked:
            assert "Yours · 60000001" in words(owner.get(url))
        prices.append(len(asked))
    for number in range(5):
        member = Membership.objects.get(user=make_member(both.agency, Role.ANALYST, f"many-{number}@two.example"))
        services.change_member(actor=SYSTEM, member=member, role=Role.ANALYST, counter_ids=numbers)
        invite(
            actor=SYSTEM, agency=both.agency, email=f"m-{number}@two.example", role="analyst", counter_ids=[*numbers, 7]
        )
        make_key(both.agency, counter_ids=numbers)
    for url, price in zip(lists, prices, strict=True):
        with django_assert_num_queries(price):
            text = words(owner.get(url))
        assert "Shop 3 · 60000103 +" in text or "Shop 2 · 60000102 +" in text
    page = words(login(both.analyst).get(f"{lists[0]}{member.pk}/change/"))
    assert all(f"Shop {number} · {numbers[number]}" in page for number in range(6))


def test_a_counter_that_is_gone_opens_nothing_and_stays_named(both: Place, login: Any):
    member = limited(both.agency, counters=(60_000_001, 70_000_000))
    Counter.objects.filter(name="Yours").delete()
    browser = login(member.user)
    assert browser.get("/admin/counters/counter/").context["cl"].result_count == 0
    page = login(both.owner).get(f"/admin/agencies/membership/{member.pk}/change/").content.decode()
    assert 'value="70000000"' in page


def test_the_limit_holds_in_its_agency_only(both: Place, login: Any):
    elsewhere = make_place("Omega")
    make_counter(elsewhere.agency, metrica_id=60_000_001, name="Same number, not theirs")
    member = limited(both.agency)
    browser = login(member.user)
    assert "Same number" not in browser.get("/admin/counters/counter/").content.decode()
    make_membership(elsewhere.agency, member.user, Role.ANALYST)
    browser.post("/agency/", {"agency": elsewhere.agency.pk})
    assert browser.get("/admin/counters/counter/").context["cl"].result_count == 2


def test_alerts_of_other_counters_are_not_mailed_to_them(both: Place):
    member, yours = limited(both.agency), Counter.objects.get(name="Yours")
    everybody = Membership.objects.get(user=both.owner)
    channel, _secret = save_channel(agency=both.agency, name="all", members=[member, everybody])
    reader = {one.address: one for one in readers(channel)}
    of_theirs = Alert(cause="holds_waiting", counter=yours)
    of_others = Alert(cause="holds_waiting", counter=both.counter)
    of_account = Alert(cause="token_expires", account=yours.account)
    of_agency = Alert(cause="worker_silent")
    for alert, told in ((of_theirs, True), (of_others, False), (of_account, False), (of_agency, False)):
        assert reader[member.user.email].may_read(alert) == told
        assert reader[both.owner.email].may_read(alert)


def test_every_model_with_pages_knows_its_counters_or_is_closed():
    """Whoever adds a page of something that belongs to a counter says so in its manager."""
    closed = {model for model in admin.site._registry if not counter_path_of(model)}
    assert {ApiKey, Membership, MetricaAccount} <= closed
    assert not closed & {Counter, Order, StatusChange, UploadJob, AuditEntry}
    with_counter = {model for model in closed if any(field.name == "counter" for field in model._meta.fields)}
    assert not with_counter


def test_their_counters_page_names_its_account_and_leads_to_no_page_that_is_closed(both: Place, browser: Browser):
    yours = Counter.objects.get(name="Yours")
    answer = browser.get(f"/admin/counters/counter/{yours.pk}/change/").content.decode()
    assert yours.account is not None
    assert yours.account.login in answer
    assert f"/admin/counters/metricaaccount/{yours.account_id}/" not in answer


# ---- home ----


def test_a_healthy_counter_has_no_trouble_on_their_board(both: Place, browser: Browser, login: Any):
    yours = Counter.objects.get(name="Yours")
    roll_up()
    answer = browser.get("/admin/")
    (line,) = answer.context["lines"]
    assert (line.block, line.warning, line.trouble) == ("", None, 0)
    assert line.counter.account == yours.account
    text = words(answer)
    assert answer.context["troubled"] == 0
    assert "Counters 1 all is well" in text
    assert "Not chosen" not in text
    assert yours.account is not None
    assert yours.account.login in text
    assert "calls left" not in text, "the quota is the account's, whose page is closed"
    assert "/counters/metricaaccount/" not in answer.content.decode()
    assert list(browser.get("/admin/?problems=1").context["lines"]) == []
    both.push("Y-1", "unheard of", counter=yours)
    roll_up()
    answer = browser.get("/admin/")
    assert (answer.context["total"].held, answer.context["troubled"]) == (1, 1)
    (theirs,) = (line for line in login(both.owner).get("/admin/").context["lines"] if line.counter == yours)
    assert [line.trouble for line in answer.context["lines"]] == [theirs.trouble] == [2]


def test_what_is_the_matter_with_its_account_they_are_told(both: Place, browser: Browser):
    yours = Counter.objects.get(name="Yours")
    MetricaAccount.objects.filter(pk=yours.account_id).update(token_expires_at=timezone.now() + timedelta(days=5))
    (line,) = browser.get("/admin/").context["lines"]
    assert (line.token_days, line.block, line.trouble) == (5, "", 1)
    assert "token: 5 days" in words(browser.get("/admin/"))
    MetricaAccount.objects.filter(pk=yours.account_id).update(state="disconnected")
    (line,) = browser.get("/admin/").context["lines"]
    assert (line.block, line.trouble) == ("account_disconnected", 5)
