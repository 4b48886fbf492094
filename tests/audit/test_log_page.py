"""The audit log as people read it."""

import re

import pytest
from django.test import Client
from django.utils import timezone, translation

from apps.agencies.models import Agency, Role, User
from apps.audit import chain, trace
from apps.audit.admin import difference
from apps.audit.models import AuditEntry
from apps.audit.services import record
from tests.factories import SYSTEM, make_agency, make_key, make_member, make_membership, make_staff

pytestmark = pytest.mark.django_db

LOG = "/admin/audit/auditentry/"


@pytest.fixture(autouse=True)
def _as_before():
    yield
    translation.activate("en")
    timezone.deactivate()


@pytest.fixture
def north() -> Agency:
    return make_agency("north", "North Agency")


@pytest.fixture
def analyst(north: Agency, client: Client) -> User:
    user = make_member(north, Role.ANALYST, "analyst@north.example")
    client.force_login(user)
    return user


def listed(client: Client, query: str = "") -> list[str]:
    answer = client.get(LOG + query)
    assert answer.status_code == 200
    return [entry.action for entry in answer.context["cl"].result_list]


def test_one_reads_ones_own_agencys_log_newest_first(client: Client, analyst: User, north: Agency):
    for action in ("one", "two"):
        record(action=action, agency=north)
    record(action="theirs", agency=make_agency())
    record(action="platform", agency=None)
    assert listed(client) == ["two", "one"]


def test_staff_read_all(client: Client, north: Agency):
    record(action="ours", agency=north)
    record(action="platform", agency=None)
    client.force_login(make_staff())
    assert listed(client) == ["platform", "ours"]


def test_filters(client: Client, analyst: User, north: Agency):
    member = make_membership(north)
    with trace.traced(actor=SYSTEM, source="web", request_id="r-1"):
        record(action="member.added", agency=north, obj=member)
    with trace.traced(actor=SYSTEM, source="web", request_id="r-2"):
        record(action="key.made", agency=north)
    old = AuditEntry.objects.create(
        agency=north, actor_kind="person", actor_label="Anna", action="old", source="web", at="2020-01-01T00:00:00Z"
    )
    assert listed(client, "?actor=ann") == ["old"]
    assert listed(client, "?action=MEMBER.") == ["member.added"]
    assert listed(client, "?request_id=r-2") == ["key.made"]
    assert listed(client, f"?object_type=agencies.membership&object_id={member.pk}") == ["member.added"]
    assert listed(client, "?q=key.made") == ["key.made"]
    assert listed(client, "?actor=%00&action=%00") != []
    assert old.pk


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("at_from_0=2020-01-01&at_to_0=2020-01-01", True),
        ("at_from_0=2020-01-01&at_from_1=10:00&at_to_0=2020-01-01&at_to_1=10:00", True),
        ("at_from_0=2020-01-01&at_from_1=10:01", False),
        ("at_to_0=2020-01-01&at_to_1=09:59", False),
        ("at_from_0=2020-01-02", False),
        ("at_to_0=2019-12-31", False),
        ("at_from_0=rubbish", True),
        ("at_from_0=2020-02-31", True),
    ],
)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_period_is_on_the_readers_clock(
    client: Client, analyst: User, north: Agency, query: str, found: bool, language: str
):
    """00:00 UTC is 10:00 in Vladivostok, and the Russian form writes days as 01.01.2020."""
    User.objects.update(time_zone="Asia/Vladivostok", language=language)
    AuditEntry.objects.create(
        agency=north, actor_kind="x", actor_label="x", action="old", source="web", at="2020-01-01T00:00:00Z"
    )
    if language == "ru":
        query = re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\3.\2.\1", query)
    assert listed(client, f"?{query}") == (["old"] if found else [])


def test_an_objects_history_is_its_part_of_the_log(client: Client, analyst: User, north: Agency):
    key, _ = make_key(north)
    answer = client.get(f"/admin/agencies/apikey/{key.pk}/history/", follow=True)
    assert [entry.action for entry in answer.context["cl"].result_list] == ["api_key.created"]


def test_before_and_after_side_by_side(client: Client, analyst: User, north: Agency):
    entry = record(
        action="a",
        agency=north,
        obj=north,
        before={"same": "x", "changed": "old <b>", "gone": 1},
        after={"same": "x", "changed": "new", "come": None},
        details={"rows": 7},
    )
    page = client.get(f"{LOG}{entry.pk}/change/").content.decode()
    marked = re.findall(r"<tr[^>]*data-differs>\s*<td[^>]*>(\w+)</td>", page)
    assert marked == ["changed", "come", "gone"]
    assert "old &lt;b&gt;" in page
    assert "<b>" not in page.split("audit-difference")[1].split("</table>")[0]
    assert "Not sealed yet" in page
    chain.seal()
    assert chain.verify().ends[north.pk].hash in client.get(f"{LOG}{entry.pk}/change/").content.decode()


def test_the_difference_of_what_was_made_and_what_was_removed():
    assert difference(None, {"a": 1}) == [("a", "", 1, True)]
    assert difference({"a": 1}, None) == [("a", 1, "", True)]
    assert difference(None, None) == []
    assert difference({"a": ["я"]}, {"a": {"b": None}}) == [("a", '["я"]', '{"b": null}', True)]


def test_an_entry_of_an_object_that_is_gone_can_be_read(client: Client, analyst: User, north: Agency):
    entry = AuditEntry.objects.create(
        agency=north,
        actor_kind="x",
        actor_label="x",
        action="a",
        source="web",
        object_type="old.model",
        object_id="7/8",
    )
    assert client.get(f"{LOG}{entry.pk}/change/").status_code == 200


def test_nobody_changes_the_log(client: Client, north: Agency):
    entry = record(action="a", agency=north)
    client.force_login(make_staff())
    assert client.post(f"{LOG}{entry.pk}/change/", {"action": "b"}).status_code == 403
    assert client.post(f"{LOG}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{LOG}add/").status_code == 403
    client.post(LOG, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_somebody_elses_entry_is_not_there(client: Client, analyst: User):
    entry = record(action="a", agency=make_agency())
    assert client.get(f"{LOG}{entry.pk}/change/").status_code == 404


def test_a_long_log_costs_no_more_than_a_short_one(
    client: Client, analyst: User, north: Agency, django_assert_max_num_queries
):
    for _ in range(3):
        record(action="a", agency=north)
    with django_assert_max_num_queries(7) as few:
        listed(client)
    for _ in range(30):
        record(action="a", agency=north)
    with django_assert_max_num_queries(len(few)):
        listed(client)
