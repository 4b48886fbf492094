"""Where the benchmarks run: a database of their own on the PostgreSQL server, files in a directory of their own."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet

from project.processes import Processes, free_port

AGENCY = "bench"
OTHER_AGENCY = "other"
ZONE = "Europe/Moscow"
TOKEN = "sandbox-token-of-the-benchmarks"
COUNTERS = {"few": 40000001, "many": 40000002, "latency": 40000003}
"""Counter numbers: for the short import, for the long one, for what goes out as it comes."""

OTHER_COUNTER = 40000004
"""Of the other agency, whose orders go out as they come."""

_STATUSES = """
    [[agencies.counters.statuses]]
    crm_status = "good_lead"
    type = "OTHER"
    goals = ["good_lead"]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A migrated and provisioned Goalpost as in production (DEBUG off); nothing runs yet.

    `key`: an API key, `other_key`: one of the other agency; `database_url`: for Django and psycopg alike.
    """

    processes: Processes
    directory: Path
    database_url: str
    key: str
    other_key: str

    @property
    def environment(self) -> dict[str, str]:
        return self.processes.environment


@contextmanager
def made(*, server: str, directory: Path) -> Iterator[Place]:
    """`server`: the URL of a database where one may create another. Drops the database, stops the processes."""
    with _database(server) as database_url, _provisioned(database_url=database_url, directory=directory) as place:
        yield place


@contextmanager
def empty(*, server: str, directory: Path) -> Iterator[dict[str, str]]:
    """The environment of a migrated Goalpost with nothing in it; its database is dropped again."""
    with _database(server) as database_url:
        environment = _environment(database_url=database_url, directory=directory)
        with Processes(environment=environment, log_dir=directory / "logs", port=free_port()) as processes:
            processes.manage("migrate", "-v0")
        yield environment


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"goalpost_bench_{os.getpid()}"
    base, _slash, rest = server.rpartition("/")
    database_url = f"{base}/{name}{rest[rest.find('?') :] if '?' in rest else ''}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield database_url
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def made_on_sqlite(*, directory: Path) -> Iterator[Place]:
    """The same on SQLite, in a file of that directory."""
    with _provisioned(database_url=f"sqlite:///{directory / 'bench.sqlite3'}", directory=directory) as place:
        yield place


@contextmanager
def _provisioned(*, database_url: str, directory: Path) -> Iterator[Place]:
    key, other_key = (f"bench-key-{secrets.token_urlsafe(24)}" for _agency in range(2))
    environment = {
        **_environment(database_url=database_url, directory=directory),
        "BENCH_TOKEN": TOKEN,
        "BENCH_KEY": key,
        "BENCH_OTHER_KEY": other_key,
    }
    with Processes(environment=environment, log_dir=directory / "logs", port=free_port()) as processes:
        processes.manage("migrate", "-v0")
        path = directory / "provision.toml"
        path.write_text(_provisioning(f"{processes.url}/sandbox"))
        processes.manage("provision", str(path))
        yield Place(processes=processes, directory=directory, database_url=database_url, key=key, other_key=other_key)


def _environment(*, database_url: str, directory: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "DEBUG": "off",
        "SANDBOX": "on",
        "OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        "OUTGOING_PLAIN_HTTP": "on",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "off",
        "STORAGE_URL": f"file://{directory / 'media'}",
        # On, as it is in production, unless the other way is to be measured beside it.
        "ENCRYPT_IDENTIFIERS": os.environ.get("ENCRYPT_IDENTIFIERS", "on"),
    }


def _provisioning(base_url: str) -> str:
    counters = "".join(
        f"""
  [[agencies.counters]]
  metrica_id = {number}
  account = "bench"
  name = "{name}"
  time_zone = "{ZONE}"
  schedule = "{"as they come" if name == "latency" else "manual"}"
{_STATUSES}"""
        for name, number in COUNTERS.items()
    )
    return f"""
[[agencies]]
slug = "{AGENCY}"
name = "Bench"
  [[agencies.accounts]]
  login = "bench"
  token_env = "BENCH_TOKEN"
  base_url = "{base_url}"
  [[agencies.api_keys]]
  name = "bench"
  scopes = ["read", "write"]
  secret_env = "BENCH_KEY"
{counters}
[[agencies]]
slug = "{OTHER_AGENCY}"
name = "Other"
  [[agencies.accounts]]
  login = "other"
  token_env = "BENCH_TOKEN"
  base_url = "{base_url}"
  [[agencies.api_keys]]
  name = "bench"
  scopes = ["read", "write"]
  secret_env = "BENCH_OTHER_KEY"
  [[agencies.counters]]
  metrica_id = {OTHER_COUNTER}
  account = "other"
  name = "other"
  time_zone = "{ZONE}"
  schedule = "as they come"
{_STATUSES}"""
