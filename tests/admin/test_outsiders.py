"""R11: whoever is not of the agency meets nothing of it, on any page, act, list, filter or file of the admin."""

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from apps.agencies.invitations import invite
from apps.agencies.models import Agency, ApiKey, Invitation, Membership, SavedFilter, User
from apps.alerts.models import Alert, AlertRules, Channel
from apps.alerts.services import rules_of, save_channel
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters.models import ApiCall, Counter, MetricaAccount
from apps.dashboard.models import Comparison
from apps.goals.models import Goal, MappingVersion
from apps.hooks.models import Delivery, Endpoint
from apps.hooks.services import create_endpoint
from apps.imports import services as imports
from apps.imports.models import ImportJob
from apps.imports.tasks import take_in
from apps.orders.models import HeldChange, Order, RejectedChange, StatusChange
from apps.uploads.models import Heartbeat, Upload, UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import text_of
from tests.factories import SYSTEM, make_key

pytestmark = pytest.mark.django_db

# One line for each model with pages: an object of the agency. A page without a line makes the first test fail.
OBJECTS: dict[type[models.Model], Callable[[Place], models.Model]] = {
    Agency: lambda place: place.agency,
    User: lambda place: place.manager,
    Membership: lambda place: place.manager.memberships.get(),
    Invitation: lambda place: Invitation.objects.get(agency=place.agency),
    ApiKey: lambda place: ApiKey.objects.get(agency=place.agency),
    AuditEntry: lambda place: AuditEntry.objects.filter(agency=place.agency).first(),
    MetricaAccount: lambda place: place.account,
    Counter: lambda place: place.counter,
    ApiCall: lambda place: ApiCall.objects.get(agency=place.agency),
    Goal: lambda place: Goal.objects.get(counter=place.counter),
    MappingVersion: lambda place: MappingVersion.objects.filter(counter=place.counter).last(),
    Client: lambda place: Client.objects.get(counter=place.counter),
    Order: lambda place: Order.objects.get(counter=place.counter, order_id=f"{place.mark}-1"),
    RejectedChange: lambda place: RejectedChange.objects.get(counter=place.counter, delivery="rejected"),
    HeldChange: lambda place: HeldChange.objects.get(counter=place.counter, delivery="held"),
    UploadJob: lambda place: UploadJob.objects.get(counter=place.counter),
    ImportJob: lambda place: ImportJob.objects.get(counter=place.counter),
    Comparison: lambda place: Comparison.objects.get(counter=place.counter),
    Heartbeat: lambda place: Heartbeat.objects.get_or_create(name=f"worker {place.mark} 1")[0],
    Endpoint: lambda place: Endpoint.objects.get(agency=place.agency),
    Delivery: lambda place: Delivery.objects.filter(endpoint__agency=place.agency).first(),
    Alert: lambda place: Alert.objects.get(agency=place.agency),
    Channel: lambda place: Channel.objects.get(agency=place.agency),
    AlertRules: lambda place: AlertRules.objects.get(agency=place.agency),
}
# Pages of the platform's own staff: an agency's owner is not let in at all.
STAFF_ONLY = {Agency, User, Heartbeat}
# The theme's dialogs ask "are you sure?" before they look for the object; they say nothing of it.
BLIND_QUESTIONS = {
    f"<path:object_id>/{question}/"
    for question in ("password-link", "second-step-off", "revoke", "send-again", "withdraw")
}
# Nothing can be posted to a file, be it there or not.
ONLY_READ = {
    "<uuid:job_id>/file/<uuid:upload_id>/",
    "dry-run/<int:counter_id>/",
    "dry-run/<int:counter_id>/file/<slug:which>/",
    "<path:object_id>/sent/<uuid:upload_id>/",
}


@pytest.fixture
def full(place: Place) -> Place:
    """An agency with one of everything."""
    make_key(place.agency, name=f"{place.mark} key")
    invite(actor=SYSTEM, agency=place.agency, email=f"{place.mark.lower()}-new@mail.example", role="analyst")
    create_endpoint(
        agency=place.agency,
        name=f"{place.mark} webhook",
        url=f"https://crm.example/{place.mark}",
        events=["order.held"],
        counters=[place.counter],
    )
    order = place.push(
        f"{place.mark}-1", "new", client_uniq_id=f"{place.mark}-client", client_name=f"{place.mark} person"
    )
    place.push(f"{place.mark}-2", f"{place.mark} unknown status")
    place.job(order=order)
    refused = place.push(f"{place.mark}-3", "won", emails=[f"{place.mark.lower()}-3@mail.example"])
    refused.changes.update(delivery="rejected", reject_code="invalid_uploading", reject_message=f"{place.mark} no")
    rows = f"id,create_date_time,order_status\n{place.mark}-4,never,new\n"
    job = imports.receive(counter=place.counter, name=f"{place.mark}.csv", content=io.BytesIO(rows.encode()))
    imports.start(job=job)
    take_in(str(job.pk))
    Comparison.objects.create(counter=place.counter, read_at=timezone.now(), matched=0.5)
    rules_of(place.agency)
    save_channel(agency=place.agency, name=f"{place.mark} duty", addresses=[f"duty@{place.mark}.example"])
    about = {"counter": place.counter, "subject": f"counter {place.counter.pk}", "label": str(place.counter)}
    facts = {"reasons": {"unmapped_status": {"count": 1, "oldest": None}}}
    Alert.objects.create(agency=place.agency, cause="holds_waiting", severity="warning", facts=facts, **about)
    for model in OBJECTS:
        save_for_all(place, model)
    return place


