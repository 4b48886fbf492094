"""Which words the log has in a column of few different ones (who acted, what was done), so that a part of such a word
finds its entries by the whole, from an index.

PostgreSQL jumps through its index from one value to the next: so many steps as there are values, not entries.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from django.db import connection
from django.db.models import Q

from apps.agencies.models import Agency
from apps.audit.models import AuditEntry

MOST: Final = 2_000
"""Of an agency's values so many are looked at."""

Known = list[tuple[int | None, str]]
"""(agency, value); no agency: the platform's own log."""

# `{same}`: how the agency of an entry is compared with the one that is looked through.
_STEPS: Final = """
    WITH RECURSIVE known (agency, value, number) AS (
        SELECT part.key, first.value, 1 FROM unnest(%s::bigint[]) AS part (key), LATERAL (
            SELECT {column} AS value FROM audit_auditentry WHERE agency_id {first} ORDER BY {column} LIMIT 1
        ) first
        UNION ALL
        SELECT known.agency, next.value, known.number + 1 FROM known, LATERAL (
            SELECT {column} AS value FROM audit_auditentry
            WHERE agency_id {next} AND {column} > known.value ORDER BY {column} LIMIT 1
        ) next
        WHERE known.number < %s
    )
    SELECT agency, value FROM known
"""


def entries_with(column: str, fits: Callable[[str], bool], *, agencies: Collection[int] | None) -> Q | None:
    """Entries of which `column` (actor_label or action) has a value that fits; None: there is no such value.

    `agencies`: primary keys of those in view; None: all, and the platform's own log. One query for the values, and one
    more where all are in view.
    """
    found = [(agency, value) for agency, value in _values(column, agencies) if fits(value)]
    if not found:
        return None
    values = {f"{column}__in": sorted({value for _agency, value in found})}
    within = {agency for agency, _value in found}
    of_agencies, of_platform = Q(agency__in=within - {None}, **values), Q(agency__isnull=True, **values)
    if None not in within:
        return of_agencies
    return of_platform if len(within) == 1 else of_agencies | of_platform


def _values(column: str, agencies: Collection[int] | None) -> Iterable[tuple[int | None, str]]:
    if connection.vendor != "postgresql":
        rows = AuditEntry.objects.order_by() if agencies is None else AuditEntry.objects.filter(agency__in=agencies)
        return rows.order_by().values_list("agency_id", column).distinct()
    if agencies is not None:
        return _jumped(column, list(agencies), first="= part.key", following="= known.agency")
    everybody = list(Agency.objects.order_by().values_list("pk", flat=True))
    return [
        *_jumped(column, everybody, first="= part.key", following="= known.agency"),
        *((None, value) for _agency, value in _jumped(column, [0], first="IS NULL", following="IS NULL")),
    ]


def _jumped(column: str, agencies: list[int], *, first: str, following: str) -> Known:
    name = connection.ops.quote_name(AuditEntry._meta.get_field(column).column)  # type: ignore[arg-type, union-attr]
    with connection.cursor() as cursor:
        cursor.execute(_STEPS.format(column=name, first=first, next=following), [agencies, MOST])
        return cursor.fetchall()
