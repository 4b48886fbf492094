"""One incoming row, checked: the one validation of every way in (R1). All that is wrong is found in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.clients.uniting import MAX_OF_A_KIND
from apps.counters.attributes import UNDECLARED, AttributeValueError, Declared, UndeclaredAttribute
from apps.counters.models import AttributeEntity
from apps.metrica.dates import DateError, Moment, parse_any
from apps.metrica.identifiers import NORMALIZERS, IdentifierError
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.fields import READERS, BadField, attributes, listed, text
from apps.orders.merging import Merge

MAX_AHEAD: Final = timedelta(days=366)
_REST_OF_MINUTE: Final = timedelta(seconds=59, microseconds=999_999)  # a day alone is read as 23:59:00
FIELDS: Final = frozenset(
    {
        *("id", "create_date_time", "order_status", "status_date_time"),
        *("client_uniq_id", "client_name", "client_attributes"),
        *IDENTIFIER_KINDS,
        *READERS,
    }
)
LINE_KEY: Final = "_line"
_NAMES: Final = FIELDS | {LINE_KEY}


_REQUIRED = _("This field is required.")


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one field, or worth knowing: `code` is stable, `message` says what and what to do."""

    field: str
    code: str
    message: str | Promise


@dataclass(slots=True)
class OrderRow:
    """A row that can be taken. `state` holds what was given of READERS' fields, canonical; None clears. `identifiers`
    holds the kinds that were given, normalised; an empty list clears. A field that was left out is in neither."""

    order_id: str
    order_status: str
    created: Moment | None = None
    happened: datetime | None = None  # aware; of a day without a time, its beginning
    happened_until: datetime | None = None  # the last moment of that day, where only a day is given
    client_uniq_id: str | None = None
    client_given: bool = False
    client_name: str | None = None
    client_attributes: dict[str, Any] | None = None  # those given; None takes one away
    identifiers: dict[str, list[str]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    warnings: Sequence[RowError] = ()
    merge: Merge = Merge.GIVEN


class RowReader:
    """Reads the rows of one call for one counter. `zone`: the counter's, None while it is unknown; `now`: aware.
    `declared`: the counter's custom attributes, None where it sends none (simple mode) and any are kept as they
    come. `merge`: what the rows make of what is there already."""

    def __init__(
        self,
        *,
        zone: ZoneInfo | None,
        now: datetime,
        declared: Declared | None = None,
        merge: Merge = Merge.GIVEN,
    ) -> None:
        self._merge = merge
        self._zone = zone
        self._declared = declared
        self._latest = now + MAX_AHEAD
        self._told: set[str] = set()
        self._moments: dict[str, Moment] = {}

    def read(self, raw: Any) -> OrderRow | list[RowError]:
        """The row, or everything that keeps it out."""
        if type(raw) is not dict and not isinstance(raw, Mapping):
            return [RowError("", "wrong_type", _("An order is an object with the fields of an order."))]
        errors: list[RowError] = []
        warnings: list[RowError] = []
        row = OrderRow("", "", merge=self._merge)
        row.order_id = self._text(raw, "id", errors)
        row.order_status = self._text(raw, "order_status", errors)
        row.created = self._moment(raw, "create_date_time", warnings, errors)
        happened = self._moment(raw, "status_date_time", warnings, errors)
        if happened is not None:
            row.happened = happened.at
            if happened.date_only:
                row.happened = day_of(happened.at, self._zone)
                row.happened_until = happened.at + _REST_OF_MINUTE
        self._client(raw, row, errors)
        for kind in IDENTIFIER_KINDS:
            if kind in raw:
                self._identifiers(kind, raw[kind], row, warnings)
        for name, read in READERS.items():
            if name in raw:
                value = raw[name]
                if value is None or value == "":
                    row.state[name] = None
                    continue
                try:
                    row.state[name] = read(value)
                except BadField as error:
                    errors.append(RowError(name, error.code, error.message))
        if raw.get("client_attributes"):
            self._client_attributes(raw["client_attributes"], row, errors)
        if self._declared is not None:
            self._check_attributes(self._declared, row, warnings, errors)
        if not _NAMES.issuperset(raw):
            self._unknown(raw, warnings)
        if warnings:
            row.warnings = warnings
        return errors or row

    @staticmethod
    def _text(raw: Mapping[str, Any], name: str, errors: list[RowError]) -> str:
        value = raw.get(name)
        if value is None or value == "":
            errors.append(RowError(name, "required", _REQUIRED))
            return ""
        try:
            return text(value)
        except BadField as error:
            blank = error.code == "blank"
            errors.append(RowError(name, "required" if blank else error.code, _REQUIRED if blank else error.message))
            return ""

    def _moment(
        self, raw: Mapping[str, Any], name: str, warnings: list[RowError], errors: list[RowError]
    ) -> Moment | None:
        value = raw.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            errors.append(RowError(name, "wrong_type", _("Write a date here as a text: 2026-03-04 16:40:00.")))
            return None
        if value.isspace():
            return None
        moment = self._moments.get(value)
        if moment is None:
            try:
                moment = self._parsed(value)
            except BadField as error:
                errors.append(RowError(name, error.code, error.message))
                return None
            if len(self._moments) > 10_000:
                self._moments.clear()
            self._moments[value] = moment
        if moment.ambiguous:
            message = _("The clocks went back and this time came twice; the first of the two is taken.")
            warnings.append(RowError(name, "ambiguous_time", message))
        return moment

    def _parsed(self, value: str) -> Moment:
        try:
            if self._zone is None:
                moment = parse_any(value, ZoneInfo("UTC"))
                if not _has_offset(value):
                    message = _(
                        "The counter's time zone is not known yet, so a time without an offset cannot be read. Set the "
                        "counter's time zone, or send times with an offset: 2026-03-04T16:40:00+03:00."
                    )
                    raise BadField("unknown_time_zone", message)
            else:
                moment = parse_any(value, self._zone)
        except DateError as error:
            raise BadField(error.code, error.message) from None
        if moment.at > self._latest:
            raise BadField("date_too_far", _("This lies more than a year ahead; check the date."))
        return moment

    @staticmethod
    def _client(raw: Mapping[str, Any], row: OrderRow, errors: list[RowError]) -> None:
        if "client_uniq_id" in raw:
            row.client_given = True
            try:
                row.client_uniq_id = text(raw["client_uniq_id"])
            except BadField as error:
                if error.code != "blank":
                    errors.append(RowError("client_uniq_id", error.code, error.message))
        if "client_name" in raw:
            try:
                row.client_name = text(raw["client_name"])
            except BadField as error:
                if error.code != "blank":
                    errors.append(RowError("client_name", error.code, error.message))
                row.client_name = ""

    @staticmethod
    def _client_attributes(value: Any, row: OrderRow, errors: list[RowError]) -> None:
        try:
            row.client_attributes = attributes(value)
        except BadField as error:
            errors.append(RowError("client_attributes", error.code, error.message))

    @staticmethod
    def _check_attributes(declared: Declared, row: OrderRow, warnings: list[RowError], errors: list[RowError]) -> None:
        """Values in the form that Metrica takes. One of the wrong type keeps the row out, as a wrong amount does; one
        that is not declared is kept, told, and not sent."""
        given: list[tuple[str, str, dict[str, Any]]] = [
            ("attributes", AttributeEntity.ORDER, row.state.get("attributes") or {}),
            ("client_attributes", AttributeEntity.CONTACT, row.client_attributes or {}),
        ]
        for field_name, entity, values in given:
            for name, value in values.items():
                try:
                    values[name] = declared.checked(entity, name, value)
                except UndeclaredAttribute:
                    warnings.append(RowError(f"{field_name}.{name}", "undeclared_attribute", UNDECLARED))
                except AttributeValueError as error:
                    errors.append(RowError(f"{field_name}.{name}", error.code, error.message))

    @staticmethod
    def _identifiers(kind: str, value: Any, row: OrderRow, warnings: list[RowError]) -> None:
        """A bad identifier is told and left out; the row stays. A list of nothing but bad ones changes nothing."""
        good: list[str] = []
        bad = 0
        normalize = NORMALIZERS[kind]
        for item in listed(value):
            try:
                identifier = normalize(item if type(item) is str else _as_text(item))
            except IdentifierError as error:
                if error.code == "empty":
                    continue
                bad += 1
                warnings.append(RowError(kind, error.code, error.message))
            else:
                if identifier in good:
                    continue
                good.append(identifier)
            if len(good) > MAX_OF_A_KIND or bad > MAX_OF_A_KIND:
                warnings.append(RowError(kind, "too_many", _("Only the first 100 are looked at.")))
                del good[MAX_OF_A_KIND:]
                break
        if good or not bad:
            row.identifiers[kind] = good

    def _unknown(self, raw: Mapping[str, Any], warnings: list[RowError]) -> None:
        """Unknown fields are ignored, and told at the first row that has them."""
        for name in raw:
            if name not in FIELDS and name != LINE_KEY and name not in self._told and len(self._told) < 100:
                self._told.add(name)
                message = _("Nothing is known of this field; it is ignored.")
                warnings.append(RowError(str(name)[:100], "unknown_field", message))


def _has_offset(value: str) -> bool:
    tail = value.strip()[10:]
    return tail.endswith(("Z", "z")) or "+" in tail or "-" in tail


def _as_text(item: Any) -> str:
    """What stands for an identifier in JSON although it is no text. Raises IdentifierError."""
    if type(item) is int:
        return str(item)
    if item is None:
        return ""
    raise IdentifierError("wrong_type", _("Write a text here, in quotes."))


def day_of(moment: datetime, zone: ZoneInfo | None) -> datetime:
    """The beginning of that day on the counter's clock, in UTC."""
    return moment.astimezone(zone or UTC).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
