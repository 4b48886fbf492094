"""The CRMs: they push by REST and by CSV, note what they were told of each row, and ask where an answer was lost."""

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter as Counting
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx

from project.processes import BASE_DIR
from tests.chaos.script import COLUMNS, Key, Nature, Push, Row

PATIENCE: Final = 120.0
"""Seconds that a CRM tries on with one push."""

_IN, _REJECTED, _UNUSABLE = 0, 3, 2


@dataclass
class Ledger:
    """What the CRMs were told. One lock: several push at once."""

    accepted: dict[Key, str | None] = field(default_factory=dict)  # the id of the change, where it was told
    rows: dict[Key, Row] = field(default_factory=dict)
    told: Counting[str] = field(default_factory=Counting)
    counts: Counting[str] = field(default_factory=Counting)
    faults: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, rows: Sequence[Row], results: Sequence[Mapping[str, Any]]) -> None:
        with self.lock:
            for row, result in zip(rows, results, strict=True):
                outcome = result["result"]
                self.told[outcome] += 1
                if (outcome == "rejected") != (row.nature is Nature.BAD):
                    self.faults.append(f"{row.order} ({row.nature}, {row.defect}): told {result}")
                    continue
                if row.nature is Nature.BAD:
                    self.counts["bad rows refused"] += 1
                    continue
                self._note(row, result.get("change"))

    def asked(self, rows: Sequence[Row]) -> None:
        """These were found in the timeline after the answer to their push had been lost."""
        with self.lock:
            self.counts["rows found by asking"] += len(rows)
            for row in rows:
                self._note(row, None)

    def imported(self, rows: Sequence[Row], numbers: Mapping[str, int]) -> None:
        bad = sum(row.nature is Nature.BAD for row in rows)
        with self.lock:
            self.told.update({name: numbers[name] for name in ("created", "updated", "unchanged", "rejected")})
            self.counts["bad rows refused"] += bad
            if numbers["rejected"] != bad or numbers["rows"] != len(rows):
                self.faults.append(f"a file of {len(rows)} rows, {bad} of them bad, ended with {dict(numbers)}")
            for row in rows:
                if row.nature is not Nature.BAD:
                    self._note(row, None)

    def count(self, what: str, number: int = 1) -> None:
        with self.lock:
            self.counts[what] += number

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)

    def _note(self, row: Row, change: str | None) -> None:
        known = self.accepted.get(row.key)
        if known and change and known != change:
            self.faults.append(f"{row.order} {row.mark}: accepted twice, as {known} and {change}")
        self.accepted[row.key] = known or change
        self.rows[row.key] = row


