"""What every test shares: a real database file, and append-only tables that can still be emptied between tests."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import databases

hypothesis.settings.register_profile(
    "goalpost", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("goalpost")


HEAVY = (
    "uploads/test_breakdowns.py",
    "e2e/test_killed.py",
    "project/test_moving.py",
    "uploads/test_a_week.py",
    "admin/test_links.py",
    "uploads/test_commands.py",
    "e2e/test_limits.py",
    "e2e/test_rotation.py",
    "api/test_schemathesis.py",
    "access/test_table.py",
    "api/test_streams_over_http.py",
    "api/test_repeating_over_http.py",
    "e2e/test_detailed_case.py",
    "uploads/test_fences.py",
    "e2e/test_restore.py",
    "uploads/test_refused.py",
    "imports/test_process.py",
    "e2e/test_redis.py",
    "e2e/test_laws.py",
    "counters/quotas/test_measured.py",
    "sandbox/test_alone.py",
    "sandbox/test_processes.py",
    "e2e/test_worked_cases.py",
    "e2e/test_closing_the_loop.py",
    "metrica/test_speed.py",
    "uploads/test_stopping.py",
    "uploads/test_many_workers.py",
    "browser/test_every_page.py",
    "admin/access/test_addresses.py",
    "admin/access/test_numbers.py",
    "admin/access/test_filters.py",
    "browser/test_the_whole_way.py",
    "browser/test_walk.py",
    "browser/test_connect_yandex.py",
    "browser/test_statuses_in_step.py",
    "browser/test_keys.py",
    "uploads/test_unknown_outcome.py",
    "uploads/test_detailed.py",
    "uploads/test_waves.py",
    "uploads/test_stopping.py",
)
"""Modules that take longest, the longest first: begun last, one of them would keep a single worker busy at the end."""


ONCE = (
    "browser",
    *(f"sandbox/test_contract_{of}.py" for of in ("contacts", "goals", "management", "orders", "reports", "schema")),
    "sandbox/test_oauth.py",
    *(f"admin/test_{page}.py" for page in ("attackers_words", "connect_yandex", "counter_page", "import_counters")),
    *(f"admin/test_{page}.py" for page in ("leaving", "mapping_in_step", "receiver_pages", "webhook_pages")),
    "admin/access/test_forms.py",
)
"""What is about pages, words and answers, which are the same whatever the database is: it runs on SQLite alone. Lists,
filters, searches, sums and exports are asked on both; so is all that takes in, sends and keeps."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-with-database",
        action="store_true",
        help="leave out tests that may not touch the database, and those of ONCE, which are the same whatever it is",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--only-with-database"):
        once = tuple(Path(__file__).parent / name for name in ONCE)
        kept = {item for item in items if _may_reach_database(item) and not _lies_in(item, once)}
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]
    here = Path(__file__).parent
    place = {here / module: number for number, module in enumerate(HEAVY)}
    items.sort(key=lambda item: place.get(item.path, len(HEAVY)))


def _may_reach_database(item: pytest.Item) -> bool:
    """By the test's own process, which pytest-django keeps from it otherwise, or by processes that it starts."""
    asked = {"db", "transactional_db", "live_server"}.intersection(getattr(item, "fixturenames", ()))
    return bool(asked) or any(item.get_closest_marker(name) for name in ("django_db", "processes"))


def _lies_in(item: pytest.Item, places: Iterable[Path]) -> bool:
    return any(item.path == place or place in item.path.parents for place in places)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        databases.forget()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """A copy of a database that was migrated once for all workers, which takes most of ten seconds. On SQLite a file
    rather than its memory: threads of a live server get connections of their own."""
    from django.conf import settings
    from django.db import connections

    config = settings.DATABASES["default"]
    test = config.setdefault("TEST", {})
    if "sqlite" not in config["ENGINE"]:
        test["TEMPLATE"] = databases.template()
        yield
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    path = Path(config["NAME"]).with_name(f"tests-{os.getpid()}{worker}.sqlite3")
    databases.in_file(path)
    test["NAME"] = str(path)
    yield
    connections.close_all()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The copy is used as it is."""
    from django.db import connection

    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """With a look-up key that the suite's ENCRYPTION_KEYS open: one made within a test's transaction is read again for
    each line."""
    from apps.clients import blind
    from apps.clients.models import IndexKey

    with django_db_blocker.unblock():
        blind.key()
        blind.all_keyed()
        _index_key.append(IndexKey.objects.get())


_index_key: list[Any] = []


@pytest.fixture(scope="session", autouse=True)
def _only_what_was_written_is_emptied() -> Iterator[None]:
    """Django empties every table between tests and fills in its own again, which on PostgreSQL takes longer than most
    tests do."""
    from django.test import TransactionTestCase

    original = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = _empty_what_was_written  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]


def _empty_what_was_written(_case: object) -> None:
    """The append-only tables too: their triggers step aside for that. Keys are checked at the end, as always."""
    from django.db import connection, transaction

    from apps.audit import triggers

    quote = connection.ops.quote_name
    tables = set(connection.introspection.django_table_names(include_views=False)) - _FILLED_AT_MIGRATE
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quote(table)})" for table in sorted(tables)
            )
        )
        written = {name for (name,) in cursor.fetchall()}
        if written.intersection(triggers.TABLES):
            triggers.drop(connection)
        for table in written:
            cursor.execute(f"DELETE FROM {quote(table)}")
        triggers.create(connection)
    _put_back_the_index_key()


def _put_back_the_index_key() -> None:
    from apps.clients import blind
    from apps.clients.models import IndexKey

    fields = [field.attname for field in IndexKey._meta.concrete_fields]
    for kept in _index_key:
        if list(IndexKey.objects.values_list(*fields)) != [tuple(getattr(kept, name) for name in fields)]:
            IndexKey.objects.all().delete()
            IndexKey.objects.bulk_create([kept])
            blind.forget()


_FILLED_AT_MIGRATE = {"django_content_type", "auth_permission", "clients_indexkey"}


@pytest.fixture(autouse=True)
def _own_media(settings: object, tmp_path: Path) -> None:
    """Kept files of a test go to its own directory; nothing learnt in one test is remembered in the next."""
    from django.contrib.contenttypes.models import ContentType
    from django.core.cache import cache
    from django.utils import translation

    from apps.agencies import key_uses
    from apps.goals.resolve import Resolver

    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]
    cache.clear()
    ContentType.objects.clear_cache()
    key_uses.forget()
    Resolver.forget()
    translation.deactivate()  # a request of the test client leaves its language behind
