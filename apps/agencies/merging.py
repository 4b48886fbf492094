"""The first rows of a list over many counters, agencies or webhooks, each of which has its own stretch of an index.

Asked for the newest rows of forty counters, PostgreSQL reads all that they have and sorts it, or walks back through
everybody's rows until it has met enough of theirs: both take as long as there are rows. Read from each counter's own
stretch, so many as are wanted, and merged, they cost the same at the first and at the ten-millionth row.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models.expressions import Expression, RawSQL, Value

M = TypeVar("M", bound=models.Model)


class _AsItStands(RawSQL):
    """Django looks for columns of a proxy's parent in raw SQL, and would join what they point to."""

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        return Expression.resolve_expression(self, *args, **kwargs)


_PART = _AsItStands('"part"."key"', ())
_EACH_PART = 'FROM unnest(%s::bigint[]) AS "part"("key") CROSS JOIN LATERAL'


@dataclass(frozen=True, slots=True)
class Parts:
    """What the rows of a list belong to. `field`: the column by which they do; `keys`: the values of all that are
    looked at. It narrows nothing by itself: who may see what is said by the rows, as everywhere (R11)."""

    field: str
    keys: tuple[int, ...]

    @property
    def helps(self) -> bool:
        """Whether there are parts to be read one by one."""
        return bool(self.field)


WHOLE: Final = Parts("", ())
"""One index has all rows in the list's order; what comes along with them is read for the page alone."""


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
    if parts is None or not parts.helps or connections[rows.db].vendor != "postgresql":
        if whole is None:
            return rows[start:stop]
        page = rows.select_related(None).values("pk")[start:stop]
        return whole.filter(pk__in=page).order_by(*rows.query.order_by)
    order = [str(name) for name in rows.query.order_by]
    names = [name.removeprefix("-") for name in order]
    own = [name for name in dict.fromkeys(names) if name not in ("pk", rows.model._meta.pk.name)]
    of_one = _of_one(rows, parts).values_list(*own, "pk")[:stop]
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
        f'SELECT "found"."c{len(own)}" {_EACH_PART} '
        f'({statement}) AS "found"({columns}) ORDER BY {sorting} LIMIT %s OFFSET %s',
        [list(parts.keys), *values, stop - start, start],
    )
    return (rows if whole is None else whole).filter(pk__in=keys).order_by(*order)


def counted(rows: "models.QuerySet[Any]", parts: Parts | None, *, most: int) -> int:
    """How many rows there are, `most` at most. One query, which ends as soon as it has met so many."""
    connection = connections[rows.db]
    rows = rows.order_by()
    if connection.vendor != "postgresql" or rows.query.distinct:
        return (rows if rows.query.distinct else rows.values("pk"))[:most].count()
    bare = rows.values(one=Value(1))  # no column of the row, so an index alone can answer
    if parts is None or not parts.helps:
        return bare[:most].count()
    try:
        statement, values = _of_one(bare, parts)[:most].query.get_compiler(rows.db).as_sql()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT COUNT(*) FROM (SELECT 1 {_EACH_PART} ({statement}) AS "found" LIMIT %s) AS "some"',  # noqa: S608
            [list(parts.keys), *values, most],
        )
        (number,) = cursor.fetchone()
    return int(number)


def _of_one(rows: "models.QuerySet[M]", parts: Parts) -> "models.QuerySet[M]":
    return rows.filter(**{parts.field: _PART})
