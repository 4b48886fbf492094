"""What the benchmarks found, as a table: each figure with its target, the same work done bare, and the ratio."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`target`: at least so much where `more_is_better`, else at most. `command`: what was measured."""

    name: str
    value: float
    unit: str
    target: float | None = None
    more_is_better: bool = True
    bare: float | None = None
    bare_name: str = ""
    command: str = ""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "ok" if (self.value >= self.target if self.more_is_better else self.value <= self.target) else "MISSED"

    def cells(self) -> tuple[str, ...]:
        sign = ">=" if self.more_is_better else "<="
        return (
            self.name,
            f"{_number(self.value)} {self.unit}",
            "" if self.target is None else f"{sign} {_number(self.target)}",
            self.verdict,
            "" if self.bare is None else f"{_number(self.bare)} {self.unit}",
            "" if not self.bare else f"{self.value / self.bare:.2f}",
            self.bare_name,
        )


HEADER = ("figure", "measured", "target", "", "bare", "ratio", "what bare is")


def table(figures: Sequence[Figure]) -> str:
    """The table, and below it the commands that were measured."""
    rows = [HEADER, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    right = {1, 2, 4, 5}
    lines = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    commands = dict.fromkeys(figure.command for figure in figures if figure.command)
    return "\n".join([*lines, "", "measured:", *(f"  {command}" for command in commands)])


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
