"""What pages show to a role. What each may do is said, address by address, by the table in tests/admin/access."""

import re
from typing import Any

import pytest
from django.urls import reverse

from apps.counters.models import Counter, MetricaAccount
from apps.orders.models import HeldChange, Order
from apps.uploads.models import UploadJob
from tests.admin.access.found import object_of, registered
from tests.admin.access.table import ADDRESSES
from tests.admin.access.who import FORBIDDEN, OK
from tests.admin.conftest import Place
from tests.admin.pages import words

pytestmark = pytest.mark.django_db


def test_an_analyst_sees_no_buttons(full: Place, login: Any):
    browser = login(full.analyst)
    for name in registered():
        answer = browser.get(reverse(f"admin:{name}_change", args=[object_of(name, full).pk]), follow=True)
        if answer.status_code == 200:
            assert not answer.context.get("actions_detail"), name
    held = browser.get(reverse("admin:orders_heldchange_changelist"))
    assert "Map the status" not in words(held)
    order = browser.get(reverse("admin:orders_order_change", args=[full.change("Mine-2").order_id]))
    assert "Map the status" not in words(order)


@pytest.mark.parametrize("role", ["manager", "analyst"])
def test_a_form_that_cannot_be_saved_has_no_button_for_it(full: Place, login: Any, role: str):
    browser, seen = login(getattr(full, role)), 0
    for name in registered():
        page, obj = ADDRESSES[f"{name}_change"], object_of(name, full)
        if getattr(page.get, role) == OK and getattr(page.post, role) == FORBIDDEN:
            text = browser.get(reverse(f"admin:{name}_change", args=[obj.pk])).content.decode()
            assert not re.search(r'name="_(save|continue|addanother|saveasnew)"', text), name
            seen += 1
    assert seen >= 3


def test_an_analyst_reads_the_counter(full: Place, login: Any):
    assert "goal_Mine" in words(
        login(full.analyst).get(reverse("admin:counters_counter_change", args=[full.counter.pk]))
    )


@pytest.mark.parametrize("page", ["orders_order", "orders_heldchange", "orders_rejectedchange", "agencies_apikey"])
def test_an_analyst_has_no_bulk_actions(full: Place, login: Any, page: str):
    assert login(full.analyst).get(reverse(f"admin:{page}_changelist")).context["action_form"] is None


@pytest.mark.parametrize("model", [Counter, MetricaAccount, Order, HeldChange, UploadJob])
def test_nobody_is_offered_to_delete(full: Place, login: Any, model: Any):
    """What was delivered is proof; it does not go away by a click."""
    listed = login(full.owner).get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    assert "delete_selected" not in listed.content.decode()
