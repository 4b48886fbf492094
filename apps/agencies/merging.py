"""The first rows of a list over many counters, agencies or webhooks, each of which has its own stretch of an index.

Asked for the newest rows of forty counters, PostgreSQL reads all that they have and sorts it, or walks back through
everybody's rows until it has met enough of theirs: both take as long as there are rows. Read from each counter's own
stretch, so many as are wanted, and merged, they cost the same at the first and at the ten-millionth row.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models.expressions import Expression, RawSQL

M = TypeVar("M", bound=models.Model)


class _AsItStands(RawSQL):
    """Django looks for columns of a proxy's parent in raw SQL, and would join what they point to."""

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return Expression.resolve_expression(self, *args, **kwargs)


_PART = _AsItStands('"part"."key"', ())


@dataclass(frozen=True, slots=True)
class Parts:
    """What the rows of a list belong to. `field`: the column by which they do; `keys`: the values of all that are
    looked at. It narrows nothing by itself: who may see what is said by the rows, as everywhere (R11)."""

    field: str
    keys: tuple[int, ...]


def merged(
    rows: "models.QuerySet[M]",
    parts: Parts | None,
    *,
    start: int = 0,
    stop: int,
    whole: "models.QuerySet[M] | None" = None,
) -> "models.QuerySet[M]":
    """`rows[start:stop]`, read part by part where that helps. One query, when it is read.

    `rows` are ordered by names of their own columns, of which an index that begins with the part has the rest. `whole`:
    out of which the same rows are read once their keys are known, with what comes along; left out: of `rows`.
    """
    if parts is None or connections[rows.db].vendor != "postgresql":
        return rows[start:stop]
    order = [str(name) for name in rows.query.order_by]
    names = [name.removeprefix("-") for name in order]
    own = [name for name in dict.fromkeys(names) if name not in ("pk", rows.model._meta.pk.name)]
    of_one = rows.filter(**{parts.field: _PART}).values_list(*own, "pk")[:stop]
    try:
        statement, values = of_one.query.get_compiler(rows.db).as_sql()
    except EmptyResultSet:
        return rows.none()
    place = {name: number for number, name in enumerate([*own, "pk"])}
    sorting = ", ".join(
        f'"found"."c{place.get(name, len(own))}"{" DESC" if sign.startswith("-") else ""}'
        for sign, name in zip(order, names, strict=True)
    )
    columns = ", ".join(f'"c{number}"' for number in range(len(own) + 1))
    keys = _AsItStands(
        f'SELECT "found"."c{len(own)}" FROM unnest(%s::bigint[]) AS "part"("key") '  # noqa: S608 - the ORM's own SQL
        f'CROSS JOIN LATERAL ({statement}) AS "found"({columns}) ORDER BY {sorting} LIMIT %s OFFSET %s',
        [list(parts.keys), *values, stop - start, start],
    )
    return (rows if whole is None else whole).filter(pk__in=keys).order_by(*order)
