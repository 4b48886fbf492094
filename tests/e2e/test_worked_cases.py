"""The cases of Metrica's own article and samples: REST in, a real worker, real HTTP to the sandbox, goals reached."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.conftest import Installation

pytestmark = pytest.mark.processes

MOSCOW = ZoneInfo("Europe/Moscow")
LIFE = """
    [[agencies.counters.statuses]]
    crm_status = "Новая сделка"
    type = "IN_PROGRESS"
    [[agencies.counters.statuses]]
    crm_status = "Качественный лид"
    type = "OTHER"
    goals = ["good_lead"]
    [[agencies.counters.statuses]]
    crm_status = "Оплачено"
    type = "PAID"
"""


def others(*goals: str) -> str:
    """A mapping in which each goal is reached by a status of its own name."""
    return "\n".join(
        f"""
    [[agencies.counters.statuses]]
    crm_status = "{goal}"
    type = "OTHER"
    goals = ["{goal}"]"""
        for goal in goals
    )


def local(moment: datetime) -> str:
    return moment.astimezone(MOSCOW).strftime("%Y-%m-%d %H:%M:%S")


def reaches(installation: Installation, counter: int, order_id: str) -> set[tuple[str, str | None]]:
    rows = installation.seen("reaches", counter=counter)["reaches"]
    return {(row["goal"], row["income"]) for row in rows if row["order"] == order_id}


def test_a_deal_is_created_turns_good_and_is_paid(installation: Installation) -> None:
    """The article's life cycle: created, then `good_lead`, then paid; the type goes in progress, other, paid."""
    counter = installation.counter(statuses=LIFE, goals=("good_lead",))
    began = datetime.now(MOSCOW) - timedelta(days=2)
    installation.control("visits", counter=counter, started_at=began.isoformat(), client_id="1700000000123456789")
    deal = {
        "id": "D-1001",
        "create_date_time": local(began + timedelta(minutes=5)),
        "client_ids": ["1700000000123456789"],
        "revenue": "5000.00",
        "cost": "3200.00",
    }
    statuses = ("Новая сделка", "Качественный лид", "Оплачено")
    for hours, status in enumerate(statuses):
        happened = local(began + timedelta(hours=hours, minutes=5))
        installation.push(counter, {**deal, "order_status": status, "status_date_time": happened})
        job = installation.finished(installation.upload(counter))
        assert job["state"] == "succeeded", job
        assert [upload["state"] for upload in job["uploads"]] == ["passed"]

    assert reaches(installation, counter, "D-1001") == {
        ("cdp_order_in_progress", "1800"),
        ("good_lead", "1800"),
        ("cdp_order_paid", "1800"),
    }
    [order] = installation.seen("orders", counter=counter, id="D-1001")["orders"]
    assert [event["type"] for event in order["events"]] == ["IN_PROGRESS", "OTHER", "PAID"]
    timeline = installation.order(counter, "D-1001")["timeline"]
    assert [change["delivery"] for change in timeline] == ["delivered"] * 3
    assert [change["type"] for change in timeline] == ["IN_PROGRESS", "OTHER", "PAID"]


def test_the_three_rows_of_the_simple_format(installation: Installation) -> None:
    """Row 1 is only created; row 2 has two priced and unpriced extra goals; row 3 is spam with a goal and no money."""
    counter = installation.counter(goals=("deal_won", "branch_2", "bad_lead"))
    day = (datetime.now(MOSCOW) - timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
    installation.control("visits", counter=counter, started_at=day.isoformat(), client_id="1700000000123456789")
    installation.control("visits", counter=counter, started_at=day.isoformat(), emails=["buyer@shop.example"])
    installation.control("visits", counter=counter, started_at=day.isoformat(), client_id="1700000000987654321")
    installation.push(
        counter,
        {
            "id": "S-1001",
            "create_date_time": (day + timedelta(hours=5)).strftime("%d.%m.%Y %H:%M"),
            "client_uniq_id": "C-77",
            "client_ids": ["1700000000123456789"],
            "order_status": "IN_PROGRESS",
        },
        {
            "id": "S-1002",
            "create_date_time": local(day + timedelta(hours=7)),
            "emails": ["Buyer@Shop.example", "second@shop.example"],
            "phones": ["8 (903) 123-45-67"],
            "order_status": "PAID",
            "revenue": "5000",
            "cost": "3200",
            "goals": [{"goal_action_id": "deal_won", "price": "5000"}, {"goal_action_id": "branch_2"}],
        },
        {
            "id": "S-1003",
            "create_date_time": day.strftime("%d.%m.%Y"),
            "client_ids": ["1700000000987654321"],
            "order_status": "SPAM",
            "goals": "bad_lead",
        },
    )
    job = installation.finished(installation.upload(counter))
    assert (job["state"], job["delivered"], len(job["uploads"])) == ("succeeded", 3, 1)
    assert reaches(installation, counter, "S-1001") == {("cdp_order_in_progress", None)}
    assert reaches(installation, counter, "S-1002") == {
        ("cdp_order_in_progress", "1800"),
        ("cdp_order_paid", "1800"),
        ("deal_won", "5000"),
        ("branch_2", "1800"),
    }
    assert reaches(installation, counter, "S-1003") == {("cdp_order_spam", None), ("bad_lead", None)}


def test_five_statuses_at_once_arrive_as_five_uploads_in_order(installation: Installation) -> None:
    """R4: one row an order and a file, the next only after the one before has passed."""
    goals = ("s1", "s2", "s3", "s4", "s5")
    counter = installation.counter(goals=goals, statuses=others(*goals))
    began = datetime.now(MOSCOW) - timedelta(days=1)
    base = {"id": "W-1", "create_date_time": local(began), "client_ids": ["1700000000000000001"]}
    rows = [
        {**base, "order_status": goal, "status_date_time": local(began + timedelta(hours=n))}
        for n, goal in enumerate(goals)
    ]
    job = installation.push(counter, *rows) and installation.finished(installation.upload(counter))
    assert [upload["rows"] for upload in job["uploads"]] == [1, 1, 1, 1, 1]
    [order] = installation.seen("orders", counter=counter, id="W-1")["orders"]
    assert [event["order_status"] for event in order["events"]] == list(goals)


def test_a_hundred_orders_with_three_statuses_arrive_as_three_uploads(installation: Installation) -> None:
    goals = ("a1", "a2", "a3")
    counter = installation.counter(goals=goals, statuses=others(*goals))
    began = datetime.now(MOSCOW) - timedelta(days=1)
    installation.push(
        counter,
        *(
            {
                "id": f"H-{number}",
                "create_date_time": local(began),
                "client_ids": [str(10**18 + number)],
                "order_status": goal,
                "status_date_time": local(began + timedelta(hours=hour)),
            }
            for number in range(100)
            for hour, goal in enumerate(goals)
        ),
    )
    job = installation.finished(installation.upload(counter))
    assert [upload["rows"] for upload in job["uploads"]] == [100, 100, 100]
    assert job["delivered"] == 300
