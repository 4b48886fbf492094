"""A SQLite backup restored into PostgreSQL, as a role that owns the database no more: all of it, or nothing."""

import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from project.backups import manifest
from project.processes import BASE_DIR
from tests import databases
from tests.project.every_table import GONE, ROWS

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="moves into PostgreSQL"),
]

OF_THE_RESTORE = {"at", "request_id", "restored_at"}
"""What differs between one restore and the next."""


class Machine:
    """Commands of an installation on this database."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": url,
            "DEBUG": "on",
            "SANDBOX": "on",
            "ENV_FILE": os.devnull,
            "STORAGE_URL": f"file://{directory / 'media'}",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=BASE_DIR, env=self.environment, check=False, text=True, capture_output=True)

    def done(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stdout + done.stderr
        return done.stderr

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table, through the ORM."""
        path = self.directory / "rows.pickle"
        self.done("-m", "tests.project.every_table", "read", str(path))
        return dict(pickle.loads(path.read_bytes()))


@contextmanager
def owned_database(directory: Path) -> Iterator[str]:
    """A fresh PostgreSQL database, worked on by a role that may do nothing else."""
    with databases.new(directory, migrated=False) as url, psycopg.connect(url, autocommit=True) as connection:
        name = url.rpartition("/")[2]
        [[mighty]] = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchall()
        if not mighty:
            yield url
            return
        connection.execute(f'CREATE ROLE "{name}"')
        try:
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO "{name}"')
            yield f"{url}?options=-c%20role%3D{name}"
        finally:
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER')
            connection.execute(f'DROP OWNED BY "{name}" CASCADE')
            connection.execute(f'DROP ROLE "{name}"')


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """On SQLite, with rows in every table."""
    directory = tmp_path_factory.mktemp("small")
    machine = Machine(databases.in_file(directory / "small.sqlite3"), directory)
    machine.done("-m", "tests.project.every_table", "fill")
    return machine


@pytest.fixture(scope="module")
def backup(small: Machine) -> Path:
    directory = small.directory / "backup"
    small.done("manage.py", "backup", str(directory))
    return directory


@pytest.fixture(scope="module")
def large(backup: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """On PostgreSQL, with what the backup holds."""
    directory = tmp_path_factory.mktemp("large")
    with owned_database(directory) as url:
        machine = Machine(url, directory)
        said = machine.done("manage.py", "restore", str(backup))
        assert "The chain holds." in said and "Restored." in said
        yield machine


@pytest.fixture
def changed(backup: Path, tmp_path: Path) -> Path:
    """A copy of the backup for a test to spoil."""
    return shutil.copytree(backup, tmp_path / "changed")


def vouch(directory: Path) -> None:
    """Let the manifest say that the database is what was written."""
    path = directory / manifest.NAME
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "sha256": manifest.sha256_of(directory / found["database"])}))


def spoil(directory: Path, *statements: str) -> None:
    with sqlite3.connect(directory / "database.sqlite3") as database:
        for statement in statements:
            assert database.execute(statement).rowcount == 1
    database.close()
    vouch(directory)


def test_every_row_of_every_table_is_what_a_restore_into_sqlite_gives(
    large: Machine, backup: Path, tmp_path: Path
) -> None:
    other = Machine(f"sqlite:///{tmp_path / 'other.sqlite3'}", tmp_path)
    other.done("manage.py", "restore", str(backup))
    there, here = other.rows(), large.rows()
    assert there.keys() == here.keys() and len(here) > 80
    assert len(here["orders.StatusChange"]) == ROWS and len(here["audit.AuditEntry"]) == ROWS + 1
    for table, rows in here.items():
        assert without_the_restore(table, rows) == without_the_restore(table, there[table]), table


def without_the_restore(table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if table == "audit.AuditEntry":
        rows = [*rows[:-1], {name: item for name, item in rows[-1].items() if name not in OF_THE_RESTORE}]
    if table == "uploads.Recovery":
        return [{name: item for name, item in row.items() if name not in OF_THE_RESTORE} for row in rows]
    return rows


def test_new_rows_get_numbers_that_nobody_ever_had(large: Machine) -> None:
    code = (
        "from django.contrib.auth.models import Group; from apps.agencies.models import Agency; "
        "print(Group.objects.create(name='new').pk, Agency.objects.create(slug='new', name='new').pk)"
    )
    assert large.done("manage.py", "shell", "-v0", "-c", code).split() == [str(GONE + 1), str(ROWS * 1_000_003 + 1)]


def test_what_somebody_worked_with_is_not_replaced_without_a_word(large: Machine, backup: Path) -> None:
    assert "say --force" in large.refused("manage.py", "restore", str(backup))


def test_nul_is_told_with_table_and_row_and_nothing_is_changed(large: Machine, changed: Path) -> None:
    spoil(
        changed,
        "UPDATE orders_order SET order_id = 'a' || char(0) WHERE id = 2000006",
        "UPDATE hooks_endpoint SET name = char(0) WHERE id = 1000003",
        r"""UPDATE orders_order SET identifiers = '{"emails": ["\\\u0000"]}' WHERE id = 3000009""",
    )
    before = large.rows()
    said = large.refused("manage.py", "restore", str(changed), "--force")
    for row in ("orders_order, id 2000006", "hooks_endpoint, id 1000003", "orders_order, id 3000009"):
        assert row in said
    assert said.count(", column ") == 3 and "take a new backup" in said
    assert large.rows() == before


def test_what_a_column_cannot_hold_is_told_with_table_and_row(large: Machine, changed: Path) -> None:
    spoil(changed, f"UPDATE agencies_agency SET name = '{'long ' * 200}' WHERE id = 2000006")
    said = large.refused("manage.py", "restore", str(changed), "--force")
    assert "agencies_agency, id 2000006, column name" in said and "too long" in said


def test_a_row_that_refers_to_nothing_and_a_broken_file_are_refused(large: Machine, changed: Path) -> None:
    before = large.rows()
    spoil(changed, "DELETE FROM clients_client WHERE id = 1000003")
    assert "refers to nothing" in large.refused("manage.py", "restore", str(changed), "--force")
    path = changed / "database.sqlite3"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    vouch(changed)
    assert str(path) in large.refused("manage.py", "restore", str(changed), "--force")
    assert large.rows() == before


def test_there_is_no_way_back(small: Machine, changed: Path) -> None:
    path = changed / manifest.NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), "vendor": "postgresql"}))
    assert "SQLite is for small installations" in small.refused("manage.py", "restore", str(changed), "--force")
