"""One file of simple orders: what each row means, and that a file counts whole or not at all."""

import resource
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from django.core.files.base import File
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.metrica.vocabulary import Delimiter, MergeMode
from apps.sandbox import services
from apps.sandbox.models import Note, SandboxOrder, SandboxOrderEvent, SandboxReach, SandboxUploading
from apps.sandbox.receiving import FileRefused
from tests.sandbox.conftest import HEADER, Desk, local

CREATED, PAID, CANCELLED, SPAM = (
    "cdp_order_in_progress",
    "cdp_order_paid",
    "cdp_order_cancelled",
    "cdp_order_spam",
)


def row(
    order_id: str = "D-1", status: str = "IN_PROGRESS", *, revenue: str = "", cost: str = "", goals: str = ""
) -> str:
    return f'{order_id},2026-03-10 11:30:00,,17,,,{status},{revenue},{cost},"{goals}",'


def test_the_three_row_sample(desk: Desk) -> None:
    """uploadSimpleOrders: row 2 reaches created and paid with 1800, deal_won with 5000, branch_2 with 1800; row 3 has
    no id."""
    sample_day = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)
    for client_id, day in (("1700000000123456789", 4), ("1700000000987654321", 5)):
        services.add_visit(
            counter=desk.counter, started_at=datetime(2026, 3, day, 7, 0, tzinfo=UTC), client_id=client_id
        )
    services.add_visit(
        counter=desk.counter, started_at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC), emails=["Second@shop.example"]
    )
    uploading = desk.send(
        "D-1001,04.03.2026 14:05,C-77,1700000000123456789,,,IN_PROGRESS,,,,",
        'D-1002,2026-03-04 16:40:00,,,"buyer@shop.example,second@shop.example","79031234567",PAID,5000,3200,'
        '"deal_won:5000,branch_2",',
        ",05.03.2026,,1700000000987654321,,,SPAM,,,bad_lead,",
        now=sample_day,
    )
    assert (uploading.status, uploading.elements_count) == ("PASSED", 3)
    assert desk.reached("D-1001") == {CREATED: None}
    assert desk.reached("D-1002") == {
        CREATED: Decimal(1800),
        PAID: Decimal(1800),
        "deal_won": Decimal(5000),
        "branch_2": Decimal(1800),
    }
    assert desk.reached(None) == {SPAM: None, "bad_lead": None}
    assert [order.type for order in (desk.order("D-1001"), desk.order("D-1002"), desk.order(None))] == [
        "IN_PROGRESS",
        "PAID",
        "SPAM",
    ]
    assert set(SandboxReach.objects.values_list("currency", flat=True)) == {"RUB"}
    assert desk.order(None).date_only
    assert local(desk.order(None).create_date_time) == "2026-03-05 23:59:00"


def test_the_worked_case_of_the_good_lead(desk: Desk) -> None:
    """contacts: IN_PROGRESS, then good_lead, then PAID: the visit ends with three goals; the type follows each
    update."""
    visit = desk.visit(client_id="17")
    types = []
    for status in ("IN_PROGRESS", "good_lead", "PAID"):
        desk.send(row("D-1", status))
        types.append(desk.order("D-1").type)
    assert types == ["IN_PROGRESS", "OTHER", "PAID"]
    reached = SandboxReach.objects.filter(visit=visit)
    assert Counter(reached.values_list("goal", flat=True)) == {CREATED: 1, "good_lead": 1, PAID: 1}


def test_a_blank_status_is_paid(desk: Desk) -> None:
    """uploadSimpleOrders: default of order_status when empty: PAID."""
    desk.visit(client_id="17")
    desk.send(row("D-1", ""))
    assert desk.order("D-1").type == "PAID"
    assert set(desk.reached("D-1")) == {CREATED, PAID}


@pytest.mark.parametrize(
    ("status", "goals"),
    [("IN_PROGRESS", {CREATED}), ("PAID", {CREATED, PAID}), ("CANCELLED", {CANCELLED}), ("SPAM", {SPAM})],
)
def test_default_statuses_and_their_goals(desk: Desk, status: str, goals: set[str]) -> None:
    """contacts: the table of statuses, by the newer builds of the documents."""
    desk.visit(client_id="17")
    desk.send(row("D-1", status))
    assert (desk.order("D-1").type, set(desk.reached("D-1"))) == (status, goals)


def test_a_row_without_id_is_a_new_order_each_time(desk: Desk) -> None:
    """uploadSimpleOrders: without id the order may be duplicated on re-upload."""
    for _ in range(2):
        desk.send(row("", "PAID"), row("", "PAID"))
    assert desk.counter.orders.filter(order_id=None).count() == 4


