"""What a readable record must pass besides: lengths that the tables can hold, and what switches ask for."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apps.metrica.dates import parse_csv
from apps.metrica.identifiers import normalize_email
from apps.metrica.problems import BadValue
from apps.metrica.vocabulary import IDENTIFIER_KINDS, MAX_ID_LENGTH
from apps.metrica.wire.contacts import Contact
from apps.metrica.wire.goals import GoalsError, format_goals
from apps.metrica.wire.money import looks_like_number
from apps.metrica.wire.orders import DetailedOrder
from apps.metrica.wire.simple_orders import SimpleOrder
from apps.sandbox.models import SandboxAttribute
from apps.sandbox.problems import RowCheck, RowProblem
from apps.sandbox.state import is_date_only
from apps.sandbox.statuses import StatusReader

Order = SimpleOrder | DetailedOrder

_DAY = timedelta(hours=23, minutes=59)


def order_lengths(line: int, order: Order) -> RowProblem | None:
    """What the tables can hold. Metrica's own limits for these are not documented."""
    if len(order.id) > MAX_ID_LENGTH:
        return _too_long(line, "id")
    if len(order.order_status) > MAX_ID_LENGTH:
        return _too_long(line, "order_status")
    if any(len(goal.goal_action_id) > MAX_ID_LENGTH for goal in order.goals):
        return _too_long(line, "goals")
    return None


def detailed_lengths(line: int, order: DetailedOrder) -> RowProblem | None:
    """A goal that JSON can say and CSV cannot is none that a counter could have."""
    if len(order.client_uniq_id) > MAX_ID_LENGTH:
        return _too_long(line, "client_uniq_id")
    if any(len(product) > MAX_ID_LENGTH for product in order.products):
        return _too_long(line, "products")
    try:
        format_goals(order.goals)
    except GoalsError as error:
        return RowProblem(line, "goals", error.code, "This goal's identifier cannot be named in an upload.")
    return None


def contact_lengths(line: int, contact: Contact) -> RowProblem | None:
    return _too_long(line, "uniq_id") if len(contact.uniq_id) > MAX_ID_LENGTH else None


def order_id_given(line: int, order: SimpleOrder) -> RowProblem | None:
    return None if order.id else RowProblem(line, "id", "required", "The order's id is missing.")


def status_check(statuses: StatusReader) -> RowCheck:
    def check(line: int, order: Order) -> RowProblem | None:
        if statuses.meaning(order.order_status).known:
            return None
        message = "The status is neither a default one nor a mapped one nor a JavaScript goal of the counter."
        return RowProblem(line, "order_status", "unknown_status", message)

    return check


def not_in_the_future(now: datetime) -> RowCheck:
    """A date without time is in the future when its day has not begun."""

    def check(line: int, order: Order) -> RowProblem | None:
        begun = order.create_date_time - _DAY if is_date_only(order) else order.create_date_time
        if begun <= now:
            return None
        return RowProblem(line, "create_date_time", "in_future", "The order was created in the future.")

    return check


def identifiers_check(most: int) -> RowCheck:
    def check(line: int, contact: Contact) -> RowProblem | None:
        for kind in IDENTIFIER_KINDS:
            if len(getattr(contact, kind)) > most:
                return RowProblem(line, kind, "too_many", f"A customer has at most {most} values here.")
        return None

    return check


def fitting_attributes(attributes: Sequence[SandboxAttribute], *, zone: ZoneInfo) -> RowCheck:
    """Values by the types of their attributes."""
    fits: Mapping[str, Callable[[str], bool]] = {
        "numeric": looks_like_number,
        "date": lambda text: len(text) <= 10 and _is(text, lambda value: parse_csv(value, zone)),
        "datetime": lambda text: _is(text, lambda value: parse_csv(value, zone)),
        "email": lambda text: _is(text, normalize_email),
    }

    types = {attribute.name: attribute.type_name for attribute in attributes if attribute.type_name in fits}

    def check(line: int, record: Contact | DetailedOrder) -> RowProblem | None:
        for name, values in record.attributes.items():
            if name in types and not all(fits[types[name]](value) for value in values):
                message = f"A value is no {types[name]}."
                return RowProblem(line, name, "attribute_type", message, field=f"attribute_values.{name}")
        return None

    return check


def _is(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except BadValue:
        return False
    return True


def _too_long(line: int, column: str) -> RowProblem:
    return RowProblem(line, column, "too_long", f"At most {MAX_ID_LENGTH} characters are possible here.")
