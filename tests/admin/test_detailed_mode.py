"""The counter's mode on its pages: a switch says first what will happen, from the counter's own data; what detailed
mode declares is edited there; and how clients stand is shown."""

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import Counter, CustomAttribute, Product
from apps.counters.services import update_counter
from apps.goals.services import set_status
from apps.orders.models import HoldReason, StatusChange
from tests.admin.conftest import Place
from tests.admin.pages import errors, form_data, messages, words

pytestmark = pytest.mark.django_db


def page(counter: Counter) -> str:
    return reverse("admin:counters_counter_change", args=[counter.pk])


def act(obj: Any, name: str) -> str:
    return reverse(f"admin:{obj._meta.label_lower.replace('.', '_')}_{name}", args=[obj.pk])


@pytest.fixture
def detailed(place: Place) -> Counter:
    place.counter = update_counter(counter=place.counter, mode="detailed")
    set_status(counter=place.counter, crm_status="mute", type="OTHER")
    return place.counter


def test_the_switch_to_detailed_mode_says_what_will_happen(place: Place, browser: Browser) -> None:
    place.push("A-1", "new")
    place.push("A-2", "new", client_uniq_id="C-1")
    text = words(browser.get(act(place.counter, "to_detailed")))
    assert "new → new (In progress)" in text
    assert "won → won (Paid)" in text
    assert "1 waiting order names no client" in text
    assert "1 client goes to Metrica before any order" in text
    assert "only to visits after the first upload of clients. There was none yet" in text
    answer = browser.post(act(place.counter, "to_detailed"), follow=True)
    assert "delivers in detailed mode now" in messages(answer)
    place.counter.refresh_from_db()
    assert place.counter.mode == "detailed"
    [entry] = AuditEntry.objects.filter(action="counter.mode_switched")
    assert (entry.before, entry.after) == ({"mode": "simple"}, {"mode": "detailed"})
    assert "binding_begins" in entry.details["told"]
    assert entry.actor_label == place.owner.email


def test_the_switch_back_says_what_will_be_held(place: Place, detailed: Counter, browser: Browser) -> None:
    place.push("A-1", "new", client_uniq_id="C-1")
    StatusChange.objects.update(delivery="held", hold_reason=HoldReason.CLIENT_REFUSED)
    text = words(browser.get(act(detailed, "to_simple")))
    assert "so simple mode cannot say them: their orders will be held. mute" in text
    assert "1 status change that is held because of its client is released" in text
    browser.post(act(detailed, "to_simple"))
    detailed.refresh_from_db()
    assert detailed.mode == "simple"
    answer = browser.post(act(detailed, "to_simple"), follow=True)
    assert "cannot be done any more" in messages(answer)


def test_an_analyst_switches_nothing(place: Place, login: Any) -> None:
    browser = login(place.analyst)
    assert browser.get(act(place.counter, "to_detailed")).status_code == 403
    assert browser.post(act(place.counter, "to_detailed")).status_code == 403
    place.counter.refresh_from_db()
    assert place.counter.mode == "simple"


def test_the_page_tells_how_clients_stand(place: Place, detailed: Counter, browser: Browser) -> None:
    place.push("A-1", "new", client_uniq_id="C-1")
    text = words(browser.get(page(detailed)))
    assert "First clients uploaded Not yet" in text
    assert "Clients to be uploaded 1" in text
    Client.objects.update(reject_code="refused", reject_message="bad phone", settled_revision=1)
    Counter.objects.update(first_clients_at=timezone.now())
    text = words(browser.get(page(detailed)))
    assert "Metrica did not take these clients" in text
    assert "Metrica binds orders only to visits after that" in text
    Client.objects.update(crowded_at=timezone.now())
    assert "nearly the 100,000 orders" in words(browser.get(page(detailed)))


def test_a_counter_in_simple_mode_shows_nothing_of_it(place: Place, browser: Browser) -> None:
    text = words(browser.get(page(place.counter)))
    assert "First clients uploaded" not in text
    assert "Custom attributes" not in text
    assert "Switch to detailed mode" in text


