"""An address filters a list by what its filters offer, and by nothing else: what a page hides cannot be guessed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client as Browser

from apps.alerts.models import Channel
from apps.clients.models import Client
from apps.counters.models import MetricaAccount
from apps.hooks.models import Endpoint
from apps.hooks.services import create_endpoint
from tests.admin.access.table import PLATFORM
from tests.admin.conftest import Place
from tests.factories import make_staff

pytestmark = pytest.mark.django_db

# What the filters of each list ask for; words that are no field of the model are the filter's own affair.
OFFERED: dict[str, set[str]] = {
    "agencies.agency": {"is_active"},
    "agencies.user": {"is_active", "is_superuser"},
    "agencies.membership": {"role"},
    "agencies.invitation": {"role"},
    "audit.auditentry": {"action", "object_type", "object_id", "request_id", "at"},
    "counters.metricaaccount": {"state"},
    "counters.counter": {"account", "mode", "delivery"},
    "counters.apicall": {"outcome", "counter", "account"},
    "goals.goal": {"counter"},
    "goals.mappingversion": {"counter"},
    "clients.client": {"counter"},
    "orders.order": {"counter", "create_date_time", "status"},
    "orders.rejectedchange": {"counter"},
    "orders.heldchange": {"counter"},
    "uploads.uploadjob": {"counter", "state", "trigger"},
    "imports.importjob": {"counter", "state"},
    "api.receivedupload": {"counter", "state", "kind"},
    "hooks.endpoint": {"active"},
    "hooks.delivery": {"endpoint", "state", "event__type"},
    "receivers.receiver": {"counter", "kind", "active"},
    "receivers.post": {"receiver", "state"},
    "alerts.alert": {"cause", "severity", "counter"},
    "alerts.channel": {"kind", "is_active"},
}


def names(model: type[models.Model]) -> Iterator[str]:
    for field in model._meta.get_fields():
        yield field.name
        if (attname := getattr(field, "attname", field.name)) != field.name:
            yield attname
    yield "pk"


def offered_by_filters(model: type[models.Model]) -> set[str]:
    found = set()
    for item in admin.site._registry[model].list_filter:
        path = item[0] if isinstance(item, (tuple, list)) else item
        found.add(path if isinstance(path, str) else getattr(path, "parameter_name", ""))
    return found


def refused(answer: Any) -> bool:
    return answer.status_code == 400 or (answer.status_code == 302 and "e=1" in answer.headers["Location"])


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label_lower)
def test_what_no_filter_offers_is_refused(place: Place, login: Any, model: type[models.Model]):
    browser: Browser = login(make_staff() if model in PLATFORM else place.owner)
    opts = model._meta
    offered = OFFERED.get(opts.label_lower, set()) | offered_by_filters(model)
    url = f"/admin/{opts.app_label}/{opts.model_name}/"
    assert browser.get(url, follow=True).status_code == 200
    for name in names(model):
        kinds = ("__contains", "__iregex") if name in offered else ("", "__exact", "__contains", "__gt", "__isnull")
        for kind in kinds:
            assert refused(browser.get(url, {f"{name}{kind}": "1"})), f"{url}?{name}{kind}=1"


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (Endpoint, "url__contains=token"),
        (Endpoint, "secret_encrypted__startswith=g"),
        (Channel, "url__contains=token"),
        (Channel, "members__user__email__contains=a"),
        (Client, "identifiers__icontains=903"),
        (Client, "counter__account__token_encrypted__startswith=g"),
        (MetricaAccount, "counters_count__gt=0"),
        (MetricaAccount, "counters__name__contains=a"),
    ],
)
def test_what_a_page_hides_cannot_be_guessed(full: Place, login: Any, model: Any, query: str):
    create_endpoint(agency=full.agency, name="Secret", url="https://crm.example/?token=abc", events=["order.held"])
    opts = model._meta
    assert refused(login(full.manager).get(f"/admin/{opts.app_label}/{opts.model_name}/?{query}"))


def test_what_the_filters_offer_works(full: Place, login: Any):
    browser = login(full.owner)
    for label, offered in OFFERED.items():
        model = next(one for one in admin.site._registry if one._meta.label_lower == label)
        if model in PLATFORM:
            continue
        opts = model._meta
        for name in sorted(offered):
            relation = "__" not in name and name in {one.name for one in opts.fields if one.is_relation}
            query = f"{name}__id__exact=1" if relation else f"{name}__exact=1"
            own = name in {getattr(one, "parameter_name", "") for one in admin.site._registry[model].list_filter}
            if name in ("at", "create_date_time"):
                query = f"{name}_from{'_0' if name == 'at' else ''}=2026-01-01"
            answer = browser.get(
                f"/admin/{opts.app_label}/{opts.model_name}/?{name if own else query}{'=1' if own else ''}"
            )
            assert answer.status_code == 200, f"{label}?{query}"
