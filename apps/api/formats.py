"""How values look in answers: times on the counter's clock, money as plain decimal text."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo


def clock(at: datetime, zone: ZoneInfo | None) -> str:
    """ISO 8601 with offset, on the counter's clock; in UTC while its zone is unknown."""
    return at.astimezone(zone or UTC).isoformat()


def clock_or_none(at: datetime | None, zone: ZoneInfo | None) -> str | None:
    return None if at is None else clock(at, zone)


def money(amount: Decimal | None) -> str | None:
    """`5000.00`, `0.125`: two decimals, more only where they say something. Never an exponent."""
    if amount is None:
        return None
    whole, _point, decimals = f"{amount:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"
