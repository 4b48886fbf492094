"""The timeline as a picture: each status goes down from the CRM to Metrica, with how long each leg took.

Only places and words are told here; how they look is said by the template and the stylesheet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from apps.counters.templatetags.goalpost import duration
from apps.orders.admin_pages.story import Step
from apps.orders.models import Delivery

COLUMN: Final = 132
MARGIN: Final = 104
LANES: Final = (50, 100, 150)
SHOWN: Final = 60
"""Statuses in the picture: the newest. The list below it has all."""

_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class Station:
    """One status. `gap`: after the one before it; `told`: from the CRM's moment until it was received; `latency`: from
    there until Metrica had it; each empty where there is nothing to tell."""

    step: Step
    x: int
    name: str
    gap: str
    gap_x: int
    told: str
    latency: str

    @property
    def arrived(self) -> bool:
        return self.step.change.delivery == Delivery.DELIVERED


@dataclass(frozen=True, slots=True)
class Picture:
    stations: list[Station]
    width: int
    left_out: int

    @property
    def end(self) -> int:
        """Where the lanes end."""
        return self.width - 12


def draw(steps: Sequence[Step]) -> Picture:
    """`steps`: newest first, as the list has them; the picture goes from left to right."""
    shown = list(reversed(steps[:SHOWN]))
    stations: list[Station] = []
    for number, step in enumerate(shown):
        change = step.change
        before = shown[number - 1].change if number else None
        x = MARGIN + number * COLUMN + COLUMN // 2
        stations.append(
            Station(
                step=step,
                x=x,
                name=_short(change.order_status),
                gap=_leg(change.status_date_time - before.status_date_time) if before is not None else "",
                gap_x=x - COLUMN // 2,
                told=_leg(change.received_at - change.status_date_time),
                latency=duration(step.latency) if step.latency is not None else "",
            )
        )
    return Picture(stations, MARGIN + len(shown) * COLUMN + 12, len(steps) - len(shown))


def _leg(length: timedelta) -> str:
    return f"+{duration(length)}" if length >= timedelta(seconds=1) else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
