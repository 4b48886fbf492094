"""Whose turn it is, where several agencies want one place: that of the agency that was served longest ago.

An agency that finds no place leaves a mark. Who was served after it takes only what is left when each marked agency
had one. A caller waits with the place in sight for a moment; after that its mark stays until it is expected back, and
for all who are away together one place is kept.
"""

from typing import Any

IN_SIGHT = 1.0
"""Seconds for which a mark says that its caller is still asking."""

State = dict[str, Any]


def ahead(state: State, *, agency: int, now: float) -> tuple[int, int]:
    """How many other agencies come first: those that are asking, and those that are away until later."""
    waiting, served = state.get("waiting", {}), state.get("served", {})
    key = str(agency)
    mine = (served.get(key, 0.0), waiting[key][2] if key in waiting else now)
    asking = away = 0
    for other, (sight, until, since) in waiting.items():
        if other == key or until <= now or (served.get(other, 0.0), since) > mine:
            continue
        if sight > now:
            asking += 1
        else:
            away += 1
    return asking, away


def wait(state: State, *, agency: int, now: float, until: float | None = None) -> None:
    """Leave the mark. `until`: the caller goes away and is expected back before that."""
    waiting = state.setdefault("waiting", {})
    for other in [other for other, mark in waiting.items() if mark[1] <= now]:
        del waiting[other]
    key = str(agency)
    former = waiting.get(key)
    since = former[2] if former else now
    if until is None:
        # Not written anew at every glance: whoever only looks changes nothing.
        if former is None or former[0] < now + IN_SIGHT / 2:
            waiting[key] = [now + IN_SIGHT, max(now + IN_SIGHT, former[1] if former else 0.0), since]
    else:
        waiting[key] = [former[0] if former else now, until, since]


def serve(state: State, *, agency: int, now: float, remembered: float) -> None:
    """The agency got its place. `remembered`: for how many seconds that counts."""
    served = state.setdefault("served", {})
    for other in [other for other, at in served.items() if at <= now - remembered]:
        del served[other]
    served[str(agency)] = now
    state.get("waiting", {}).pop(str(agency), None)
