"""A mapping that was written in the editor while somebody else changed it: what the person wrote is laid over theirs.

A row that the person left alone stands as it is now; of a row that they touched, each field that they did not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.goals.differences import difference
from apps.goals.models import MappingVersion, StatusMapping
from apps.goals.statuses import StatusRow

_FIELDS = ("crm_status", "name", "type", "goal_action_ids", "metrica_id", "position")
_SAYING = ("crm_status", "name", "goal_action_ids", "metrica_id")  # a line with none of these is an empty one
_MOST = 5_000


@dataclass(frozen=True, slots=True)
class LaidOver:
    """`data`: as if the editor had been opened now and the person had written the same. `wrote`: they wrote anything.
    `theirs`: the statuses that others changed meanwhile."""

    data: Any
    wrote: bool
    theirs: list[str]


def newest_version(counter_id: int) -> MappingVersion | None:
    """Without the mapping itself."""
    versions = MappingVersion.objects.filter(counter=counter_id).order_by("-number")
    return versions.only("number", "by", "at", "counter").first()


def rows_of_version(counter_id: int, number: int) -> dict[str, StatusRow]:
    """The mapping as it stood at that version; 0: before the first."""
    versions = MappingVersion.objects.filter(counter=counter_id)
    # What is older than its history has become its first version, in which nothing differs.
    version = versions.filter(number=number).first() or versions.filter(number=1, difference=[]).first()
    rows = [StatusRow.from_json(row) for row in version.mapping] if version else []
    return {row.crm_status: row for row in rows}


def lay_over(data: Any, *, prefix: str, seen: Mapping[str, StatusRow], now: Sequence[StatusMapping]) -> LaidOver:
    """`data`: what was posted from the editor that showed the rows `seen`; `now`: the mapping as it stands."""
    rows = {row.crm_status: row for row in now}
    by_key = {str(row.pk): row for row in now}
    upon: dict[str, dict[str, Any]] = {}
    added: list[dict[str, Any]] = []
    for posted in _posted(data, prefix):
        typed = (posted["crm_status"] or "").strip()
        row = by_key.get(posted["id"] or "") or rows.get(typed)
        was = seen.get(row.crm_status if row else typed) if posted["id"] else None
        touched = {field for field in _FIELDS if _differs(field, posted[field], was, row)}
        if posted["DELETE"]:
            if row is not None:
                upon[row.crm_status] = {"DELETE": "on"}
        elif row is not None and touched:
            upon[row.crm_status] = {field: posted[field] for field in touched}
        elif row is None and (was is None or touched) and any(posted[field] for field in _SAYING):
            added.append({field: posted[field] for field in _FIELDS})
    return LaidOver(_rewritten(data, prefix, now, upon, added), bool(upon or added), _changed(seen, rows))


def _posted(data: Any, prefix: str) -> Iterable[dict[str, Any]]:
    for index in range(_number(data.get(f"{prefix}-TOTAL_FORMS"))):
        yield {name: data.get(f"{prefix}-{index}-{name}") for name in (*_FIELDS, "id", "DELETE")}


def _differs(field: str, typed: str | None, was: StatusRow | None, row: StatusMapping | None) -> bool:
    """Whether the person wrote something else there than they were shown. What the page did not show was not written,
    and what stands there already need not be."""
    if typed is None:
        return False
    value = _plain(field, typed)
    if row is not None and value == _plain(field, getattr(row, field)):
        return False
    return was is None or value != _plain(field, getattr(was, field))


def _plain(field: str, value: Any) -> Any:
    if field == "goal_action_ids":
        goals = value.split(",") if isinstance(value, str) else value
        return list(dict.fromkeys(goal.strip() for goal in goals if goal.strip()))
    return str(value if value is not None else "").strip()


def _changed(seen: Mapping[str, StatusRow], rows: Mapping[str, StatusMapping]) -> list[str]:
    """Statuses that say something else now; what stands before what is not among it."""
    lines = difference(list(seen.values()), [StatusRow.of(row) for row in rows.values()])
    return [line["crm_status"] for line in lines if line["crm_status"]]


def _rewritten(
    data: Any,
    prefix: str,
    now: Sequence[StatusMapping],
    upon: Mapping[str, Mapping[str, Any]],
    added: Sequence[Mapping[str, Any]],
) -> Any:
    anew = data.copy()
    for name in [name for name in anew if name.startswith(f"{prefix}-") and name[len(prefix) + 1 :][:1].isdigit()]:
        del anew[name]
    lines: list[dict[str, Any]] = []
    for row in now:
        shown = {field: getattr(row, field) for field in _FIELDS}
        shown["goal_action_ids"] = ", ".join(row.goal_action_ids)
        lines.append({"id": row.pk, **shown, **upon.get(row.crm_status, {})})
    lines += [dict(line) for line in added]
    for index, line in enumerate(lines):
        for name, value in line.items():
            if value is not None:
                anew[f"{prefix}-{index}-{name}"] = str(value)
    anew[f"{prefix}-TOTAL_FORMS"], anew[f"{prefix}-INITIAL_FORMS"] = str(len(lines)), str(len(now))
    return anew


def _number(text: Any) -> int:
    return min(int(text), _MOST) if isinstance(text, (str, int)) and str(text).isdecimal() else 0
