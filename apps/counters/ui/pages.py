"""Pages that are read: a model's own template in place of a form of greyed-out fields."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse

from apps.agencies.actor import Right
from apps.agencies.tenant_admin import TenantAdmin
from apps.counters.ui.acts import ActingMixin

Panel = Callable[[HttpRequest, Any], str]
"""Draws a part of an object's page as safe HTML; an empty text where there is nothing to show."""


def draw(panels: Iterable[Panel], request: HttpRequest, obj: Any) -> list[str]:
    """What each panel shows of the object; templates cannot call them, as they take arguments."""
    return [panel(request, obj) for panel in panels]


class PageAdmin(ActingMixin, TenantAdmin):
    """A model that nobody edits: its page shows it, and acts change it."""

    page_template = ""
    add_right: ClassVar[Right | None] = None
    change_right: ClassVar[Right | None] = None

    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = self.get_or_404(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return self.render_page(request, obj, extra_context)

    def render_page(
        self, request: HttpRequest, obj: Any, extra_context: dict[str, Any] | None = None, *, template: str = ""
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": str(obj),
            "actions_detail": self.buttons(request, obj),
            "may_operate": self.has_operate_permission(request),
            **self.page_context(request, obj),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template or self.page_template, context)
