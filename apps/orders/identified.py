"""What Metrica can find an order by, in the three sorts that pages count; of its own or of its client's (R5)."""

from typing import Final

from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce

from apps.orders.models import Order

KINDS_OF: Final = {
    "client_id": ("client_ids",),
    "phone": ("phones", "phones_md5"),
    "email": ("emails", "emails_md5"),
}


def in_json(kind: str) -> str:
    """How the JSON text of identifiers goes where it has one of that kind: a list that holds a text. Within a text the
    quotation mark would be escaped."""
    return f'"{kind}": ["'


def lacking(orders: QuerySet[Order], sort: str) -> QuerySet[Order]:
    """Those that have none of that sort (see KINDS_OF). No index knows them: give it some orders, not all there are."""
    text = TextField()
    rows = orders.alias(
        own_identifiers=Coalesce(Cast("identifiers", text), Value("", text)),
        clients_identifiers=Coalesce(Cast("client__identifiers", text), Value("", text)),
    )
    for kind in KINDS_OF[sort]:
        written = in_json(kind)
        rows = rows.filter(~Q(own_identifiers__contains=written), ~Q(clients_identifiers__contains=written))
    return rows
