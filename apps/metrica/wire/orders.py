"""Orders in the detailed format: CSV and JSON, written and read (R5). Pages: orders-data, uploadOrders,
uploadOrdersJson_1.

What the writers write, the readers read back the same, up to fractions of a second, the second hour of an overlap,
and, in JSON, days without a time, which get their 23:59:00 there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from apps.metrica.dates import format_local
from apps.metrica.problems import BadValue
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import CLIENT_TYPE, ORDER_COLUMNS, Delimiter
from apps.metrica.wire import attributes as custom
from apps.metrica.wire import detailed, json_fields, reading, values
from apps.metrica.wire.detailed import DetailedWriter
from apps.metrica.wire.goals import check_goal_id, format_goals, parse_goals
from apps.metrica.wire.json_reading import ReadItem
from apps.metrica.wire.json_text import JsonRowsWriter
from apps.metrica.wire.money import format_money, parse_money
from apps.metrica.wire.products import check_products, format_products, parse_products
from apps.metrica.wire.reading import ReadRow

_REQUIRED = ("id", "client_uniq_id", "client_type", "create_date_time", "order_status")
_TIMES = {
    "create_date_time": "create_date_only",
    "update_date_time": "update_date_only",
    "finish_date_time": "finish_date_only",
}
_PASSED_OVER = ("user_comment",)


@dataclass(slots=True)
class DetailedOrder:
    """One order. Times are aware; where `…_date_only` is set, the time is 23:59:00 and only the day was given.

    `order_status` is never blank here. `products`: pieces by product; `attributes`: values of the counter's custom
    attributes, by name. Without `finish_date_time` Metrica takes the first upload in a PAID status for it.
    """

    id: str
    client_uniq_id: str
    create_date_time: datetime
    order_status: str
    client_type: str = CLIENT_TYPE
    update_date_time: datetime | None = None
    finish_date_time: datetime | None = None
    create_date_only: bool = False
    update_date_only: bool = False
    finish_date_only: bool = False
    revenue: Decimal | None = None
    cost: Decimal | None = None
    currency: str = ""
    products: Mapping[str, int] = field(default_factory=dict)
    goals: Sequence[GoalPrice] = ()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _cells(order: DetailedOrder, *, zone: ZoneInfo, attributes: custom.Names) -> list[str]:
    _check_required(order)
    updated, finished = order.update_date_time, order.finish_date_time
    revenue, cost = order.revenue, order.cost
    return [
        order.id,
        order.client_uniq_id,
        order.client_type,
        format_local(order.create_date_time, zone, date_only=order.create_date_only),
        "" if updated is None else format_local(updated, zone, date_only=order.update_date_only),
        "" if finished is None else format_local(finished, zone, date_only=order.finish_date_only),
        order.order_status,
        "" if revenue is None else format_money(revenue),
        "" if cost is None else format_money(cost),
        order.currency,
        format_products(order.products) if order.products else "",
        format_goals(order.goals) if order.goals else "",
        *custom.cells(order.attributes, attributes),
    ]


class OrdersWriter(DetailedWriter[DetailedOrder]):
    known = ORDER_COLUMNS
    cells = staticmethod(_cells)


class OrdersJsonWriter(JsonRowsWriter[DetailedOrder]):
    """JSON: `{"orders": […]}`. Times go out on the clock of `zone`. Raises UnwritableRow."""

    def __init__(self, fp: BinaryIO, *, zone: ZoneInfo) -> None:
        super().__init__(fp, key="orders", fields=partial(_fields, zone=zone))


def read_orders(
    fp: BinaryIO,
    *,
    zone: ZoneInfo,
    delimiter: Delimiter = Delimiter.COMMA,
    columns_mapping: Mapping[str, str] | None = None,
    attributes: Mapping[str, bool] | None = None,
    ignore_unknown_columns: bool = False,
) -> Iterator[ReadRow[DetailedOrder]]:
    """Rows in file order, in flat memory; times come back in UTC. `zone` is the counter's.

    `columns_mapping`: {attribute: title in the file}; `attributes`: custom attributes of the counter, {name: whether
    multivalued}. Raises UnusableFile at the call for the header, and while iterating where the file stops being
    readable.
    """
    attributes = attributes or {}
    table = reading.Table(
        fp,
        known=(*ORDER_COLUMNS, *attributes),
        required=_REQUIRED,
        parsers={
            **reading.columns_of(attributes),
            "client_type": values.client_type,
            **{time: values.moment(zone) for time in _TIMES},
            "revenue": parse_money,
            "cost": parse_money,
            "currency": values.currency,
            "products": parse_products,
            "goals": parse_goals,
        },
        delimiter=delimiter,
        ignore_unknown_columns=ignore_unknown_columns,
        columns_mapping=columns_mapping,
    )
    return (detailed.read_row(row, make=DetailedOrder, times=_TIMES, attributes=attributes) for row in table)


def read_orders_json(
    fp: BinaryIO,
    *,
    zone: ZoneInfo,
    attributes: Mapping[str, bool] | None = None,
    ignore_unknown_fields: bool = False,
) -> Iterator[ReadItem[DetailedOrder]]:
    """Objects of `{"orders": […]}` in their order, in flat memory; times come back in UTC.

    `attributes` as for CSV. The field user_comment, which one public client sends, is passed over.
    Raises UnusableJson while iterating where the body stops being readable.
    """
    text = json_fields.text_of(str)
    parsers: dict[str, json_fields.Parser] = {
        "id": text,
        "client_uniq_id": text,
        "client_type": json_fields.text_of(values.client_type),
        **{time: json_fields.moment_in(zone) for time in _TIMES},
        "order_status": text,
        "revenue": json_fields.money,
        "cost": json_fields.money,
        "currency": json_fields.text_of(values.currency),
        "products": json_fields.products,
        "goals": json_fields.goals,
    }
    return detailed.read_items(
        fp,
        key="orders",
        make=DetailedOrder,
        times=_TIMES,
        parsers=parsers,
        attributes=attributes,
        required=_REQUIRED,
        passed_over=_PASSED_OVER,
        ignore_unknown=ignore_unknown_fields,
    )


def _fields(order: DetailedOrder, *, zone: ZoneInfo) -> dict[str, Any]:
    _check_required(order)
    updated, finished = order.update_date_time, order.finish_date_time
    fields: dict[str, Any] = {
        "id": order.id,
        "client_uniq_id": order.client_uniq_id,
        "client_type": order.client_type,
        "create_date_time": format_local(order.create_date_time, zone),
        "update_date_time": None if updated is None else format_local(updated, zone),
        "finish_date_time": None if finished is None else format_local(finished, zone),
        "order_status": order.order_status,
        "revenue": order.revenue,
        "cost": order.cost,
        "currency": order.currency or None,
        "products": check_products(order.products) or None,
        "goals": [_goal(goal) for goal in order.goals] or None,
        "attribute_values": custom.values(order.attributes) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _goal(goal: GoalPrice) -> dict[str, Any]:
    fields: dict[str, Any] = {"goal_action_id": check_goal_id(goal.goal_action_id)}
    if goal.price is not None:
        fields["price"] = goal.price
    return fields


def _check_required(order: DetailedOrder) -> None:
    """In every merge mode all required fields must be there (page: modes)."""
    for name in ("id", "client_uniq_id", "client_type", "order_status"):
        if not getattr(order, name):
            raise BadValue("required", values.REQUIRED[name])
