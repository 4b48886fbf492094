"""last_uploadings, counters, counter and goals over real HTTP."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.sandbox import services
from apps.sandbox.models import Permission, SandboxCounter, SandboxUploading
from tests.sandbox.conftest import NUMBER, Api, as_file, csv, error_of

GOOD = csv("D-1,2026-03-10 11:30:00,,17,,,PAID,100,,,")


def add_uploadings(counter: SandboxCounter, times: list[datetime], status: str = "PASSED") -> None:
    SandboxUploading.objects.bulk_create(
        SandboxUploading(counter=counter, received_at=time, status=status, elements_count=1) for time in times
    )


def test_empty_before_the_first_upload(api: Api) -> None:
    """getLastUploadings: empty list before the first upload."""
    assert api.uploadings().json() == {"uploadings": []}


def test_newest_first_as_in_the_upload_answer(api: Api) -> None:
    """getLastUploadings: the same object as the answer of an upload, newest first; live: the same UUID."""
    answers = [api.upload(GOOD).json()["uploading"] for _ in range(2)]
    assert api.uploadings().json()["uploadings"] == answers[::-1]


def test_refused_files_are_no_uploads_but_failed_ones_are(api: Api) -> None:
    api.upload("nothing")
    services.add_fault(kind="failed")
    failed = api.upload(GOOD).json()["uploading"]
    assert failed["api_validation_status"] == "FAILED"
    assert api.uploadings().json()["uploadings"] == [failed]


LIMITS = [("", 10), ("limit=1", 1), ("limit=1000", 15), ("limit=12&source=API", 12)]


def test_limit(api: Api, counter: SandboxCounter, subtests: pytest.Subtests) -> None:
    """getLastUploadings: limit 1 to 1000 inclusive, default 10."""
    add_uploadings(counter, [datetime(2026, 3, 1, 12, second, tzinfo=UTC) for second in range(15)])
    for query, rows in LIMITS:
        with subtests.test(query=query):
            assert len(api.uploadings(query).json()["uploadings"]) == rows


BAD_QUERIES = [
    "limit=0",
    "limit=1001",
    "limit=ten",
    "limit=-1",
    "source=WEB",
    "datetime_offset=2026-03-01T12:00:00",
    "datetime_offset=2026-03-01",
    "datetime_offset=yesterday",
    "datetime_offset=2026-02-30 12:00:00",
]


def test_bad_queries(api: Api, subtests: pytest.Subtests) -> None:
    for query in BAD_QUERIES:
        with subtests.test(query=query):
            assert error_of(api.uploadings(query)) == (400, "invalid_parameter")


def test_the_cursor_is_strict_and_on_the_counters_clock(api: Api) -> None:
    """getLastUploadings: datetime_offset returns uploads strictly earlier; the oldest row's datetime is the next
    cursor."""
    counter = services.create_counter(
        metrica_id=7, time_zone_name="Asia/Vladivostok", owner_login="north-metrica", token="y0_north"
    )
    first = datetime(2026, 3, 1, 12, 0, tzinfo=ZoneInfo("Asia/Vladivostok"))
    add_uploadings(counter, [first + timedelta(seconds=second, milliseconds=300) for second in range(5)])
    seen: list[str] = []
    query = "limit=2"
    while page := api.uploadings(query, number=7).json()["uploadings"]:
        seen += [row["datetime"] for row in page]
        query = f"limit=2&datetime_offset={seen[-1]}"
    assert seen == [f"2026-03-01 12:00:0{second}" for second in (4, 3, 2, 1, 0)]


def test_other_counters_uploads_stay_theirs(api: Api) -> None:
    services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    assert error_of(api.uploadings(number=7)) == (403, "access_denied")
    assert error_of(api.uploadings(number=8)) == (404, "not_found")


def test_counters_of_the_login(api: Api) -> None:
    """counters: rows is the total ignoring paging; a counter has id, name, site, permission, zone, offset in
    minutes."""
    services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    body = api.management("counters").json()
    assert body["rows"] == 1
    (row,) = body["counters"]
    expected = {
        "id": NUMBER,
        "name": "Dental clinics",
        "site": "dental.example",
        "owner_login": "north-metrica",
        "permission": "own",
        "status": "Active",
        "type": "simple",
        "time_zone_name": "Europe/Moscow",
        "time_zone_offset": 180,
    }
    assert row | expected == row
    assert row["create_time"].endswith("+03:00")


SEARCHES = [
    ("", [10, 20, 21, NUMBER]),
    ("search_string=20", [20]),  # counters: the id must be full
    ("search_string=2", []),
    ("search_string=shop", [10, 20]),  # counters: name and site by substring
    ("search_string=SOUTH", [20, 21]),
    ("permission=own", [10, NUMBER]),
    ("permission=view,edit", [20, 21]),
    ("permission=edit", [20]),
    ("per_page=2", [10, 20]),
    ("per_page=2&offset=3", [21, NUMBER]),  # counters: offset default 1, first = 1
    ("per_page=2&offset=5", []),
    ("status=Deleted", []),
]


def test_searching_and_paging_counters(api: Api, subtests: pytest.Subtests) -> None:
    services.create_counter(metrica_id=10, name="Shop", owner_login="north-metrica", token="y0_north")
    for number, name, permission in ((20, "South shop", Permission.EDIT), (21, "South clinic", Permission.VIEW)):
        guest = services.create_counter(metrica_id=number, name=name, owner_login="south", token="y0_south")
        services.add_access(counter=guest, login="north-metrica", permission=permission)
    for query, found in SEARCHES:
        with subtests.test(query=query):
            body = api.management(f"counters?{query}").json()
            assert [row["id"] for row in body["counters"]] == found
            assert body["rows"] == (4 if "per_page" in query else len(found))


BAD_COUNTER_QUERIES = [
    "per_page=0",
    "offset=0",
    "offset=x",
    "permission=root",
    "field=colour",
    "field=goals,%20mirrors",
]


def test_bad_queries_for_counters(api: Api, subtests: pytest.Subtests) -> None:
    for query in BAD_COUNTER_QUERIES:
        with subtests.test(query=query):
            assert error_of(api.management(f"counters?{query}")) == (400, "invalid_parameter")


def test_extra_blocks(api: Api) -> None:
    """counters: field = extra blocks, comma list without spaces."""
    row = api.management(f"counter/{NUMBER}?field=goals,mirrors,counter_flags").json()["counter"]
    assert [goal["conditions"][0]["url"] for goal in row["goals"]][:2] == ["deal_won", "branch_2"]
    assert (row["mirrors"], row["counter_flags"]["counter_id"]) == ([], NUMBER)
    assert "goals" not in api.management(f"counter/{NUMBER}").json()["counter"]


def test_a_counter_of_somebody_else(api: Api) -> None:
    services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    assert error_of(api.management("counter/7")) == (403, "access_denied")
    assert error_of(api.management("counter/8")) == (404, "not_found")
    assert error_of(api.management("counter/7/goals")) == (403, "access_denied")


def test_goals_before_and_after_the_first_upload(api: Api) -> None:
    """contacts: all four CRM goals appear at once after the first successful upload, with consecutive ids below all
    others; 4.3: CRM goals are returned with id, name, type only."""
    before = api.management(f"counter/{NUMBER}/goals").json()["goals"]
    assert {goal["type"] for goal in before} == {"action"}
    api.upload("nothing")
    services.add_fault(kind="failed")
    api.upload(GOOD)
    assert api.management(f"counter/{NUMBER}/goals").json()["goals"] == before
    api.upload(csv("D-1,2026-03-10,,17,,,IN_PROGRESS,,,,"))
    after = api.management(f"counter/{NUMBER}/goals?useDeleted=false").json()["goals"]
    crm = [goal for goal in after if goal["type"] != "action"]
    assert [goal["type"] for goal in crm] == [
        "cdp_order_in_progress",
        "cdp_order_paid",
        "cdp_order_cancelled",
        "cdp_order_spam",
    ]
    assert all(set(goal) == {"id", "name", "type"} for goal in crm)
    assert crm[0]["name"] == "CRM: Order created"
    numbers = [goal["id"] for goal in crm]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert max(numbers) < min(goal["id"] for goal in before)
    assert [goal for goal in after if goal["type"] == "action"] == before


def test_a_goal_made_by_hand_comes_back_with_contain(api: Api, counter: SandboxCounter) -> None:
    """goals: goals made in the interface come back with the condition contain."""
    services.add_goal(counter=counter, identifier="by_hand", name="By hand", condition_type="contain")
    goal = api.management(f"counter/{NUMBER}/goals").json()["goals"][-1]
    assert goal["conditions"] == [{"type": "contain", "url": "by_hand"}]


def test_times_are_the_counters(api: Api) -> None:
    counter = services.create_counter(
        metrica_id=7, time_zone_name="America/New_York", owner_login="north-metrica", token="y0_north"
    )
    uploading = services.receive_simple_orders(
        counter=counter, file=as_file(GOOD), merge_mode="SAVE", now=datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    )
    (row,) = api.uploadings(number=7).json()["uploadings"]
    assert (row["uploading_id"], row["datetime"]) == (str(uploading.uuid), "2026-03-08 03:30:00")
