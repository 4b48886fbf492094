"""R12: the chain holds, and breaks wherever somebody laid a hand on the log."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.agencies.models import Agency
from apps.audit import chain, triggers
from apps.audit.models import AuditEntry, AuditLink
from apps.audit.services import record
from tests.factories import make_agency, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def north() -> Agency:
    return make_agency("north")


@pytest.fixture
def tampering() -> Iterator[None]:
    """Whoever owns the database can drop the triggers: the chain is there for them."""
    with triggers.lifted(connection):
        yield


def write(agency: Agency | None, count: int = 1) -> list[AuditEntry]:
    return [
        record(action=f"thing.{number}", agency=agency, obj=agency, before={"n": number}, after={"n": number + 0.5})
        for number in range(count)
    ]


def positions(agency: Agency | None) -> list[tuple[int, int]]:
    return list(AuditLink.objects.filter(agency=agency).order_by("position").values_list("position", "entry_id"))


def test_each_agency_has_a_chain_of_its_own_and_so_has_the_platform(north: Agency):
    south = make_agency("south")
    entries = {agency: write(agency, 3) for agency in (north, south, None)}
    assert chain.seal() == 9
    for agency, own in entries.items():
        assert positions(agency) == [(place, entry.pk) for place, entry in enumerate(own, start=1)]
    report = chain.verify()
    assert (report.ok, report.checked, report.unsealed) == (True, 9, 0)
    assert {agency_id: end.position for agency_id, end in report.ends.items()} == {north.pk: 3, south.pk: 3, None: 3}


def test_an_empty_log_holds(north: Agency):
    assert chain.seal() == 0
    assert chain.verify().ok
    assert chain.verify(north).ends == {}


def test_sealing_goes_on_where_it_ended(north: Agency):
    write(north, 5)
    assert [chain.seal(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    write(north, 2)
    assert chain.verify(north).unsealed == 2
    assert chain.seal() == 2
    report = chain.verify(north)
    assert (report.ok, report.checked, report.unsealed) == (True, 7, 0)


def test_many_are_sealed_in_chunks(north: Agency, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chain, "_CHUNK", 3)
    write(north, 10)
    assert chain.seal() == 10
    assert chain.verify().ok
    assert [place for place, _ in positions(north)] == list(range(1, 11))


def test_an_entry_committed_late_goes_to_the_end(north: Agency):
    late, *others = write(north, 3)
    AuditLink.objects.all()  # `late` is not committed yet when the others are sealed
    waiting = AuditEntry.objects.exclude(pk=late.pk).values_list("pk", flat=True)
    assert chain._seal_agency(north.pk, list(waiting)) == 2
    assert chain.seal() == 1
    assert positions(north) == [(1, others[0].pk), (2, others[1].pk), (3, late.pk)]
    assert chain.verify(north).ok


def test_entries_committed_very_late_are_found_by_looking_at_all(north: Agency, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chain, "LATE_ENTRIES", 1)
    late, _, last = write(north, 3)
    chain._seal_agency(north.pk, [last.pk])
    assert chain.seal() == 0
    assert chain.verify().unsealed == 2
    assert chain.seal(thorough=True) == 2
    assert positions(north)[1] == (2, late.pk)
    assert chain.verify().ok


# Every column of an entry and of its link, and a hand laid on each.
TAMPERED: dict[str, Any] = {
    "agency_id": lambda entry: make_agency().pk,
    "at": timezone.now,
    "actor_kind": "key",
    "actor_id": "999",
    "actor_label": "somebody else",
    "action": "other.done",
    "object_type": "x.y",
    "object_id": "999",
    "object_label": "something else",
    "counter": 999,
    "before": {"n": 99},
    "after": None,
    "details": {"more": 1},
    "source": "api",
    "ip": "192.0.2.99",
    "request_id": "other",
}


def test_the_table_names_every_column():
    columns = {field.attname for field in AuditEntry._meta.concrete_fields}
    assert set(TAMPERED) == columns - {"id"}


@pytest.mark.parametrize("column", TAMPERED)
def test_a_changed_column_is_found(north: Agency, tampering: None, column: str):
    victim = write(north, 5)[2]
    chain.seal()
    value = TAMPERED[column]
    if isinstance(value, Callable):  # type: ignore[arg-type]
        value = value(victim) if column == "agency_id" else value()
    AuditEntry.objects.filter(pk=victim.pk).update(**{column: value})
    broken = chain.verify().first_broken
    assert broken is not None
    assert (broken.agency_id, broken.position, broken.entry_id) == (north.pk, 3, victim.pk)
    assert "not what was sealed" in broken.reason


@pytest.mark.parametrize(
    "change", [{"hash": "0" * 64}, {"sealed_at": timezone.now()}, {"position": 9}, {"agency": None}]
)
def test_a_changed_link_is_found(north: Agency, tampering: None, change: dict[str, Any]):
    write(north, 5)
    chain.seal()
    AuditLink.objects.filter(agency=north, position=3).update(**change)
    broken = chain.verify(north).first_broken
    assert broken is not None
    assert broken.position == 3


def test_changing_an_entry_and_its_own_hash_breaks_the_next(north: Agency, tampering: None):
    victim = write(north, 5)[2]
    chain.seal()
    AuditEntry.objects.filter(pk=victim.pk).update(action="other.done")
    link = AuditLink.objects.select_related("entry").get(entry=victim)
    previous = AuditLink.objects.get(agency=north, position=2).hash
    AuditLink.objects.filter(entry=victim).update(hash=chain.link_hash(previous=previous, link=link, entry=link.entry))
    broken = chain.verify().first_broken
    assert broken is not None
    assert broken.position == 4


@pytest.mark.parametrize("place", [1, 3])
def test_a_deleted_entry_is_found(north: Agency, tampering: None, place: int):
    victim = write(north, 5)[place - 1]
    chain.seal()
    AuditLink.objects.filter(entry=victim).delete()
    AuditEntry.objects.filter(pk=victim.pk).delete()
    broken = chain.verify().first_broken
    assert broken is not None
    assert broken.position == place
    assert "missing" in broken.reason


def test_a_deleted_newest_entry_shows_by_where_the_chain_ended(north: Agency, tampering: None):
    victim = write(north, 5)[4]
    chain.seal()
    noted = chain.verify().ends[north.pk]
    AuditLink.objects.filter(entry=victim).delete()
    AuditEntry.objects.filter(pk=victim.pk).delete()
    report = chain.verify()
    assert report.ok
    assert report.ends[north.pk] != noted


def test_two_entries_that_change_places_are_found(north: Agency, tampering: None):
    write(north, 5)
    chain.seal()
    for old, new in ((2, 99), (3, 2), (99, 3)):
        AuditLink.objects.filter(agency=north, position=old).update(position=new)
    broken = chain.verify().first_broken
    assert broken is not None
    assert broken.position == 2


def test_an_entry_moved_to_another_agency_is_found(north: Agency, tampering: None):
    south = make_agency("south")
    victim = write(north, 3)[2]
    chain.seal()
    AuditEntry.objects.filter(pk=victim.pk).update(agency=south)
    AuditLink.objects.filter(entry=victim).update(agency=south, position=1)
    broken = chain.verify().first_broken
    assert broken is not None
    assert broken.agency_id == south.pk


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps columns to their types")
def test_a_column_that_cannot_be_read_is_found(north: Agency, tampering: None):
    write(north, 3)
    chain.seal()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditentry SET at = 'yesterday' WHERE action = 'thing.1'")
    broken = chain.verify().first_broken
    assert broken is not None
    assert broken.position == 2


def test_a_broken_chain_is_named_though_others_hold(north: Agency, tampering: None):
    south = make_agency("south")
    write(north, 2)
    write(south, 2)
    chain.seal()
    AuditEntry.objects.filter(agency=south).update(action="x")
    assert chain.verify(north).ok
    broken = chain.verify().first_broken
    assert broken is not None
    assert broken.agency_id == south.pk


def test_values_that_databases_write_in_their_own_way_do_not_break_the_chain(north: Agency):
    facts = {
        "float": 1.10,
        "big": 10**20,
        "small": 1e-7,
        "exp": 1e16,
        "minus": -0.0,
        "text": 'Ж\u2028 \\ " 🎯',
        "b": 1,
        "a": 2,
    }
    record(action="a", agency=north, after=facts, obj=make_member(north))
    chain.seal()
    assert chain.verify().ok


def test_a_walk_stays_small(north: Agency):
    def peak(count: int) -> int:
        AuditEntry.objects.bulk_create(
            AuditEntry(
                agency=north,
                actor_kind="system",
                actor_label="x",
                action="a",
                source="worker",
                details={"t": "x" * 500},
            )
            for _ in range(count)
        )
        while chain.seal():
            pass
        tracemalloc.start()
        assert chain.verify(north).ok
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    first = peak(1_000)
    assert peak(4_000) < 1.5 * first


def test_a_walk_costs_few_queries(north: Agency, django_assert_max_num_queries):
    write(north, 30)
    chain.seal()
    with django_assert_max_num_queries(4):
        chain.verify(north)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_seal_at_once_one_wins():
    agencies = [make_agency() for _ in range(4)]
    for _ in range(25):
        for agency in agencies:
            write(agency)
    ready = threading.Barrier(4)
    sealed: list[int] = []
    failures: list[Exception] = []

    def work() -> None:
        try:
            ready.wait()
            sealed.extend(chain.seal(limit=20) for _ in range(6))
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    while chain.seal():
        pass
    report = chain.verify()
    assert (report.ok, report.checked, report.unsealed) == (True, 100, 0)
    assert all(positions(agency)[-1][0] == 25 for agency in agencies)


@pytest.mark.django_db(transaction=True)
def test_an_entry_still_in_its_transaction_is_not_waited_for():
    """The writer is late; sealing goes on, and its entry is sealed after the younger ones."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    north = make_agency("north")
    written, sealed = threading.Event(), threading.Event()
    slow: list[int] = []

    def writer() -> None:
        with transaction.atomic():
            slow.append(record(action="slow", agency=north).pk)
            written.set()
            assert sealed.wait(20)
        connection.close()

    thread = threading.Thread(target=writer)
    thread.start()
    assert written.wait(20)
    younger = record(action="quick", agency=north)
    assert chain.seal() == 1
    sealed.set()
    thread.join()
    assert younger.pk > slow[0]
    assert chain.seal() == 1
    assert [entry for _, entry in positions(north)] == [younger.pk, slow[0]]
    assert chain.verify().ok