def test_goals_stay_reached_when_the_status_moves_back(desk: Desk) -> None:
    """contacts: goals are not rolled back; the order follows its current status."""
    desk.visit(client_id="17")
    desk.send(row("D-1", "PAID", revenue="100"))
    desk.send(row("D-1", "CANCELLED"))
    assert desk.order("D-1").type == "CANCELLED"
    assert desk.reached("D-1") == {CREATED: Decimal(100), PAID: Decimal(100), CANCELLED: None}


def test_a_repeated_status_is_one_reach_and_two_events(desk: Desk) -> None:
    """contacts: repeating the same status is not said to add reaches. 3.5: the amount may change: the income follows
    it."""
    desk.visit(client_id="17")
    desk.send(row("D-1", "IN_PROGRESS", revenue="100"))
    desk.send(row("D-1", "IN_PROGRESS", revenue="150.5"), now=desk.now + timedelta(hours=1))
    (reach,) = SandboxReach.objects.all()
    assert (reach.income, reach.reached_at, reach.repeated_at) == (
        Decimal("150.5"),
        desk.now,
        desk.now + timedelta(hours=1),
    )
    assert [event.reached for event in desk.events("D-1")] == [[[CREATED, "100"]], [[CREATED, "150.5"]]]


def test_switch_repeated_goal_first(desk: Desk) -> None:
    services.set_switch(name="repeated_goal", value="first")
    desk.visit(client_id="17")
    desk.send(row("D-1", "IN_PROGRESS", revenue="100"))
    desk.send(row("D-1", "IN_PROGRESS", revenue="150"), now=desk.now + timedelta(hours=1))
    (reach,) = SandboxReach.objects.all()
    assert (reach.income, reach.repeated_at) == (Decimal(100), desk.now + timedelta(hours=1))


@pytest.mark.parametrize(
    ("revenue", "cost", "income"),
    [("5000", "3200", 1800), ("5000", "", 5000), ("5000", "0", 5000), ("", "", None), ("100", "150", -50)],
)
def test_income_of_goals(desk: Desk, revenue: str, cost: str, income: int | None) -> None:
    """orders-data: with a cost the income is revenue - cost, otherwise revenue; no revenue at all: no income."""
    desk.visit(client_id="17")
    desk.send(row("D-1", "IN_PROGRESS", revenue=revenue, cost=cost))
    assert desk.reached("D-1") == {CREATED: income}


def test_the_currency_is_the_rows(desk: Desk) -> None:
    """orders-data: all amounts are in the row's currency; missing means RUB."""
    desk.visit(client_id="17")
    desk.send("D-1,2026-03-10 11:30:00,,17,,,PAID,10,,,USD", "D-2,2026-03-10 11:30:00,,17,,,PAID,10,,,")
    currencies = SandboxReach.objects.filter(goal=PAID).values_list("order__order_id", "currency")
    assert dict(currencies) == {"D-1": "USD", "D-2": "RUB"}


def test_goals_of_the_order_that_the_counter_lacks_are_not_counted(desk: Desk) -> None:
    """goals: a goal counts only what comes after its creation; one that does not exist counts nothing."""
    desk.visit(client_id="17")
    desk.send(row("D-1", "PAID", goals="deal_won,typo"))
    assert set(desk.reached("D-1")) == {CREATED, PAID, "deal_won"}
    assert desk.events("D-1")[0].notes == Note.UNKNOWN_GOAL
    services.set_switch(name="unknown_goal", value="count")
    desk.send(row("D-1", "PAID", goals="deal_won,typo"))
    assert "typo" in desk.reached("D-1")


def test_an_unknown_status_is_taken_and_marked(desk: Desk) -> None:
    """Left open: unknown statuses in simple mode. Default: type OTHER, no goals, marked."""
    desk.visit(client_id="17")
    desk.send(row("D-1", "Новый лид"))
    order = desk.order("D-1")
    assert (order.type, order.unknown_status, desk.reached("D-1")) == ("OTHER", True, {})
    assert Note.UNKNOWN_STATUS in desk.events("D-1")[0].notes


def test_switch_unknown_status_refuse(desk: Desk) -> None:
    services.set_switch(name="unknown_status", value="refuse")
    desk.send(row("D-0", ""))  # blank is PAID, not unknown
    with pytest.raises(FileRefused) as caught:
        desk.send(row("D-1", "PAID"), row("D-2", "paid"))
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(3, "order_status")]


