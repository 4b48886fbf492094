"""What an upload of a counter would send now: the first rows of its next files, read and made as the planner does it
(R4, R5). Nothing is claimed, written or asked of Metrica, so what comes in meanwhile may change it.

Two things the planner finds out only while it works, and they are not looked for here: clients with more orders than
Metrica takes, and, after a restore, rows that Metrica has already.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from apps.clients.models import Client
from apps.counters.attributes import Declared
from apps.counters.models import Counter, DeliveryPolicy
from apps.counters.services import block_reason
from apps.goals.resolve import Meaning, Resolver
from apps.orders.models import Delivery, HoldReason, StatusChange
from apps.uploads.detailed import CONTACT_COLUMNS, DETAILED, ContactMaker, ContactRow, DetailedMaker
from apps.uploads.formats import JSON_ROWS, UNWRITABLE, Maker, finish, open_writer, smallest_format
from apps.uploads.gate import ClientGate, OpenGate
from apps.uploads.models import Upload, UploadFormat, UploadKind
from apps.uploads.rows import SIMPLE, RowMaker
from apps.uploads.selection import CHUNK, due_changes, due_clients, due_resends, rows_waiting
from apps.uploads.urgency import urgent_orders

LOOKED_AT: Final = CHUNK
"""So many of the changes (and of the clients) that are due are looked at: as many as the planner reads at once."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a file of orders. `row`: as it was read; `record`: as it is written. `again`: a state sent once more."""

    row: Any
    record: Any
    meaning: Meaning
    again: bool = False


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A change (or client) that would not go. `reason`: of a hold; `why`: why no file can hold its row."""

    row: Any
    reason: str = ""
    why: str = ""

    @property
    def label(self) -> Any:
        return HoldReason(self.reason).label if self.reason else self.why


@dataclass(frozen=True, slots=True)
class DraftFile:
    """The beginning of a file as it would go: all of it, where it has no more rows than were looked at."""

    kind: UploadKind
    format: UploadFormat
    rows: int
    content: bytes


@dataclass(slots=True)
class DryRun:
    """`orders`, `contacts`: the next file of each; None where there would be none. `waves`: rows of each wave that is
    to come, the first one first, as far as was looked. `capped`: more is due than was looked at. `urgent`: the first
    wave is one of orders whose window closes soon. `undecided`: files of which is not known yet whether Metrica has
    them; they come first. `for_clients`: orders that go once their clients are there."""

    blocked: str = ""
    orders: DraftFile | None = None
    contacts: DraftFile | None = None
    lines: list[Line] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)
    kept_back: list[KeptBack] = field(default_factory=list)
    waves: list[int] = field(default_factory=list)
    capped: bool = False
    urgent: bool = False
    undecided: int = 0
    superseded: int = 0
    for_clients: int = 0

    @property
    def nothing(self) -> bool:
        return not (self.orders or self.contacts or self.for_clients)


def dry_run(*, counter: Counter) -> DryRun:
    """Of all that is due of the counter (which comes with its account). A dozen queries whatever waits."""
    found = DryRun(blocked=block_reason(counter))
    if found.blocked:
        return found
    found.undecided = len(
        Upload.objects.unsettled().filter(job__counter=counter).order_by().values_list("pk")[:LOOKED_AT]
    )
    waiting = StatusChange.objects.filter(counter=counter, delivery=Delivery.WAITING).order_by()
    changes = list(waiting.values_list("order_id", "order_status")[: LOOKED_AT + 1])
    found.capped = len(changes) > LOOKED_AT
    resolver = Resolver.for_counter(counter)
    if counter.is_detailed:
        _contacts(found, counter)
    _orders(found, counter, resolver)
    found.waves = _waves(found, counter, resolver, changes)
    return found


def _contacts(found: DryRun, counter: Counter) -> None:
    keys = next(due_clients(counter=counter, only_orders=None), None)
    if keys is None:
        return
    maker = ContactMaker(counter=counter, declared=Declared.of(counter))
    clients = Client.objects.filter(pk__among=keys).order_by("pk").values_list(*CONTACT_COLUMNS)
    rows = [ContactRow._make(values) for values in clients]
    found.capped = found.capped or len(keys) >= LOOKED_AT
    written, found.contacts = _written(found, counter, UploadKind.CONTACTS, smallest_format(len(rows)), maker, rows)
    found.clients = [record for _row, record in written]


def _orders(found: DryRun, counter: Counter, resolver: Resolver) -> None:
    urgent = urgent_orders(counter=counter) or None
    found.urgent = urgent is not None
    maker: RowMaker
    gate: OpenGate | ClientGate
    if counter.is_detailed:
        maker, reading, gate = (
            DetailedMaker.of(counter, resolver),
            DETAILED,
            ClientGate(counter=counter, resolver=resolver),
        )
        kind = UploadKind.ORDERS
        file_format = smallest_format(rows_waiting(counter=counter, only_orders=urgent, limit=JSON_ROWS + 1))
    else:
        maker, reading, gate = RowMaker(counter=counter, resolver=resolver), SIMPLE, OpenGate()
        kind, file_format = UploadKind.SIMPLE_ORDERS, UploadFormat.CSV
    goes: list[Any] = []
    due = next(due_changes(counter=counter, only_orders=urgent, cursor=0, reading=reading), None)
    if due is not None:
        goes = _that_go(found, maker, gate, due.rows)
        found.superseded = len(due.passed_over)
    again: set[str] = set()
    if not found.capped:
        repeated = next(due_resends(counter=counter, only_orders=None, reading=reading), [])
        # Of states sent once more what cannot go stays as it is, and nobody is told anew.
        repeated = _that_go(DryRun(), maker, gate, repeated)
        again = {row.id for row in repeated}
        goes += repeated
    written, found.orders = _written(found, counter, kind, file_format, maker, goes)
    found.lines = [Line(row, record, maker.meaning(row.order_status), row.id in again) for row, record in written]


def _that_go(found: DryRun, maker: RowMaker, gate: OpenGate | ClientGate, rows: Sequence[Any]) -> list[Any]:
    """In detailed mode an order goes when Metrica has its client; see ClientGate, which also makes ready what is
    not."""
    speakable: list[Any] = []
    for row in rows:
        if problem := maker.problem(row):
            found.kept_back.append(KeptBack(row, reason=problem))
        else:
            speakable.append(row)
    if isinstance(gate, OpenGate):
        return speakable
    unready = gate.written(speakable)
    good: list[Any] = []
    for row in speakable:
        if row.order in unready or row.settled_revision < row.client_revision:
            found.for_clients += 1
        elif row.client_delivered:
            good.append(row)
        elif row.newest_revision > row.settled_revision:
            found.for_clients += 1
        else:
            found.kept_back.append(KeptBack(row, reason=HoldReason.CLIENT_REFUSED.value))
    return good


def _written(
    found: DryRun, counter: Counter, kind: UploadKind, file_format: UploadFormat, maker: Maker, rows: Iterable[Any]
) -> tuple[list[tuple[Any, Any]], DraftFile | None]:
    """(row, record) of what the file holds, and the file."""
    zone = counter.zone
    assert zone is not None, "a counter without a zone is blocked"
    stream = BytesIO()
    writer = open_writer(kind, file_format, stream, zone=zone, attributes=maker.attributes)
    written: list[tuple[Any, Any]] = []
    for row in rows:
        record = maker.make(row)
        try:
            writer.write_many([record])
        except UNWRITABLE as error:
            found.kept_back.append(KeptBack(row, why=str(error)))
        else:
            written.append((row, record))
    finish(writer)
    if not written:
        return [], None
    return written, DraftFile(kind, file_format, len(written), stream.getvalue())


def _waves(found: DryRun, counter: Counter, resolver: Resolver, changes: Iterable[tuple[int, str]]) -> list[int]:
    """The n-th change of an order goes with the n-th wave. Told only where all that is due was looked at."""
    if found.capped or found.urgent or found.for_clients or not found.lines:
        return []
    if counter.delivery == DeliveryPolicy.LATEST_ONLY:
        return [len(found.lines)]
    of_order = Tally(order for order, status in changes if not resolver.problem(status))
    going = Tally(line.row.order for line in found.lines)
    further = Tally(number for order in going for number in range(1, of_order[order]))
    return [len(found.lines), *(further[number] for number in range(1, len(further) + 1))]
