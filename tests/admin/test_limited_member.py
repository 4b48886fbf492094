"""Who is limited to some counters of an agency: how that is said, and what their pages are like. That they meet nothing
of the other counters is said by the table in tests/admin/access."""

from typing import Any

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from apps.agencies import services
from apps.agencies.models import ApiKey, Membership, Role
from apps.agencies.tenancy import counter_path_of
from apps.alerts.channels import mail
from apps.alerts.services import save_channel
from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.counters.models import Counter, MetricaAccount
from apps.orders.models import Order, StatusChange
from apps.uploads.models import UploadJob
from tests.admin.conftest import Place, make_place
from tests.factories import SYSTEM, make_counter, make_member, make_membership

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
    assert owner.post(url, {"role": "manager", "counter_ids": ["60000001"]}).status_code == 302
    member.refresh_from_db()
    assert member.counter_ids == [60_000_001]
    assert "60000001" in owner.get("/admin/agencies/membership/").content.decode()
    entry = AuditEntry.objects.get(action="member.counters_changed")
    assert (entry.before["counter_ids"], entry.after["counter_ids"]) == (None, [60_000_001])
    for wrong in (["1"], ["x"]):
        assert owner.post(url, {"role": "manager", "counter_ids": wrong}).status_code == 200
    answer = owner.post(url, {"role": "owner", "counter_ids": ["60000001"]})
    assert "An owner has all counters" in answer.content.decode()
    owner.post(url, {"role": "manager"})
    member.refresh_from_db()
    assert member.counter_ids is None


def test_a_counter_that_is_gone_opens_nothing_and_stays_named(both: Place, login: Any):
    member = limited(both.agency, counters=(60_000_001, 70_000_000))
    Counter.objects.filter(name="Yours").delete()
    browser = login(member.user)
    assert browser.get("/admin/counters/counter/").context["cl"].result_count == 0
    page = login(both.owner).get(f"/admin/agencies/membership/{member.pk}/change/").content.decode()
    assert 'value="70000000"' in page


def test_the_limit_holds_in_its_agency_only(both: Place, login: Any):
    elsewhere = make_place("Omega")
    make_counter(elsewhere.agency, metrica_id=60_000_001, name="Same number elsewhere")
    member = limited(both.agency)
    browser = login(member.user)
    assert "elsewhere" not in browser.get("/admin/counters/counter/").content.decode()
    make_membership(elsewhere.agency, member.user, Role.ANALYST)
    browser.post("/agency/", {"agency": elsewhere.agency.pk})
    assert browser.get("/admin/counters/counter/").context["cl"].result_count == 2


def test_alerts_of_other_counters_are_not_mailed_to_them(both: Place):
    member, yours = limited(both.agency), Counter.objects.get(name="Yours")
    for counters, told in (([], False), ([both.counter], False), ([yours, both.counter], False), ([yours], True)):
        name = f"to {len(counters)} {told} {counters}"[:90]
        channel, _secret = save_channel(agency=both.agency, name=name, members=[member], counters=counters)
        assert (member.user.email in mail.recipients(channel)) == told


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
