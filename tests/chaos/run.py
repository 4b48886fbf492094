"""One run from the first process to the verdict."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from project.processes import Processes, free_port
from tests.chaos import evidence, logs
from tests.chaos.crm import Crm, Importer, Ledger
from tests.chaos.postgres import Server
from tests.chaos.script import POISON, Push, Script
from tests.chaos.stage import Sandbox, Stage, environment
from tests.chaos.trouble import Trouble, key_of, provision_files, tell_sandbox, token_name, whole_file
from tests.chaos.verdict import Judge, Verdict, percentile

DRAIN_SECONDS: Final = 240.0
_QUIET: Final = 3  # looks in a row at which nothing is left


class RunFailed(Exception):
    """The harness itself could not go on; the message says why."""


@dataclass
class Run:
    directory: Path
    script: Script
    sqlite: bool
    say: Callable[[str], None]
    ledger: Ledger = field(default_factory=Ledger)
    skipped: int = 0

    def whole(self) -> bool:
        """Set up, let it go wrong, drain, judge. True where all holds."""
        size, script = self.script.size, self.script
        self.say(
            f"seed {script.seed}: {size.counters} counters in {size.agencies} agencies, {size.workers} workers and "
            f"{size.webs} web processes on {'SQLite' if self.sqlite else 'PostgreSQL'}, {script.seconds / 60:g} minutes"
        )
        server = None if self.sqlite else Server(directory=self.directory / "postgres", port=free_port())
        sandbox = Sandbox(self.directory)
        stage: Stage | None = None
        try:
            if server is not None:
                server.start()
            url = server.url if server else f"sqlite:///{self.directory / 'goalpost.sqlite3'}"
            sandbox.start()
            secrets = provision_files(script, self.directory, sandbox_url=sandbox.url)
            stage = Stage(self.directory, size, {**environment(self.directory, url, sandbox.url), **secrets})
            commands = stage.prepare()
            trouble = self._set_up(stage, sandbox, server, commands, secrets)
            return self._acts(stage, sandbox, trouble)
        finally:
            if stage is not None:
                stage.stop()
            sandbox.processes.stop_all()
            if server is not None:
                server.stop()

    def _set_up(
        self, stage: Stage, sandbox: Sandbox, server: Server | None, commands: Processes, secrets: dict[str, str]
    ) -> Trouble:
        script = self.script
        tokens = {counter.login: secrets[token_name(counter.login)] for counter in script.counters}
        tell_sandbox(script, sandbox, tokens)
        sandbox.control("faults", kind="refuse_row", contains=POISON, count=None)
        commands.manage("migrate", "-v0")
        done = commands.manage("provision", str(whole_file(self.directory)), check=False)
        if done.returncode:
            raise RunFailed(f"provision: {done.stdout[-500:]}{done.stderr[-1500:]}")
        stage.start()
        self._keys = {counter.number: key_of(secrets, counter) for counter in script.counters}
        importer = Importer(
            directory=self.directory,
            environment=stage.environment,
            agencies={counter.number: counter.agency for counter in script.counters},
            ledger=self.ledger,
        )
        return Trouble(
            script=script,
            stage=stage,
            sandbox=sandbox,
            server=server,
            importer=importer,
            manager=Crm(stage.urls, self._keys, self.ledger),
            tokens=tokens,
            ledger=self.ledger,
            commands=commands,
            directory=self.directory,
        )

    def _acts(self, stage: Stage, sandbox: Sandbox, trouble: Trouble) -> bool:
        began = time.monotonic()
        self._let_it_go_wrong(stage, trouble, began)
        gone_wrong = time.monotonic() - began
        self.say(f"{gone_wrong:.0f} s of it are over: no more faults; waiting until everything has drained")
        trouble.calm()
        drained = self._drain(stage, trouble)
        total = time.monotonic() - began
        checked = trouble.commands.manage("verify_audit", check=False)
        found = evidence.gather(sandbox)
        applied = trouble.applied()
        stage.stop()
        counters = {counter.number: counter for counter in self.script.counters}
        verdict = Judge(counters, self.ledger, found, trouble.happened).run()
        if not drained:
            verdict.say("nothing is stuck", f"not drained within {DRAIN_SECONDS:.0f} s")
        if checked.returncode:
            verdict.say("verify_audit holds", checked.stdout[-500:] + checked.stderr[-1000:])
        self._machinery(stage, trouble, verdict)
        self._tell(verdict, found, trouble, applied, gone_wrong=gone_wrong, total=total)
        return verdict.holds

    def _let_it_go_wrong(self, stage: Stage, trouble: Trouble, began: float) -> None:
        """Pushers, importer and troublemakers, each in a thread of its own, until the time is over."""
        end = began + self.script.seconds
        give_up = trouble.over  # set where somebody stops the run
        quick = [event for event in self.script.events if event.kind in ("fault", "kill", "expire")]
        slow = [event for event in self.script.events if event.kind in ("database", "connect")]
        people = [event for event in self.script.events if event.kind in ("upload", "map")]

        def push(pushes: list[Push]) -> None:
            crm = Crm(stage.urls, self._keys, self.ledger)
            for number, each in enumerate(pushes):
                give_up.wait(max(0.0, began + each.second - time.monotonic()))
                if give_up.is_set() or time.monotonic() > end:
                    self.skipped += sum(len(one.rows) for one in pushes[number:])
                    return
                crm.push(each, give_up=give_up)

        def bring_files() -> None:
            for number, each in enumerate(self.script.files):
                give_up.wait(max(0.0, began + each.second - time.monotonic()))
                if give_up.is_set() or time.monotonic() > end:
                    self.skipped += sum(len(one.rows) for one in self.script.files[number:])
                    return
                trouble.importer.take(each, number)

        with ThreadPoolExecutor(max_workers=16) as pool:
            work = [pool.submit(push, pushes) for pushes in self.script.pushes]
            work.append(pool.submit(bring_files))
            work += [pool.submit(trouble.run, events, began) for events in (quick, slow, people)]
            try:
                for each in work:
                    each.result()
            except BaseException:
                give_up.set()  # or the pool would wait for all of them
                raise

    def _drain(self, stage: Stage, trouble: Trouble) -> bool:
        """Everybody is asked to upload; then nothing may be left. False where something is after the longest wait."""
        _connect_django(stage.environment)
        end = time.monotonic() + DRAIN_SECONDS
        quiet = 0
        asked = False
        while time.monotonic() < end:
            left = evidence.leftovers()
            if not asked and stage.all_up() and not left["held for their account"]:
                for counter in self.script.counters:
                    trouble.manager.upload(counter.number)
                asked = True
            quiet = 0 if any(left.values()) or not asked else quiet + 1
            if quiet >= _QUIET:
                return True
            time.sleep(0.5)
        self.say(f"left: {left}")
        return False

    def _machinery(self, stage: Stage, trouble: Trouble, verdict: Verdict) -> None:
        """Logs without an error that nothing explains; no process that ended by itself."""
        happened = trouble.happened
        for text in happened.failed:
            verdict.say("the harness did what it was to do", text)
        reading = logs.read(self.directory / "logs", happened)
        for line in reading.unexplained:
            verdict.say("no error that nothing explains", f"{line.file} {line.level} {line.event}: {line.text[-700:]}")
        for why, number in reading.explained.items():
            verdict.numbers[f"errors in logs: {why}"] = number
        for death in stage.deaths:
            away = any(began - 1 <= death.at <= end + 15 for began, end in happened.down)
            killed = any(at - 1 <= death.at <= at + 10 for at in happened.kills)
            if not away and not killed:
                verdict.say(
                    "no process ends by itself", f"{death.name} ended with {death.status} after {death.age:.0f} s"
                )

    def _tell(
        self,
        verdict: Verdict,
        found: evidence.Evidence,
        trouble: Trouble,
        applied: dict[str, int],
        *,
        gone_wrong: float,
        total: float,
    ) -> None:
        ledger, numbers, happened = self.ledger, verdict.numbers, trouble.happened
        orders = len({(change.counter, change.order) for change in found.changes})
        told = ", ".join(f"{ledger.told[name]:,} {name}" for name in ("created", "updated", "unchanged", "rejected"))
        ends = {name: numbers.pop(name, 0) for name in ("delivered", "held", "rejected", "superseded")}
        accepted = numbers.pop("accepted", 0)
        delivered = accepted - ends["held"]
        numbers["uploads adopted after an unknown outcome"] = sum(
            actions.count("upload.adopted") for actions in found.trail.values()
        )
        sent = sum(one["status"] == "PASSED" for one in found.uploadings.values())
        lines = [
            "",
            f"told to the CRMs  {told}; {ledger.counts['answers lost']} answers lost",
            f"accepted          {accepted:,} status changes of {orders:,} orders "
            f"= {' + '.join(f'{number:,} {name}' for name, number in ends.items())}",
            f"flow              {accepted / gone_wrong * 60:,.0f} changes and {orders / gone_wrong * 60:,.0f} orders "
            f"a minute came in; a push by REST took {percentile(ledger.latencies, 0.5):.2f} s, "
            f"1 % more than {percentile(ledger.latencies, 0.99):.2f} s",
            f"drained           {total - gone_wrong:.0f} s after the last fault ({delivered / total * 60:,.0f} changes "
            f"a minute to their end); {self.skipped:,} rows had no time left to be pushed",
            f"uploads           {len(found.files):,} files, {sent:,} passed at the sandbox; jobs: "
            + ", ".join(f"{number} {state}" for state, number in sorted(found.jobs.items())),
            f"faults that met   {_list(applied)}",
            f"done to it        {_list(happened.counts)}",
            f"of the CRMs       {_list(ledger.counts)}",
            f"seen              {_list(numbers)}",
            "",
            *verdict.lines(),
            "ALL HOLDS" if verdict.holds else "SOMETHING DOES NOT HOLD",
        ]
        if accepted != sum(ends.values()):
            lines.append("accepted is not the sum of its ends")
        self.say("\n".join(lines))


def _list(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(numbers.items()) if number) or "nothing"


def _connect_django(settings: dict[str, str]) -> None:
    """This process reads Goalpost's database by Goalpost's models."""
    import django

    os.environ.update({**settings, "DJANGO_SETTINGS_MODULE": "project.settings"})
    django.setup()
