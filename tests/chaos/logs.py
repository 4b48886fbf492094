"""Lines at level error in Goalpost's own logs, and what of the run explains them; what nothing explains is a fault."""

import json
import re
from collections import Counter as Counting
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.chaos.trouble import Happened

_BEFORE, _AFTER = 1.0, 15.0
"""Seconds around a restart of the database in which its absence shows."""

_DATABASE: Final = re.compile(
    r"OperationalError|InterfaceError|AdminShutdown|the database system is|server closed the connection|"
    r"terminating connection|Connection refused|connection is closed|connection is lost|consuming input failed"
)
_KILLED: Final = re.compile(
    r"a process of the cluster was killed|was sent SIG(KILL|TERM)|BrokenPipeError|EOFError|ConnectionResetError|"
    r"Worker exiting|Shutting down: Master|reincarnated|leaked semaphore"
)
_GUNICORN: Final = re.compile(r"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\] \[\d+\] \[(\w+)\]")


@dataclass(frozen=True, slots=True)
class Line:
    """One event with whatever followed it. `at`: seconds of the epoch; 0 where the line does not say."""

    file: str
    at: float
    level: str
    event: str
    text: str


@dataclass(slots=True)
class Reading:
    explained: Counting[str] = field(default_factory=Counting)
    unexplained: list[Line] = field(default_factory=list)


def read(directory: Path, happened: Happened) -> Reading:
    """`directory`: with the logs of web servers and workers below it."""
    found = Reading()
    for path in sorted(directory.glob("w*/*.log")):
        for line in _errors(path):
            why = _why(line, happened)
            if why:
                found.explained[why] += 1
            else:
                found.unexplained.append(line)
    return found


def _why(line: Line, happened: Happened) -> str:
    if _KILLED.search(line.text) and happened.kills:
        return "a process was killed"
    if _DATABASE.search(line.text) and any(
        not line.at or began - _BEFORE <= line.at <= end + _AFTER for began, end in happened.down
    ):
        return "the database was away"
    return ""


def _errors(path: Path) -> Iterator[Line]:
    name = f"{path.parent.name}/{path.name}"
    head: dict[str, Any] | None = None
    tail: list[str] = []

    def closed() -> Iterator[Line]:
        loose = "Traceback (most recent call last)" in "\n".join(tail)
        if head is not None and (head["level"] in ("error", "critical") or loose):
            text = "\n".join([json.dumps(head, ensure_ascii=False), *tail])
            level = head["level"] if head["level"] in ("error", "critical") else "loose traceback"
            yield Line(name, _moment(head.get("timestamp", "")), level, str(head.get("event", "")), text)

    with path.open(errors="replace") as file:
        for raw in file:
            line = raw.rstrip("\n")
            begun = _begun(line)
            if begun is None:
                tail.append(line)
                continue
            yield from closed()
            head, tail = begun, []
    yield from closed()


def _begun(line: str) -> dict[str, Any] | None:
    """The head of an event, if a line begins one: of Goalpost (JSON) or of gunicorn."""
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            return None
        return {"level": "info", **entry} if isinstance(entry, dict) and "event" in entry else None
    if match := _GUNICORN.match(line):
        return {"level": match[2].lower(), "event": line, "timestamp": match[1]}
    return None


def _moment(text: str) -> float:
    for form in ("", "%Y-%m-%d %H:%M:%S %z"):
        try:
            return (datetime.strptime(text, form) if form else datetime.fromisoformat(text)).timestamp()
        except ValueError:
            continue
    return 0.0
