"""Into which of Metrica's daily counts a call falls (page: quotas).

Reading, writing and reports count separately. Where CDP calls count is not documented: each counts as reading and as
writing here, so that whichever it is, neither passes its limit.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit


class Group(StrEnum):
    READ = "client_read"
    WRITE = "client_write"
    REPORT = "report_read"


class Kind(StrEnum):
    READ = "read"
    WRITE = "write"
    CDP_READ = "cdp_read"
    CDP_WRITE = "cdp_write"
    REPORT = "report"

    @property
    def groups(self) -> tuple[Group, ...]:
        return _GROUPS[self]


_GROUPS: dict[Kind, tuple[Group, ...]] = {
    Kind.READ: (Group.READ,),
    Kind.WRITE: (Group.WRITE,),
    Kind.CDP_READ: (Group.READ, Group.WRITE),
    Kind.CDP_WRITE: (Group.READ, Group.WRITE),
    Kind.REPORT: (Group.REPORT,),
}

OF_UPLOADS = Kind.CDP_WRITE.groups
"""Groups whose end stops the delivery."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a call asks for; `counters`: the numbers it names."""

    kind: Kind
    counters: tuple[int, ...] = ()


_COUNTER = re.compile(r"/counter/(\d{1,10})(?:/|$)")


def call_of(method: str, url: str) -> Call:
    parts = urlsplit(url)
    reads = method.upper() in ("GET", "HEAD")
    if "/stat/" in parts.path:
        ids = ",".join(parse_qs(parts.query).get("ids", [])).split(",")
        return Call(Kind.REPORT, tuple(sorted({int(one) for one in ids if one.isascii() and one.isdigit()})))
    counters = tuple(int(number) for number in _COUNTER.findall(parts.path)[:1])
    if "/cdp/" in parts.path:
        return Call(Kind.CDP_READ if reads else Kind.CDP_WRITE, counters)
    return Call(Kind.READ if reads else Kind.WRITE, counters)