def test_the_order_says_after_which_visits_it_can_be_bound(place: Place, detailed: Counter, browser: Browser) -> None:
    order = place.push("A-1", "new")
    url = reverse("admin:orders_order_change", args=[order.pk])
    assert "the first upload of clients, which is still to come" in words(browser.get(url))
    Counter.objects.update(first_clients_at=timezone.now())
    text = words(browser.get(url))
    assert "Bound only to visits after" in text and "still to come" not in text


def test_a_refused_client_is_sent_again_by_hand(place: Place, detailed: Counter, browser: Browser) -> None:
    place.push("A-1", "new", client_uniq_id="C-1")
    client = Client.objects.get()
    assert "Send again" not in words(browser.get(reverse("admin:clients_client_change", args=[client.pk])))
    Client.objects.update(reject_code="refused", reject_message="bad phone", settled_revision=1)
    StatusChange.objects.update(delivery="held", hold_reason=HoldReason.CLIENT_REFUSED)
    assert "Open the client" in words(browser.get("/admin/orders/heldchange/"))
    text = words(browser.get(reverse("admin:clients_client_change", args=[client.pk])))
    assert "Refused" in text and "bad phone" in text and "Send again" in text
    answer = browser.post(act(client, "send"), follow=True)
    assert "goes to Metrica with the next upload" in messages(answer)
    client.refresh_from_db()
    assert (client.revision, client.is_due) == (2, True)
    assert StatusChange.objects.get().delivery == "waiting"
    assert AuditEntry.objects.filter(action="client.resend_requested").exists()


def attribute(number: int, **values: Any) -> dict[str, Any]:
    given = {"entity": "ORDER", "name": "branch", "type": "text", "humanized": "", **values}
    return {f"attributes-{number}-{name}": value for name, value in given.items()}


def test_attributes_are_saved_by_the_service(place: Place, detailed: Counter, browser: Browser) -> None:
    data = form_data(browser, page(detailed))
    data.update({"attributes-TOTAL_FORMS": 2, **attribute(0), **attribute(1, entity="CONTACT", name="age")})
    answer = browser.post(page(detailed), data, follow=True)
    assert answer.redirect_chain, answer.context["errors"]
    assert list(CustomAttribute.objects.values_list("entity", "name")) == [("CONTACT", "age"), ("ORDER", "branch")]
    data = form_data(browser, page(detailed))
    data["attributes-0-DELETE"] = "on"
    browser.post(page(detailed), data)
    assert list(CustomAttribute.objects.values_list("name", flat=True)) == ["branch"]
    assert AuditEntry.objects.filter(action="counter.attributes_changed").count() == 2


def test_an_attribute_that_cannot_be_is_told(place: Place, detailed: Counter, browser: Browser) -> None:
    data = form_data(browser, page(detailed))
    data.update({"attributes-TOTAL_FORMS": 1, **attribute(0, name="emails", entity="CONTACT")})
    answer = browser.post(page(detailed), data)
    assert answer.status_code == 200
    assert "Metrica has a field of that name itself" in words(answer)
    assert not CustomAttribute.objects.exists()


def test_products_are_pasted(place: Place, detailed: Counter, browser: Browser) -> None:
    answer = browser.post(act(detailed, "products"), {"products": "sku-1;Mug\nsku-2;Cup"}, follow=True)
    assert "2 products now: 2 new or changed, 0 taken out" in messages(answer)
    assert "sku-1;Mug\nsku-2;Cup" in browser.get(act(detailed, "products")).content.decode()
    answer = browser.post(act(detailed, "products"), {"products": "Laptop TG12;Laptop"})
    assert "Only Latin letters" in errors(answer)
    assert Product.objects.count() == 2
    browser.post(act(detailed, "products"), {"products": ""})
    assert not Product.objects.exists()
