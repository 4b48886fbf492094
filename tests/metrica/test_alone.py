"""The package is usable in a bare script: no Django settings, no models, nothing else of the project."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = r"""
import importlib, io, pkgutil, sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import apps.metrica
names = [module.name for module in pkgutil.walk_packages(apps.metrica.__path__, "apps.metrica.")]
assert {"apps.metrica.client", "apps.metrica.wire.simple_orders", "apps.metrica.phones"} <= set(names), names
for name in names:
    importlib.import_module(name)

from apps.metrica.client import MetricaClient
from apps.metrica.errors import CATALOGUE, NotSent
from apps.metrica.identifiers import IdentifierError, md5_of, normalize_email, normalize_phone
from apps.metrica.vocabulary import OrderType, SystemGoal
from apps.metrica.wire.simple_orders import SimpleOrder, SimpleOrdersWriter, read_simple_orders

zone = ZoneInfo("Europe/Moscow")
assert md5_of(normalize_phone("8 (999) 555-11-11")) == "f09f2c3d48f31e2a802944ade2e5aec5"
file = io.BytesIO()
order = SimpleOrder("D-1", datetime(2026, 3, 4, tzinfo=timezone.utc), False, "PAID", client_ids=("7",))
SimpleOrdersWriter(file, zone=zone).write(order)
file.seek(0)
assert [row.order for row in read_simple_orders(file, zone=zone)] == [order]

from apps.metrica.wire.contacts import Contact, ContactsJsonWriter, read_contacts_json
body = io.BytesIO()
with ContactsJsonWriter(body, zone=zone) as writer:
    writer.write(Contact("C-1", name="Анна"))
body.seek(0)
assert [item.record.name for item in read_contacts_json(body, zone=zone)] == ["Анна"]

print([str(goal.label) for goal in SystemGoal])
print(str(OrderType.PAID.label), "|", str(CATALOGUE["invalid_token"].next_step))
try:
    normalize_email("no")
except IdentifierError as error:
    print(error.message)
file.seek(0)
(row,) = read_simple_orders(io.BytesIO(b"create_date_time,client_ids\nx\n"), zone=zone)
print(row.errors[0].message)
with MetricaClient(base_url="http://127.0.0.1:9", token="y0_t", timeout=2) as client:
    try:
        client.upload_simple_orders(1, file)
    except NotSent as error:
        print(error.message)

from django.conf import settings
assert not settings.configured
strangers = [name for name in sys.modules if name.startswith("apps.") and not name.startswith("apps.metrica")]
assert not strangers, strangers
heavy = [name for name in sys.modules if name.startswith(("django.db", "django.apps", "rest_framework", "project"))]
assert not heavy, heavy
"""


def test_it_works_without_settings_and_without_the_rest() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['CRM: Order created', 'CRM: Order paid', 'CRM: Order canceled', 'CRM: Spam order']",
        "Paid | Connect the Yandex account again.",
        "This is no e-mail address: name@domain.zone is expected.",
        "The row has 1 cells, the header has 2. A cell with a comma needs quotes.",
        "No connection to Metrica came about. Nothing was sent.",
    ]


def test_two_ways_out_and_no_third() -> None:
    """This package speaks with Metrica; whatever people write down is called through the guarded door."""
    clients = ("import httpx", "import httpcore", "import requests", "import urllib3", "urllib.request", "http.client")
    others = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "apps").rglob("*.py")
        if any(client in path.read_text(encoding="utf-8") for client in clients)
        and "metrica" not in path.relative_to(ROOT).parts
    ]
    assert others == ["apps/hooks/door.py"]
