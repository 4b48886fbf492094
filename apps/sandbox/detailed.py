"""Applies rows of the detailed format: the customer holds the identifiers, the order names its customer (pages:
uploadOrders, orders-data, data)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from django.db.models import Count

from apps.metrica.rules import BINDING_WINDOW
from apps.metrica.vocabulary import MAX_ORDERS_PER_CLIENT
from apps.metrica.wire.orders import DetailedOrder
from apps.sandbox.applying import STATE_VALUES, Applier, loaded_state
from apps.sandbox.models import Note, SandboxCounter, SandboxCustomer, SandboxOrder, SandboxUploading
from apps.sandbox.models.customers import customer_key
from apps.sandbox.problems import RowProblem, RowsRefused
from apps.sandbox.state import OrderState, identifier_keys
from apps.sandbox.statuses import StatusReader

_KEYS_PER_QUERY = 900
_ORDERS_AT_A_TIME = 2000


class DetailedApplier(Applier[DetailedOrder]):
    """Rows of `/data/orders/…`; and orders that are matched again when their customer comes later."""

    def __init__(
        self,
        *,
        counter: SandboxCounter,
        uploading: SandboxUploading,
        statuses: StatusReader,
        switches: Mapping[str, str],
        multivalued: Collection[str] = (),
    ) -> None:
        """`multivalued`: the attributes of orders that are lists."""
        super().__init__(counter=counter, uploading=uploading, statuses=statuses, switches=switches)
        self._multivalued = multivalued
        self._customers: dict[str, frozenset[str]] = {}
        if switches["first_contacts"] == "after":
            self._since = counter.first_contacts_at

    def apply(self, rows: Sequence[tuple[int, DetailedOrder]]) -> None:
        """As the simple format's. Raises RowsRefused where a customer gets too many orders."""
        super().apply(rows)
        lines: dict[str, int] = {}
        for line, row in rows:
            lines.setdefault(self._customer_key(row), line)
        self._refuse_too_many(lines)

    def rematch(self, lines: Mapping[str, int]) -> None:
        """Binds the still unbound orders of customers where the rules allow it now. `lines`: customer_key → the row
        that brought the customer."""
        oldest = self._now - BINDING_WINDOW
        for keys in _parts(lines):
            unbound = SandboxOrder.objects.filter(
                customer_key__in=keys, visit__isnull=True, create_date_time__gte=oldest
            ).order_by("pk")
            last = None
            while values := list(
                (unbound.filter(pk__gt=last) if last else unbound).values_list(*STATE_VALUES)[:_ORDERS_AT_A_TIME]
            ):
                states = [loaded_state(row) for row in values]
                last = states[-1].id
                self._rematch(states, lines)

    def _rematch(self, states: Sequence[OrderState], lines: Mapping[str, int]) -> None:
        self._load_customers({state.customer_key for state in states if state.customer_key})
        for state in states:
            state.keys |= self._customers.get(state.customer_key or "", frozenset())
        self._finder.load({key for state in states for key in state.keys})
        bound: list[OrderState] = []
        for state in states:
            self._bind(state, changed=True)
            if state.visit is not None:
                meaning = self._take_status(state)
                line = lines[state.customer_key or ""]
                self._reach(line=line, state=state, meaning=meaning, notes=[Note.MATCHED_LATER])
                bound.append(state)
        self._write(bound)

    def _prepare(self, rows: Sequence[tuple[int, DetailedOrder]]) -> list[frozenset[str]]:
        self._load_customers({self._customer_key(row) for _line, row in rows})
        return [self._customers.get(self._customer_key(row), frozenset()) for _line, row in rows]

    def _merge(self, state: OrderState, row: DetailedOrder, keys: frozenset[str]) -> bool:
        changed = state.merge_detailed(
            row,
            self._mode,
            counter_id=self._counter.pk,
            multivalued=self._multivalued,
            customers=self._customers,
        )
        state.update_date_time = row.update_date_time or self._now
        return changed

    def _notes_of(self, state: OrderState) -> list[Note]:
        if state.customer_key not in self._customers:
            return [Note.NO_CUSTOMER]
        return [] if self._customers[state.customer_key] else [Note.NO_IDENTIFIERS]

    def _bind(self, state: OrderState, *, changed: bool) -> list[Note]:
        notes = super()._bind(state, changed=changed)
        # That there is no visit says nothing where there is nobody to look for.
        return notes if state.keys else [note for note in notes if note is not Note.NO_VISIT]

    def _customer_key(self, row: DetailedOrder) -> str:
        return customer_key(counter_id=self._counter.pk, uniq_id=row.client_uniq_id)

    def _load_customers(self, keys: Collection[str]) -> None:
        """Forgets the customers loaded before and loads those with these keys."""
        self._customers = {}
        for part in _parts(keys):
            rows = SandboxCustomer.objects.filter(key__in=part)
            for key, *lists in rows.values_list("key", "client_ids", "emails", "phones", "emails_md5", "phones_md5"):
                client_ids, emails, phones, emails_md5, phones_md5 = (text.split(",") if text else () for text in lists)
                self._customers[key] = identifier_keys(
                    client_ids=client_ids, emails=emails, phones=phones, emails_md5=emails_md5, phones_md5=phones_md5
                )

    def _refuse_too_many(self, lines: Mapping[str, int]) -> None:
        """`lines`: the first row of each customer."""
        for part in _parts(lines):
            counted = SandboxOrder.objects.filter(customer_key__in=part).order_by().values_list("customer_key")
            too_many = counted.annotate(orders=Count("pk")).filter(orders__gt=MAX_ORDERS_PER_CLIENT)
            problems = [
                RowProblem(
                    lines[key],
                    "client_uniq_id",
                    "too_many_orders",
                    f"A customer has at most {MAX_ORDERS_PER_CLIENT} orders; with this file it would have {orders}.",
                )
                for key, orders in too_many
            ]
            if problems:
                raise RowsRefused(problems)


def _parts(keys: Iterable[str]) -> Iterable[list[str]]:
    source = iter(keys)
    while part := list(islice(source, _KEYS_PER_QUERY)):
        yield part