def test_a_bad_row_refuses_the_file_whole(desk: Desk) -> None:
    """Left open: a bad row is fatal for the whole file; the error names line and column."""
    desk.send(row("D-1", "IN_PROGRESS"))
    with pytest.raises(FileRefused) as caught:
        desk.send(row("D-1", "PAID"), "D-2,2026-02-30,,17,,,PAID,1,,,", "D-3,2026-03-01,,17,,,PAID,many,,,")
    places = [problem.location for problem in caught.value.problems]
    assert places == ["line 3, column create_date_time", "line 4, column revenue"]
    assert (desk.order("D-1").type, SandboxOrder.objects.count(), SandboxOrderEvent.objects.count()) == (
        "IN_PROGRESS",
        1,
        1,
    )
    refused = SandboxUploading.objects.get(status="REFUSED")
    assert refused.errors[0]["line"] == 3
    assert refused.body.read().startswith(b"id,create_date_time")


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("", ""),
        ("id;create_date_time;client_ids\nD-1;2026-03-01;17\n", ""),
        ("id,client_ids\nD-1,17\n", "create_date_time"),
        ("id,create_date_time\nD-1,2026-03-01\n", ""),
        ("id,create_date_time,client_ids,colour\nD-1,2026-03-01,17,red\n", "colour"),
        ("id,create_date_time,client_ids\n", ""),
    ],
)
def test_an_unusable_file(desk: Desk, body: str, column: str) -> None:
    """Left open: a missing header or required column makes the file unusable."""
    header, _, lines = body.partition("\n")
    with pytest.raises(FileRefused) as caught:
        desk.send(*lines.splitlines(), header=header)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (1, column)


def test_semicolons_where_the_request_says_so(desk: Desk) -> None:
    """2, query parameters: delimiter_type SEMICOLON; lists inside a cell keep their commas."""
    desk.send(
        "D-1;2026-03-10 11:30:00;17,18;PAID",
        header="id;create_date_time;client_ids;order_status",
        delimiter=Delimiter.SEMICOLON,
    )
    assert desk.order("D-1").client_ids == "17,18"


def test_ids_and_statuses_have_a_longest_length(desk: Desk) -> None:
    with pytest.raises(FileRefused) as caught:
        desk.send(row("x" * 256), row("y" * 255), row("D-1", "z" * 256))
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, "id"), (4, "order_status")]


def test_failed_keeps_the_file_and_applies_nothing(desk: Desk) -> None:
    """2: FAILED means that the file was received but refused: data not loaded."""
    uploading = desk.send(row("D-1"), fail=True)
    assert (uploading.status, uploading.elements_count) == ("FAILED", 1)
    assert not SandboxOrder.objects.exists()
    assert uploading.counter.first_upload_at is None


def test_duplicate_ids_of_one_file_are_applied_in_random_order(desk: Desk) -> None:
    """modes: several rows with one identifier are applied in random order."""
    last = Counter()
    for seed in range(40):
        order_id = f"D-{seed}"
        desk.send(row(order_id, "IN_PROGRESS"), row(order_id, "good_lead"), row(order_id, "PAID"), rng=Random(seed))
        assert len(desk.events(order_id)) == 3
        last[desk.order(order_id).type] += 1
    assert set(last) == {"IN_PROGRESS", "OTHER", "PAID"}


def test_creation_time_never_changes(desk: Desk) -> None:
    """uploadSimpleOrders: create_date_time cannot be changed after the first upload."""
    desk.send(row("D-1"))
    desk.send("D-1,2026-03-01,,17,,,PAID,,,,")
    assert local(desk.order("D-1").create_date_time) == "2026-03-10 11:30:00"
    assert Note.CREATED_KEPT in desk.events("D-1")[1].notes


def test_every_row_leaves_an_event(desk: Desk) -> None:
    for status in ("IN_PROGRESS", "IN_PROGRESS", "PAID"):
        desk.send(row("D-1", status), mode=MergeMode.UPDATE)
    events = desk.events("D-1")
    assert [event.order_status for event in events] == ["IN_PROGRESS", "IN_PROGRESS", "PAID"]
    assert [event.uploading_id for event in events] == [uploading.pk for uploading in desk.sent]


def test_the_number_of_statements_does_not_grow_with_the_rows_of_a_chunk(desk: Desk) -> None:
    desk.visit(client_id="17")
    desk.send(row("D-1"))

    def statements(rows: int) -> int:
        lines = [row(f"{rows}-{number}", "PAID", revenue="5") for number in range(rows)]
        with CaptureQueriesContext(connection) as captured:
            desk.send(*lines)
        return len(captured)

    assert statements(10) == statements(800)


def test_memory_does_not_grow_with_the_file(desk: Desk, tmp_path: Path) -> None:
    """uploadSimpleOrders: up to 1 GB and no limit of rows; rows wait on disk until all of them are known to be good."""
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA cache_size=-2000")  # it would grow too, up to its own limit

    def peak_after(rows: int) -> int:
        with (tmp_path / f"{rows}.csv").open("w+b") as file:
            file.write(f"{HEADER}\n".encode())
            file.writelines(
                f"{rows}-{number},2026-03-10 11:30:00,C-{number},{number % 99},,,PAID,100,,,\n".encode()
                for number in range(rows)
            )
            services.receive_simple_orders(
                counter=desk.counter, file=File(file, name="a.csv"), merge_mode=MergeMode.SAVE, now=desk.now
            )
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    small = peak_after(15_000)
    assert peak_after(60_000) - small < 20
