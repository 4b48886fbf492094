"""What customers and orders share in the detailed format: custom columns behind the full header, a row or an object
that becomes a record. Pages: contacts-data, orders-data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from apps.metrica.vocabulary import Delimiter
from apps.metrica.wire import attributes as custom
from apps.metrica.wire import json_fields, reading
from apps.metrica.wire.json_reading import JsonItems, ReadItem
from apps.metrica.wire.reading import ReadRow
from apps.metrica.wire.rows import RowsWriter

T = TypeVar("T")


class DetailedWriter(RowsWriter[T]):
    """CSV: the full header, then `attributes`, the custom columns (names, or names with whether each is multivalued).
    Times go out on the clock of `zone`. Raises UnwritableRow.

    A format's own writer names `known`, Metrica's own columns, and `cells`, which gives a record's cells for them, then
    those of the custom columns.
    """

    known: ClassVar[Sequence[str]]
    cells: ClassVar[Callable[..., list[str]]]

    def __init__(
        self,
        fp: BinaryIO,
        *,
        zone: ZoneInfo,
        attributes: custom.Names = (),
        delimiter: Delimiter = Delimiter.COMMA,
    ) -> None:
        columns = (*self.known, *custom.checked_names(attributes, columns=self.known))
        cells = partial(self.cells, zone=zone, attributes=attributes)
        super().__init__(fp, columns=columns, cells=cells, delimiter=delimiter)


def read_row(
    row: reading.Row, *, make: Callable[..., T], times: Mapping[str, str], attributes: Mapping[str, bool]
) -> ReadRow[T]:
    """The row as a record or with what is wrong. `times`: the flag of each time, as for `with_times`."""
    if row.errors:
        return ReadRow(row.line, None, tuple(row.errors))
    found = reading.with_attributes(row.values, attributes)
    return ReadRow(row.line, make(**reading.with_times(found, times)), ())


def read_items(
    fp: BinaryIO,
    *,
    key: str,
    make: Callable[..., T],
    times: Mapping[str, str],
    parsers: Mapping[str, json_fields.Parser],
    attributes: Mapping[str, bool] | None,
    required: Sequence[str],
    passed_over: Sequence[str],
    ignore_unknown: bool,
) -> Iterator[ReadItem[T]]:
    """Objects of `{key: […]}` in their order, in flat memory. `attributes`: the counter's custom ones, {name: whether
    multivalued}. Raises UnusableJson while iterating where the body stops being readable."""
    own = json_fields.attributes_of(attributes or {}, ignore_unknown=ignore_unknown)
    parsers = {**parsers, "attribute_values": own}
    for index, item in JsonItems(fp, key=key, ignore_unknown=ignore_unknown):
        found, problems = json_fields.read_object(
            item,
            at=f"{key}[{index}]",
            parsers=parsers,
            required=required,
            passed_over=passed_over,
            ignore_unknown=ignore_unknown,
        )
        if problems:
            yield ReadItem(index, None, tuple(problems))
            continue
        found["attributes"] = found.pop("attribute_values", {})
        yield ReadItem(index, make(**reading.with_times(found, times)), ())
