"""What a run will do, drawn from its seed before it begins: the agencies and counters, what their CRMs push and when,
and what goes wrong and when. The same seed gives the same script; how the processes take it is theirs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

GOALS: Final = ("lead", "deal")
NEW, WORK, PAID, CANCELLED = "Новая", "В работе", "Оплачено", "Отмена"
NEVER_MAPPED, MAPPED_LATER = "Неизвестный этап", "Новый этап"
STATUSES: Final = {
    NEW: {"type": "IN_PROGRESS", "goals": []},
    WORK: {"type": "OTHER", "goals": ["lead"]},
    PAID: {"type": "PAID", "goals": ["deal"]},
    CANCELLED: {"type": "CANCELLED", "goals": []},
    MAPPED_LATER: {"type": "OTHER", "goals": ["lead", "deal"]},
}
POISON: Final = "POISON"
"""In an order's id: the sandbox refuses every file that has such a row."""

ZONES: Final = ("Europe/Moscow", "Asia/Yekaterinburg", "Europe/Kaliningrad", "Asia/Vladivostok", "Europe/Berlin")


class Nature(StrEnum):
    """What must become of a row."""

    GOOD = "good"
    UNMAPPED = "unmapped"  # held to the end
    MAPPED_LATER = "mapped later"  # held until its status is mapped in the middle of the run
    POISONED = "poisoned"  # accepted, then refused by Metrica
    BAD = "bad"  # refused at intake


Key = tuple[int, str, str]
"""A row's counter, order and mark."""


