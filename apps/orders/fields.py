"""Reads single fields of an incoming row: what a CRM wrote becomes one canonical value, or a reason why not.

Every way in gives raw values here (texts of a CSV cell, values of JSON, fields of a form), so the same row means the
same by each of them (R1).
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.metrica.problems import BadValue
from apps.metrica.vocabulary import CURRENCIES
from apps.metrica.wire.goals import check_goal_id, parse_goals

MAX_TEXT: Final = 255
MAX_MONEY: Final = Decimal(10) ** 12
MAX_ITEMS: Final = 1000
_MONEY = re.compile(r"\d{1,13}(?:\.\d{1,4})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d[\d.,\s']*", re.ASCII)


class BadField(ValueError):
    """The value cannot be taken. `code` is stable, `message` is for people and says what to write."""

    def __init__(self, code: str, message: str | Promise) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def text(value: Any) -> str:
    """A text of 1 to 255 characters, trimmed; whole numbers become text. Anything printable is kept as it is."""
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise BadField("wrong_type", _("Write a text here."))
    value = value.strip()
    if not value:
        raise BadField("blank", _("This must not be empty."))
    if len(value) > MAX_TEXT:
        raise BadField("too_long", _("At most 255 characters fit here; shorten it."))
    if not value.isprintable():
        check_characters(value)
    return value


def check_characters(value: str) -> None:
    """Refuse what no database keeps and no file can carry: NUL and other control characters, broken Unicode."""
    for sign in value:
        code = ord(sign)
        if code < 32 or code == 127:
            raise BadField(
                "control_character", _("It holds a control character (NUL, line break or the like); take it out.")
            )
        if 0xD800 <= code <= 0xDFFF:
            raise BadField("broken_unicode", _("It holds half of a Unicode character; send it as valid UTF-8."))


def money(value: Any) -> Decimal:
    """An amount from 0 to 10^12 with at most four decimals; a comma may stand for the decimal point."""
    if type(value) is str:
        amount = value.strip()
        if not _MONEY.fullmatch(amount):
            if amount.count(",") == 1 and _MONEY.fullmatch(swapped := amount.replace(",", ".")):
                amount = swapped
            else:
                raise _bad_money(amount)
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
    if number.as_tuple().exponent < -4 and number != round(number, 4):  # type: ignore[operator]
        raise BadField("money_precision", _("At most four decimals are kept; round the amount."))
    return round(number, 4) if number.as_tuple().exponent < -4 else number  # type: ignore[operator]


def _bad_money(amount: str) -> BadField:
    if amount.startswith("-") and _NUMBER.fullmatch(amount):
        return BadField("money_negative", _("An amount must not be negative."))
    if re.fullmatch(r"\d+[.,]\d{5,}", amount, re.ASCII):
        return BadField("money_precision", _("At most four decimals are kept; round the amount."))
    if amount.isascii() and amount.isdigit():
        return BadField("money_too_large", _("An amount above 1,000,000,000,000 cannot be right."))
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
    """Extra goals: a list of {"goal_action_id", "price"?} or of identifiers, or the text `a:5000,b`."""
    if type(value) is str:
        try:
            return [
                {"goal_action_id": goal.goal_action_id, "price": plain(goal.price)}
                for goal in parse_goals(",".join(part.strip() for part in value.split(",")) if value.strip() else "")
            ]
        except BadValue as error:
            raise BadField(error.code, error.message) from None
    if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
        raise BadField("wrong_type", _('Write a list here: [{"goal_action_id": "deal_won", "price": "5000"}].'))
    return [_goal(item) for item in value]


def _goal(item: Any) -> dict[str, str | None]:
    if isinstance(item, str):
        item = {"goal_action_id": item}
    if not isinstance(item, Mapping) or not set(item) <= {"goal_action_id", "price"}:
        raise BadField("wrong_type", _("A goal has a goal_action_id and may have a price, nothing else."))
    identifier = text(item.get("goal_action_id"))
    if "," in identifier:
        raise BadField("goals_id", _("A goal's identifier must not hold a comma."))
    try:
        check_goal_id(identifier)
    except BadValue as error:
        raise BadField(error.code, error.message) from None
    price = item.get("price")
    return {"goal_action_id": identifier, "price": None if price is None or price == "" else plain(money(price))}


def products(value: Any) -> dict[str, int]:
    """Products and quantities: {"sku-1": 2}, or the text `sku-1:2,sku-9:1`."""
    if type(value) is str:
        pairs = [part.rpartition(":") for part in value.split(",") if part.strip()]
        value = {name.strip(): count.strip() for name, _colon, count in pairs}
    if not isinstance(value, Mapping) or len(value) > MAX_ITEMS:
        raise BadField("wrong_type", _('Write products with whole quantities here: {"sku-1": 2}.'))
    return {text(name): _quantity(count) for name, count in value.items()}


def _quantity(count: Any) -> int:
    if type(count) is str and count.isascii() and count.isdigit() and len(count) < 10:
        count = int(count)
    if type(count) is not int or not 0 < count < 10**9:
        raise BadField("bad_quantity", _("A quantity is a whole number above zero."))
    return count


def attributes(value: Any) -> dict[str, Any]:
    """Custom attributes: names with a text, a number, or a list of them."""
    if not isinstance(value, Mapping) or len(value) > MAX_ITEMS:
        raise BadField("wrong_type", _('Write attributes by name here: {"branch": "north"}.'))
    return {text(name): _attribute(one) for name, one in value.items()}


def _attribute(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        return [_attribute(item) for item in value if not isinstance(item, (list, tuple))]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (Decimal, float)):
        return plain(money(value))
    if isinstance(value, int) and abs(value) < 10**18:
        return value
    if isinstance(value, str) and len(value) <= 4096:
        if not value.isprintable():
            check_characters(value.replace("\n", " ").replace("\t", " ").replace("\r", " "))
        return value
    raise BadField("wrong_type", _("An attribute is a text of up to 4,096 characters, a number, or a list of them."))


def listed(value: Any) -> list[str]:
    """The raw items of an identifier field: a list, or a text with commas."""
    if type(value) is str:
        return (
            [part for part in value.split(",") if part.strip()] if "," in value else ([value] if value.strip() else [])
        )
    if type(value) is int:
        return [str(value)]
    if isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        items = []
        for item in value:
            if type(item) is int:
                item = str(item)
            if type(item) is not str:
                raise BadField("wrong_type", _("Write texts here, each in quotes."))
            if item.strip():
                items.append(item)
        return items
    raise BadField("wrong_type", _("Write a list of texts here, or texts joined by commas."))


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
