"""Fields of the JSON formats: each parser checks one value and says where exactly it is wrong.

Pages: uploadContactJson_1, uploadOrdersJson_1, date.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.metrica.dates import parse_csv
from apps.metrica.problems import BadValue
from apps.metrica.rules import GoalPrice
from apps.metrica.text import Text, _
from apps.metrica.wire import values
from apps.metrica.wire.goals import check_goal_id
from apps.metrica.wire.json_reading import FieldError
from apps.metrica.wire.money import MAX_FRACTION_DIGITS, MAX_INTEGER_DIGITS, parse_money
from apps.metrica.wire.products import check_product_id, check_quantity

MAX_PROBLEMS = 100
"""Problems that are named of one object."""

MAX_NAME = 100

Problems = list[FieldError]
Parser = Callable[[Any, str, Problems], object]
"""Takes a value that is not null, its location, and the list to which it adds what is wrong."""


def read_object(
    item: object,
    *,
    at: str,
    parsers: Mapping[str, Parser],
    required: Sequence[str],
    passed_over: Sequence[str],
    ignore_unknown: bool,
) -> tuple[dict[str, Any], Problems]:
    """The parsed fields that are there and neither null nor "", and everything that is wrong."""
    if not isinstance(item, dict):
        return {}, [FieldError(at, "object_expected", _("An object is expected here."))]
    problems: Problems = []
    found: dict[str, Any] = {}
    for name, value in item.items():
        if (parse := parsers.get(name)) is not None:
            parsed = None if value is None else parse(value, f"{at}.{name}", problems)
            if parsed is not None and parsed != "":
                found[name] = parsed
        elif name not in passed_over and not ignore_unknown:
            message = _("This field is not known in this format. Remove it.")
            _wrong(_field(at, name), "unknown_field", message, problems)
    for name in required:
        if name not in found and item.get(name) in (None, ""):
            _wrong(f"{at}.{name}", "required", values.REQUIRED[name], problems)
    return found, problems


def text_of(parse: Callable[[str], object]) -> Parser:
    """A text; blank is as if it were not there."""

    def read(value: Any, at: str, problems: Problems) -> object:
        if not isinstance(value, str):
            _wrong(at, "text_expected", _("A text in quotation marks is expected here."), problems)
            return None
        return _parsed(lambda: parse(values.plain_text(value)) if value else "", at, problems)

    return read


def list_of(parse: Callable[[str], str], *, digits: bool = False) -> Parser:
    """A list of texts; with `digits`, whole numbers are taken too, as the page's schema and its samples disagree."""

    def read(value: Any, at: str, problems: Problems) -> tuple[str, ...]:
        found = []
        for item, place in _each(value, at, problems):
            if digits and isinstance(item, int) and not isinstance(item, bool):
                item = str(item)
            if isinstance(item, str):
                found.append(_parsed(lambda: parse(values.plain_text(item)), place, problems))  # noqa: B023 - called at once
            else:
                _wrong(place, "text_expected", _("A text in quotation marks is expected here."), problems)
        return tuple(found)

    return read


def moment_in(zone: ZoneInfo) -> Parser:
    """`yyyy-MM-dd HH:mm:ss` or `yyyy-MM-dd` on the clock of `zone`."""

    def parse(text: str) -> object:
        if len(text) not in (10, 19) or text[4] != "-" or text[10:11] not in ("", " "):
            raise BadValue(
                "date_format", _("In JSON a date is written like 2026-03-04 14:05:00, in the counter's time.")
            )
        return parse_csv(text, zone)

    return text_of(parse)


def _day(text: str) -> object:
    if len(text) != 10 or text[4] != "-":
        raise BadValue("date_format", _("In JSON a day is written like 2026-03-04."))
    return values.day(text)


DAY: Parser = text_of(_day)


