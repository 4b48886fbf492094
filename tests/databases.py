"""Databases for processes that tests start. To migrate one takes most of ten seconds, so it is done once a run of the
suite, for all its workers; what comes after are copies."""

import fcntl
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent

# Workers of the run are told it by their environment.
_RUN = os.environ.setdefault("TEST_RUN", secrets.token_hex(4))
_SHARED = Path(tempfile.gettempdir()) / f"goalpost-tests-{_RUN}"


def server() -> str:
    """The PostgreSQL that the suite runs on; empty where that is SQLite."""
    return os.environ.get("TEST_DATABASE_URL", "")


@contextmanager
def new(directory: Path, *, migrated: bool = True) -> Iterator[str]:
    """The address of a fresh database of the kind that the suite runs on."""
    name = f"goalpost_e2e_{os.getpid()}_{secrets.token_hex(3)}"
    if not server():
        yield in_file(directory / f"{name}.sqlite3") if migrated else f"sqlite:///{directory / name}.sqlite3"
        return
    _command(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template()}"' if migrated else ""))
    # Processes are killed here, not the server: nobody waits until a disk has what is thrown away in the end.
    _command(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    try:
        yield address_of(name)
    finally:
        _command(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def in_file(path: Path, *, settings: str = "project.settings") -> str:
    """The address of a fresh SQLite database at `path`, with the tables of these settings."""
    kept = _SHARED / f"{settings}.sqlite3"
    with _alone():
        if not kept.exists():
            made = kept.with_suffix(".making")
            _migrate(f"sqlite:///{made}", settings)
            made.rename(kept)
    with closing(sqlite3.connect(kept)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return f"sqlite:///{path}"


def forget() -> None:
    """At the end of the run, by whoever began it."""
    if server() and (_SHARED / "template").exists():
        _command(f'DROP DATABASE IF EXISTS "{template()}" WITH (FORCE)')
    shutil.rmtree(_SHARED, ignore_errors=True)


def template() -> str:
    """The name of a database on the server with all tables, to make others of."""
    name, made = f"goalpost_template_{_RUN}", _SHARED / "template"
    with _alone():
        if not made.exists():
            _command(f'CREATE DATABASE "{name}"')
            _migrate(address_of(name), "project.settings")
            made.touch()
    return name


def _migrate(url: str, settings: str) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DEBUG": "on",
        "SANDBOX": "on",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(40),
        "STORAGE_URL": f"file://{_SHARED / 'media'}",
        "DJANGO_SETTINGS_MODULE": settings,
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)


def address_of(name: str) -> str:
    """A database of that name on the server that the suite runs on."""
    return f"{server().rpartition('/')[0]}/{name}"


def _command(statement: str) -> None:
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(statement)


@contextmanager
def _alone() -> Iterator[None]:
    """One worker of the suite at a time."""
    _SHARED.mkdir(exist_ok=True)
    with (_SHARED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
