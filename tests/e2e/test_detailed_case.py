"""The article's second worked case, the dental clinics, over REST, a real worker and real HTTP: in detailed mode by the
clinics' own statuses, and in simple mode to the same JavaScript goals."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import Installation, wait_for
from tests.e2e.test_worked_cases import MOSCOW, local, reaches

pytestmark = pytest.mark.processes

GOALS = ("zapis1", "zapis2", "vse_zapisi", "oplaty_2_filial")
CLIENT_ID = "1700000000123456789"
PROFIT = "5400"
# (as the CRM writes it, id at Metrica, type, goals)
LIFE = (
    ("Новый лид", "new_lead", "IN_PROGRESS", ()),
    ("Запись в филиал №1", "zapis1", "OTHER", ("zapis1", "vse_zapisi")),
    ("Отмена", "CANCELLED", "CANCELLED", ()),
    ("Запись в филиал №2", "zapis2", "OTHER", ("zapis2", "vse_zapisi")),
    ("Оплачено в филиале №2", "paid_in_filial2", "PAID", ("oplaty_2_filial",)),
)
REACHED_AFTER = (
    {"cdp_order_in_progress"},
    {"cdp_order_in_progress", "zapis1", "vse_zapisi"},
    {"cdp_order_in_progress", "zapis1", "vse_zapisi", "cdp_order_cancelled"},
    {"cdp_order_in_progress", "zapis1", "vse_zapisi", "cdp_order_cancelled", "zapis2"},
    {"cdp_order_in_progress", "zapis1", "vse_zapisi", "cdp_order_cancelled", "zapis2", "cdp_order_paid"}
    | {"oplaty_2_filial"},
)


def mapping() -> str:
    return "\n".join(
        f"""
    [[agencies.counters.statuses]]
    crm_status = "{crm_status}"
    metrica_id = "{metrica_id}"
    type = "{order_type}"
    goals = [{", ".join(f'"{goal}"' for goal in goals)}]"""
        for crm_status, metrica_id, order_type, goals in LIFE
    )


@pytest.fixture
def switch(installation: Installation) -> Iterator[Any]:
    """Turn a switch of the sandbox; all of them go back afterwards."""
    turned: dict[str, str] = {}
    found = installation.seen("switches")["switches"]

    def turn(name: str, value: str) -> None:
        turned.setdefault(name, found[name])
        installation.control("switches", name=name, value=value)

    yield turn
    for name, value in turned.items():
        installation.control("switches", name=name, value=value)


def deal(began: datetime) -> dict[str, Any]:
    return {
        "id": "K-2001",
        "create_date_time": local(began),
        "client_uniq_id": "P-15",
        "client_name": "Anna",
        "client_ids": [CLIENT_ID],
        "revenue": "12400.00",
        "cost": "7000.00",
        "products": {"implant": 1},
    }


def uploaded(installation: Installation, counter: int) -> dict[str, Any]:
    job = installation.finished(installation.upload(counter))
    assert job["state"] == "succeeded", job
    return job


def after_the_first_clients(installation: Installation, counter: int) -> datetime:
    """Somebody else's order brings the first client to Metrica; visits count from the next second on."""
    earlier = datetime.now(MOSCOW) - timedelta(hours=1)
    first = {"id": "K-1", "create_date_time": local(earlier), "client_ids": ["1700000000000000001"]}
    installation.push(counter, {**first, "order_status": "Новый лид"})
    uploaded(installation, counter)
    time.sleep(1.1)
    return datetime.now(MOSCOW)


def walk(installation: Installation, counter: int, began: datetime) -> Iterator[int]:
    """The order's life, status after status, each uploaded before the next comes."""
    for number, (crm_status, *_rest) in enumerate(LIFE):
        installation.push(counter, {**deal(began), "order_status": crm_status})
        job = uploaded(installation, counter)
        assert [upload["state"] for upload in job["uploads"]] == ["passed"] * len(job["uploads"])
        yield number
        time.sleep(1.1)  # a status of the next second


def test_the_dental_clinics_in_detailed_mode(installation: Installation) -> None:
    counter = installation.counter(statuses=mapping(), settings='mode = "detailed"', goals=GOALS)
    visited = after_the_first_clients(installation, counter)
    installation.control("visits", counter=counter, started_at=visited.isoformat(), client_id=CLIENT_ID)
    for number in walk(installation, counter, visited + timedelta(seconds=1)):
        found = reaches(installation, counter, "K-2001")
        assert {goal for goal, _income in found} == REACHED_AFTER[number]
        assert {income for _goal, income in found} == {PROFIT}, "every income is the profit"
    [order] = installation.seen("orders", counter=counter, id="K-2001")["orders"]
    assert [event["order_status"] for event in order["events"]] == [metrica_id for _crm, metrica_id, *_rest in LIFE]
    assert [event["type"] for event in order["events"]] == [order_type for _crm, _id, order_type, _goals in LIFE]
    own = [{reach["goal"] for reach in event["reached"]} for event in order["events"]]
    assert own == [
        {"cdp_order_in_progress"},
        {"zapis1", "vse_zapisi"},
        {"cdp_order_cancelled"},
        {"zapis2", "vse_zapisi"},
        {"cdp_order_in_progress", "cdp_order_paid", "oplaty_2_filial"},
    ]
    timeline = installation.order(counter, "K-2001")["timeline"]
    assert [change["delivery"] for change in timeline] == ["delivered"] * 5