def save_for_all(place: Place, model: type[models.Model]) -> SavedFilter:
    """A filter of the model's list that the owner has saved for the whole agency."""
    return SavedFilter.objects.create(
        agency=place.agency,
        user=place.owner,
        list_name=f"{model._meta.app_label}_{model._meta.model_name}",
        name=f"{place.mark} filter",
        query=f"q={place.mark}",
        shared=True,
    )


def patterns(model: type[models.Model]) -> list[str]:
    """Of every page of the model."""

    def walk(entries: Any, start: str = "") -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, URLResolver):
                yield from walk(entry.url_patterns, start + str(entry.pattern))
            elif isinstance(entry, URLPattern):
                yield start + str(entry.pattern)

    return list(walk(admin.site._registry[model].get_urls()))


def address(model: type[models.Model], pattern: str, obj: models.Model, place: Place) -> str:
    opts = model._meta
    upload = Upload.objects.get(job__counter=place.counter)
    values = {"job_id": upload.job_id, "upload_id": upload.pk, "counter_id": place.counter.pk, "which": "orders"}
    saved = SavedFilter.objects.filter(agency=place.agency, list_name=f"{opts.app_label}_{opts.model_name}").first()
    values["filter_id"] = saved.pk if saved else 0
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(values.get(match[1], obj.pk)), pattern)
    return f"/admin/{opts.app_label}/{opts.model_name}/{text}"


def everything() -> dict[str, Any]:
    """All that a page could change, for a look whether it did."""
    watched = [
        *(MetricaAccount, Counter, Order, StatusChange, UploadJob, Upload, Membership, ApiKey, Goal, Client),
        *(MappingVersion, Comparison, ImportJob, Endpoint, Delivery, Alert, Channel, AlertRules, Invitation),
        SavedFilter,
    ]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in watched}


def test_every_model_with_pages_has_its_line():
    missing = set(admin.site._registry) - set(OBJECTS)
    assert not missing, f"say in OBJECTS which object of an agency shows that these pages keep to it: {missing}"


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_somebody_elses_object_is_not_there(full: Place, other: Place, login: Any, model: Any):
    browser = login(other.owner)
    obj = OBJECTS[model](full)
    assert obj is not None
    before = everything()
    pages = [pattern for pattern in patterns(model) if "<" in pattern]
    assert pages or model in STAFF_ONLY
    for pattern in pages:
        url = address(model, pattern, obj, full)
        for method, data in (
            (browser.get, {}),
            (browser.post, {"why": "because", "reason": "because", "_form_submitted": "on"}),
        ):
            answer = method(url, data)
            expected = {404}
            if pattern == "<path:object_id>/":
                # Django's last pattern only leads old addresses to the page itself.
                answer = browser.get(answer.headers["Location"]) if answer.status_code == 302 else answer
            if model in STAFF_ONLY:
                expected = {403, 404}
            elif method == browser.get and pattern in BLIND_QUESTIONS:
                expected = {200}
            elif method == browser.post and pattern in ONLY_READ:
                expected = {405}
            assert answer.status_code in expected, f"{method.__name__} {url}: {answer.status_code}"
            assert full.mark not in answer.content.decode(), url
    assert everything() == before


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_lists_searches_and_filters_show_nothing_of_it(full: Place, other: Place, login: Any, model: Any):
    browser = login(other.owner)
    obj = OBJECTS[model](full)
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    queries = ["", f"?q={obj}", f"?q={full.mark}", f"?counter__id__exact={full.counter.pk}"]
    queries += [f"?account__id__exact={full.account.pk}", "?delivery=held", "?reason=unmapped_status"]
    for query in queries:
        answer = browser.get(base + query, follow=True)
        if model in STAFF_ONLY:
            assert answer.status_code == 403
            continue
        assert answer.status_code == 200, base + query
        if query.startswith("?q="):
            assert not list(answer.context["cl"].result_list), base + query  # the page repeats the words themselves
        else:
            assert full.mark not in answer.content.decode(), base + query


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_pages_without_an_object_show_nothing_of_it(full: Place, other: Place, login: Any, model: Any):
    browser = login(other.owner)
    for pattern in patterns(model):
        if "<" in pattern:
            continue
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{pattern}"
        answer = browser.get(url, follow=True)
        assert answer.status_code in (200, 403, 404), url
        assert full.mark not in text_of(answer), url


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_actions_on_somebody_elses_rows_do_nothing(full: Place, other: Place, login: Any, model: Any):
    browser = login(other.owner)
    obj = OBJECTS[model](full)
    url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    before = everything()
    for name in all_actions(model):
        for across in ("0", "1"):
            data = {
                "action": name,
                "_selected_action": str(obj.pk),
                "index": "0",
                "select_across": across,
                "_confirmed": "1",
                "why": "because",
            }
            answer = browser.post(url, data, follow=True)
            assert answer.status_code == 200
            assert full.mark not in answer.content.decode()
    assert everything() == before


