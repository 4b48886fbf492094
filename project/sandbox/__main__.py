"""`python -m project.sandbox [--once] [--port N] [--fresh]`: starts the sandbox alone and says how to reach it.

What it holds stays in var/sandbox between two starts. `--once` works in a directory of its own, checks itself over HTTP
and ends.
"""

import argparse
import secrets
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from project.processes import BASE_DIR, Processes, free_port

KEPT, THROWN_AWAY = BASE_DIR / "var" / "sandbox", BASE_DIR / "var" / "sandbox-once"
PORT = 8090
COUNTER, LOGIN, ZONE = 40000001, "sandbox", "Europe/Moscow"
GOALS = {"good_lead": "Good leads", "meeting": "Meetings", "deal_won": "Deals won"}


class SandboxFailed(Exception):
    """It did not start, or does not answer as it should; the message says what."""


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201 - this is what it is for


def processes(directory: Path, port: int) -> Processes:
    environment = {
        "SECRET_KEY": secrets.token_urlsafe(40),
        "DATABASE_URL": f"sqlite:///{directory / 'sandbox.sqlite3'}",
        "STORAGE_URL": f"file://{directory / 'media'}",
    }
    return Processes(
        environment=environment, log_dir=directory / "logs", port=port, settings="project.sandbox.settings"
    )


class Site:
    """The running sandbox, as a client sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=120)

    def set_up(self) -> str:
        """The counter with its goals and a month of visits, unless it is there. Answers the owner's token."""
        token = self._token()
        if not token:
            made = self._post("counters", metrica_id=COUNTER, name="Rehearsal", owner_login=LOGIN, goals=GOALS)
            token = made["token"]
            self._post("visits/month", counter=COUNTER)
        self._client.headers["Authorization"] = f"OAuth {token}"
        return token

    def client_id(self) -> str:
        """Of a visit that orders of today can be bound to."""
        total = self._get("control/visits", counter=COUNTER, limit=1)["total"]
        latest = self._get("control/visits", counter=COUNTER, offset=max(0, total - 100))["visits"]
        return next((str(visit["client_id"]) for visit in reversed(latest) if visit["client_id"]), "")

    def check(self) -> list[str]:
        """Reads, makes a goal, uploads, and finds all of it again. Raises SandboxFailed."""
        self._post("switches", name="report_delay", value="none")
        counters = self._get("management/v1/counters")["counters"]
        _expect([counter["id"] for counter in counters] == [COUNTER], "the counter is listed")
        goal = {"name": "Checked", "type": "action", "conditions": [{"type": "exact", "url": "checked"}]}
        made = self._client.post(f"/management/v1/counter/{COUNTER}/goals", json={"goal": goal})
        _expect(made.status_code == 200, "a goal is made")
        now = datetime.now(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")
        file = f"id,create_date_time,client_ids,order_status,revenue\nCHECK-1,{now},{self.client_id()},PAID,100\n"
        path = f"/cdp/api/v1/counter/{COUNTER}/data/simple_orders"
        answer = self._client.post(path, params={"merge_mode": "SAVE"}, files={"file": ("o.csv", file, "text/csv")})
        _expect(answer.status_code == 200, f"an upload passes: {answer.text[:300]}")
        uploadings = self._get(f"cdp/api/v1/counter/{COUNTER}/last_uploadings")["uploadings"]
        _expect(uploadings[0] == answer.json()["uploading"], "the upload is listed")
        metrics = "ym:s:visits,ym:s:cdpOrdersPayed,ym:s:cdpOrdersRUBRevenue"
        totals = self._get("stat/v1/data", ids=COUNTER, metrics=metrics, date1="30daysAgo")["totals"]
        _expect(totals[0] > 100 and totals[1:] == [1.0, 100.0], f"the report counts them: {totals}")
        _expect(self._client.get("/").status_code == 200, "the pages open")
        return ["counter", "goal", "upload", "report", "pages"]

    def _token(self) -> str:
        page = self._get("control/counters")["counters"]
        return next((counter["token"] for counter in page if counter["metrica_id"] == COUNTER), "")

    def _get(self, path: str, /, **query: Any) -> dict[str, Any]:
        return _json(self._client.get(f"/{path}", params=query))

    def _post(self, name: str, /, **body: Any) -> dict[str, Any]:
        return _json(self._client.post(f"/control/{name}", json=body))


def _json(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != 200:
        raise SandboxFailed(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}")
    return dict(answer.json())


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise SandboxFailed(f"It is not so that {what}.")


def run(*, once: bool, port: int, fresh: bool, directory: Path) -> int:
    if once:
        directory = THROWN_AWAY
    if once or fresh:
        _forget(directory)
    directory.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    taken = free_port(0 if once and not port else port or PORT)
    if port and taken != port:
        raise SandboxFailed(f"The port {port} is taken. Name another one: make sandbox PORT={taken}")
    with processes(directory, taken) as running:
        running.manage("migrate", "-v0")
        web = running.start_web(workers=1 if once else 2)
        running.wait_for_web()
        site = Site(running.url)
        token = site.set_up()
        say(f"Sandbox   {running.url}/    {time.monotonic() - began:.0f} s to start")
        say(f"Counter   {COUNTER}, owned by {LOGIN}, goals {', '.join(GOALS)}")
        say(f"Token     {token}")
        if once:
            say(f"Checked   {', '.join(site.check())}")
            return 0
        say(_examples(running.url, token, site.client_id()))
        say("\nSwitches, faults and quotas are on its pages; docs/sandbox.md explains them. Ctrl-C ends it.")
        while web.poll() is None:
            time.sleep(0.5)
        raise SandboxFailed("The web server ended by itself.")


def _forget(directory: Path) -> None:
    """Only what a start made itself: the directory may hold more."""
    for file in directory.glob("sandbox.sqlite3*"):
        file.unlink()
    for part in ("media", "logs"):
        shutil.rmtree(directory / part, ignore_errors=True)


def _examples(url: str, token: str, client_id: str) -> str:
    """What to type first: the list of counters, and an order that is bound to a visit."""
    curl = f'curl -H "Authorization: OAuth {token}"'
    upload = f"{url}/cdp/api/v1/counter/{COUNTER}/data/simple_orders?merge_mode=SAVE"
    return "\n".join(
        [
            "\nTry:",
            f"  {curl} {url}/management/v1/counters",
            f"  (echo id,create_date_time,client_ids,order_status,revenue; echo D-1,$(TZ={ZONE} date +%F\\ %T),"
            f"{client_id},PAID,5000) > orders.csv",
            f'  {curl} -F "file=@orders.csv;type=text/csv" "{upload}"',
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="check itself over HTTP and end")
    parser.add_argument("--port", type=int, default=0, help=f"{PORT} by default, or any free one where that is taken")
    parser.add_argument("--directory", type=Path, default=KEPT, help="where it keeps what it holds")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier start left")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(once=arguments.once, port=arguments.port, fresh=arguments.fresh, directory=arguments.directory)
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130 if arguments.once else 0
    except (SandboxFailed, TimeoutError, httpx.HTTPError) as error:
        say(f"\nThe sandbox failed: {error}")
    except subprocess.CalledProcessError as error:
        say(f"\nThe sandbox failed at {' '.join(error.cmd[1:4])}:\n{error.stdout}{error.stderr}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