def test_a_cancelled_order_reaches_nothing_where_the_switch_says_so(installation: Installation, switch: Any) -> None:
    """As the article's own example has it."""
    switch("cancelled_goal", "none")
    counter = installation.counter(statuses=mapping(), settings='mode = "detailed"', goals=GOALS)
    visited = after_the_first_clients(installation, counter)
    installation.control("visits", counter=counter, started_at=visited.isoformat(), client_id=CLIENT_ID)
    for _number in walk(installation, counter, visited + timedelta(seconds=1)):
        pass
    assert {goal for goal, _income in reaches(installation, counter, "K-2001")} == (
        REACHED_AFTER[-1] - {"cdp_order_cancelled"}
    )


def test_the_same_case_in_simple_mode_reaches_the_same_goals(installation: Installation) -> None:
    counter = installation.counter(statuses=mapping(), goals=GOALS)
    visited = datetime.now(MOSCOW) - timedelta(hours=1)
    installation.control("visits", counter=counter, started_at=visited.isoformat(), client_id=CLIENT_ID)
    for number in walk(installation, counter, visited + timedelta(minutes=1)):
        assert reaches(installation, counter, "K-2001") == {(goal, PROFIT) for goal in REACHED_AFTER[number]}
    [order] = installation.seen("orders", counter=counter, id="K-2001")["orders"]
    assert [event["type"] for event in order["events"]] == [order_type for _crm, _id, order_type, _goals in LIFE]


def test_visits_before_the_first_clients_are_not_bound(installation: Installation) -> None:
    counter = installation.counter(statuses=mapping(), settings='mode = "detailed"', goals=GOALS)
    before = datetime.now(MOSCOW) - timedelta(minutes=5)
    installation.control("visits", counter=counter, started_at=before.isoformat(), client_id=CLIENT_ID)
    installation.push(counter, {**deal(before + timedelta(minutes=1)), "order_status": "Новый лид"})
    uploaded(installation, counter)
    assert reaches(installation, counter, "K-2001") == set()
    shown = installation.http.get(f"/api/v1/counters/{counter}/").json()
    assert shown["first_clients_at"] is not None


@pytest.mark.parametrize("delay", [0.2, 0.6, 1.0, 1.5])
def test_a_worker_killed_between_clients_and_orders_loses_nothing(installation: Installation, delay: float) -> None:
    counter = installation.counter(settings='mode = "detailed"')
    installation.control("faults", kind="latency", counter=counter, count=8, seconds=0.4, endpoint="upload")
    began = datetime.now(MOSCOW) - timedelta(days=1)
    rows = [
        {
            "id": f"K-{number}",
            "create_date_time": local(began),
            "status_date_time": local(began + timedelta(hours=hour)),
            "client_uniq_id": f"P-{number}",
            "client_ids": [str(10**18 + number)],
            "order_status": status,
        }
        for number in range(10)
        for hour, status in enumerate(("IN_PROGRESS", "PAID", "CANCELLED"))
    ]
    installation.push(counter, *rows)
    job = installation.upload(counter)
    time.sleep(delay)
    installation.processes.kill(installation.worker)
    installation.restart_worker()
    ended = installation.finished(job, seconds=90)
    assert (ended["state"], ended["delivered"], ended["clients"]) == ("succeeded", 30, 10), ended
    kinds = [upload["kind"] for upload in ended["uploads"] if upload["state"] == "passed"]
    assert kinds == ["contacts", "orders", "orders", "orders"]
    for order in installation.seen("orders", counter=counter)["orders"]:
        statuses = [event["order_status"] for event in order["events"]]
        assert list(dict.fromkeys(statuses)) == ["IN_PROGRESS", "PAID", "CANCELLED"]
        assert order["client_uniq_id"] == f"P-{order['id'].removeprefix('K-')}"


def test_switched_over_rest_and_back(installation: Installation) -> None:
    counter = installation.counter(statuses=mapping(), settings='schedule = "as they come"', goals=GOALS)
    began = datetime.now(MOSCOW) - timedelta(hours=2)

    def arrived(status: str) -> Any:
        def looked() -> bool:
            timeline = installation.order(counter, "K-2001")["timeline"]
            return timeline[-1]["order_status"] == status and timeline[-1]["delivery"] == "delivered"

        wait_for(looked, what=f"the delivery of {status}")
        [order] = installation.seen("orders", counter=counter, id="K-2001")["orders"]
        return order["events"][-1]["order_status"]

    for mode, crm_status, wire in (
        ("simple", "Новый лид", "IN_PROGRESS"),
        ("detailed", "Запись в филиал №1", "zapis1"),
        ("simple", "Оплачено в филиале №2", "PAID"),
    ):
        answer = installation.http.patch(f"/api/v1/counters/{counter}/", json={"mode": mode})
        assert (answer.status_code, answer.json()["mode"]) == (200, mode)
        installation.push(counter, {**deal(began), "order_status": crm_status})
        assert arrived(crm_status) == wire
