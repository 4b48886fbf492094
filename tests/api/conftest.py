"""A caller of the API with a key, who gets parsed answers; and two agencies with a counter each."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client

from apps.agencies.models import Agency
from apps.api import limits
from apps.counters.models import Counter
from project.processes import Processes, free_port
from tests import databases
from tests.factories import make_agency, make_counter, make_key


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any

    @property
    def codes(self) -> set[str]:
        return {error["code"] for error in self.body["errors"]}


@dataclass
class Caller:
    """Speaks JSON with one key. `raw` takes bytes as they are."""

    key: str
    base: str = "/api/v1/"
    client: Client = field(default_factory=lambda: Client(raise_request_exception=True))

    def __call__(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Answer:
        sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        content_type = headers.pop("content_type", "application/json")
        if self.key:
            headers.setdefault("authorization", f"Bearer {self.key}")
        response = self.client.generic(
            method, self.base + path, data=sent, content_type=content_type, headers=headers or None
        )
        content = b"".join(response.streaming_content) if response.streaming else response.content
        is_json = "json" in response.headers.get("Content-Type", "").replace("ndjson", "")
        return Answer(response.status_code, json.loads(content) if is_json and content else content, response.headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self("DELETE", path, **headers)


@pytest.fixture(autouse=True)
def _nothing_spent() -> None:
    """Keys of different tests may have the same number."""
    limits.forget()


@pytest.fixture
def agency(db: None) -> Agency:
    return make_agency("north")


@pytest.fixture
def counter(agency: Agency) -> Counter:
    return make_counter(agency, metrica_id=40000001, name="Dental clinics")


@pytest.fixture
def caller_for(db: None) -> Callable[..., Caller]:
    def make(agency: Agency, **fields: Any) -> Caller:
        return Caller(make_key(agency, **fields)[1])

    return make


@pytest.fixture
def api(agency: Agency, caller_for: Callable[..., Caller]) -> Caller:
    """The agency's caller, with both scopes."""
    return caller_for(agency)


@pytest.fixture
def outsider(caller_for: Callable[..., Caller]) -> Caller:
    """A caller of another agency, which has a counter of its own."""
    other = make_agency("south")
    make_counter(other, metrica_id=40000002)
    return caller_for(other)


@pytest.fixture(scope="module")
def gunicorn(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., AbstractContextManager[Processes]]]:
    """`with gunicorn(workers=2) as web: …`: real processes on the database of the tests, whose rows they see once they
    are committed."""
    name = connection.settings_dict["NAME"]
    address = databases.address_of(str(name)) if connection.vendor == "postgresql" else f"sqlite:///{name}"

    @contextmanager
    def started(*, workers: int = 1, threads: int = 4, **settings: str) -> Iterator[Processes]:
        environment = {"DATABASE_URL": address, "DEBUG": "off", "ENV_FILE": os.devnull, **_PRODUCTION, **settings}
        directory = tmp_path_factory.mktemp("gunicorn")
        with Processes(environment=environment, log_dir=directory, port=free_port()) as processes:
            processes.start_web(workers=workers, threads=threads)
            processes.wait_for_web()
            yield processes

    yield started


_PRODUCTION = {
    "SECRET_KEY": "of-a-test-" + "x" * 50,
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "off",
}
