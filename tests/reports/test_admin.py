"""Links and looks in the admin: who may what, what is shown and copied, previews, empty lists that say what to do."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies.models import Membership
from apps.agencies.services import change_member
from apps.reports import services
from apps.reports.models import AgencyLook, Recipient, ReportLink
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.factories import SYSTEM, make_counter
from tests.reports.conftest import messages
from tests.reports.test_services import png

pytestmark = pytest.mark.django_db

LIST, ADD = "/admin/reports/reportlink/", "/admin/reports/reportlink/add/"
FIELDS = {
    "name": "Anna of Mine shop",
    "days": "90",
    "language": "",
    "weekly": "on",
    "weekday": "1",
    "hour": "10",
    "letter_language": "ru",
    "emails": "anna@shop.example, boris@shop.example",
}


def page(link: ReportLink, name: str = "change") -> str:
    return f"{LIST}{link.pk}/{name}/"


def make(place: Place, **fields: Any) -> ReportLink:
    return services.create_link(counter=place.counter, **{"name": "Anna", "days": 30, **fields})


def test_a_link_is_made_from_the_counters_page_and_its_address_copied(place: Place, login: Any):
    browser = login(place.manager)
    counter = browser.get(f"/admin/counters/counter/{place.counter.pk}/change/")
    assert "Nobody outside reads this counter's numbers." in words(counter)
    assert f"{ADD}?counter={place.counter.pk}" in counter.content.decode()
    form = browser.get(f"{ADD}?counter={place.counter.pk}")
    assert form.context["adminform"].form["counter"].value() == str(place.counter.pk)
    answer = browser.post(ADD, {**FIELDS, "counter": place.counter.pk}, follow=True)
    link = ReportLink.objects.get()
    assert answer.redirect_chain[-1][0] == page(link)
    assert "The link is made." in words(answer)
    assert f"/report/{services.secret_of(link)}/" in answer.content.decode()
    assert (link.created_by, link.weekday, link.hour, link.letter_language) == (place.manager.email, 1, 10, "ru")
    assert {one.email for one in link.recipients.all()} == {"anna@shop.example", "boris@shop.example"}
    assert "Anna of Mine shop" in words(browser.get(f"/admin/counters/counter/{place.counter.pk}/change/"))
    assert "Anna of Mine shop Mine shop" in words(browser.get(LIST))


def test_the_form_says_what_is_wrong(place: Place, browser: Browser):
    answer = browser.post(ADD, {**FIELDS, "counter": place.counter.pk, "emails": "anna", "hour": "99"})
    assert answer.status_code == 200
    assert {"hour"} <= set(answer.context["adminform"].form.errors)
    answer = browser.post(ADD, {**FIELDS, "counter": place.counter.pk, "emails": "anna"})
    assert "emails" in answer.context["adminform"].form.errors
    assert not ReportLink.objects.exists()


def test_a_link_is_changed(place: Place, browser: Browser):
    link = make(place, emails=["anna@shop.example"])
    form = browser.get(page(link)).context["adminform"].form
    assert form["emails"].value() == "anna@shop.example"
    changed = {**FIELDS, "name": "Boris", "emails": "boris@shop.example"}
    assert browser.post(page(link), changed).status_code == 302
    link.refresh_from_db()
    assert link.name == "Boris"
    assert Recipient.objects.get().email == "boris@shop.example"
    services.stop_letters(recipient=Recipient.objects.select_related("link__counter").get())
    answer = browser.post(page(link), changed)
    assert "has stopped the letters" in words(answer)


def test_acts_are_done(place: Place, browser: Browser, settings: Any):
    settings.SITE_URL = "https://goalpost.example"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    link = make(place, emails=["anna@shop.example"])
    address = services.secret_of(link)
    for act in ("send-now", "prolong", "new-address", "take-back"):
        assert browser.get(page(link, act)).status_code == 200
    answer = browser.post(page(link, "send-now"), follow=True)
    assert "The letter goes to 1 recipient." in words(answer)
    assert Recipient.objects.get().due_for is not None
    browser.post(page(link, "prolong"), {"days": "365"})
    browser.post(page(link, "new-address"))
    link.refresh_from_db()
    assert link.expires_at > timezone.now() + timedelta(days=364)
    assert services.secret_of(link) != address
    assert f"https://goalpost.example/report/{services.secret_of(link)}/" in browser.get(page(link)).content.decode()
    answer = browser.post(page(link, "take-back"), follow=True)
    assert "Withdrawn: the address opens nothing." in words(answer)
    assert services.secret_of(link) not in answer.content.decode()
    assert answer.context["actions_detail"] == []


@pytest.mark.django_db(transaction=True)
def test_the_letter_asked_for_is_told_to_a_worker_at_once(place: Place, browser: Browser):
    link = make(place, emails=["anna@shop.example"])
    browser.post(page(link, "send-now"))
    assert messages() == [(link.pk,)]


def test_previews_show_what_readers_see_and_count_for_nothing(place: Place, browser: Browser):
    link = make(place, language="ru", emails=["anna@shop.example"])
    assert "Mine shop" in words(browser.get(page(link, "preview")))
    assert "Mine shop" in words(browser.get(page(link, "letter")))
    services.withdraw(link=link)
    assert browser.get(page(link, "preview")).status_code == 200
    link.refresh_from_db()
    assert link.opened == 0


def test_an_analyst_looks_and_neither_copies_nor_changes(place: Place, login: Any):
    link = make(place, emails=["anna@shop.example"])
    browser = login(place.analyst)
    answer = browser.get(page(link))
    assert answer.status_code == 200
    assert services.secret_of(link) not in answer.content.decode()
    assert 'name="_save"' not in answer.content.decode()
    assert browser.get(page(link, "preview")).status_code == 200
    assert browser.post(page(link), FIELDS).status_code == 403
    assert "New link" not in words(browser.get(f"/admin/counters/counter/{place.counter.pk}/change/"))


def test_who_is_limited_to_counters_has_the_links_of_these(place: Place, login: Any):
    make(place, name="Of the other counter")
    yours = make_counter(place.agency, account=place.account, name="Yours", metrica_id=60_000_001)
    member = Membership.objects.get(user=place.manager)
    change_member(actor=SYSTEM, member=member, role="manager", counter_ids=(60_000_001,))
    browser = login(place.manager)
    browser.post(ADD, {**FIELDS, "counter": yours.pk})
    browser.post(ADD, {**FIELDS, "counter": place.counter.pk, "name": "Stolen"})
    assert list(ReportLink.objects.order_by("pk").values_list("name", flat=True)) == [
        "Of the other counter",
        "Anna of Mine shop",
    ]
    text = words(browser.get(LIST))
    assert "Anna of Mine shop" in text
    assert "Of the other counter" not in text
    assert browser.get("/admin/reports/agencylook/").status_code == 403


def test_lists_cost_the_same_for_many_and_say_what_to_do_when_empty(
    place: Place, browser: Browser, django_assert_num_queries: Any
):
    assert "No client reads a report yet" in words(browser.get(LIST))
    make(place, emails=["anna@shop.example"], weekly=True)
    with django_assert_num_queries(7):
        browser.get(LIST)
    for number in range(6):
        make(place, name=f"More {number}", emails=["anna@shop.example", "boris@shop.example"], weekly=True)
    with django_assert_num_queries(7):
        text = words(browser.get(LIST))
    assert "recipients: 2" in text
    assert "Monday, 09:00" in text


def test_a_failed_letter_is_shown(place: Place, browser: Browser):
    link = make(place, emails=["anna@shop.example"], weekly=True)
    tomorrow = timezone.now() + timedelta(days=1)
    failed = {"error_message": "The mail server said: 451 later", "failed_at": timezone.now(), "not_before": tomorrow}
    Recipient.objects.update(due_for=timezone.localdate(), **failed)
    text = words(browser.get(page(link)))
    assert "Will be tried again" in text
    assert "451 later" in text
    assert "No letters leave" in text


# ---- the look ----


def look_page(place: Place, name: str = "change") -> str:
    return f"/admin/reports/agencylook/{place.agency.pk}/{name}/"


def test_the_owner_gives_the_look_and_sees_it_before(place: Place, browser: Browser):
    assert browser.get("/admin/reports/agencylook/", follow=True).redirect_chain[-1][0] == look_page(place)
    fields = {"shown_name": "Bright Co", "colour": "#ffee00"}
    logo = SimpleUploadedFile("logo.png", png(), "image/png")
    shown = browser.post(look_page(place, "preview"), {**fields, "logo_file": logo}).content.decode()
    assert "--brand: #ffee00" in shown
    assert "data:image/png;base64," in shown
    assert "it is not saved yet" in shown
    assert AgencyLook.objects.get().shown_name == ""
    logo.seek(0)
    answer = browser.post(look_page(place), {**fields, "logo_file": logo}, follow=True)
    assert "Saved." in words(answer)
    look = AgencyLook.objects.get()
    assert (look.shown_name, look.brand, bytes(look.logo)) == ("Bright Co", "#ffee00", png())
    browser.post(look_page(place), {**fields, "remove_logo": "on"})
    assert not bytes(AgencyLook.objects.get().logo)
    assert "Bright Co" in words(browser.get(look_page(place, "preview")))


def test_a_look_that_cannot_be_is_refused_in_preview_and_form(place: Place, browser: Browser):
    services.look_of(place.agency)
    for fields in ({"colour": "red"}, {"colour": "#123456", "logo_file": SimpleUploadedFile("x.png", b"<svg/>")}):
        shown = browser.post(look_page(place, "preview"), fields)
        assert shown.status_code == 200
        answer = browser.post(look_page(place), {**fields, "shown_name": "x"})
        assert answer.status_code == 200
        assert answer.context["adminform"].form.errors
    assert AgencyLook.objects.get().shown_name == ""


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_others_look_at_the_look(place: Place, login: Any, role: str):
    services.look_of(place.agency)
    browser = login(getattr(place, role))
    answer = browser.get(look_page(place))
    assert answer.status_code == 200
    assert 'name="_save"' not in answer.content.decode()
    assert browser.get(look_page(place, "preview")).status_code == 200
    for name in ("change", "preview"):
        assert browser.post(look_page(place, name), {"colour": "#000000", "shown_name": "x"}).status_code == 403
