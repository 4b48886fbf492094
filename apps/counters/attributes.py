"""Custom attributes of a counter's clients and orders: what is declared, and which values fit (pages: createAttributes,
contacts-data). In detailed mode each is a column of its own; in simple mode nothing of them is sent."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

from apps.counters.models import AttributeType, Counter, CustomAttribute
from apps.metrica.dates import DateError, parse_any
from apps.metrica.identifiers import IdentifierError, normalize_email
from apps.metrica.text import Text

UNDECLARED = _("This attribute is not declared for the counter: it is kept, but not sent. Declare it on its page.")
MAX_VALUES = 100


class UndeclaredAttribute(LookupError):
    """The counter has no such attribute."""


class AttributeValueError(ValueError):
    """The value does not fit the attribute's type. `code` is stable, `message` says what to write."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Declared:
    """The attributes of one counter, read once."""

    def __init__(self, attributes: Iterable[CustomAttribute], *, zone: ZoneInfo | None) -> None:
        self._zone = zone or ZoneInfo("UTC")
        self._attributes = {(one.entity, one.name): one for one in attributes}

    @classmethod
    def of(cls, counter: Counter) -> Self:
        """One query."""
        return cls(CustomAttribute.objects.filter(counter=counter), zone=counter.zone)

    def names(self, entity: str) -> dict[str, bool]:
        """The names in the order in which they were declared, each with whether it has several values."""
        return {name: one.multivalued for (of, name), one in self._attributes.items() if of == entity}

    def sayable(self, entity: str, values: Mapping[str, Any]) -> dict[str, Sequence[str]]:
        """What of these values goes to Metrica: the declared ones that fit. Those that came in before an attribute was
        declared as it is now may not fit; they were told when they came, or will be when they come again."""
        found: dict[str, Sequence[str]] = {}
        for name, value in values.items():
            try:
                text = self.checked(entity, name, value)
            except (UndeclaredAttribute, AttributeValueError):
                continue
            if text is not None:
                found[name] = text if isinstance(text, list) else [text]
        return found

    def checked(self, entity: str, name: str, value: Any) -> Any:
        """The value as Metrica takes it: a text, or a list of texts where the attribute has several values; None for
        none.

        Raises UndeclaredAttribute, AttributeValueError.
        """
        attribute = self._attributes.get((entity, name))
        if attribute is None:
            raise UndeclaredAttribute(name)
        if value is None or value == "" or value == []:
            return None
        if not attribute.multivalued:
            if isinstance(value, list):
                raise AttributeValueError("attribute_single", _("This attribute has one value; a list was given."))
            return self._text(attribute.type, value)
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_VALUES:
            raise AttributeValueError("too_many", _("An attribute has at most 100 values."))
        found = [self._text(attribute.type, one) for one in values if one is not None and one != ""]
        if any("," in one for one in found):
            message = _("A comma would part the value in two where an attribute has several values; take it out.")
            raise AttributeValueError("attribute_comma", message)
        return list(dict.fromkeys(found)) or None

    def _text(self, of_type: str, value: Any) -> str:
        text = ("true" if value else "false") if isinstance(value, bool) else str(value).strip()
        if of_type == AttributeType.NUMERIC:
            return _number(text)
        if of_type in (AttributeType.DATE, AttributeType.DATETIME):
            return self._moment(text, day_only=of_type == AttributeType.DATE)
        if of_type == AttributeType.EMAIL:
            try:
                return normalize_email(text)
            except IdentifierError as error:
                raise AttributeValueError("attribute_email", error.message) from None
        return text

    def _moment(self, text: str, *, day_only: bool) -> str:
        try:
            local = parse_any(text, self._zone).at.astimezone(self._zone)
        except DateError as error:
            raise AttributeValueError("attribute_date", error.message) from None
        return f"{local:%Y-%m-%d}" if day_only else f"{local:%Y-%m-%d %H:%M:%S}"


def _number(text: str) -> str:
    wrong = AttributeValueError("attribute_number", _("This attribute is a number: write for example 41 or 12.5."))
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise wrong from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise wrong
    return format(number, "f")
