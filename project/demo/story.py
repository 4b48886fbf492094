"""The input of the demo: the article's two worked cases over REST, a shop's fortnight as a CSV file, and what a script
written for Metrica uploads."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from project.demo import sample
from project.processes import Processes

WINDOWS, DENTAL, FLOWERS = 40000001, 40000002, 40000003
ZONE = ZoneInfo("Europe/Moscow")
GOALS = {
    WINDOWS: ("good_lead",),
    DENTAL: ("zapis1", "zapis2", "vse_zapisi", "oplaty_2_filial"),
    FLOWERS: ("order_confirmed", "order_delivered"),
}
NAMES = {WINDOWS: "Windows and balconies", DENTAL: "Dental clinics", FLOWERS: "Flower delivery"}
CLIENT_ID = "goalpost-demo"
# A login that is connected nowhere yet: its counters wait to be imported.
NEW_LOGIN = "client-metrica"
OFFERED = {40000011: "Coffee roastery", 40000012: "Yoga studio"}
CALLBACK = "/admin/counters/metricaaccount/yandex/callback/"
DEAL = ("Новая сделка", "Качественный лид", "Оплачено")
CLINIC = ("Новый лид", "Запись в филиал №1", "Отмена записи", "Запись в филиал №2", "Оплата услуг")


class DemoFailed(Exception):
    """Something of the demo was not delivered; the message says what."""


@dataclass(frozen=True, slots=True)
class Access:
    """API keys and Metrica tokens of the two agencies."""

    north_key: str
    south_key: str
    north_token: str
    south_token: str
    app_secret: str


@dataclass(frozen=True, slots=True)
class Line:
    """One counter's numbers at the end."""

    counter: str
    orders: int
    changes: int
    uploads: int
    passed: int
    delivered: int
    goals: int


