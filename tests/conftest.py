"""What every test shares: a real database file, and append-only tables that can still be emptied between tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "goalpost", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("goalpost")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """A database file rather than SQLite's memory: threads of a live server get connections of their own."""
    from django.conf import settings

    config = settings.DATABASES["default"]
    if "sqlite" in config["ENGINE"]:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        name = str(Path(config["NAME"]).with_name(f"tests-{os.getpid()}{worker}.sqlite3"))
        config.setdefault("TEST", {})["NAME"] = name


@pytest.fixture(scope="session", autouse=True)
def _emptying_passes_the_triggers() -> Iterator[None]:
    """Between tests the append-only tables are emptied like all others: their triggers step aside for that."""
    from django.db import connection
    from django.test import TransactionTestCase

    from apps.audit import triggers

    original = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        triggers.drop(connection)
        try:
            original(self)
        finally:
            triggers.create(connection)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _own_media(settings: object, tmp_path: Path) -> None:
    """Kept files of a test go to its own directory; nothing learnt in one test is remembered in the next."""
    from django.contrib.contenttypes.models import ContentType
    from django.core.cache import cache
    from django.utils import translation

    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]
    cache.clear()
    ContentType.objects.clear_cache()
    translation.deactivate()  # a request of the test client leaves its language behind
