"""Which counters a person, an invitation or a key is limited to, as pages show it: by name, a page's rows at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.views import ChangeList

from apps.agencies import panels

SHOWN = 4
"""Names that a row of a list has room for; the rest are a number."""


def names_of(rows: Sequence[Any], *, most: int | None = None) -> Mapping[tuple[int, int], str]:
    """By agency and number, what the counters of these rows are called, of each row the first `most`. One query where
    a row is limited, none else."""
    wanted: dict[int, set[int]] = {}
    for row in rows:
        wanted.setdefault(row.agency_id, set()).update((row.counter_ids or [])[:most])
    wanted = {agency: numbers for agency, numbers in wanted.items() if numbers}
    if not wanted:
        return {}
    return {key: name for named in panels.counters_named for key, name in named(wanted).items()}


class _NamingChangeList(ChangeList):
    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        names = names_of(self.result_list, most=SHOWN)
        for row in self.result_list:
            row.shown_limit = _text(row, names, most=SHOWN)


class LimitColumnMixin:
    """A column `shown_counters` of rows with `agency_id` and `counter_ids`."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _NamingChangeList

    @display(description=_("counters"))
    def shown_counters(self, row: Any) -> Any:
        known = getattr(row, "shown_limit", None)
        return _text(row, names_of([row])) if known is None else known


def _text(row: Any, names: Mapping[tuple[int, int], str], *, most: int | None = None) -> Any:
    if row.counter_ids is None:
        return _("all")
    shown = row.counter_ids[:most]
    text = ", ".join(names.get((row.agency_id, number), str(number)) for number in shown)
    return f"{text} +{rest}" if (rest := len(row.counter_ids) - len(shown)) else text
