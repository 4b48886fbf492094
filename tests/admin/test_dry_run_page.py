"""The dry run of a counter: what would go now, as a table and as the file, and nothing leaves by looking (R4)."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from apps.counters import services
from apps.goals.models import StatusMapping
from apps.orders.models import Order, StatusChange
from apps.uploads import dry_run as module
from apps.uploads.models import Trigger, Upload, UploadJob
from tests.admin.conftest import Place
from tests.admin.pages import words

pytestmark = pytest.mark.django_db


def page(place: Place) -> str:
    return reverse("admin:uploads_uploadjob_dry_run", args=[place.counter.pk])


def file(place: Place, which: str = "orders") -> str:
    return reverse("admin:uploads_uploadjob_dry_run_file", args=[place.counter.pk, which])


def everything() -> list[Any]:
    models: list[Any] = [StatusChange, Order, UploadJob, Upload]
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_table_and_the_file(place: Place, browser: Browser, django_assert_num_queries: Any):
    place.push("A-1", "new", "won", revenue="1500.50", currency="RUB")
    place.push("A-2", "won")
    before = everything()
    with django_assert_num_queries(13):
        answer = browser.get(page(place))
    text = words(answer)
    for expected in ("A-1 new IN_PROGRESS", "A-2 won PAID goal_Mine", "1: 2 rows · 2: 1 row", "Would be kept back 0"):
        assert expected in text
    assert reverse("admin:counters_counter_upload", args=[place.counter.pk]) in answer.content.decode()
    answer = browser.get(file(place))
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="dry-run-{place.counter.metrica_id}-orders.csv"'
    )
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [(row["id"], row["order_status"], Decimal(row["revenue"] or 0)) for row in rows] == [
        ("A-1", "IN_PROGRESS", Decimal("1500.50")),
        ("A-2", "PAID", Decimal(0)),
    ]
    assert everything() == before


def test_it_costs_the_same_for_many(place: Place, browser: Browser, django_assert_num_queries: Any):
    for number in range(20):
        place.push(f"A-{number}", "new", "won")
    with django_assert_num_queries(13):
        assert "Waves 2" in words(browser.get(page(place)))


def test_what_would_be_held_is_told_with_its_reason(place: Place, browser: Browser):
    place.push("A-1", "new")
    place.push("A-2", "won")
    StatusMapping.objects.filter(crm_status="won").delete()
    text = words(browser.get(page(place)))
    assert "Would be kept back 1" in text
    assert "A-2 · won The status is not mapped" in text


def test_of_the_latest_state_alone_the_skipped_ones_are_counted(place: Place, browser: Browser):
    services.update_counter(counter=place.counter, delivery="latest_only")
    place.push("A-1", "new", "won")
    text = words(browser.get(page(place)))
    assert "1 older status is skipped" in text
    assert "A-1 won PAID" in text
    assert "A-1 new" not in text


def test_a_blocked_counter_says_why_and_where_the_holds_are(place: Place, browser: Browser):
    place.push("A-1", "new")
    services.pause(counter=place.counter, reason="x")
    answer = browser.get(page(place))
    assert "The counter is paused" in words(answer)
    assert f"{reverse('admin:orders_heldchange_changelist')}?counter__id__exact=" in answer.content.decode()
    assert browser.get(file(place)).status_code == 404


def test_nothing_due_says_so(place: Place, browser: Browser):
    answer = browser.get(page(place))
    assert "Nothing is due" in words(answer)
    assert reverse("admin:counters_counter_upload", args=[place.counter.pk]) not in answer.content.decode()
    assert browser.get(file(place)).status_code == 404
    assert browser.get(file(place, "nonsense")).status_code == 404


def test_of_very_many_only_the_first_are_read(place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LOOKED_AT", 3)
    monkeypatch.setattr("apps.uploads.selection.CHUNK", 3)
    for number in range(5):
        place.push(f"A-{number}", "new")
    assert "More is due than is looked at here" in words(browser.get(page(place)))
    assert browser.get(file(place)).content.count(b"\r\n") == 4


def test_a_file_that_has_not_ended_comes_first(place: Place, browser: Browser):
    order = place.push("A-1", "new")
    job = UploadJob.objects.create(counter=place.counter, trigger=Trigger.PERSON)
    upload = Upload.objects.create(job=job, wave=1, state="unknown")
    order.changes.update(delivery="sending", upload_id=upload.pk)
    place.push("A-1", "new", "won")
    text = words(browser.get(page(place)))
    assert "1 file of an earlier upload has not ended yet" in text
    assert "A-1 won" not in text


def test_an_analyst_looks_and_cannot_upload(place: Place, login: Any):
    place.push("A-1", "new")
    answer = login(place.analyst).get(page(place))
    assert "A-1 new" in words(answer)
    assert "Upload now" not in words(answer)


def test_somebody_elses_counter_is_not_there(place: Place, other: Place, login: Any):
    place.push("A-1", "new")
    browser = login(other.owner)
    assert browser.get(page(place)).status_code == 404
    assert browser.get(file(place)).status_code == 404


def test_the_question_before_an_upload_leads_to_it(place: Place, browser: Browser):
    place.push("A-1", "new")
    asked = browser.get(reverse("admin:counters_counter_upload", args=[place.counter.pk]))
    assert page(place) in asked.content.decode()
    counter = browser.get(reverse("admin:counters_counter_change", args=[place.counter.pk]))
    assert page(place) in counter.content.decode()
