"""Binding in the detailed format against a plain model: customers, visits, the first upload of customers (contacts)."""

import itertools
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.sandbox import services
from apps.sandbox.models import SandboxOrder
from tests.sandbox.conftest import NOW, Desk, local

_numbers = itertools.count(60_000_000)
HOUR = timedelta(hours=1)

client_ids = st.sampled_from(["11", "12", "13"])
emails = st.sampled_from(["a@shop.example", "b@shop.example"])
phones = st.sampled_from(["79031234567", "79031234568"])
customers = st.sampled_from(["C-1", "C-2", "C-3"])
hours = st.integers(0, 30 * 24)
visits = st.lists(st.tuples(hours, st.none() | client_ids, st.none() | emails, st.none() | phones), max_size=12)
contact = st.tuples(
    st.just("contact"),
    customers,
    st.lists(client_ids, unique=True, max_size=2),
    st.lists(emails, unique=True, max_size=2),
    st.lists(phones, unique=True, max_size=2),
    st.booleans(),
)
order = st.tuples(st.just("order"), st.sampled_from(["D-1", "D-2", "D-3"]), customers, hours, st.booleans())
# Uploads follow each other at these distances, in hours.
story = st.lists(st.tuples(st.integers(0, 24 * 12), contact | order), min_size=1, max_size=10)


def digest(text: str) -> str:
    return md5(text.encode()).hexdigest()


class Model:
    """The rules of 3.5 in a few lines."""

    def __init__(self, visits: list[tuple[datetime, int, set[str]]]) -> None:
        self.visits = visits
        self.known: dict[str, set[str]] = {}
        self.first_contacts: datetime | None = None
        self.orders: dict[str, tuple[datetime, str, tuple[datetime, int] | None]] = {}

    def contact(self, now: datetime, uniq_id: str, identifiers: set[str]) -> None:
        self.known[uniq_id] = identifiers
        self.first_contacts = self.first_contacts or now

    def order(self, now: datetime, order_id: str, uniq_id: str, created: datetime) -> None:
        created, customer, bound = self.orders.get(order_id, (created, uniq_id, None))
        if bound is not None and (now - bound[0] > timedelta(days=111) or customer == uniq_id):
            self.orders[order_id] = (created, uniq_id, bound)
            return
        nearest = max(
            (
                (started_at, key)
                for started_at, key, identifiers in self.visits
                if started_at <= created and identifiers & self.known.get(uniq_id, set())
            ),
            default=None,
        )
        if (
            nearest is not None
            and now - created <= timedelta(days=21)
            and self.first_contacts is not None
            and nearest[0] >= self.first_contacts
        ):
            bound = nearest
        self.orders[order_id] = (created, uniq_id, bound)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(visits=visits, story=story)
def test_binding_follows_a_plain_model(db: None, visits: list[Any], story: list[Any]) -> None:
    """The nearest visit at or before the order with an identifier of its customer; within 21 days; after the first
    upload of customers; bound anew only for another customer, and never after 111 days."""
    desk = Desk(services.create_counter(metrica_id=next(_numbers)))
    made = []
    for ago, client_id, email, phone in visits:
        started_at = NOW - ago * HOUR
        visit = services.add_visit(
            counter=desk.counter,
            started_at=started_at,
            client_id=client_id or "",
            emails=[email] if email else [],
            phones=[phone] if phone else [],
        )
        made.append((started_at, visit.pk, {client_id, email, phone} - {None}))
    model = Model(made)
    now = NOW - timedelta(days=30)
    for later, (kind, *fields) in story:
        now += later * HOUR
        if kind == "contact":
            uniq_id, own_ids, own_emails, own_phones, hashed = fields
            plain = {"emails": own_emails, "phones": own_phones}
            hashes = {f"{name}_md5": [digest(value) for value in values] for name, values in plain.items()}
            desk.contacts({"uniq_id": uniq_id, "client_ids": own_ids, **(hashes if hashed else plain)}, now=now)
            model.contact(now, uniq_id, {*own_ids, *own_emails, *own_phones})
        else:
            order_id, uniq_id, ago, date_only = fields
            created = now - ago * HOUR
            text = local(created)
            if date_only:
                text = text[:10]
                day = created.astimezone(desk.counter.zone)
                created = day.replace(hour=23, minute=59, second=0)
            desk.orders({"id": order_id, "client_uniq_id": uniq_id, "create_date_time": text}, now=now)
            model.order(now, order_id, uniq_id, created)
    stored = SandboxOrder.objects.filter(counter=desk.counter).values_list("order_id", "visit_id")
    assert dict(stored) == {name: bound and bound[1] for name, (_created, _customer, bound) in model.orders.items()}
