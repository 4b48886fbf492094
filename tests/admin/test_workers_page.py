"""The page of who works: each worker with its machine, process and last sign of life; for the platform's staff."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.uploads import heartbeats
from apps.uploads.models import Heartbeat
from tests.admin.conftest import Place
from tests.admin.pages import words
from tests.factories import make_staff

pytestmark = pytest.mark.django_db

PAGE = "/admin/uploads/heartbeat/"


def test_staff_see_who_works_and_who_has_fallen_silent(login: Any) -> None:
    heartbeats.beat("worker machine one.example 4711")
    heartbeats.beat(heartbeats.TICK)
    Heartbeat.objects.create(name="worker machine-two 12", at=timezone.now() - timedelta(minutes=7))
    answer = login(make_staff()).get(PAGE)
    text = answer.content.decode()
    assert "machine one.example" in text and "4711" in text
    assert text.count("Alive") == 2 and text.count("Silent") == 1
    assert "7 min ago" in words(answer)
    assert heartbeats.workers_alive() == 1


def test_it_can_only_be_looked_at(login: Any) -> None:
    heartbeats.beat("worker one 1")
    browser = login(make_staff())
    assert browser.get(f"{PAGE}add/").status_code == 403
    assert browser.post(f"{PAGE}worker%20one%201/change/", {"name": "x"}).status_code == 403
    assert browser.get(f"{PAGE}worker%20one%201/change/").status_code == 200


def test_nobody_else_sees_it(place: Place, login: Any) -> None:
    browser = login(place.owner)
    assert browser.get(PAGE).status_code == 403
    assert PAGE not in browser.get("/admin/").content.decode()
