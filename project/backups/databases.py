"""The database as one file, taken while everything runs, and put back: SQLite by its own online backup, PostgreSQL by
pg_dump and pg_restore."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import connection, connections

from project.backups.manifest import BackupError

FILES: Final = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


def save(directory: Path) -> Path:
    """A consistent copy of the present database. Raises BackupError."""
    path = directory / FILES[connection.vendor]
    if connection.vendor == "sqlite":
        _copy_sqlite(Path(connection.settings_dict["NAME"]), path)
        check_sqlite(path)
    else:
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={path}")
        _run("pg_restore", "--list", str(path))
    return path


def put_back(path: Path) -> None:
    """Replace all that the present database holds. Raises BackupError; the backup is then still there to try again."""
    connections.close_all()
    if connection.vendor == "sqlite":
        check_sqlite(path)
        _copy_sqlite(path, Path(connection.settings_dict["NAME"]))
        return
    _run("pg_restore", "--list", str(path))
    drop_tables()
    connections.close_all()
    _run(
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={connection.settings_dict['NAME']}",
        str(path),
    )


def is_empty() -> bool:
    """True where nobody has worked with the present database: no login, no agency."""
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for table in {"agencies_agency", "agencies_user"} & tables:
            cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608 - one of these two names
            if cursor.fetchone():
                return False
    return True


def _copy_sqlite(source: Path, target: Path) -> None:
    """In one step: a reader of a database in WAL mode sees one state and keeps nobody from writing."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as read,
            contextlib.closing(sqlite3.connect(target, timeout=60)) as written,
        ):
            read.backup(written, pages=-1)
    except sqlite3.Error as error:
        raise BackupError(f"SQLite could not copy {source} to {target}: {error}.") from error


def check_sqlite(path: Path) -> None:
    """Raises BackupError where the file is damaged, or a row refers to one that is not there."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
            [[said]] = copy.execute("PRAGMA integrity_check(1)").fetchall()
            broken = copy.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no sound SQLite database: {error}.") from error
    if said != "ok" or broken:
        raise BackupError(f"{path} is damaged: {said if said != 'ok' else f'a row of {broken[0]} refers to nothing'}.")


def drop_tables() -> None:
    """All of Goalpost's: those of a newer state would hold on to those that a backup brings."""
    there = set(connection.introspection.table_names())
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {"django_migrations"}
    with connection.cursor() as cursor:
        for table in sorted(there & ours):
            cursor.execute(f"DROP TABLE IF EXISTS {connection.ops.quote_name(table)} CASCADE")


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise BackupError(
            f"{program} is not installed here. It comes with PostgreSQL's client programs, of the server's version or "
            "newer (Debian: apt install postgresql-client)."
        )
    done = subprocess.run([found, *arguments], env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()[-2000:] or done.returncode}")


def _environment() -> dict[str, str]:
    """Where the database is, as PostgreSQL's programs take it: on no command line, where a password could be seen."""
    config: dict[str, Any] = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    given = {variable: str(config[name]) for variable, name in names.items() if config.get(name)}
    for option, variable in (("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT")):
        if value := config.get("OPTIONS", {}).get(option):
            given[variable] = str(value)
    return {**os.environ, **given}
