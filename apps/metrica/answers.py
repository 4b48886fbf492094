"""What Metrica's answers hold. Pages: uploadSimpleOrders, getLastUploadings, counters, counter, goals, grants, mygrant.

Each `read_…` takes the parsed JSON and raises Unreadable where the answer has not the documented shape.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.metrica.dates import Moment, parse_any
from apps.metrica.parts import Unreadable, decimal, entries, flag, inner, number, text


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
class GoalInfo:
    """A goal. `identifier` is what uploads call it, with JavaScript-event goals (`type` "action") only; the
    `condition_type` should be "exact" for goals that uploads refer to (page: offline-conv). `source`: user or auto;
    `status` is Metrica's word, its values are not documented.
    """

    id: int
    name: str
    type: str
    identifier: str | None
    condition_type: str | None
    default_price: Decimal | None
    is_favorite: bool
    raw: dict[str, Any] = field(repr=False)
    source: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class CounterFlags:
    """Switches of a counter; None where Metrica does not say. `collect_first_party_data`: visitors' e-mails and phones
    are matched with the CRM's ("advanced matching").
    """

    collect_first_party_data: bool | None
    use_in_benchmarks: bool | None
    direct_allow_use_goals_without_access: bool | None
    measurement_enabled: bool | None
    incognito: str
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CounterInfo:
    """A counter ("tag"). `time_zone_name` is an IANA name; `permission`: own, view, edit, analyst, …

    `flags` and `goals` are there only if they were asked for (`field="counter_flags,goals"`).
    """

    id: int
    name: str
    site: str
    time_zone_name: str
    permission: str
    owner_login: str
    status: str
    raw: dict[str, Any] = field(repr=False)
    code_status: str = ""
    flags: CounterFlags | None = None
    goals: list[GoalInfo] | None = None

    @property
    def collect_first_party_data(self) -> bool | None:
        """Whether advanced matching is on; None if it was not asked for."""
        return self.flags.collect_first_party_data if self.flags else None


@dataclass(frozen=True, slots=True)
class CounterPage:
    """`rows` is the number of all counters, whatever the paging."""

    rows: int
    counters: list[CounterInfo]


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody's right to a counter. `perm`: public_stat, view, edit, analyst, …; `created_at`: ISO 8601 as Metrica
    writes it, "" if it does not say.
    """

    user_login: str
    perm: str
    created_at: str
    comment: str
    partner_data_access: bool | None
    raw: dict[str, Any] = field(repr=False)


def read_uploading(answer: object) -> Uploading:
    """The answer of an upload."""
    uploading = _uploading(inner(answer, "uploading"))
    if not uploading.uploading_id or uploading.status not in ("PASSED", "FAILED"):
        raise Unreadable("uploading")
    return uploading


def read_uploadings(answer: object) -> list[Uploading]:
    """The answer of last_uploadings, in Metrica's order. Entries of unknown kinds are kept with blank fields."""
    return [_uploading(entry) for entry in entries(answer, "uploadings")]


def read_counter_page(answer: object) -> CounterPage:
    counters = [_counter(entry) for entry in entries(answer, "counters")]
    rows = answer.get("rows") if isinstance(answer, dict) else None
    return CounterPage(rows if isinstance(rows, int) else len(counters), counters)


def read_counter(answer: object) -> CounterInfo:
    return _counter(inner(answer, "counter"))


def read_goals(answer: object) -> list[GoalInfo]:
    return [_goal(entry) for entry in entries(answer, "goals")]


def read_goal(answer: object) -> GoalInfo:
    return _goal(inner(answer, "goal"))


def read_grants(answer: object) -> list[Grant]:
    return [_grant(entry) for entry in entries(answer, "grants")]


def read_grant(answer: object) -> Grant:
    return _grant(inner(answer, "grant"))


def _uploading(raw: dict[str, Any]) -> Uploading:
    count = raw.get("elements_count")
    return Uploading(
        uploading_id=text(raw.get("uploading_id")),
        datetime=text(raw.get("datetime")),
        status=text(raw.get("api_validation_status")),
        elements_count=count if isinstance(count, int) else None,
        entity_type=text(raw.get("entity_type")),
        uploading_format=text(raw.get("uploading_format")),
        uploading_source=text(raw.get("uploading_source")),
        raw=raw,
    )


def _counter(raw: dict[str, Any]) -> CounterInfo:
    site2, flags = raw.get("site2"), raw.get("counter_flags")
    return CounterInfo(
        id=number(raw),
        name=text(raw.get("name")),
        # Real answers have `site`, the schema lists only `site2`.
        site=text(raw.get("site")) or text(site2.get("site") if isinstance(site2, dict) else None),
        time_zone_name=text(raw.get("time_zone_name")),
        permission=text(raw.get("permission")),
        owner_login=text(raw.get("owner_login")),
        status=text(raw.get("status")),
        raw=raw,
        code_status=text(raw.get("code_status")),
        flags=_flags(flags) if isinstance(flags, dict) else None,
        goals=[_goal(entry) for entry in entries(raw, "goals")] if raw.get("goals") is not None else None,
    )


def _flags(raw: dict[str, Any]) -> CounterFlags:
    return CounterFlags(
        collect_first_party_data=flag(raw.get("collect_first_party_data")),
        use_in_benchmarks=flag(raw.get("use_in_benchmarks")),
        direct_allow_use_goals_without_access=flag(raw.get("direct_allow_use_goals_without_access")),
        measurement_enabled=flag(raw.get("measurement_enabled")),
        incognito=text(raw.get("incognito")),
        raw=raw,
    )


def _grant(raw: dict[str, Any]) -> Grant:
    return Grant(
        user_login=text(raw.get("user_login")),
        perm=text(raw.get("perm")),
        created_at=text(raw.get("created_at")),
        comment=text(raw.get("comment")),
        partner_data_access=flag(raw.get("partner_data_access")),
        raw=raw,
    )


def _goal(raw: dict[str, Any]) -> GoalInfo:
    goal_type = text(raw.get("type"))
    conditions = raw.get("conditions")
    condition = conditions[0] if isinstance(conditions, list) and conditions else None
    if goal_type != "action" or not isinstance(condition, dict):
        condition = {}
    return GoalInfo(
        id=number(raw),
        name=text(raw.get("name")),
        type=goal_type,
        identifier=text(condition.get("url")) or None,
        condition_type=text(condition.get("type")) or None,
        default_price=decimal(raw.get("default_price")),
        is_favorite=bool(raw.get("is_favorite")),
        raw=raw,
        source=text(raw.get("goal_source")),
        status=text(raw.get("status")),
    )