@dataclass
class Crm:
    """One pusher, whose counters are its own. `keys`: API keys by counter number."""

    urls: Sequence[str]
    keys: Mapping[int, str]
    ledger: Ledger
    turn: int = 0
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=15))

    def push(self, push: Push, *, give_up: threading.Event) -> None:
        """Until each row is known to be in. A push without an answer is asked for, row by row, and what is not there
        is pushed once more."""
        rows: list[Row] = list(push.rows)
        end = time.monotonic() + PATIENCE
        while rows:
            if time.monotonic() > end or give_up.is_set():
                self.ledger.fault(f"{len(rows)} rows of counter {push.counter} found no ear in {PATIENCE:.0f} s")
                return
            began = time.monotonic()
            answer = self._call("POST", push.counter, "orders/", json=[row.as_json() for row in rows])
            if isinstance(answer, httpx.Response) and answer.status_code == 200:
                self.ledger.answered(rows, answer.json()["results"])
                self.ledger.count("pushes by REST")
                self.ledger.latencies.append(time.monotonic() - began)
                return
            if isinstance(answer, httpx.ConnectError) or _surely_not_taken(answer):
                self.ledger.count("pushes that found nobody")
                time.sleep(0.2)
                continue
            self.ledger.count("answers lost")
            rows = self._missing(push.counter, rows, end=end)

    def upload(self, counter: int) -> None:
        answer = self._call("POST", counter, "uploads/", json={})
        if isinstance(answer, httpx.Response) and answer.status_code == 202:
            self.ledger.count("uploads asked for")
        else:
            self.ledger.count("uploads asked for in vain")

    def map(self, counter: int, status: str, meaning: Mapping[str, Any], *, end: float) -> None:
        """Until it is known to be mapped."""
        while time.monotonic() < end:
            answer = self._call("PUT", counter, f"statuses/{quote(status)}/", json=dict(meaning))
            if isinstance(answer, httpx.Response) and answer.status_code in (200, 201):
                return
            time.sleep(0.3)
        self.ledger.fault(f"the status {status} of counter {counter} could not be mapped")

    def _missing(self, counter: int, rows: Sequence[Row], *, end: float) -> list[Row]:
        """Those of the rows of which the API knows nothing, in their order. A repetition that is there says nothing of
        this push, and needs no pushing."""
        found: list[Row] = []
        missing: list[Row] = []
        for row in rows:
            if row.nature is Nature.BAD:
                missing.append(row)
                continue
            there = self._is_there(counter, row, end=end)
            if there is None:
                return list(rows)
            (found if there else missing).append(row)
        self.ledger.asked(found)
        return missing

    def _is_there(self, counter: int, row: Row, *, end: float) -> bool | None:
        """None where nobody answers until the end."""
        while time.monotonic() < end:
            answer = self._call("GET", counter, f"orders/{row.order}/")
            if isinstance(answer, httpx.Response):
                if answer.status_code == 404:
                    return False
                if answer.status_code == 200:
                    return any(plain(change["revenue"]) == plain(row.mark) for change in answer.json()["timeline"])
            time.sleep(0.2)
        return None

    def _call(self, method: str, counter: int, path: str, **more: Any) -> httpx.Response | httpx.TransportError:
        """With the next web server, as a load balancer would choose."""
        self.turn += 1
        url = f"{self.urls[self.turn % len(self.urls)]}/api/v1/counters/{counter}/{path}"
        try:
            return self._http.request(method, url, headers={"Authorization": f"Bearer {self.keys[counter]}"}, **more)
        except httpx.TransportError as error:
            return error


def plain(number: Any) -> str:
    """1.50 and 1.5000 are the same amount."""
    text = str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _surely_not_taken(answer: httpx.Response | httpx.TransportError) -> bool:
    """A refusal is an answer; only a fault of the server leaves the question open."""
    return isinstance(answer, httpx.Response) and 400 <= answer.status_code < 500


@dataclass
class Importer:
    """Imports files by the command, one after the other. One that breaks off, or is killed, is run again."""

    directory: Path
    environment: Mapping[str, str]
    agencies: Mapping[int, str]
    ledger: Ledger
    running: subprocess.Popen[str] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, push: Push, number: int) -> None:
        path = self.directory / f"orders-{number}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(row.as_cells() for row in push.rows)
        end = time.monotonic() + PATIENCE
        said = ""
        while time.monotonic() < end:
            status, said = self._run(path, push.counter)
            if status in (_IN, _REJECTED):
                self.ledger.imported(push.rows, _numbers(said))
                self.ledger.count("files imported")
                return
            if status == _UNUSABLE:
                break
            self.ledger.count("imports broken off")
            time.sleep(0.5)
        self.ledger.fault(f"{path.name} could not be imported: {said[-500:]}")

    def kill(self) -> bool:
        """`kill -9` the import that runs now. False where none does."""
        with self.lock:
            if self.running is None or self.running.poll() is not None:
                return False
            os.killpg(self.running.pid, signal.SIGKILL)
            return True

    def _run(self, path: Path, counter: int) -> tuple[int, str]:
        command = [sys.executable, "manage.py", "import_orders", str(path)]
        command += ["--agency", self.agencies[counter], "--counter", str(counter)]
        with self.lock:
            self.running = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                env={**os.environ, **self.environment, "DJANGO_SETTINGS_MODULE": "project.settings"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        said, _nothing = self.running.communicate()
        with self.lock:
            status = self.running.returncode
            self.running = None
        return status, said


def _numbers(said: str) -> dict[str, int]:
    """The counts that the command prints."""
    found = re.findall(r"^  (rows|created|updated|unchanged|rejected) +([\d,]+)$", said, re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in found}
