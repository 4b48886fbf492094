"""What a row makes of what is stored, by merge mode (modes page).

| stored | uploaded | SAVE | UPDATE | APPEND |
|---|---|---|---|---|
| 1 | nothing | null | 1 | 1 |
| 1,2 | 1,3 | 1,3 | 1,3 | 1,2,3 |

A blank cell, a column that is not there, null and an empty list are the same: nothing was uploaded. A scalar is
replaced in APPEND too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import MergeMode
from apps.metrica.wire.goals import format_goals, parse_goals

T = TypeVar("T")
Attributes = dict[str, list[str]]


def scalar(held: T, uploaded: T, mode: MergeMode) -> T:
    return uploaded if mode is MergeMode.SAVE or uploaded not in ("", None) else held


def joined(held: str, uploaded: Sequence[str], mode: MergeMode) -> str:
    """A list that is kept as comma-separated text."""
    if not uploaded:
        return "" if mode is MergeMode.SAVE else held
    if held and mode is MergeMode.APPEND:
        return ",".join(dict.fromkeys([*held.split(","), *uploaded]))
    return ",".join(uploaded) if len(uploaded) != 1 else uploaded[0]


def goals(held: str, uploaded: Sequence[GoalPrice], mode: MergeMode) -> str:
    """Each goal once; the uploaded price replaces the held one, if there is one."""
    if not uploaded:
        return "" if mode is MergeMode.SAVE else held
    united = {goal.goal_action_id: goal for goal in parse_goals(held)} if mode is MergeMode.APPEND else {}
    for goal in uploaded:
        if goal.price is not None or goal.goal_action_id not in united:
            united[goal.goal_action_id] = goal
    return format_goals(united.values())


def products(held: Mapping[str, int] | None, uploaded: Mapping[str, int], mode: MergeMode) -> dict[str, int] | None:
    """Each product once, with the uploaded quantity; None for none."""
    if not uploaded:
        return None if mode is MergeMode.SAVE or held is None else dict(held)
    return {**(held or {}), **uploaded} if mode is MergeMode.APPEND else dict(uploaded)


def attributes(
    held: Attributes | None,
    uploaded: Mapping[str, Iterable[str]],
    mode: MergeMode,
    *,
    multivalued: Collection[str],
) -> Attributes | None:
    """Each attribute by itself; those in `multivalued` are lists, the others scalars. None for none."""
    merged: Attributes = {} if mode is MergeMode.SAVE else dict(held or {})
    for name, values in uploaded.items():
        own = list(dict.fromkeys(values))
        if not own:
            continue
        if mode is MergeMode.APPEND and name in multivalued:
            own = list(dict.fromkeys([*merged.get(name, ()), *own]))
        merged[name] = own
    return merged or None
