"""R12: entries and links can be added and nothing else, by whichever way one tries."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.audit import chain, triggers
from apps.audit.models import AuditEntry, AuditLink
from apps.audit.services import record
from tests.factories import make_agency

pytestmark = pytest.mark.django_db

POSTGRESQL = connection.vendor == "postgresql"


@pytest.fixture
def entry() -> AuditEntry:
    entry = record(action="thing.done", agency=make_agency("north"))
    assert chain.seal() == 1
    return entry


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        if POSTGRESQL:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or PostgreSQL refuses for another reason
        cursor.execute(statement)


WAYS: dict[str, Callable[[], object]] = {
    "entry.save": lambda: AuditEntry.objects.get().save(),
    "entry.update": lambda: AuditEntry.objects.update(action="other"),
    "entry.bulk_update": lambda: AuditEntry.objects.bulk_update(list(AuditEntry.objects.all()), ["action"]),
    "entries._raw_delete": lambda: AuditEntry.objects.all()._raw_delete("default"),
    "link.save": lambda: AuditLink.objects.get().save(),
    "link.update": lambda: AuditLink.objects.update(hash="0" * 64),
    "link.delete": lambda: AuditLink.objects.get().delete(),
    "links.delete": lambda: AuditLink.objects.all().delete(),
    "raw update of an entry": lambda: execute("UPDATE audit_auditentry SET action = 'other'"),
    "raw update of a link": lambda: execute("UPDATE audit_auditlink SET position = 7"),
    "raw delete of a link": lambda: execute("DELETE FROM audit_auditlink"),
    "raw delete of an entry": lambda: execute("DELETE FROM audit_auditentry"),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_changed_or_deleted(entry: AuditEntry, way: str):
    with pytest.raises(IntegrityError, match=triggers.REFUSAL), transaction.atomic():
        WAYS[way]()
    assert AuditEntry.objects.get().action == "thing.done"
    assert AuditLink.objects.get().position == 1


def test_an_unsealed_entry_cannot_be_deleted_either():
    entry = record(action="thing.done", agency=None)
    with pytest.raises(IntegrityError, match=triggers.REFUSAL), transaction.atomic():
        entry.delete()


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no TRUNCATE")
@pytest.mark.parametrize("tables", ["audit_auditlink", "audit_auditentry, audit_auditlink", "agencies_agency CASCADE"])
def test_the_tables_are_not_emptied(entry: AuditEntry, tables: str):
    with pytest.raises(IntegrityError, match=triggers.REFUSAL), transaction.atomic():
        execute(f"TRUNCATE {tables}")


@pytest.mark.skipif(POSTGRESQL, reason="only SQLite replaces rows without asking the triggers of DELETE")
def test_rows_are_not_replaced(entry: AuditEntry):
    columns = [field.column for field in AuditEntry._meta.concrete_fields]
    names, copied = ", ".join(columns), ", ".join("'other'" if name == "action" else name for name in columns)
    with pytest.raises(IntegrityError, match=triggers.REFUSAL), transaction.atomic():
        execute(f"INSERT OR REPLACE INTO audit_auditentry ({names}) SELECT {copied} FROM audit_auditentry")
    other = record(action="thing.done.again", agency=entry.agency_id)
    link = AuditLink.objects.get()
    with pytest.raises(IntegrityError, match=triggers.REFUSAL), transaction.atomic():
        execute(
            "INSERT OR REPLACE INTO audit_auditlink (entry_id, agency_id, position, hash, sealed_at)"
            f" VALUES ({other.pk}, {link.agency_id}, 1, 'x', '2026-01-01')"
        )


@pytest.mark.skipif(not POSTGRESQL, reason="PostgreSQL's form")
def test_conflicts_do_not_update(entry: AuditEntry):
    with pytest.raises(IntegrityError, match=triggers.REFUSAL), transaction.atomic():
        execute(
            "INSERT INTO audit_auditlink (entry_id, agency_id, position, hash, sealed_at)"
            " SELECT entry_id, agency_id, position, 'x', sealed_at FROM audit_auditlink"
            " ON CONFLICT (entry_id) DO UPDATE SET hash = 'x'"
        )


def test_an_agency_that_left_traces_is_not_deleted(entry: AuditEntry):
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.agency.delete()


def test_missing_triggers_are_noticed(entry: AuditEntry):
    assert triggers.missing(connection) == []
    with triggers.lifted(connection):
        assert len(triggers.missing(connection)) == 6
        AuditEntry.objects.update(action="other")
    assert triggers.missing(connection) == []
    triggers.create(connection)  # once more does no harm


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite cannot switch a trigger off")
def test_a_trigger_switched_off_is_noticed(entry: AuditEntry):
    execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_auditentry_no_update")
    assert triggers.missing(connection) == ["audit_auditentry_no_update"]


def test_every_change_of_the_tables_keeps_the_triggers():
    """SQLite remakes a table to change it, and its triggers go with the old one: such a migration makes them again."""
    assert triggers.missing(connection) == []
