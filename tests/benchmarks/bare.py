"""The same work done bare, by a script that knows nothing of orders: what the machine itself can do.

Each runs as a process of its own, `python -m tests.benchmarks.bare WORK …`, and prints `{"rows", "seconds"}` as JSON.
"""

import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from apps.metrica.vocabulary import SIMPLE_COLUMNS
from tests.benchmarks.place import ZONE

_TABLE = """
    CREATE TABLE bare_orders (
        id text, create_date_time timestamp, client_uniq_id text, client_ids text, emails text, phones text,
        order_status text, revenue numeric, cost numeric, goals text, currency text
    )
"""
_COLUMNS = f"""
    SELECT o.order_id, to_char(o.create_date_time AT TIME ZONE '{ZONE}', 'YYYY-MM-DD HH24:MI:SS'), c.uniq_id,
        coalesce(o.identifiers #>> '{{client_ids,0}}', c.identifiers #>> '{{client_ids,0}}'),
        coalesce(o.identifiers #>> '{{emails,0}}', c.identifiers #>> '{{emails,0}}'),
        coalesce(o.identifiers #>> '{{phones,0}}', c.identifiers #>> '{{phones,0}}'),
        NULL, NULL, s.order_status, s.revenue, s.cost, s.goals #>> '{{0,goal_action_id}}', s.currency
    FROM orders_statuschange s
    JOIN orders_order o ON o.id = s.order_id
    JOIN counters_counter k ON k.id = s.counter_id
    LEFT JOIN clients_client c ON c.id = o.client_id
    WHERE k.metrica_id = %s
"""


def copy(database_url: str, file: str) -> int:
    """psycopg COPY of the file's rows, read by the csv module, into one plain table without indexes."""
    rows = 0
    with (
        psycopg.connect(database_url) as connection,
        connection.cursor() as cursor,
        Path(file).open(newline="", encoding="utf-8") as lines,
    ):
        cursor.execute("DROP TABLE IF EXISTS bare_orders")
        cursor.execute(_TABLE)
        reader = csv.reader(lines)
        columns = ", ".join(next(reader))
        with cursor.copy(f"COPY bare_orders ({columns}) FROM STDIN") as into:
            for cells in reader:
                into.write_row([cell or None for cell in cells])
                rows += 1
    return rows


def write(database_url: str, counter: str, file: str) -> int:
    """The csv module writing the columns of a counter's changes as a server-side cursor gives them."""
    rows = 0
    with (
        psycopg.connect(database_url) as connection,
        connection.cursor(name="bare") as cursor,
        Path(file).open("w", newline="", encoding="utf-8") as out,
    ):
        cursor.itersize = 5000
        cursor.execute(_COLUMNS, [int(counter)])
        writer = csv.writer(out)
        writer.writerow(SIMPLE_COLUMNS)
        while page := cursor.fetchmany(5000):
            writer.writerows(page)
            rows += len(page)
    return rows


if __name__ == "__main__":
    works: dict[str, Callable[..., int]] = {"copy": copy, "write": write}
    began = time.monotonic()
    done = works[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"rows": done, "seconds": time.monotonic() - began}))