def money(value: Any, at: str, problems: Problems) -> Decimal | None:
    """A number. What a float of somebody else left behind the sixth digit after the point is rounded away."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _wrong(at, "number_expected", _("A number without quotation marks is expected here."), problems)
        return None
    amount = Decimal(value)
    if amount.is_finite() and -40 < amount.adjusted() <= MAX_INTEGER_DIGITS:
        amount = round(amount, MAX_FRACTION_DIGITS) if _fraction_digits(amount) > MAX_FRACTION_DIGITS else amount
    elif amount.is_finite() and amount.adjusted() <= -40:
        amount = Decimal(0)
    else:
        amount = Decimal(10**MAX_INTEGER_DIGITS)  # told as too large; its digits would fill pages
    return _parsed(lambda: parse_money(format(amount, "f")), at, problems)


def products(value: Any, at: str, problems: Problems) -> dict[str, int]:
    found: dict[str, int] = {}
    if not isinstance(value, dict):
        _wrong(at, "object_expected", _("An object is expected here: product and whole number of pieces."), problems)
        return found
    for product, quantity in value.items():
        place = _field(at, product)
        name = _parsed(lambda: check_product_id(values.plain_text(product)), place, problems)  # noqa: B023
        if isinstance(quantity, bool) or not isinstance(quantity, int):
            _wrong(place, "number_expected", _("A whole number of pieces is expected here."), problems)
        elif name is not None:
            _parsed(lambda: found.__setitem__(name, check_quantity(quantity)), place, problems)  # noqa: B023
    return found


def goals(value: Any, at: str, problems: Problems) -> tuple[GoalPrice, ...]:
    found = []
    for item, place in _each(value, at, problems):
        fields, wrong = read_object(
            item, at=place, parsers=_GOAL, required=("goal_action_id",), passed_over=(), ignore_unknown=False
        )
        problems.extend(wrong[: MAX_PROBLEMS - len(problems)])
        if not wrong:
            found.append(GoalPrice(fields["goal_action_id"], fields.get("price")))
    return tuple(found)


_GOAL: dict[str, Parser] = {"goal_action_id": text_of(check_goal_id), "price": money}


def attributes_of(known: Mapping[str, bool], *, ignore_unknown: bool) -> Parser:
    """`{"attr": ["v1", "v2"]}`; `known` names the attributes with whether each is multivalued."""
    texts = list_of(str)

    def read(value: Any, at: str, problems: Problems) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        if not isinstance(value, dict):
            _wrong(at, "object_expected", _("An object is expected here: attribute and list of values."), problems)
            return found
        for name, listed in value.items():
            place = _field(at, name)
            if name not in known:
                if not ignore_unknown:
                    message = _("The counter has no such attribute. Create it before it is used.")
                    _wrong(place, "unknown_attribute", message, problems)
                continue
            before = len(problems)
            found_values = texts(listed, place, problems) if listed is not None else ()
            assert isinstance(found_values, tuple)
            if len(found_values) > 1 and not known[name]:
                _wrong(place, "not_multivalued", _("This attribute takes one value, not several."), problems)
            elif found_values and len(problems) == before:
                found[name] = found_values
        return found

    return read


def _each(value: Any, at: str, problems: Problems) -> Iterator[tuple[Any, str]]:
    if not isinstance(value, list):
        _wrong(at, "list_expected", _("A list is expected here."), problems)
        return
    for number, item in enumerate(value):
        yield item, f"{at}[{number}]"


def _parsed(parse: Callable[[], Any], at: str, problems: Problems) -> Any:
    try:
        return parse()
    except BadValue as problem:
        _wrong(at, problem.code, problem.message, problems)
        return None


def _wrong(at: str, code: str, message: Text, problems: Problems) -> None:
    """A megabyte of commas could be half a million problems: the first hundred say enough."""
    if len(problems) < MAX_PROBLEMS:
        problems.append(FieldError(at, code, message))


def _field(at: str, name: str) -> str:
    """The place of a field, whose name a stranger chose."""
    return f"{at}.{name[:MAX_NAME]}"


def _fraction_digits(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
