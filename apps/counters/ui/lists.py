"""Lists whose rows are completed for a page at once, so that fifty rows cost no more queries than one; and lists of
what belongs to counters, by the million."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from apps.agencies.access import actor_of
from apps.agencies.changelists import TenantChangeList, few, is_few, stays_unread
from apps.agencies.merging import WHOLE, Parts
from apps.counters.models import Counter
from apps.metrica.text import Text

_UNNARROWED = frozenset({PAGE_VAR, ALL_VAR, ERROR_FLAG})
_LONGEST_KEY = 18


class PreparedChangeList(TenantChangeList):
    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.empty_link = self.model_admin.empty_link(request)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not stays_unread(request):
            self.result_list = list(self.result_list)
            self.model_admin.prepare(request, self.result_list)


@dataclass(frozen=True, slots=True)
class EmptyLink:
    """Where an empty list leads on to."""

    url: str
    title: Text
    icon: str


class PreparedListMixin:
    """`prepare` gets the rows of the page that is about to be drawn.

    `empty_icon`, `empty_title`, `empty_text`, `empty_link`: what an empty list says, and what to do about it.
    """

    opts: Any
    empty_icon = "inbox"
    empty_title: Any = ""
    empty_text: Any = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PreparedChangeList]:
        return PreparedChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})  # type: ignore[misc]

    def empty_link(self, request: HttpRequest) -> EmptyLink | None:
        """The next step, where it is none of adding a row here."""
        return None

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Read what the columns need besides the rows themselves."""


def counters_in_view(request: HttpRequest) -> tuple[int, ...]:
    """Primary keys of the counters that the person sees, read once a request."""
    known: tuple[int, ...] | None = getattr(request, "counters_in_view", None)
    if known is None:
        known = tuple(Counter.objects.visible_to(actor_of(request)).order_by().values_list("pk", flat=True))
        request.counters_in_view = known  # type: ignore[attr-defined]
    return known


def chosen_counter(request: HttpRequest) -> int | None:
    """The one that the list is narrowed to by its filter, seen by the person or not."""
    text = request.GET.get("counter__id__exact", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_KEY else None


def exactly(request: HttpRequest, rows: QuerySet[Any], term: str, *fields: str) -> QuerySet[Any]:
    """Rows of which one of the fields is just what was written; all of them where nothing was. Answered by the fields'
    indexes, as they hold the texts as they are."""
    term = term.strip()
    if not term:
        return rows
    few(request)
    found = Q()
    for name in fields:
        field: Any = rows.model._meta.get_field(name)
        try:
            found |= Q(**{name: (field.target_field if field.is_relation else field).to_python(term)})
        except ValidationError:
            continue  # no key of such things is written so
    return rows.filter(found) if found and "\0" not in term else rows.none()


class ByCounterMixin:
    """Reads the list counter by counter: an index begins with the counter and goes on with what the list is sorted by.

    Who looks at all agencies has an index of the whole table for the list as it is, and needs the counters' ones as
    soon as it is narrowed.
    """

    whole_with: ClassVar[frozenset[str]] = _UNNARROWED
    """Parameters with which an index of the whole table has the list nevertheless."""

    def narrowed(self, request: HttpRequest, rows: Any) -> Any:
        """By the keys of the counters that `visible_to` lets through: the same rows, in a form whose size the database
        can foresee. By way of the counter's agency it takes the rows of an agency for a handful, and picks an index for
        a handful."""
        if actor_of(request).agencies is None:
            return super().narrowed(request, rows)  # type: ignore[misc]
        return rows.filter(counter__pk__among=counters_in_view(request))

    def parts_of(self, request: HttpRequest) -> Parts | None:
        if is_few(request):
            return None
        if (chosen := chosen_counter(request)) is not None:
            return Parts("counter", (chosen,))
        given = {name for name, value in request.GET.items() if value}
        if actor_of(request).agencies is None and given <= self.whole_with:
            return WHOLE
        return Parts("counter", counters_in_view(request))
