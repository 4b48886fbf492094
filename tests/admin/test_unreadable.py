"""What no key of ENCRYPTION_KEYS opens is said to be so, with what to do, and nothing of it is a bare fault."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client as Browser

from apps.orders.models import Order
from tests.admin.conftest import Place

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", ["orders/order", "clients/client"])
def test_pages_say_which_key_is_missing(place: Place, browser: Browser, settings: Any, model: str) -> None:
    settings.ENCRYPT_IDENTIFIERS = True
    order = place.push("A-1", "new", phones=["79031234567"], client_uniq_id="C-1")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    answer = browser.get(f"/admin/{model}/{order.pk if model == 'orders/order' else order.client_id}/change/")
    assert answer.status_code == 503
    text = answer.content.decode()
    assert "unreadable_secret" in text and "ENCRYPTION_KEYS" in text and answer.headers["X-Request-ID"] in text
    assert "7903" not in text


def test_no_other_fault_is_taken_for_it(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.orders.admin_pages.order.turn", lambda *_given: 1 / 0)
    place.push("A-1", "new")
    with pytest.raises(ZeroDivisionError):
        browser.get(f"/admin/orders/order/{Order.objects.get().pk}/change/")
