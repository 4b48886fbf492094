"""Totals that only grow, for whoever watches the machinery: written with the steps that they count, read without
counting anything.

Each counter has rows of its own: one job of a counter runs at a time, so nobody waits for another's row.
"""

from collections.abc import Iterable, Mapping

from django.db import connection
from django.db.models import Sum

from apps.uploads.models import Tally

EVERYBODY = 0
"""The part for what belongs to no counter."""

_ADD = """
    INSERT INTO uploads_tally (name, part, value) VALUES {rows}
    ON CONFLICT (name, part) DO UPDATE SET value = uploads_tally.value + excluded.value
"""


def add(part: int, amounts: Mapping[str, float]) -> None:
    """Raise these totals of a counter (primary key) or of EVERYBODY. One statement, in the transaction of the step."""
    rows = [(name, part, amount) for name, amount in sorted(amounts.items()) if amount]
    if not rows:
        return
    sql = _ADD.format(rows=", ".join(["(%s, %s, %s)"] * len(rows)))
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for row in rows for value in row])


def totals(names: Iterable[str]) -> dict[str, float]:
    """{name: total of all parts}; what was never counted is 0. One query over as many rows as there are counters."""
    wanted = list(names)
    found = Tally.objects.filter(name__in=wanted).values_list("name").annotate(total=Sum("value"))
    return {**dict.fromkeys(wanted, 0.0), **dict(found.order_by())}