def local(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Story:
    def __init__(self, *, processes: Processes, access: Access, directory: Path) -> None:
        self._processes = processes
        self._access = access
        self._directory = directory
        self._sandbox = httpx.Client(base_url=f"{processes.url}/sandbox/control", timeout=120)
        self._now = datetime.now(ZONE).replace(tzinfo=None, microsecond=0)
        self._jobs: dict[int, list[dict[str, Any]]] = {number: [] for number in NAMES}

    def key_of(self, counter: int) -> str:
        return self._access.south_key if counter == FLOWERS else self._access.north_key

    def tell_sandbox(self) -> None:
        """Counters with their JavaScript goals, and the visits from which the first two orders came."""
        for counter, name in NAMES.items():
            south = counter == FLOWERS
            self._control(
                "counters",
                metrica_id=counter,
                name=name,
                site=f"site-{counter}.example",
                time_zone_name=str(ZONE),
                owner_login="south-metrica" if south else "north-metrica",
                token=self._access.south_token if south else self._access.north_token,
                goals=list(GOALS[counter]),
            )
        self._register_app()
        for counter, name in OFFERED.items():
            self._control(
                "counters",
                metrica_id=counter,
                name=name,
                site=f"site-{counter}.example",
                time_zone_name=str(ZONE),
                owner_login=NEW_LOGIN,
                goals=["good_lead", "deal_won"],
            )
        self._control("accesses", counter=WINDOWS, login=NEW_LOGIN, permission="view")
        # The dental clinics' clients come to Metrica today, and by its rules only later visits would count for their
        # orders; the sandbox lets earlier ones count, so that a history can be shown.
        self._control("switches", name="first_contacts", value="any")
        # Reports show orders two hours after their upload; nobody waits so long for a comparison here.
        self._control("switches", name="report_delay", value="none")
        visit = (self._now - timedelta(days=6)).replace(tzinfo=ZONE).isoformat()
        self._control("visits", counter=WINDOWS, started_at=visit, client_id="1700000000123456789")
        self._control("visits", counter=DENTAL, started_at=visit, client_id="1700000000987654321")

    def _register_app(self) -> None:
        """Goalpost's app at the sandbox's OAuth, as one registers it at oauth.yandex.ru."""
        hosts = (self._processes.url, self._processes.url.replace("127.0.0.1", "localhost"))
        self._control(
            "apps",
            client_id=CLIENT_ID,
            client_secret=self._access.app_secret,
            name="Goalpost",
            redirect_uris=[f"{host}{CALLBACK}" for host in hosts],
        )

    def push_cases(self) -> None:
        """Both worked cases, status after status, as a CRM would."""
        began = self._now - timedelta(days=6) + timedelta(minutes=7)
        deal = {"id": "D-1001", "client_ids": ["1700000000123456789"], "revenue": "5000.00", "cost": "3200.00"}
        self._push(WINDOWS, deal, DEAL, began)
        visit = {
            "id": "K-2001",
            "client_uniq_id": "P-15",
            "client_name": "Anna",
            "client_ids": ["1700000000987654321"],
            "client_attributes": {"came_from": "a friend"},
            "revenue": "12400.00",
            "cost": "7000.00",
            "products": {"implant": 1, "x-ray": 2},
            "attributes": {"doctor": "Dr. Zubov"},
        }
        self._push(DENTAL, visit, CLINIC, began)

    def _push(self, counter: int, order: dict[str, Any], statuses: tuple[str, ...], began: datetime) -> None:
        for step, status in enumerate(statuses):
            row = {**order, "create_date_time": local(began), "order_status": status}
            row["status_date_time"] = local(began + timedelta(hours=11 * step))
            answer = self._api(counter, "POST", f"counters/{counter}/orders/", json=row)
            result = answer["results"][0]
            if result["result"] == "rejected" or result["hold"]:
                raise DemoFailed(f"{order['id']} / {status}: {result}")

    def import_csv(self, *, orders: int) -> Path:
        """A CSV of the shop's orders through the import command."""
        path = self._directory / "orders.csv"
        sample.write(path, orders=orders, now=self._now)
        self._control("visits", counter=FLOWERS, visits=sample.visits(path, zone=ZONE))
        done = self._processes.manage(
            "import_orders", str(path), "--agency", "south", "--counter", str(FLOWERS), check=False
        )
        if done.returncode != 0:
            raise DemoFailed(f"import_orders ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return path

    def run_script(self) -> None:
        """A script that was written for Metrica, with another host and token: one file is taken, and one refused."""
        began = self._now - timedelta(days=2)
        deals = [
            ("W-301", "1700000000222333444", "PAID", "7400.00"),
            ("W-302", "1700000000333444555", "CANCELLED", ""),
        ]
        visit = (began - timedelta(minutes=9)).replace(tzinfo=ZONE).isoformat()
        for deal in deals:
            self._control("visits", counter=WINDOWS, started_at=visit, client_id=deal[1])
        head = "id,create_date_time,client_ids,order_status,revenue"
        rows = [",".join((deal[0], local(began), *deal[1:])) for deal in deals]
        self._upload("deals.csv", "\n".join([head, *rows]), expected=200)
        self._upload("without-dates.csv", f"{head}\nW-303,,1700000000444555666,PAID,900.00", expected=400)

    def _upload(self, name: str, text: str, *, expected: int) -> None:
        answer = httpx.post(
            f"{self._processes.url}/cdp/api/v1/counter/{WINDOWS}/data/simple_orders",
            params={"merge_mode": "SAVE", "delimiter_type": "COMMA"},
            headers={"Authorization": f"OAuth {self.key_of(WINDOWS)}"},
            files={"file": (name, text.encode(), "text/csv")},
            timeout=60,
        )
        if answer.status_code != expected:
            raise DemoFailed(f"{name} by the gateway: {answer.status_code} {answer.text[:500]}")

    def upload_all(self, *, seconds: float = 300) -> None:
        """Ask for an upload of every counter and wait until nothing is due any more."""
        end = time.monotonic() + seconds
        for counter in NAMES:
            job = self._api(counter, "POST", f"counters/{counter}/uploads/", json={})
            while job["state"] in ("queued", "running"):
                if time.monotonic() > end:
                    raise DemoFailed(f"counter {counter}: the upload did not end within {seconds:.0f} s")
                time.sleep(0.3)
                job = self._api(counter, "GET", f"uploads/{job['id']}/")
            if job["state"] != "succeeded":
                raise DemoFailed(f"counter {counter}: the upload job ended as {job['state']}: {job}")

    def lines(self) -> list[Line]:
        """What became of everything. Raises DemoFailed if a change was not delivered."""
        found = []
        for counter, name in NAMES.items():
            orders = self._all(counter, "orders")
            changes = sum(order["changes"] for order in orders)
            if undelivered := sum(order["delivery"] != "delivered" for order in orders):
                raise DemoFailed(f"counter {counter}: {undelivered} orders are not delivered")
            jobs = self._all(counter, "uploads")
            uploads = [upload for job in jobs for upload in job["uploads"]]
            found.append(
                Line(
                    counter=f"{counter} {name}",
                    orders=len(orders),
                    changes=changes,
                    uploads=len(uploads),
                    passed=sum(upload["state"] == "passed" for upload in uploads),
                    delivered=sum(job["delivered"] for job in jobs),
                    goals=int(self._sandbox.get("reaches", params={"counter": counter, "limit": 1}).json()["total"]),
                )
            )
            if found[-1].delivered != changes:
                raise DemoFailed(f"counter {counter}: {changes} status changes, but {found[-1].delivered} delivered")
        return found

    def _all(self, counter: int, what: str) -> list[dict[str, Any]]:
        """Everything that a list of the counter holds, page after page."""
        rows: list[dict[str, Any]] = []
        path: str | None = f"counters/{counter}/{what}/?limit=1000"
        while path:
            page = self._api(counter, "GET", path)
            rows += page["results"]
            path = page["next"]
        return rows

    def _control(self, what: str, **body: Any) -> None:
        answer = self._sandbox.post(what, json=body)
        if answer.status_code >= 300:
            raise DemoFailed(f"sandbox, {what}: {answer.status_code} {answer.text[:300]}")

    def _api(self, counter: int, method: str, path: str, **options: Any) -> dict[str, Any]:
        url = path if path.startswith("http") else f"{self._processes.url}/api/v1/{path}"
        headers = {"Authorization": f"Bearer {self.key_of(counter)}"}
        answer = httpx.request(method, url, headers=headers, timeout=60, **options)
        if answer.status_code >= 300:
            raise DemoFailed(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
        return dict(answer.json())
