"""The generator and the walk over all pages, on few rows: neither forgets a table or a page, nothing breaks, and no
page needs more queries than are pinned."""

import os
import re
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
    "dashboard.StaleDay": "of the moment",
    "uploads.Recovery": "after a restore only",
    "uploads.CarriedRow": "after a restore only",
    "uploads.Tally": "totals for Prometheus; no page shows them",
    "uploads.Permit": "of the moment",
    "hooks.Round": "of the moment",
    "receivers.Round": "of the moment",
    "orders.Erasure": "what is still to be gone through; a client's page tells of its own",
    "uploads.Retention": "how far a walk of the tick has come; no page shows it",
    "api.KeptAnswer": "no page shows them",
    "api.Spending": "no page shows them",
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
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
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


def test_whoever_has_a_contact_is_found_by_it(filled: str) -> None:
    """The look-up is as intake writes it, but for the key: by the same digest, of the order's counter and client."""
    from apps.clients.contacts import unkeyed

    with psycopg.connect(filled) as connection:
        told: dict[int, set[int]] = {}
        for digest, order in connection.execute("SELECT digest, order_key FROM clients_contact WHERE NOT keyed"):
            told.setdefault(order, set()).add(digest)
        orders = connection.execute("SELECT id, identifiers FROM orders_order WHERE client_id IS NULL").fetchall()
        clients = connection.execute("SELECT id, identifiers FROM clients_client").fetchall()
    assert len(orders) > 500
    assert len(clients) > 500
    for key, identifiers in [*orders, *clients]:
        wanted = {unkeyed(kind, value) for kind, values in identifiers.items() for value in values}
        assert told.get(key, set()) >= wanted


def test_no_table_is_forgotten(filled: str) -> None:
    for model in apps.get_models():
        if not model.__module__.startswith("apps.") or model.__module__.startswith("apps.sandbox") or model._meta.proxy:
            continue
        there = _numbers(filled, f'SELECT count(*) FROM "{model._meta.db_table}"')[0]
        assert there or model._meta.label in LEFT_EMPTY, f"{model._meta.label} has no rows: fill it, or say why not"


def test_what_was_taken_away_for_loading_is_there_again(filled: str, tmp_path: Path) -> None:
    with databases.new(tmp_path) as untouched:
        assert _built(filled) == _built(untouched)


def _built(url: str) -> set[str]:
    """Indexes and constraints. A list of texts that PostgreSQL has read back is cast in other places than at first."""
    look = """
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    """
    with psycopg.connect(url) as connection:
        return {re.sub(r"::(text|character varying)(\[\])?|[()]", "", row[0]) for row in connection.execute(look)}


def test_no_row_refers_to_one_that_is_not_there(filled: str) -> None:
    """Nobody looked while they were loaded."""
    with psycopg.connect(filled) as connection:
        keys = connection.execute(
            """
            SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, b.attname
            FROM pg_constraint c
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
            WHERE c.contype = 'f'
            """
        ).fetchall()
        assert len(keys) > 50
        for table, column, other, key in keys:
            lost = connection.execute(
                f"SELECT count(*) FROM {table} t LEFT JOIN {other} o ON o.{key} = t.{column} "
                f"WHERE t.{column} IS NOT NULL AND o.{key} IS NULL"
            ).fetchone()
            assert lost == (0,), f"{table}.{column}"


@pytest.mark.parametrize("who", ["owner of a big agency", "limited manager", "key of a big agency"])
def test_every_page_opens_and_needs_no_more_queries_than_are_pinned(filled: str, who: str) -> None:
    said = _run(filled, "tests.benchmarks.pages", "--times", "1", "--limit", "60000", "--people", who)
    assert "; 0 slower than 60000 ms or broken; 0 with more queries than pinned" in said
