"""R11 in forms and parameters: they offer one's own things, and take nothing that is somebody else's."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from apps.agencies.models import SignIn
from apps.alerts.models import Channel
from apps.clients.models import Client
from apps.counters.models import Counter
from apps.hooks.models import Endpoint
from apps.imports.models import ImportJob
from apps.orders.models import Order
from tests.admin.access.asking import Visitor, changed, everything
from tests.admin.access.who import NOT_THERE, OK
from tests.admin.access.world import World

pytestmark = pytest.mark.django_db

STRANGERS = ("outsider", "outside")  # of another agency; of the same one, limited to another counter


def own_counter(world: World, person: str) -> Counter:
    return world.elsewhere.counter if person == "outsider" else world.yours


def refused(answer: Any) -> set[str]:
    """Fields of the form that were not taken."""
    context = answer.raw.context
    form = context["adminform"].form if "adminform" in context else context["form"]
    return set(form.errors)


Parameter = tuple[str, Callable[[World], Any]]
OF_COUNTER: Parameter = ("counter", lambda world: world.place.counter.pk)
OF_ACCOUNT: Parameter = ("account", lambda world: world.place.account.pk)
OF_AGENCY: Parameter = ("agency", lambda world: world.place.agency.pk)


@pytest.mark.parametrize(
    ("person", "url", "parameter", "meets"),
    [
        *((person, "/admin/", OF_COUNTER, NOT_THERE) for person in STRANGERS),
        *((person, "/admin/", parameter, OK) for person in STRANGERS for parameter in (OF_ACCOUNT, OF_AGENCY)),
        *((person, "/admin/orders/order/add/", OF_COUNTER, OK) for person in STRANGERS),
        *((person, "/admin/imports/importjob/add/", OF_COUNTER, OK) for person in STRANGERS),
        ("outsider", "/admin/counters/counter/add/", OF_ACCOUNT, OK),
        ("outsider", "/admin/counters/metricaaccount/yandex/", OF_ACCOUNT, NOT_THERE),
        ("outsider", "/admin/hooks/endpoint/add/", ("counters", OF_COUNTER[1]), OK),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_a_parameter_that_names_what_is_hidden_shows_nothing_of_it(
    world: World, person: str, url: str, parameter: Parameter, meets: str
):
    name, value = parameter
    answer = Visitor(person, world).ask("GET", url, {name: value(world)})
    assert answer.met == meets
    assert not answer.leaks


@pytest.mark.parametrize("person", STRANGERS)
@pytest.mark.parametrize("kept", ["q=Quokka-1", "status=new", "counter__id__exact={counter}", "order_id__startswith=Q"])
def test_the_list_that_an_order_was_opened_from_leads_to_ones_own(world: World, person: str, kept: str):
    """The neighbours of an order are looked for by parameters that come along with its address."""
    counter = own_counter(world, person)
    orders = [
        world.place.push(f"own-{number}", "new", counter=counter, emails=["own@mail.example"]) for number in (1, 2)
    ]
    url = f"/admin/orders/order/{orders[0].pk}/change/"
    answer = Visitor(person, world).ask(
        "GET", url, {"_changelist_filters": kept.format(counter=world.place.counter.pk)}
    )
    theirs = Order.objects.filter(counter=world.place.counter).values_list("pk", flat=True)
    assert answer.met in (OK, "400")
    assert not [pk for pk in theirs if f"/orders/order/{pk}/" in answer.text]


def test_forms_offer_nothing_of_another_agency(world: World):
    visitor = Visitor("outsider", world)
    for url in (
        "/admin/counters/counter/add/",
        "/admin/orders/order/add/",
        "/admin/imports/importjob/add/",
        "/admin/alerts/channel/add/",
        "/admin/hooks/endpoint/add/",
        f"/admin/counters/counter/{world.elsewhere.counter.pk}/change/",
    ):
        answer = visitor.ask("GET", url)
        assert (answer.met, answer.leaks) == (OK, []), url


@pytest.mark.parametrize("person", STRANGERS)
def test_no_order_and_no_file_comes_to_a_counter_that_is_not_theirs(world: World, person: str):
    visitor, foreign = Visitor(person, world), world.place.counter.pk
    order = {"id": "stolen", "create_date_time": "2026-01-01 10:00:00", "order_status": "new"}
    files = len(ImportJob.objects.all())
    assert "counter" in refused(visitor.ask("POST", "/admin/orders/order/add/", {**order, "counter": foreign}))
    rows = io.BytesIO(b"id,create_date_time,order_status\n1,2026-01-01 10:00:00,new\n")
    rows.name = "a.csv"
    assert "counter" in refused(
        visitor.ask("POST", "/admin/imports/importjob/add/", {"counter": foreign, "file": rows})
    )
    assert not Order.objects.filter(order_id="stolen").exists()
    assert len(ImportJob.objects.all()) == files
    taken = visitor.ask("POST", "/admin/orders/order/add/", {**order, "counter": own_counter(world, person).pk})
    assert taken.met == OK
    assert Order.objects.get(order_id="stolen").counter == own_counter(world, person)


def test_no_counter_gets_the_account_of_another_agency(world: World):
    visitor, foreign = Visitor("outsider", world), world.place.account.pk
    new = {"metrica_id": "77", "name": "x", "account": foreign, "schedule": "manual", "currency": "RUB"}
    assert "account" in refused(visitor.ask("POST", "/admin/counters/counter/add/", new))
    assert not Counter.objects.filter(metrica_id=77).exists()
    own = f"/admin/counters/counter/{world.elsewhere.counter.pk}"
    assert "account" in refused(visitor.ask("POST", f"{own}/change/", new))
    Counter.objects.filter(pk=world.elsewhere.counter.pk).update(account=None)
    assert "account" in refused(visitor.ask("POST", f"{own}/choose_account/", {"account": foreign}))
    world.elsewhere.counter.refresh_from_db()
    assert world.elsewhere.counter.account is None


@pytest.mark.parametrize("person", STRANGERS)
def test_nobody_is_merged_with_a_client_of_a_counter_that_is_not_theirs(world: World, person: str):
    counter, theirs = own_counter(world, person), Client.objects.get(counter=world.place.counter)
    kept = world.place.push("own-1", "new", counter=counter, client_uniq_id="own", emails=["own@mail.example"]).client
    assert kept is not None
    answer = Visitor(person, world).ask("POST", f"/admin/clients/client/{kept.pk}/merge/", {"uniq_id": theirs.uniq_id})
    assert refused(answer) == {"uniq_id"}
    assert Client.objects.present().filter(pk=theirs.pk).exists()


@pytest.mark.parametrize("model", [Endpoint, Channel], ids=lambda model: model.__name__)
def test_nothing_is_made_or_changed_across_agencies_by_fields_of_a_form(world: World, model: Any):
    """The agency that a form names is not asked; counters and people of another are no choice, in new things or old."""
    visitor, full = Visitor("outsider", world), world.place
    list_url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    fields = {"name": "x", "url": "http://127.0.0.1:8080/", "events": ["order.held"], "active": "on"}
    fields |= {"addresses": "a@b.example", "is_active": "on", "language": "en", "time_zone": "Europe/Moscow"}
    foreign_person = full.manager.memberships.get().pk
    for foreign in ({"counters": [full.counter.pk]}, {"members": [foreign_person]}):
        if model is Endpoint and "members" in foreign:
            continue
        assert set(foreign) <= refused(visitor.ask("POST", f"{list_url}add/", {**fields, **foreign}))
    assert not model.objects.filter(agency=world.elsewhere.agency).exists()
    before = list(model.objects.order_by("pk").values())
    visitor.ask("POST", f"{list_url}add/", {**fields, "agency": full.agency.pk})
    made = model.objects.get(name="x")
    assert made.agency == world.elsewhere.agency
    foreign = {"counters": [full.counter.pk], "members": [foreign_person]}
    visitor.ask("POST", f"{list_url}{made.pk}/change/", {**fields, **foreign})
    made.refresh_from_db()
    assert not made.counters.exists()
    assert list(model.objects.exclude(pk=made.pk).order_by("pk").values()) == before


def test_nobody_ends_the_session_of_another(world: World):
    session, stranger = Visitor("owner", world).sign_in, Visitor("outsider", world)
    before = everything()
    assert stranger.ask("POST", "/admin/profile/sessions/", {"session": session.pk}).met == NOT_THERE
    assert SignIn.objects.filter(pk=session.pk).exists()
    assert not changed(before)