@dataclass(frozen=True, slots=True)
class CounterPlan:
    number: int
    agency: str
    login: str
    detailed: bool
    latest_only: bool
    schedule: str
    zone: str

    @property
    def manual(self) -> bool:
        return self.schedule == "manual"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a push. `mark`: its revenue, which no other row of the counter has: by it the row is found again."""

    counter: int
    order: str
    status: str
    at: datetime
    created: datetime
    mark: str
    nature: Nature
    client: int
    defect: str = ""

    def as_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "id": self.order,
            "create_date_time": self.created.isoformat(),
            "order_status": self.status,
            "status_date_time": self.at.isoformat(),
            "client_uniq_id": f"C-{self.counter}-{self.client}",
            "client_ids": [str(10**18 + self.client)],
            "revenue": self.mark,
        }
        if self.defect:
            row |= DEFECTS[self.defect]
        return row

    @property
    def key(self) -> "Key":
        return (self.counter, self.order, self.mark)

    def as_cells(self) -> list[str]:
        row = self.as_json()
        row["client_ids"] = ",".join(row["client_ids"])
        return [str(row[name]) for name in COLUMNS]


COLUMNS: Final = (
    *("id", "create_date_time", "order_status", "status_date_time", "client_uniq_id", "client_ids", "revenue"),
)
DEFECTS: Final[dict[str, dict[str, Any]]] = {
    "no id": {"id": ""},
    "no such day": {"status_date_time": "2026-02-31 10:00:00"},
    "no number": {"revenue": "a lot"},
    "no status": {"order_status": ""},
    "no date": {"create_date_time": "yesterday"},
}


@dataclass(frozen=True, slots=True)
class Push:
    """Rows that a CRM pushes together, `second` after the beginning."""

    second: float
    counter: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens `second` after the beginning; `details` as its kind needs them."""

    second: float
    kind: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is. `rate`: rows a second by REST; `files`: seconds between two CSV files."""

    agencies: int
    counters: int
    pushers: int
    rate: float
    files: float
    rows_a_file: tuple[int, int]
    faults_every: float
    kills_every: float
    workers: int
    webs: int
    every: str


FULL: Final = Size(20, 200, 4, 24.0, 9.0, (40, 160), 1.5, 8.0, 3, 2, "5m")
SMALL: Final = Size(4, 20, 2, 10.0, 12.0, (20, 60), 1.5, 7.0, 3, 2, "1m")
ON_SQLITE: Final = Size(4, 20, 2, 6.0, 15.0, (20, 50), 2.0, 12.0, 1, 1, "1m")


@dataclass(slots=True)
class Script:
    seed: int
    seconds: float
    size: Size
    began: datetime
    counters: list[CounterPlan]
    pushes: list[list[Push]]  # of each pusher, in time
    files: list[Push]
    events: list[Event]

    @property
    def agencies(self) -> list[str]:
        return list(dict.fromkeys(counter.agency for counter in self.counters))


def write(*, seed: int, seconds: float, size: Size, began: datetime, restarts: bool) -> Script:
    """`began`: aware; what happened in the CRM happened in the days before it. `restarts`: of the database."""
    counters = _counters(Random(f"{seed}:counters"), size)
    crms = {counter.number: _Crm(counter, began, Random(f"{seed}:{counter.number}")) for counter in counters}
    pushes = _pushes(Random(f"{seed}:pushes"), size, counters, crms, seconds)
    files = list(_files(Random(f"{seed}:files"), size, counters, crms, seconds))
    events = _events(Random(f"{seed}:events"), size, counters, seconds, restarts=restarts)
    return Script(seed, seconds, size, began, counters, pushes, files, events)


def _counters(draw: Random, size: Size) -> list[CounterPlan]:
    """Each agency has two or three logins; the first two agencies have one login in common."""
    found = []
    for place in range(size.counters):
        agency = place % size.agencies
        login = f"login-{agency}-{draw.randrange(2)}"
        if agency < 2 and draw.random() < 0.5:
            login = "login-in-common"
        found.append(
            CounterPlan(
                number=41_000_001 + place,
                agency=f"agency-{agency:02d}",
                login=login,
                detailed=draw.random() < 0.25,
                latest_only=draw.random() < 0.2,
                schedule=draw.choice(["as they come"] * 5 + [size.every] * 2 + ["manual"] * 3),
                zone=draw.choice(ZONES),
            )
        )
    return found


class _Crm:
    """What the CRM of one counter knows: its orders, and what it has pushed of them."""

    def __init__(self, counter: CounterPlan, began: datetime, draw: Random) -> None:
        self._counter = counter
        self._began = began
        self._draw = draw
        self._orders: list[list[Row]] = []
        self._marks = 0

    def rows(self, count: int) -> list[Row]:
        return [self._row() for _each in range(count)]

    def _row(self) -> Row:
        draw = self._draw
        kind = draw.random()
        if kind < 0.02:
            return self._bad()
        if not self._orders or kind < 0.35:
            return self._first()
        # Mostly of orders that are young: a CRM seldom touches an old one.
        history = self._orders[-1 - min(int(draw.expovariate(1 / 12)), len(self._orders) - 1)]
        if kind < 0.45:
            return draw.choice(history)  # the same once more
        if kind < 0.57 and (old := [each for each in self._orders if len(each) > 1]):
            return self._late(draw.choice(old))
        if kind < 0.65:
            return self._next(history, history[-1].status)  # a correction of the amount
        if kind < 0.68:
            return self._next(history, NEVER_MAPPED)
        if kind < 0.71:
            return self._next(history, MAPPED_LATER)
        return self._next(history, draw.choice((WORK, WORK, PAID, PAID, CANCELLED)))

    def _first(self) -> Row:
        draw = self._draw
        poisoned = draw.random() < 0.03
        name = f"{self._counter.number}-{len(self._orders) + 1}"
        created = self._began - timedelta(days=6, minutes=draw.randrange(2000), seconds=draw.randrange(60))
        row = Row(
            counter=self._counter.number,
            order=f"{POISON}-{name}" if poisoned else f"D-{name}",
            status=NEW,
            at=created,
            created=created,
            mark=self._mark(),
            nature=Nature.POISONED if poisoned else Nature.GOOD,
            client=draw.randrange(1 + len(self._orders)),
        )
        self._orders.append([row])
        return row

    def _next(self, history: list[Row], status: str) -> Row:
        last = max(history, key=_at)
        return self._add(history, status, last.at + timedelta(minutes=self._draw.randrange(10, 60)))

    def _late(self, history: list[Row]) -> Row:
        """A state that the CRM tells only now, though later ones were told already."""
        earlier, later = sorted(self._draw.sample(history, 2), key=_at)
        between = earlier.at + (later.at - earlier.at) * self._draw.uniform(0.1, 0.9)
        return self._add(history, self._draw.choice((WORK, CANCELLED)), between.replace(microsecond=0))

    def _add(self, history: list[Row], status: str, at: datetime) -> Row:
        first = history[0]
        nature = {NEVER_MAPPED: Nature.UNMAPPED, MAPPED_LATER: Nature.MAPPED_LATER}.get(status, Nature.GOOD)
        while any(row.at == at for row in history):
            at += timedelta(seconds=1)
        if first.nature is Nature.POISONED and nature is not Nature.UNMAPPED:
            nature = Nature.POISONED
        row = Row(first.counter, first.order, status, at, first.created, self._mark(), nature, first.client)
        history.append(row)
        return row

    def _bad(self) -> Row:
        name = f"BAD-{self._counter.number}-{self._marks + 1}"
        created = self._began - timedelta(days=1)
        defect = self._draw.choice(list(DEFECTS))
        return Row(self._counter.number, name, NEW, created, created, self._mark(), Nature.BAD, 0, defect)

    def _mark(self) -> str:
        self._marks += 1
        return f"{self._marks}.{self._counter.number % 97:02d}"


def _at(row: Row) -> datetime:
    return row.at


def _pushes(
    draw: Random, size: Size, counters: list[CounterPlan], crms: dict[int, _Crm], seconds: float
) -> list[list[Push]]:
    """Each pusher has counters of its own, so that what a CRM tells first is told first."""
    found: list[list[Push]] = [[] for _each in range(size.pushers)]
    second = 0.0
    while second < seconds:
        counter = draw.choice(counters)
        count = min(40, 1 + int(draw.expovariate(1 / 8)))
        rows = tuple(crms[counter.number].rows(count))
        found[counter.number % size.pushers].append(Push(second, counter.number, rows))
        second += count / size.rate
    return found


def _files(
    draw: Random, size: Size, counters: list[CounterPlan], crms: dict[int, _Crm], seconds: float
) -> Iterator[Push]:
    second = size.files / 2
    while second < seconds:
        counter = draw.choice(counters)
        yield Push(second, counter.number, tuple(crms[counter.number].rows(draw.randint(*size.rows_a_file))))
        second += size.files * draw.uniform(0.7, 1.3)


def _events(draw: Random, size: Size, counters: list[CounterPlan], seconds: float, *, restarts: bool) -> list[Event]:
    found = [
        *_faults(draw, size, counters, seconds),
        *_kills(draw, size, seconds),
        *_uploads(draw, counters, seconds),
        *_tokens(draw, counters, seconds),
        *(Event(seconds * draw.uniform(0.4, 0.6), "map", {"counter": counter.number}) for counter in counters),
    ]
    if restarts:
        found.append(Event(seconds * draw.uniform(0.25, 0.4), "database", {"mode": "immediate"}))
        found.append(Event(seconds * draw.uniform(0.65, 0.8), "database", {"mode": draw.choice(("immediate", "fast"))}))
    return sorted(found, key=lambda event: event.second)


def _faults(draw: Random, size: Size, counters: list[CounterPlan], seconds: float) -> Iterator[Event]:
    second = 2.0
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("latency", {"seconds": 0.4}),
        ("latency", {"seconds": 1.0, "endpoint": "upload"}),
        ("latency", {"seconds": 3.3, "endpoint": "upload"}),  # longer than a call may take
        ("latency", {"seconds": 3.3, "endpoint": "last_uploadings"}),
        # Not the quota of a day: with that a login rightly rests until midnight.
        ("quota_429", {"error_type": "quota_requests_by_ip"}),
        ("quota_420", {"error_type": "quota_parallel_requests"}),
        ("quota_429", {"error_type": "quota_parallel_requests", "retry_after": 1}),
        ("server_error", {"status": 500}),
        ("server_error", {"status": 502, "endpoint": "upload"}),
        ("server_error", {"status": 503}),
        ("server_error", {"status": 504, "endpoint": "upload"}),
        ("cut_before", {}),
        ("cut_before", {"after_bytes": 100}),
        ("cut_before", {"endpoint": "last_uploadings"}),
        ("cut_after", {}),
        ("cut_after", {}),
        ("cut_after", {"endpoint": "schema"}),
        ("failed", {}),
    ]
    while second < seconds:
        kind, parameters = draw.choice(kinds)
        where = {"counter": draw.choice(counters).number} if draw.random() < 0.4 else {}
        count = draw.choice((1, 1, 2, 3))
        yield Event(second, "fault", {"kind": kind, "count": count, **parameters, **where})
        second += draw.expovariate(1 / size.faults_every)


def _kills(draw: Random, size: Size, seconds: float) -> Iterator[Event]:
    second = 6.0
    while second < seconds - 1:
        target = draw.choice(["worker"] * 4 + ["worker part"] * 3 + ["web"] * 2 + ["web part", "import"])
        place = draw.randrange(size.webs if target.startswith("web") else size.workers)
        yield Event(
            second, "kill", {"target": target, "place": place, "draw": draw.random(), "away": draw.uniform(0.3, 2.5)}
        )
        second += size.kills_every * draw.uniform(0.5, 1.5)


def _uploads(draw: Random, counters: list[CounterPlan], seconds: float) -> Iterator[Event]:
    """Counters without a schedule are asked to upload by API now and then."""
    for counter in counters:
        second = draw.uniform(5, 20)
        while counter.manual and second < seconds:
            yield Event(second, "upload", {"counter": counter.number})
            second += draw.uniform(10, 40)


def _tokens(draw: Random, counters: list[CounterPlan], seconds: float) -> Iterator[Event]:
    """A login's token expires, and a person connects it again a little later."""
    for _each in range(max(1, int(seconds / 120))):
        login = draw.choice(counters).login
        second = draw.uniform(0.1, 0.85) * seconds
        yield Event(second, "expire", {"login": login})
        yield Event(second + draw.uniform(5, 12), "connect", {"login": login})
