"""A list's own search, filters and order, for more than its page: exports, neighbours of an object, saved filters."""

from collections.abc import Iterator
from copy import copy
from typing import Any, NamedTuple

from django.contrib.admin.filters import FieldListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.formats import number_format
from django.utils.translation import ngettext
from unfold.views import ChangeList

from apps.agencies.merging import Parts, merged

MOST_CHARACTERS = 2_000
"""Of parameters that are kept; a longer search is none that anybody wrote."""


class TenantChangeList(ChangeList):
    """The theme's. A page of it is read part by part, where its admin names the parts. Where only its rows are asked
    for, no page of them is read."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        if stays_unread(request):
            self.result_list = []
            return
        super().get_results(request)
        parts = self.model_admin.parts_of(request)
        if parts is None and not is_few(request):
            return
        whole = self.root_queryset
        if not whole.query.select_related:
            whole = self.apply_select_related(whole)
        if self.multi_page and not (self.show_all and self.can_show_all):
            start = (self.page_num - 1) * self.list_per_page
            stop = start + self.list_per_page
        else:
            start, stop = 0, max(self.list_per_page, self.list_max_show_all)
        self.result_list = merged(self.queryset, parts, start=start, stop=stop, whole=whole)


def few(request: HttpRequest) -> None:
    """The list is down to some rows that are known by their keys, so its parts need not be looked at one by one. Some
    may be ten thousand: what comes along with a row is read for those of the page alone."""
    request.few_rows = True  # type: ignore[attr-defined]


def is_few(request: HttpRequest) -> bool:
    return getattr(request, "few_rows", False)


def counts_modestly(request: HttpRequest) -> None:
    """Each row of the list is looked at for itself, so fewer of them are counted."""
    request.modest_count = True  # type: ignore[attr-defined]


def is_counted_modestly(request: HttpRequest) -> bool:
    return getattr(request, "modest_count", False)


def stays_unread(request: HttpRequest) -> bool:
    return getattr(request, "list_stays_unread", False)


def cut(request: HttpRequest, text: str, *, shown: int) -> None:
    """Some filter, or the search, has not come to all of the rows, but to so many: the text, which has a place for
    `shown`, is said above the list, and its export notes it."""
    said = text % {"shown": number_format(shown, force_grouping=True)}
    known: tuple[str, ...] = getattr(request, "list_cuts", ())
    request.list_cuts = tuple(dict.fromkeys([*known, said]))  # type: ignore[attr-defined]


def search_cut(request: HttpRequest, found: int) -> None:
    """The search has found so many, and there are more."""
    text = ngettext(
        "The search stops at the first %(shown)s that fits: write more of it.",
        "The search stops at the first %(shown)s that fit: write more of it.",
        found,
    )
    cut(request, text, shown=found)


class Listed(NamedTuple):
    """`parts`: by what the rows are read, see `merging`. `cut`: the list's filters or search have not come to all."""

    rows: QuerySet[Any]
    parts: Parts | None
    cut: bool


def rows_of(model_admin: Any, request: HttpRequest, query: str) -> Listed:
    """All rows that the list shows with these parameters, in its order. Raises IncorrectLookupParameters."""
    asked: Any = copy(request)
    asked.GET = QueryDict(query, mutable=True)
    asked.list_stays_unread, asked.list_cuts = True, ()
    for name in (PAGE_VAR, ALL_VAR):
        asked.GET.pop(name, None)
    rows = model_admin.get_changelist_instance(asked).queryset
    return Listed(rows, model_admin.parts_of(asked), cut=bool(asked.list_cuts))


def without_words(parameters: QueryDict) -> str:
    """A list's parameters for the log. What was searched for is somebody's phone or name, and the log stays."""
    shown = parameters.copy()
    if shown.get(SEARCH_VAR):
        shown[SEARCH_VAR] = "(hidden)"
    return shown.urlencode(safe="()")[:1000]


def known_parameters(model_admin: Any, request: HttpRequest, query: str) -> str:
    """What of the parameters this list knows, in one spelling: search, order, and those of its own filters."""
    if len(query) > MOST_CHARACTERS:
        return ""
    given = QueryDict(query)
    known = {*_parameters(model_admin, request), ORDER_VAR, *([SEARCH_VAR] if model_admin.search_fields else [])}
    kept = QueryDict(mutable=True)
    for name in sorted(known.intersection(given)):
        if values := [value for value in given.getlist(name) if value and "\0" not in value]:
            kept.setlist(name, values)
    return kept.urlencode()


def _parameters(model_admin: Any, request: HttpRequest) -> Iterator[str]:
    """As Django's own list makes its filters."""
    model = model_admin.model
    for item in model_admin.get_list_filter(request):
        if callable(item):
            yield from item(request, {}, model, model_admin).expected_parameters()
            continue
        path, kind = item if isinstance(item, (tuple, list)) else (item, FieldListFilter.create)
        field = get_fields_from_path(model, path)[-1]
        yield from kind(field, request, {}, model, model_admin, field_path=path).expected_parameters()
