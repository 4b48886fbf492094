"""What Metrica's answers hold. Pages: uploadSimpleOrders, getLastUploadings, counters, counter, goals.

Each `read_…` takes the parsed JSON and raises Unreadable where the answer has not the documented shape.
"""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from apps.metrica.dates import Moment, parse_any


class Unreadable(ValueError):
    """The answer is JSON, but not what the page describes."""


@dataclass(frozen=True, slots=True)
class Uploading:
    """One upload as Metrica lists it. `status`: PASSED or FAILED; `elements_count` without the header line.

    `datetime` is Metrica's own text, `yyyy-MM-dd HH:mm:ss` without a zone. It has been seen to be the counter's local
    time on a Moscow counter, where it could as well have been Moscow's, so the reader says which zone to assume.
    """

    uploading_id: str
    datetime: str
    status: str
    elements_count: int | None
    entity_type: str
    uploading_format: str
    uploading_source: str
    raw: dict[str, Any] = field(repr=False)

    @property
    def passed(self) -> bool:
        return self.status == "PASSED"

    def moment(self, zone: ZoneInfo) -> Moment:
        """`datetime` on the clock of `zone`; a text with `Z` or an offset is taken at its word. Raises DateError."""
        return parse_any(self.datetime, zone)


@dataclass(frozen=True, slots=True)
class CounterInfo:
    """A counter ("tag"). `time_zone_name` is an IANA name; `permission`: own, view, edit, analyst, …"""

    id: int
    name: str
    site: str
    time_zone_name: str
    permission: str
    owner_login: str
    status: str
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CounterPage:
    """`rows` is the number of all counters, whatever the paging."""

    rows: int
    counters: list[CounterInfo]


@dataclass(frozen=True, slots=True)
class GoalInfo:
    """A goal. `identifier` is what uploads call it, with JavaScript-event goals (`type` "action") only; the
    `condition_type` should be "exact" for goals that uploads refer to (page: offline-conv).
    """

    id: int
    name: str
    type: str
    identifier: str | None
    condition_type: str | None
    default_price: Decimal | None
    is_favorite: bool
    raw: dict[str, Any] = field(repr=False)


def read_uploading(answer: object) -> Uploading:
    """The answer of an upload."""
    uploading = _uploading(_inner(answer, "uploading"))
    if not uploading.uploading_id or uploading.status not in ("PASSED", "FAILED"):
        raise Unreadable("uploading")
    return uploading


def read_uploadings(answer: object) -> list[Uploading]:
    """The answer of last_uploadings, in Metrica's order. Entries of unknown kinds are kept with blank fields."""
    return [_uploading(entry) for entry in _list(answer, "uploadings")]


def read_counter_page(answer: object) -> CounterPage:
    counters = [_counter(entry) for entry in _list(answer, "counters")]
    rows = answer.get("rows") if isinstance(answer, dict) else None
    return CounterPage(rows if isinstance(rows, int) else len(counters), counters)


def read_counter(answer: object) -> CounterInfo:
    return _counter(_inner(answer, "counter"))


def read_goals(answer: object) -> list[GoalInfo]:
    return [_goal(entry) for entry in _list(answer, "goals")]


def _inner(answer: object, key: str) -> dict[str, Any]:
    inner = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(inner, dict):
        raise Unreadable(key)
    return inner


def _list(answer: object, key: str) -> list[dict[str, Any]]:
    entries = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unreadable(key)
    return entries


def _uploading(raw: dict[str, Any]) -> Uploading:
    count = raw.get("elements_count")
    return Uploading(
        uploading_id=_text(raw.get("uploading_id")),
        datetime=_text(raw.get("datetime")),
        status=_text(raw.get("api_validation_status")),
        elements_count=count if isinstance(count, int) else None,
        entity_type=_text(raw.get("entity_type")),
        uploading_format=_text(raw.get("uploading_format")),
        uploading_source=_text(raw.get("uploading_source")),
        raw=raw,
    )


def _counter(raw: dict[str, Any]) -> CounterInfo:
    site2 = raw.get("site2")
    return CounterInfo(
        id=_id(raw),
        name=_text(raw.get("name")),
        # Real answers have `site`, the schema lists only `site2`.
        site=_text(raw.get("site")) or _text(site2.get("site") if isinstance(site2, dict) else None),
        time_zone_name=_text(raw.get("time_zone_name")),
        permission=_text(raw.get("permission")),
        owner_login=_text(raw.get("owner_login")),
        status=_text(raw.get("status")),
        raw=raw,
    )


def _goal(raw: dict[str, Any]) -> GoalInfo:
    goal_type = _text(raw.get("type"))
    conditions = raw.get("conditions")
    condition = conditions[0] if isinstance(conditions, list) and conditions else None
    if goal_type != "action" or not isinstance(condition, dict):
        condition = {}
    return GoalInfo(
        id=_id(raw),
        name=_text(raw.get("name")),
        type=goal_type,
        identifier=_text(condition.get("url")) or None,
        condition_type=_text(condition.get("type")) or None,
        default_price=_decimal(raw.get("default_price")),
        is_favorite=bool(raw.get("is_favorite")),
        raw=raw,
    )


def _id(raw: dict[str, Any]) -> int:
    value = raw.get("id")
    if not isinstance(value, int):
        raise Unreadable("id")
    return value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) else ""


def _decimal(value: object) -> Decimal | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
