"""Amounts of money in cells: decimal digits with a point. Page: uploadSimpleOrders (`revenue`, `cost`, prices)."""

import re
from decimal import Decimal

from apps.metrica.problems import BadValue
from apps.metrica.text import _

MAX_INTEGER_DIGITS = 15
MAX_FRACTION_DIGITS = 6

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


class MoneyError(BadValue):
    """A text that is no amount. `code`: money_format, money_negative, money_too_large."""


def looks_like_number(text: str) -> bool:
    """True for plain decimal digits with at most one point and a minus, the only notation that is documented."""
    return _NUMBER.fullmatch(text) is not None


def parse_money(text: str) -> Decimal:
    """`"43089.54"` → Decimal. Not negative, no exponent, no decimal comma, no thousands marks. Raises MoneyError."""
    if _NUMBER.fullmatch(text) is None:
        raise MoneyError("money_format", _("This is no amount. Write digits with a point for the fraction: 43089.54"))
    if text[0] == "-":
        if text.strip("-0."):
            raise MoneyError("money_negative", _("An amount cannot be negative."))
        text = text[1:]
    whole, _point, fraction = text.partition(".")
    if len(whole.lstrip("0")) > MAX_INTEGER_DIGITS or len(fraction) > MAX_FRACTION_DIGITS:
        raise MoneyError(
            "money_too_large",
            _("An amount has at most 15 digits before the point and 6 after it."),
        )
    return Decimal(text)


def format_money(amount: Decimal) -> str:
    """Plain digits with a point, never an exponent. Raises ValueError for NaN and infinities."""
    if not amount.is_finite():
        raise ValueError("NaN and infinity are no amounts.")
    text = str(amount)
    return format(amount, "f") if "E" in text else text
