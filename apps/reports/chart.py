"""Bars by day as a drawing within the page: nothing is loaded for it, and it is printed as it stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.utils import formats
from django.utils.translation import gettext as _

from apps.counters.templatetags.goalpost import number

WIDTH: Final = 720
HEIGHT: Final = 180
_LEFT, _BOTTOM, _TOP = 52, 26, 16
_MOST_LABELS: Final = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """`x` … `height`: in the drawing's own points, as its attributes take them, whatever the language."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A number beside a line across, or a day below the bars."""

    x: str
    y: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`days`: the same numbers for a table. None of them: there is nothing to draw."""

    bars: list[Bar]
    lines: list[Mark]
    labels: list[Mark]
    days: list[tuple[str, str]]

    @property
    def view(self) -> str:
        return f"0 0 {WIDTH} {HEIGHT}"

    @property
    def left(self) -> int:
        return _LEFT


def by_day(days: Sequence[date], values: Sequence[int]) -> Chart:
    most = max(values, default=0)
    if not most:
        return Chart([], [], [], [])
    top = _round_up(most)
    high, wide = HEIGHT - _BOTTOM - _TOP, (WIDTH - _LEFT) / len(days)
    gap = min(4.0, wide * 0.2)
    # Translators: a day and a short month in Django's letters; "b" writes the month in lower case.
    texts = [formats.date_format(day, _("j M")) for day in days]
    bars, labels = [], []
    every = -(-len(days) // _MOST_LABELS)
    for place, (text, value) in enumerate(zip(texts, values, strict=True)):
        left, height = _LEFT + place * wide, high * value / top
        if value:
            title = f"{text}: {number(value)}"
            bars.append(Bar(_n(left + gap / 2), _n(_TOP + high - height), _n(wide - gap), _n(height), title))
        if place % every == 0:
            labels.append(Mark(_n(left + wide / 2), _n(HEIGHT - 6), text))
    lines = [Mark(_n(0), _n(_TOP + high - high * part / top), number(part)) for part in _parts(top)]
    table = [(text, number(value)) for text, value in zip(texts, values, strict=True)]
    return Chart(bars, lines, labels, table)


def _n(value: float) -> str:
    return f"{value:.1f}"


def _round_up(most: int) -> int:
    """A round number not below it: 1, 2, 3, 4, 5, 6, 8, 10, 20, 30 …"""
    step = 1
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if factor * step >= most:
                return factor * step
        step *= 10


def _parts(top: int) -> list[int]:
    return sorted({0, top // 2, top}) if top % 2 == 0 else [0, top]
