"""Reads single fields of an incoming row: what a CRM wrote becomes one canonical value, or a reason why not.

Every way in gives raw values here (texts of a CSV cell, values of JSON, fields of a form), so the same row means the
same by each of them (R1).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.metrica.problems import BadValue
from apps.metrica.vocabulary import CURRENCIES
from apps.metrica.wire.goals import check_goal_id
from apps.metrica.wire.money import looks_like_number

MAX_TEXT: Final = 255
MAX_MONEY: Final = Decimal(10) ** 12
MAX_ITEMS: Final = 1000
MONEY_PLACES: Final = 4
MAX_MONEY_DIGITS: Final = 15
MAX_ATTRIBUTES: Final = 65_536  # characters of JSON
_SMALL_AMOUNT = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,4})?")
_MONEY = re.compile(r"\d{1,13}(?:\.\d{1,40})?", re.ASCII)
_COMMA_MONEY = re.compile(r"\d{1,13},\d{1,2}", re.ASCII)
_EXACT = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN)
_NUMBER = re.compile(r"[+-]?\d[\d.,\s']*", re.ASCII)


class BadField(ValueError):
    """The value cannot be taken. `code` is stable, `message` is for people and says what to write."""

    def __init__(self, code: str, message: str | Promise) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def text(value: Any) -> str:
    """A text of 1 to 255 characters, trimmed; whole numbers become text. Anything printable is kept as it is."""
    if type(value) is not str:
        if value is None:
            raise BadField("blank", _BLANK)
        if type(value) is not int:
            raise BadField("wrong_type", _("Write a text here."))
        value = str(value) if abs(value) < 10**100 else "9" * 300
    value = value.strip()
    if not value:
        raise BadField("blank", _BLANK)
    if len(value) > MAX_TEXT:
        raise BadField("too_long", _("At most 255 characters fit here; shorten it."))
    if not value.isprintable():
        check_characters(value)
    return value


_BLANK = _("This must not be empty.")


def check_characters(value: str) -> None:
    """Refuse what no database keeps and no file can carry: NUL and other control characters, broken Unicode."""
    for sign in value:
        code = ord(sign)
        if code < 32 or 127 <= code < 160:
            raise BadField(
                "control_character", _("It holds a control character (NUL, line break or the like); take it out.")
            )
        if 0xD800 <= code <= 0xDFFF:
            raise BadField("broken_unicode", _("It holds half of a Unicode character; send it as valid UTF-8."))


def money(value: Any) -> Decimal:
    """An amount from 0 to 10^12 with at most four decimals and 15 digits, which is what both databases keep exactly.

    A comma may stand for the decimal point where it can be nothing else: `5000,50`, but not `5,000`.
    """
    if type(value) is str:
        amount = value.strip()
        if _SMALL_AMOUNT.fullmatch(amount):
            return Decimal(amount)
        if not _MONEY.fullmatch(amount):
            if not _COMMA_MONEY.fullmatch(amount):
                raise _bad_money(amount)
            amount = amount.replace(",", ".")
        number = Decimal(amount)
    elif type(value) is int:
        number = Decimal(value)
    elif type(value) is Decimal:
        number = value
    elif type(value) is float:
        number = Decimal(repr(value))
    else:
        raise BadField("wrong_type", _("Write an amount here, for example 5000.00."))
    if not number.is_finite():
        raise BadField("money_format", _("This is no amount. Write for example 5000.00."))
    if number < 0:
        raise BadField("money_negative", _("An amount must not be negative."))
    if number > MAX_MONEY:
        raise BadField("money_too_large", _("An amount above 1,000,000,000,000 cannot be right."))
    if not number:
        return Decimal(0)
    _sign, digits, exponent = number.normalize(_EXACT).as_tuple()
    if int(exponent) < -MONEY_PLACES or len(digits) > MAX_MONEY_DIGITS:
        raise BadField("money_precision", _MONEY_PRECISION)
    return Decimal(format(number, "f")) if int(exponent) > 0 else number


_MONEY_PRECISION = _("At most four decimals and 15 digits in all are kept; round the amount.")


def _bad_money(amount: str) -> BadField:
    if amount.startswith("-") and _NUMBER.fullmatch(amount):
        return BadField("money_negative", _("An amount must not be negative."))
    if re.fullmatch(r"\d+[.,]\d{5,}", amount, re.ASCII):
        return BadField("money_precision", _MONEY_PRECISION)
    if re.fullmatch(r"\d{14,}(?:[.,]\d+)?", amount, re.ASCII):
        return BadField("money_too_large", _("An amount above 1,000,000,000,000 cannot be right."))
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+,\d{3,4}", amount, re.ASCII):
        return BadField(
            "money_comma",
            _(
                "It is not clear what the comma means here: write a point for the fraction and no thousands "
                "separators, for example 5000.00."
            ),
        )
    if _NUMBER.fullmatch(amount):
        return BadField(
            "money_format", _("Write the amount without spaces and thousands separators, for example 5000.00.")
        )
    return BadField("money_format", _("This is no amount. Write for example 5000.00."))


def currency(value: Any) -> str:
    """An ISO 4217 code."""
    if type(value) is str:
        if value in CURRENCIES:
            return value
        code = value.strip().upper()
        if code in CURRENCIES:
            return code
    raise BadField("unknown_currency", _("No ISO 4217 currency code. Write for example RUB, USD or EUR."))


def goals(value: Any) -> list[dict[str, str | None]]:
    """Extra goals: a list of {"goal_action_id", "price"?} or of identifiers, or the text `a:5000,b`.

    Each goal comes back once, with the first price that is given for it.
    """
    if type(value) is str:
        items: Iterable[tuple[Any, Any]] = map(_goal_of_text, filter(None, map(str.strip, value.split(","))))
    elif isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        items = map(_goal_of_item, value)
    else:
        raise BadField("wrong_type", _('Write a list here: [{"goal_action_id": "deal_won", "price": "5000"}].'))
    prices: dict[str, str | None] = {}
    for identifier, price in items:
        goal = _goal_id(identifier, priced=price is not None)
        if prices.get(goal) is None:
            prices[goal] = None if price is None else plain(money(price))
    return [{"goal_action_id": goal, "price": price} for goal, price in prices.items()]


def _goal_of_text(item: str) -> tuple[str, str | None]:
    identifier, colon, price = item.rpartition(":")
    return (identifier, price) if colon and looks_like_number(price) else (item, None)


def _goal_of_item(item: Any) -> tuple[Any, Any]:
    if isinstance(item, str):
        return item, None
    if not isinstance(item, Mapping) or not set(item) <= {"goal_action_id", "price"}:
        raise BadField("wrong_type", _("A goal has a goal_action_id and may have a price, nothing else."))
    price = item.get("price")
    return item.get("goal_action_id"), None if price == "" else price


def _goal_id(value: Any, *, priced: bool) -> str:
    identifier = text(value)
    try:
        check_goal_id(identifier)
    except BadValue as error:
        raise BadField(error.code, error.message) from None
    if "," in identifier or (not priced and looks_like_number(identifier.rpartition(":")[2]) and ":" in identifier):
        raise BadField("goals_unwritable", _("Such a goal cannot be named in an upload: it would read as two things."))
    return identifier


def products(value: Any) -> dict[str, int]:
    """Products and quantities: {"sku-1": 2}, or the text `sku-1:2,sku-9:1`."""
    if type(value) is str:
        pairs = [part.rpartition(":") for part in value.split(",") if part.strip()]
        value = {name.strip(): count.strip() for name, _colon, count in pairs}
    if not isinstance(value, Mapping) or len(value) > MAX_ITEMS:
        raise BadField("wrong_type", _('Write products with whole quantities here: {"sku-1": 2}.'))
    return {_product_id(name): _quantity(count) for name, count in value.items()}


def _product_id(value: Any) -> str:
    identifier = text(value)
    if "," in identifier:
        raise BadField(
            "products_unwritable",
            _("A product's identifier cannot hold a comma, which stands between products; write it without one."),
        )
    return identifier


def _quantity(count: Any) -> int:
    if type(count) is str:
        count = int(count) if count.isascii() and count.isdigit() and len(count) < 10 else None
    elif isinstance(count, (Decimal, float)) and -1e9 < count < 1e9 and count == int(count):
        count = int(count)
    if type(count) is not int or not 0 < count < 10**9:
        raise BadField("bad_quantity", _("A quantity is a whole number above zero."))
    return count


def attributes(value: Any) -> dict[str, Any]:
    """Custom attributes: names with a text, a number, or a list of them."""
    if not isinstance(value, Mapping) or len(value) > MAX_ITEMS:
        raise BadField("wrong_type", _('Write attributes by name here: {"branch": "north"}.'))
    attributes = {text(name): _attribute(one) for name, one in value.items()}
    if len(json.dumps(attributes, ensure_ascii=False)) > MAX_ATTRIBUTES:
        raise BadField("too_long", _("All attributes together take at most 65,536 characters; send fewer."))
    return attributes


def _attribute(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        return [_attribute(item) for item in value if not isinstance(item, (list, tuple))]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 30:
        return plain(value)  # as text, so that nothing is rounded on the way
    if isinstance(value, int) and abs(value) < 10**18:
        return value
    if isinstance(value, str) and len(value) <= 4096:
        if not value.isprintable():
            check_characters(value.replace("\n", " ").replace("\t", " ").replace("\r", " "))
        return value
    raise BadField("wrong_type", _("An attribute is a text of up to 4,096 characters, a number, or a list of them."))


def listed(value: Any) -> Sequence[Any]:
    """The raw items of an identifier field: those of a list, or of a text with commas."""
    if type(value) is str:
        return value.split(",") if "," in value else (value,)
    if isinstance(value, (list, tuple)):
        return value
    return (value,)


def plain(amount: Decimal | None) -> str | None:
    """The amount as the shortest plain text: 5000, 150.5."""
    if amount is None:
        return None
    shown = format(amount, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


READERS: dict[str, Callable[[Any], Any]] = {
    "revenue": money,
    "cost": money,
    "currency": currency,
    "goals": goals,
    "products": products,
    "attributes": attributes,
}
"""Fields of an order's state that may be left out, and how each is read."""
