"""The triggers that make the audit tables append-only on both databases (R12).

Whoever owns the database may still drop them: `missing()` tells, and the hash chain shows what was done meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("audit_auditentry", "audit_auditlink")
REFUSAL = "the audit log is append-only"

_FUNCTION = "audit_refuse"
# SQLite's INSERT OR REPLACE deletes rows without asking a DELETE trigger, so a taken place is refused before it.
_TAKEN = {
    "audit_auditentry": "SELECT 1 FROM audit_auditentry WHERE id = NEW.id",
    "audit_auditlink": (
        "SELECT 1 FROM audit_auditlink WHERE entry_id = NEW.entry_id"
        " OR (agency_id IS NEW.agency_id AND position = NEW.position)"
    ),
}


def create(connection: BaseDatabaseWrapper) -> None:
    """Make what is missing of them; the tables have to be there."""
    with connection.cursor() as cursor:
        for statement in _creation(connection):
            cursor.execute(statement)


def drop(connection: BaseDatabaseWrapper) -> None:
    """Take them away: for reversing the migration, and for emptying the tables between tests."""
    with connection.cursor() as cursor:
        for table, name in _names(connection):
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")
        if connection.vendor == "postgresql":
            cursor.execute(f"DROP FUNCTION IF EXISTS {_FUNCTION}()")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of the triggers that should be there and are not, or are switched off."""
    if connection.vendor == "postgresql":
        query = (
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
            " AND tgrelid IN ('audit_auditentry'::regclass, 'audit_auditlink'::regclass)"
        )
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        there = {row[0] for row in cursor.fetchall()}
    return [name for _, name in _names(connection) if name not in there]


@contextmanager
def lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Without the triggers for a moment: only tests may."""
    drop(connection)
    try:
        yield
    finally:
        create(connection)


def _names(connection: BaseDatabaseWrapper) -> Iterator[tuple[str, str]]:
    kinds = ("update", "delete", "truncate") if connection.vendor == "postgresql" else ("update", "delete", "replace")
    for table in TABLES:
        for kind in kinds:
            yield table, f"{table}_no_{kind}"


def _creation(connection: BaseDatabaseWrapper) -> Iterator[str]:
    if connection.vendor == "postgresql":
        # SQLSTATE 23001 reaches Django as an IntegrityError, as SQLite's ABORT does.
        yield (
            f"CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
        )
        for table in TABLES:
            for kind, each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
                yield (
                    f"CREATE OR REPLACE TRIGGER {table}_no_{kind} BEFORE {kind.upper()} ON {table}"
                    f" FOR EACH {each} EXECUTE FUNCTION {_FUNCTION}()"
                )
        return
    for table in TABLES:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for kind in ("update", "delete"):
            yield f"CREATE TRIGGER IF NOT EXISTS {table}_no_{kind} BEFORE {kind.upper()} ON {table} {refuse}"
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN EXISTS ({_TAKEN[table]}) {refuse}"
        )
