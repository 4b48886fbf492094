"""What differs between two states of the mapping, line by line, as the history keeps and shows it."""

from collections.abc import Sequence
from typing import Any, TypedDict

from apps.goals.statuses import StatusRow

_COMPARED = ("name", "type", "metrica_id", "goal_action_ids")


class Difference(TypedDict):
    """`kind`: added, removed, changed; or reordered, once for the whole mapping, where statuses changed places.

    `fields`: {name: [before, after]} of what differs; of an added or removed status, all that it says, None on the
    side where it is not.
    """

    crm_status: str
    kind: str
    fields: dict[str, list[Any]]


def difference(before: Sequence[StatusRow], after: Sequence[StatusRow]) -> list[Difference]:
    """In the order of `after`, removed ones last. Places differ by what stands before what, not by their numbers."""
    old = {row.crm_status: row for row in before}
    new = {row.crm_status: row for row in after}
    lines: list[Difference] = []
    for name, row in new.items():
        was = old.get(name)
        if was is None:
            lines.append({"crm_status": name, "kind": "added", "fields": _fields(None, row)})
        elif fields := _fields(was, row):
            lines.append({"crm_status": name, "kind": "changed", "fields": fields})
    lines += [
        {"crm_status": name, "kind": "removed", "fields": _fields(row, None)}
        for name, row in old.items()
        if name not in new
    ]
    if [name for name in old if name in new] != [name for name in new if name in old]:
        lines.append({"crm_status": "", "kind": "reordered", "fields": {}})
    return lines


def _fields(before: StatusRow | None, after: StatusRow | None) -> dict[str, list[Any]]:
    one, other = (row.to_json() if row else {} for row in (before, after))
    return {
        name: [one.get(name), other.get(name)]
        for name in _COMPARED
        if (one.get(name) or None) != (other.get(name) or None)
    }
