"""Lets the script's events happen: faults at the sandbox, `kill -9`, restarts of the database, tokens that expire, and
what people do meanwhile. Notes what really happened and when, so that the logs can be explained by it."""

import secrets
import threading
import time
from collections import Counter as Counting
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from project.processes import Processes
from tests.chaos.crm import Crm, Importer, Ledger
from tests.chaos.postgres import Server
from tests.chaos.script import GOALS, MAPPED_LATER, STATUSES, CounterPlan, Event, Script
from tests.chaos.stage import Sandbox, Stage


@dataclass
class Happened:
    """What was done to the system. Times are seconds of the epoch."""

    counts: Counting[str] = field(default_factory=Counting)
    down: list[tuple[float, float]] = field(default_factory=list)  # the database
    kills: list[float] = field(default_factory=list)
    cut_off: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # logins without a token
    mapped: dict[int, float] = field(default_factory=dict)  # when the late status of a counter was mapped
    failed: list[str] = field(default_factory=list)  # what the harness itself could not do


@dataclass
class Trouble:
    script: Script
    stage: Stage
    sandbox: Sandbox
    server: Server | None
    importer: Importer
    manager: Crm
    tokens: Mapping[str, str]  # by login
    ledger: Ledger
    commands: Processes
    directory: Path
    happened: Happened = field(default_factory=Happened)
    over: threading.Event = field(default_factory=threading.Event)
    _lost: dict[str, float] = field(default_factory=dict)
    _met: Counting[str] = field(default_factory=Counting)

    def run(self, events: list[Event], began: float) -> None:
        """Each event at its time (`began`: monotonic); what is late comes at once."""
        for event in events:
            if self.over.wait(max(0.0, began + event.second - time.monotonic())):
                return
            try:
                getattr(self, f"_{event.kind}")(**event.details)
            except Exception as error:
                self.happened.failed.append(f"{event}: {type(error).__name__}: {error}")

    def calm(self) -> None:
        """No more faults; all logins are connected."""
        for fault in self.sandbox.control("faults", "GET")["faults"]:
            self._met[fault["kind"]] += fault["applied"]
            if fault["kind"] != "refuse_row":
                self.sandbox.control("faults", "DELETE", id=fault["id"])
        for login in list(self._lost):
            self._connect(login)

    def applied(self) -> dict[str, int]:
        """How often each kind of fault met a call."""
        [poison] = self.sandbox.control("faults", "GET")["faults"]
        return {**self._met, poison["kind"]: poison["applied"]}

    def _fault(self, **parameters: Any) -> None:
        self.sandbox.control("faults", **parameters)
        self.happened.counts[f"fault {parameters['kind']}"] += 1

    def _kill(self, *, target: str, place: int, draw: float, away: float) -> None:
        if target == "import":
            done = self.importer.kill()
        else:
            kind, _space, part = target.partition(" ")
            slot = self.stage.of(kind)[place]
            done = bool(self.stage.kill_part(slot, draw=draw) if part else self.stage.kill(slot, away=away))
        if done:
            self.happened.kills.append(time.time())
            self.happened.counts[f"kill -9 {target}"] += 1

    def _database(self, *, mode: str) -> None:
        assert self.server is not None
        began = time.time()
        self.server.restart(mode)
        self.happened.down.append((began, time.time()))
        self.happened.counts[f"database restarted ({mode})"] += 1

    def _upload(self, *, counter: int) -> None:
        self.manager.upload(counter)

    def _map(self, *, counter: int) -> None:
        self.manager.map(counter, MAPPED_LATER, STATUSES[MAPPED_LATER], end=time.monotonic() + 60)
        self.happened.mapped[counter] = time.time()

    def _expire(self, *, login: str) -> None:
        self._lost.setdefault(login, time.time())
        self.sandbox.control("tokens", token=self.tokens[login], expires_in=-1)
        self.happened.counts["token expired"] += 1

    def _connect(self, login: str) -> None:
        """The token is good again, and a person enters it once more where it was found to be refused."""
        began = self._lost.get(login)
        if began is None:
            return
        self.sandbox.control("tokens", token=self.tokens[login], expires_in=10**7)
        for agency in {counter.agency for counter in self.script.counters if counter.login == login}:
            self._provision(agency)
        self._lost.pop(login, None)
        self.happened.cut_off.setdefault(login, []).append((began, time.time()))

    def _provision(self, agency: str) -> None:
        for _try in range(20):
            done = self.commands.manage("provision", str(accounts_file(self.directory, agency)), check=False)
            if done.returncode == 0:
                return
            time.sleep(0.5)  # the database may be away
        raise RuntimeError(f"{agency} could not be provisioned: {done.stdout}{done.stderr}")


def provision_files(script: Script, directory: Path, *, sandbox_url: str) -> dict[str, str]:
    """One file for all, and for each agency one with its accounts alone. Returns the secrets that they name."""
    secret: dict[str, str] = {}
    everything: list[str] = []
    for agency in script.agencies:
        counters = [counter for counter in script.counters if counter.agency == agency]
        secret[_key_name(agency)] = f"chaos-{secrets.token_urlsafe(30)}"
        parts = [f'[[agencies]]\nslug = "{agency}"\nname = "{agency}"']
        for login in dict.fromkeys(counter.login for counter in counters):
            secret.setdefault(token_name(login), f"token-{secrets.token_urlsafe(30)}")
            parts.append(f'[[agencies.accounts]]\nlogin = "{login}"\ntoken_env = "{token_name(login)}"')
            parts.append(f'base_url = "{sandbox_url}"')
        accounts_file(directory, agency).write_text("\n".join(parts), "utf-8")
        parts.append('[[agencies.api_keys]]\nname = "crm"\nscopes = ["read", "write"]')
        parts.append(f'secret_env = "{_key_name(agency)}"')
        everything += [*parts, *(_counter(counter) for counter in counters)]
    whole_file(directory).write_text("\n".join(everything), "utf-8")
    return secret


def whole_file(directory: Path) -> Path:
    return directory / "provision.toml"


def accounts_file(directory: Path, agency: str) -> Path:
    return directory / f"{agency}.toml"


def token_name(login: str) -> str:
    return f"TOKEN_{login.upper().replace('-', '_')}"


def key_of(secret: Mapping[str, str], counter: CounterPlan) -> str:
    return secret[_key_name(counter.agency)]


def _key_name(agency: str) -> str:
    return f"KEY_{agency.upper().replace('-', '_')}"


def _counter(counter: CounterPlan) -> str:
    lines = [
        "[[agencies.counters]]",
        f"metrica_id = {counter.number}",
        f'account = "{counter.login}"',
        f'name = "Site {counter.number}"',
        f'time_zone = "{counter.zone}"',
        f'mode = "{"detailed" if counter.detailed else "simple"}"',
        f'delivery = "{"latest_only" if counter.latest_only else "every_status"}"',
        f'schedule = "{counter.schedule}"',
    ]
    for status, meaning in STATUSES.items():
        if status != MAPPED_LATER:
            lines.append(f'[[agencies.counters.statuses]]\ncrm_status = "{status}"\ntype = "{meaning["type"]}"')
            lines.append(f"goals = {meaning['goals']!r}")
    return "\n".join(lines)


def tell_sandbox(script: Script, sandbox: Sandbox, tokens: Mapping[str, str]) -> None:
    """The counters with their goals, and the rows that it never takes."""
    for counter in script.counters:
        sandbox.control(
            "counters",
            metrica_id=counter.number,
            name=f"Site {counter.number}",
            time_zone_name=counter.zone,
            owner_login=counter.login,
            token=tokens[counter.login],
            goals=list(GOALS),
        )
