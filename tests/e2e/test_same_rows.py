"""R1: the same rows by REST, by CSV and by hand in the admin give the same orders, changes and rows on the wire."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.agencies.models import Role
from apps.counters.models import Counter
from apps.goals.services import set_status
from apps.orders.models import Order, StatusChange
from apps.sandbox import services as sandbox
from apps.uploads import files
from apps.uploads.models import Upload, UploadJob
from apps.uploads.runner import run_job
from apps.uploads.services import request_upload
from tests.factories import make_account, make_agency, make_counter, make_key, make_member

BEGAN = (timezone.now() - timedelta(days=4)).replace(microsecond=0)
ORDER = {
    "create_date_time": BEGAN.isoformat(),
    "client_uniq_id": "C-77",
    "client_name": "Анна; «Ёлка»",
    "client_ids": "1700000000123456789",
    "emails": "Anna@Example.com,second@example.com",
    "phones": "8 (903) 123-45-67",
    "currency": "USD",
}
ROWS: list[dict[str, str]] = [
    {"id": "S-1", **ORDER, "order_status": "Новая", "revenue": "5000.00", "cost": "3200", "goals": "won:5000,branch_2"},
    {"id": "S-2", **ORDER, "order_status": "PAID", "revenue": "10,50", "cost": "", "goals": ""},
    {"id": "=1+1", **ORDER, "order_status": "SPAM", "revenue": "", "cost": "", "goals": "", "client_uniq_id": "C-78"},
    {"id": "S-1", **ORDER, "order_status": "Хорошая", "revenue": "7000", "cost": "3200", "goals": "won:5000,branch_2"},
    {"id": "S-1", **ORDER, "order_status": "PAID", "revenue": "7000", "cost": "4000", "goals": "won:5000,branch_2"},
]
for hours, row in enumerate(ROWS):
    row["status_date_time"] = (BEGAN + timedelta(hours=hours)).isoformat()


@pytest.fixture
def counters(live_server: Any) -> dict[str, Counter]:
    """Three counters of one agency with the same mapping, each known to the sandbox."""
    agency = make_agency()
    made = {}
    for number, way in enumerate(("rest", "csv", "admin"), start=70_000_001):
        token, login = f"token-of-{way}", f"login-{way}"
        goals = ["good_lead", "won", "branch_2"]
        sandbox.create_counter(metrica_id=number, owner_login=login, token=token, goals=goals)
        account = make_account(agency, token=token, base_url=f"{live_server.url}/sandbox")
        counter = make_counter(agency, account=account, metrica_id=number)
        set_status(counter=counter, crm_status="Новая", type="IN_PROGRESS")
        set_status(counter=counter, crm_status="Хорошая", type="OTHER", goal_action_ids=["good_lead"])
        made[way] = counter
    return made


def by_rest(counter: Counter, browser: Client) -> None:
    _key, secret = make_key(counter.agency)
    for row in ROWS:
        lists = {name: row[name].split(",") for name in ("client_ids", "emails", "phones")}
        body = {name: value or None for name, value in row.items()} | lists
        answer = browser.post(
            f"/api/v1/counters/{counter.metrica_id}/orders/",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == 200 and answer.json()["rejected"] == 0, answer.content


def by_csv(counter: Counter, directory: Path) -> None:
    path = directory / "orders.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    call_command("import_orders", str(path), agency=counter.agency.slug, counter=counter.metrica_id)


def by_hand(counter: Counter, browser: Client) -> None:
    """As a person would: the form of a new order, then the form of one more status. Its times are the counter's."""
    browser.force_login(make_member(counter.agency, Role.MANAGER))
    for row in ROWS:
        local = {
            name: timezone.datetime.fromisoformat(row[name]).astimezone(counter.zone).strftime("%Y-%m-%dT%H:%M:%S")
            for name in ("create_date_time", "status_date_time")
        }
        order = Order.objects.filter(counter=counter, order_id=row["id"]).first()
        if order is None:
            answer = browser.post(reverse("admin:orders_order_add"), {**row, **local, "counter": counter.pk})
        else:
            answer = browser.post(reverse("admin:orders_order_status", args=[order.pk]), {**row, **local})
        assert answer.status_code in (200, 302) and not _form_errors(answer), _form_errors(answer)


def _form_errors(answer: Any) -> Any:
    context = answer.context or {}
    form = context.get("form") or getattr(context.get("adminform"), "form", None)
    return form.errors if form is not None else None


def picture(counter: Counter) -> tuple[list[Any], list[Any]]:
    orders = Order.objects.filter(counter=counter).order_by("order_id")
    changes = StatusChange.objects.filter(counter=counter).order_by("order__order_id", "seq")
    return (
        list(
            orders.values_list(
                *("order_id", "create_date_time", "create_date_only", "identifiers", "order_status"),
                *("status_date_time", "changes_count", "client__uniq_id", "client__name", "client__identifiers"),
            )
        ),
        list(
            changes.values_list(
                *("order__order_id", "seq", "order_status", "status_date_time", "revenue", "cost", "currency"),
                *("goals", "products", "changed", "delivery", "hold_reason"),
            )
        ),
    )


def wire(counter: Counter) -> list[list[bytes]]:
    """The lines of the plain files, in the order in which those went. Rows of one file have no order of their own."""
    job = request_upload(counter=counter, trigger="person")
    run_job(job.pk)
    assert UploadJob.objects.get(pk=job.pk).state == "succeeded"
    sent: list[list[bytes]] = []
    for upload in Upload.objects.filter(job=job).order_by("wave"):
        with files.plain(upload) as file:
            header, *rows = file.read().splitlines()
            sent.append([header, *sorted(rows)])
    return sent


@pytest.mark.django_db(transaction=True)
def test_the_same_rows_give_the_same_by_every_way(counters: dict[str, Counter], tmp_path: Path) -> None:
    by_rest(counters["rest"], Client())
    by_csv(counters["csv"], tmp_path)
    by_hand(counters["admin"], Client())
    pictures = {way: picture(counter) for way, counter in counters.items()}
    assert len(pictures["rest"][0]) == 3 and len(pictures["rest"][1]) == 5
    assert pictures["csv"] == pictures["rest"]
    assert pictures["admin"] == pictures["rest"]
    files_sent = {way: wire(counter) for way, counter in counters.items()}
    assert len(files_sent["rest"]) == 3
    assert files_sent["csv"] == files_sent["rest"]
    assert files_sent["admin"] == files_sent["rest"]
