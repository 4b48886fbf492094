"""The log as a CSV file: what the list shows, all of it, and safe to open in a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.agencies import exporting
from apps.agencies.models import Agency, Role, User
from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.audit.services import record
from tests.factories import make_agency, make_member, make_staff

pytestmark = pytest.mark.django_db

EXPORT = "/admin/audit/auditentry/export.csv"


@pytest.fixture(autouse=True)
def _as_before():
    yield
    timezone.deactivate()


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def analyst(north: Agency, client: Client) -> User:
    user = make_member(north, Role.ANALYST, "analyst@north.example")
    client.force_login(user)
    return user


def exported(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(EXPORT + query)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="auditentry-')
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_the_file_has_what_the_filters_show(client: Client, analyst: User, north: Agency):
    record(action="one", agency=north, obj=north, before={"a": 1}, after={"a": "я"})
    record(action="two", agency=north)
    record(action="one", agency=make_agency())
    chain.seal()
    [row] = exported(client, "?action=one")
    assert (row["Action"], row["Agency"], row["Object"]) == ("one", "north", "North Agency")
    assert (json.loads(row["Before"]), json.loads(row["After"]), row["Details"]) == ({"a": 1}, {"a": "я"}, "")
    link = AuditEntry.objects.get(action="one", agency=north).link
    assert (row["Place in the chain"], row["Hash"]) == (str(link.position), link.hash)
    assert [row["Action"] for row in exported(client, "?q=two")] == ["two"]


def test_no_cell_begins_a_formula(client: Client, analyst: User, north: Agency):
    for evil in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1"):
        AuditEntry.objects.create(
            agency=north, actor_kind="person", actor_label=evil, action=evil[:64], object_label=evil, source="web"
        )
    found = exported(client)
    cells = [cell for row in found for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
    assert "'=1+1" in cells


def test_times_are_on_the_readers_clock(client: Client, analyst: User, north: Agency):
    User.objects.update(time_zone="Asia/Vladivostok")
    AuditEntry.objects.create(
        agency=north, actor_kind="x", actor_label="x", action="old", source="web", at="2020-01-01T00:00:00Z"
    )
    [row] = exported(client, "?action=old")
    assert row["Time"] == "2020-01-01T10:00:00+10:00"


def test_a_long_log_comes_by_the_chunk(
    client: Client, analyst: User, north: Agency, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
):
    monkeypatch.setattr(exporting, "CHUNK", 10)
    for number in range(25):
        record(action=f"many.{number}", agency=north)
    answer = client.get(f"{EXPORT}?action=many")
    with django_assert_num_queries(5):  # what was asked and what came of it, three chunks
        pieces = list(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(pieces) == 5  # the mark of its encoding, the titles, three chunks
    rows = list(csv.reader(io.StringIO(b"".join(pieces).decode())))
    assert [row[3] for row in rows[1:]] == [f"many.{number}" for number in reversed(range(25))]


def test_an_export_leaves_its_trace(client: Client, analyst: User, north: Agency):
    exported(client, "?action=one&object_id=7")
    entry = AuditEntry.objects.get(action="list.exported")
    assert (entry.agency, entry.actor_label) == (north, analyst.email)
    assert entry.details["parameters"] == "action=one&object_id=7"


def test_nothing_is_posted_to_it_and_wrong_filters_lead_to_the_list(client: Client, analyst: User):
    assert client.post(EXPORT).status_code == 405
    assert client.get(f"{EXPORT}?nonsense__x=1").headers["Location"].startswith("/admin/audit/auditentry/")


def test_staff_export_all(client: Client, north: Agency):
    record(action="ours", agency=north)
    record(action="platform", agency=None)
    client.force_login(make_staff())
    assert {row["Agency"] for row in exported(client)} == {"north", ""}


def test_the_list_leads_to_it_with_its_filters(client: Client, analyst: User):
    page = client.get("/admin/audit/auditentry/?action=a%26b").content.decode()
    assert f"{EXPORT}?action=a%26b" in page
