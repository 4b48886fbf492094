"""A row that is about to be taken in, as people read it: what each of its fields will be kept as."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.clients.masking import shown
from apps.counters.models import Counter
from apps.counters.templatetags.goalpost import money
from apps.metrica.vocabulary import IDENTIFIER_KINDS
from apps.orders.rows import OrderRow


def stored(row: OrderRow, name: str, *, counter: Counter) -> str:
    """The field as it will be kept, for people; times on the counter's clock. `name`: a field, or `attributes.NAME`."""
    zone, currency = counter.zone, row.state.get("currency") or counter.currency
    if name == "create_date_time":
        return _moment(row.created.at, zone, row.created.date_only) if row.created is not None else "—"
    if name == "status_date_time":
        return _moment(row.happened, zone, row.happened_until is not None) if row.happened is not None else "—"
    if name in IDENTIFIER_KINDS:
        return ", ".join(shown(name, value) for value in row.identifiers.get(name, [])) or "—"
    if name in ("revenue", "cost"):
        return money(row.state.get(name), currency)
    if name == "goals":
        goals = row.state.get(name) or []
        told = (one["goal_action_id"] + (f": {money(one['price'], currency)}" if one["price"] else "") for one in goals)
        return ", ".join(told) or "—"
    if name == "products":
        return ", ".join(f"{sku} × {number}" for sku, number in (row.state.get(name) or {}).items()) or "—"
    kind, dot, attribute = name.partition(".")
    if dot:
        values = (row.state.get("attributes") if kind == "attributes" else row.client_attributes) or {}
        value = values.get(attribute)
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "—")
    if name == "currency":
        return row.state.get(name) or "—"
    return {
        "id": row.order_id,
        "order_status": row.order_status,
        "client_uniq_id": row.client_uniq_id,
        "client_name": row.client_name,
    }.get(name) or "—"


def _moment(at: datetime, zone: Any, day_only: bool) -> str:
    local = at.astimezone(zone) if zone else at
    return f"{local:%Y-%m-%d}" if day_only else f"{local:%Y-%m-%d %H:%M:%S}"


def column_labels() -> dict[str, str]:
    """What each column holds, for people."""
    return {
        "id": _("Order id"),
        "create_date_time": _("Created in the CRM"),
        "order_status": _("Status"),
        "status_date_time": _("Status since"),
        "client_uniq_id": _("Client id"),
        "client_name": _("Client's name"),
        "client_ids": _("ClientID"),
        "emails": _("E-mails"),
        "phones": _("Phones"),
        "emails_md5": _("MD5 of e-mails"),
        "phones_md5": _("MD5 of phones"),
        "revenue": _("Revenue"),
        "cost": _("Cost"),
        "currency": _("Currency"),
        "goals": _("Extra goals"),
        "products": _("Products"),
    }