def all_actions(model: type[models.Model]) -> list[str]:
    """Names of the list's actions, those of the apps below included."""
    from apps.orders.panels import order_bulk_acts

    own = [action.__name__ for action in admin.site._registry[model].actions or () if callable(action)]
    return own + ([act.name for act in order_bulk_acts] if model is Order else [])


def test_there_are_actions_to_try():
    assert all_actions(Order) == ["upload_orders"]
    assert all_actions(HeldChange) == ["release_changes", "reject_changes"]


def test_choices_of_forms_offer_nothing_of_it(full: Place, other: Place, login: Any):
    browser = login(other.owner)
    for url in (
        "/admin/counters/counter/add/",
        "/admin/orders/order/add/",
        f"/admin/counters/counter/{other.counter.pk}/change/",
    ):
        answer = browser.get(url)
        assert answer.status_code == 200
        assert full.mark not in answer.content.decode(), url


def test_a_form_does_not_take_somebody_elses_things(full: Place, other: Place, login: Any):
    browser: Browser = login(other.owner)
    answer = browser.post(
        "/admin/counters/counter/add/",
        {"metrica_id": "77", "name": "x", "account": full.account.pk, "schedule": "manual", "currency": "RUB"},
    )
    assert answer.status_code == 200
    assert not Counter.objects.filter(metrica_id=77).exists()
    answer = browser.post(
        "/admin/orders/order/add/",
        {"counter": full.counter.pk, "id": "stolen", "create_date_time": "2026-01-01 10:00:00", "order_status": "new"},
    )
    assert answer.status_code == 200
    assert not Order.objects.filter(order_id="stolen").exists()


@pytest.mark.parametrize("model", [Endpoint, Channel], ids=lambda model: model.__name__)
def test_nothing_is_made_or_changed_across_agencies_by_fields_of_a_form(
    full: Place, other: Place, login: Any, model: Any
):
    """The agency that a form names is not asked; counters and people of another are no choice, in new things or old."""
    browser: Browser = login(other.owner)
    list_url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    fields = {"name": "x", "url": "http://127.0.0.1:8080/", "events": ["order.held"], "active": "on"}
    fields |= {"addresses": "a@b.example", "is_active": "on", "language": "en", "time_zone": "Europe/Moscow"}
    foreign_person = full.manager.memberships.get().pk
    for foreign in ({"counters": [full.counter.pk]}, {"members": [foreign_person]}):
        if model is Endpoint and "members" in foreign:
            continue
        answer = browser.post(f"{list_url}add/", {**fields, **foreign})
        assert answer.status_code == 200, answer.headers
        assert set(foreign) <= set(answer.context["adminform"].form.errors)
    assert not model.objects.filter(agency=other.agency).exists()
    before = everything()
    browser.post(f"{list_url}add/", {**fields, "agency": full.agency.pk})
    made = model.objects.get(name="x")
    assert made.agency == other.agency
    browser.post(f"{list_url}{made.pk}/change/", {**fields, "counters": [full.counter.pk], "members": [foreign_person]})
    made.refresh_from_db()
    assert not made.counters.exists()
    made.delete()
    assert everything() == before


def test_the_download_belongs_to_its_job(full: Place, other: Place, login: Any):
    """Not even the address of one's own job opens somebody else's file."""
    mine = other.job()
    foreign = Upload.objects.get(job__counter=full.counter)
    browser = login(other.owner)
    assert browser.get(f"/admin/uploads/uploadjob/{mine.pk}/file/{foreign.pk}/").status_code == 404
    own = Upload.objects.get(job=mine)
    assert browser.get(f"/admin/uploads/uploadjob/{mine.pk}/file/{own.pk}/").status_code == 200
