"""An agency's colour made readable: which text stands on it, and what it becomes as text on white (WCAG: 4.5 to 1)."""

import re
from typing import Final

WHITE: Final = "#ffffff"
BLACK: Final = "#000000"
USUAL: Final = "#4338ca"
READABLE: Final = 4.5

_COLOUR = re.compile(r"#[0-9a-f]{6}")


def is_colour(text: str) -> bool:
    """True for `#rrggbb` in small letters and for nothing else: the text goes into a stylesheet."""
    return _COLOUR.fullmatch(text) is not None


def on(colour: str) -> str:
    """The colour of text on this one. One of the two is readable on any."""
    return max((WHITE, BLACK), key=lambda text: contrast(text, colour))


def ink(colour: str) -> str:
    """The colour as that of text on white: itself, or as much darker as it takes to be read."""
    parts = _parts(colour)
    for step in range(21):
        darker = tuple(round(part * (20 - step) / 20) for part in parts)
        text = "#{:02x}{:02x}{:02x}".format(*darker)
        if contrast(text, WHITE) >= READABLE:
            return text
    return BLACK


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
