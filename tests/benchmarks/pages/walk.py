"""Opens the pages, takes the time and counts queries, and tells which are too slow."""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client as Browser

from apps.agencies.access import actor_for_key, actor_for_user
from apps.agencies.actor import Actor
from apps.agencies.models import Agency, ApiKey, User
from project.warm_up import warm_up
from tests.benchmarks.filling import small
from tests.benchmarks.pages.addresses import Address, admin_addresses
from tests.benchmarks.pages.rest import api_addresses

PINNED = Path(__file__).with_name("pinned.json")
GIVE_UP_SECONDS = 20
_FINE = (200, 302, 403, 404, 405)


@dataclass(slots=True)
class Visits:
    """`millis` of each opening after the first; `queries` of each as well."""

    who: str
    address: Address
    status: int = 0
    first: float = 0.0
    millis: list[float] = field(default_factory=list)
    queries: set[int] = field(default_factory=set)
    slowest_query: tuple[float, str] = (0.0, "")
    problem: str = ""

    @property
    def name(self) -> str:
        return f"{self.who}: {self.address.page}"

    def share(self, part: float) -> float:
        """The opening that so many of all (0.95) are not slower than."""
        return sorted(self.millis)[math.ceil(part * len(self.millis)) - 1] if self.millis else self.first


class Counting:
    """Counts the queries of a page and keeps the slowest."""

    def __init__(self) -> None:
        self.number, self.slowest = 0, (0.0, "")

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.number += 1
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.slowest = max(self.slowest, ((time.perf_counter() - began) * 1000, sql))


def walk(*, times: int, limit: int, match: str, people: list[str], all: bool, pin: bool) -> int:
    missing: list[str] = []
    found: list[Visits] = []
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{GIVE_UP_SECONDS}s'")
    for who in people:
        browser, headers, addresses = _person(who, missing)
        warm_up()  # as a web process does
        for address in addresses:
            if match in address.page:
                visits = _visit(browser, headers, who, address, times)
                found.append(visits)
                if visits.share(0.95) > limit or visits.problem:  # a walk takes long: tell at once
                    print(f"  {visits.share(0.95):7.0f} ms  {visits.name}  {visits.problem}", flush=True)
        print(f"{len(found)} pages so far, after {who}", flush=True)
    return _report(found, missing, limit=limit, all=all, pin=pin)


def _person(who: str, missing: list[str]) -> tuple[Browser, dict[str, str], list[Address]]:
    browser = Browser(raise_request_exception=False)
    number = Agency.objects.count() if "small" in who else 1
    actor: Actor
    if who.startswith("key"):
        key = ApiKey.objects.get(name="crm", agency__slug=f"agency-{number}")
        actor, text = actor_for_key(key), small.key_of(number)
        return browser, {"Authorization": f"Bearer {text}"}, list(api_addresses(browser, text, actor, missing))
    of_person = small.limited_of if "limited" in who else small.owner_of
    user = User.objects.get(email=small.STAFF if who == "staff" else of_person(number))
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    actor = actor_for_user(user)
    return browser, {}, list(admin_addresses(browser, actor, missing))


def _visit(browser: Browser, headers: dict[str, str], who: str, address: Address, times: int) -> Visits:
    visits = Visits(who, address)
    for each in range(times + 1):
        counting = Counting()
        began = time.perf_counter()
        with connection.execute_wrapper(counting):
            answer = browser.get(address.path, headers=headers)
            if answer.streaming:
                next(iter(answer.streaming_content), b"")
        if answer.streaming:
            # As a server does when its client goes: left to the collector, it would end in the middle of another query.
            answer._iterator.close()
        millis = (time.perf_counter() - began) * 1000
        visits.status = answer.status_code
        visits.slowest_query = max(visits.slowest_query, counting.slowest)
        if each or not times:  # the first opening also reads what a process keeps
            visits.queries.add(counting.number)
        if answer.status_code not in _FINE:
            exception = getattr(answer, "exc_info", None)
            visits.problem = f"{answer.status_code} {exception[1] if exception else ''}".strip()
            visits.first = visits.first or millis
            break
        if each:
            visits.millis.append(millis)
        else:
            visits.first = millis
        if sum(visits.millis) > GIVE_UP_SECONDS * 1000:
            break
    return visits


def _report(found: list[Visits], missing: list[str], *, limit: int, all: bool, pin: bool) -> int:
    pinned: dict[str, int] = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    if pin:
        for visits in found:  # several have one name: the first, a middle and the last choice of a long filter
            if not visits.problem:
                pinned[visits.name] = max(max(visits.queries, default=0), pinned.get(visits.name, 0))
        PINNED.write_text(json.dumps(pinned, ensure_ascii=False, indent=0, sort_keys=True) + "\n")
    slow = [visits for visits in found if visits.share(0.95) > limit or visits.problem]
    more = [visits for visits in found if pinned and max(visits.queries, default=0) > pinned.get(visits.name, -1)]
    ordered = sorted(found, key=lambda visits: -visits.share(0.95))
    _print(ordered if all else ordered[: max(20, len(slow))])
    for visits in slow:
        print(f"\n{visits.name}\n  {visits.address.path}\n  {visits.problem or f'p95 {visits.share(0.95):.0f} ms'}")
        print(f"  slowest query, {visits.slowest_query[0]:.0f} ms: {visits.slowest_query[1][:1500]}")
    for visits in more:
        allowed = pinned.get(visits.name)
        said = f"pinned are {allowed}" if allowed is not None else "none are pinned: see --pin"
        print(f"{visits.name}: {max(visits.queries, default=0)} queries, {said}")
    for each in dict.fromkeys(missing):
        print(f"Nobody has told what to put there, see tests/benchmarks/pages/values.py: {each}")
    _table(found, limit=limit)
    print(
        f"\n{len(found)} pages; {len(slow)} slower than {limit} ms or broken; {len(more)} with more queries than pinned"
    )
    return 1 if slow or more or missing else 0


KINDS = {"list": "lists, page by page", "filter": "filters", "search": "searches", "sorted": "sorted", "page": "pages"}


def _table(found: list[Visits], *, limit: int) -> None:
    """For README: by person and kind how many there are, and the slowest of them."""
    print(f"\n| who | what | how many | median of p95 | slowest p95 | over {limit} ms | most queries | the slowest |")
    print("|---|---|---|---|---|---|---|---|")
    for who in dict.fromkeys(visits.who for visits in found):
        for kind, title in KINDS.items():
            some = [visits for visits in found if visits.who == who and visits.address.kind == kind]
            if not some:
                continue
            times = sorted(visits.share(0.95) for visits in some)
            slowest = max(some, key=lambda visits: visits.share(0.95))
            cells = (
                *(who, title, len(some), f"{times[len(times) // 2]:.0f} ms", f"{times[-1]:.0f} ms"),
                *(sum(time > limit for time in times), max(max(visits.queries, default=0) for visits in some)),
                slowest.address.page,
            )
            print(f"| {' | '.join(map(str, cells))} |")


def _print(rows: Iterable[Visits]) -> None:
    print(f"{'p50':>7} {'p95':>7} {'first':>7} {'queries':>8} {'':>4}  page")
    for visits in rows:
        queries = "-".join(map(str, sorted({min(visits.queries, default=0), max(visits.queries, default=0)})))
        numbers = f"{visits.share(0.5):7.0f} {visits.share(0.95):7.0f} {visits.first:7.0f} {queries:>8}"
        print(f"{numbers} {visits.status:>4}  {visits.name}")
