"""The menu of saved filters beside every list: choose one, save what is chosen, rename, delete, begin with one.

The menu is asked for when it is opened, so that a list costs the same with it. Whatever comes in as parameters is cut
to those that the list knows, and leads to that list only.
"""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from apps.agencies import saved_filters
from apps.agencies.access import actor_of
from apps.agencies.changelists import known_parameters
from apps.agencies.models import SavedFilter

WHOLE = "?q="
"""The list without any filter, where its bare address would begin with the one that the person has chosen for it."""


def whole_list(model: str) -> str:
    """The address of the list of `app_model` without any filter, whatever it begins with for the person: for links
    that mean all of it."""
    return reverse(f"admin:{model}_changelist") + WHOLE


class SavedFiltersMixin:
    """For a TenantAdmin."""

    opts: Any

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view  # type: ignore[attr-defined]
        own = [
            path("filters/", guarded(self.filters_view), name=f"{self._filters_list}_filters"),
            path("filters/<int:filter_id>/", guarded(self.filter_view), name=f"{self._filters_list}_filter"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "GET" and not request.GET and (start := self._filters_start(request)):
            return HttpResponseRedirect(f"{self._filters_page}?{start}")
        return super().changelist_view(request, extra_context)  # type: ignore[misc]

    def filters_view(self, request: HttpRequest) -> HttpResponse:
        """The menu; by POST, keeps what is chosen now."""
        self._filters_check(request)
        if request.method == "POST":
            return self._filters_save(request)
        actor, query = actor_of(request), request.GET.urlencode()
        start = set(getattr(request.user, "start_filters", ()))
        found = [
            {
                "saved": saved,
                "query": known_parameters(self, request, saved.query),
                "may_change": saved_filters.may_change(actor, saved),
                "is_start": saved.pk in start,
                "url": reverse(f"admin:{self._filters_list}_filter", args=[saved.pk]),
            }
            for saved in self._filters_saved(request).order_by("shared", "name", "pk")
        ]
        context = {
            "filters": found,
            "here": known_parameters(self, request, query),
            "page": self._filters_page,
            "whole": WHOLE,
            "save_url": reverse(f"admin:{self._filters_list}_filters"),
            "may_share": saved_filters.may_share(actor),
        }
        answer = TemplateResponse(request, "admin/saved_filters.html", context)
        patch_cache_control(answer, no_store=True, private=True)
        return answer

    def filter_view(self, request: HttpRequest, filter_id: int) -> HttpResponse:
        """The list with this filter; by POST, what is to be done with it."""
        self._filters_check(request)
        saved = self._filters_saved(request).select_related("agency").filter(pk=filter_id).first()
        if saved is None:
            raise Http404
        if request.method != "POST":
            return HttpResponseRedirect(f"{self._filters_page}?{known_parameters(self, request, saved.query)}")
        actor, deed = actor_of(request), request.POST.get("do", "")
        try:
            if deed == "rename":
                saved_filters.rename_filter(actor=actor, saved=saved, name=request.POST.get("name", ""))
                messages.success(request, _("The filter is called “%(name)s” now.") % {"name": saved.name})
            elif deed == "delete":
                saved_filters.delete_filter(actor=actor, saved=saved)
                messages.success(request, _("The filter “%(name)s” is deleted.") % {"name": saved.name})
            elif deed == "start":
                saved_filters.start_with(actor=actor, saved=saved)
                messages.success(request, _("For you this list begins with “%(name)s” now.") % {"name": saved.name})
            elif deed == "whole":
                saved_filters.start_with(actor=actor, saved=saved, on=False)
                messages.success(request, _("For you this list begins whole again."))
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        return self._filters_back(request)

    def _filters_save(self, request: HttpRequest) -> HttpResponse:
        try:
            saved = saved_filters.save_filter(
                actor=actor_of(request),
                list_name=self._filters_list,
                name=request.POST.get("name", ""),
                query=known_parameters(self, request, request.POST.get("query", "")),
                shared="shared" in request.POST,
            )
        except ValidationError as refusal:
            messages.error(request, refusal.messages[0])
        else:
            messages.success(request, _("Saved: “%(name)s” is in the menu of filters now.") % {"name": saved.name})
        return self._filters_back(request)

    def _filters_back(self, request: HttpRequest) -> HttpResponse:
        """To the list as it was."""
        query = known_parameters(self, request, request.POST.get("query", ""))
        return HttpResponseRedirect(f"{self._filters_page}?{query}" if query else f"{self._filters_page}{WHOLE}")

    def _filters_check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied

    def _filters_saved(self, request: HttpRequest) -> Any:
        return SavedFilter.objects.visible_to(actor_of(request)).filter(list_name=self._filters_list)

    def _filters_start(self, request: HttpRequest) -> str:
        """Parameters with which the list opens for this person, if they come from somewhere else: from the list itself
        its bare address leads to all of it."""
        chosen = getattr(request.user, "start_filters", None)
        if not chosen or urlsplit(request.headers.get("Referer", "")).path == request.path:
            return ""
        saved = self._filters_saved(request).filter(pk__in=chosen).first()
        return known_parameters(self, request, saved.query) if saved else ""

    @property
    def _filters_list(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    @property
    def _filters_page(self) -> str:
        return reverse(f"admin:{self._filters_list}_changelist")
