"""Custom attributes of customers and orders: extra columns in CSV, `attribute_values` in JSON.

Pages: contacts-data, orders-data, createAttributes. That several values of one attribute are a comma list in the
cell, and that JSON holds lists by name, is concluded, not documented.
"""

from collections.abc import Mapping, Sequence

from apps.metrica.problems import BadValue
from apps.metrica.text import _, filled

Names = Mapping[str, bool] | Sequence[str]
"""The custom attributes of a file: names, or names with whether each is multivalued, which is then kept to."""


def checked_names(names: Names, *, columns: Sequence[str]) -> tuple[str, ...]:
    """The names in their order. Raises ValueError for one that is a column of the format, or is there twice."""
    if taken := [name for name in names if name in columns]:
        raise ValueError(f"{taken[0]} is a column of the format and cannot be a custom attribute.")
    if len(set(names)) != len(names):
        raise ValueError("A custom attribute is named twice.")
    return tuple(names)


def cells(attributes: Mapping[str, Sequence[str]], names: Names) -> list[str]:
    """The cells of the custom columns. Raises BadValue for what they cannot hold, among it an attribute without
    a column: leaving it out would delete it at Metrica.
    """
    for name in attributes:
        if name not in names:
            raise BadValue("attribute", filled(_("The attribute %(name)s has no column in this file."), name=name))
    several = names if isinstance(names, Mapping) else {}
    return [_cell(name, attributes.get(name, ()), several.get(name)) for name in names]


def _cell(name: str, values: Sequence[str], multivalued: bool | None) -> str:
    if not values:
        return ""
    if multivalued is False and len(values) > 1:
        raise BadValue("attribute", filled(_("The attribute %(name)s takes one value, not several."), name=name))
    if len(values) == 1 and not multivalued:
        return values[0]
    if any(not value or "," in value for value in values):
        message = _("A value of the attribute %(name)s is empty or holds a comma, so a list of them cannot be written.")
        raise BadValue("attribute", filled(message, name=name))
    return ",".join(values)


def values(attributes: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """`attribute_values` of a JSON object. An attribute without values is left out."""
    return {name: list(texts) for name, texts in attributes.items() if texts}
