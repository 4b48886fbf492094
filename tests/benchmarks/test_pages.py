"""The generator and the walk over all pages, on few rows: neither forgets a table or a page, and nothing breaks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.apps import apps

from tests import databases

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not databases.server(), reason="what is filled and measured is PostgreSQL"),
]

LEFT_EMPTY = {
    "counters.QuotaState": "of the moment",
    "counters.Breaker": "of the moment",
    "uploads.Recovery": "after a restore only",
    "uploads.CarriedRow": "after a restore only",
    "uploads.Tally": "totals for Prometheus; no page shows them",
    "uploads.Permit": "of the moment",
    "alerts.AlertMute": "a person's act",
    "hooks.Round": "of the moment",
}
"""Models without rows, and why that is no matter for a page."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with databases.new(tmp_path_factory.mktemp("filled")) as url:
        _run(url, "tests.benchmarks.filling", "--orders", "3000", "--agencies", "3", "--counters", "12")
        yield url


def _run(url: str, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=databases.ROOT,
        env={**kept, "DATABASE_URL": url, "DEBUG": "on", "SANDBOX": "on", "ENV_FILE": os.devnull},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _numbers(url: str, statement: str) -> tuple[int, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row


def test_every_order_has_three_changes_and_its_last_is_its_state(filled: str) -> None:
    assert _numbers(filled, "SELECT count(*), sum(changes_count) FROM orders_order") == (3000, 9000)
    assert _numbers(filled, "SELECT count(*) FROM orders_statuschange") == (9000,)
    wrong = """
        SELECT count(*) FROM orders_order o LEFT JOIN orders_statuschange c ON c.id = o.current_change_id
        WHERE c.order_id IS DISTINCT FROM o.id OR c.seq <> 3 OR c.order_status <> o.order_status
    """
    assert _numbers(filled, wrong) == (0,)


def test_no_table_is_forgotten(filled: str) -> None:
    for model in apps.get_models():
        if not model.__module__.startswith("apps.") or model.__module__.startswith("apps.sandbox") or model._meta.proxy:
            continue
        there = _numbers(filled, f'SELECT count(*) FROM "{model._meta.db_table}"')[0]
        assert there or model._meta.label in LEFT_EMPTY, f"{model._meta.label} has no rows: fill it, or say why not"


def test_what_was_taken_away_for_loading_is_there_again(filled: str, tmp_path: Path) -> None:
    look = """
        SELECT count(*), md5(string_agg(definition, '' ORDER BY definition)) FROM (
            SELECT indexdef AS definition FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        ) everything
    """
    with databases.new(tmp_path) as untouched:
        assert _numbers(filled, look) == _numbers(untouched, look)


@pytest.mark.parametrize("who", ["owner of a big agency", "key of a big agency"])
def test_every_page_and_list_opens(filled: str, who: str) -> None:
    said = _run(filled, "tests.benchmarks.pages", "--times", "0", "--limit", "60000", "--people", who)
    assert "; 0 slower than 60000 ms or broken" in said
