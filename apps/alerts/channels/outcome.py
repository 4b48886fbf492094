"""What came of sending a message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """It was taken. `left`: recipients who are still to get it; `note`: who will not, and why."""

    left: tuple[str, ...] = ()
    note: str = ""


class NotSent(Exception):
    """Nobody got it. `code` is stable, `message` is for people; `retry_after`: seconds, where the other side named
    them."""

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.retry_after = retry_after
