"""Lists whose rows are completed for a page at once, so that fifty rows cost no more queries than one."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.text import capfirst

from apps.agencies.changelists import TenantChangeList, stays_unread


class PreparedChangeList(TenantChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not stays_unread(request):
            self.result_list = list(self.result_list)
            self.model_admin.prepare(request, self.result_list)


class PreparedListMixin:
    """`prepare` gets the rows of the page that is about to be drawn.

    `empty_icon`, `empty_title`, `empty_text`: what an empty list says, and what to do about it.
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

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Read what the columns need besides the rows themselves."""
