"""The admin site: who may enter, which agency they are in, and that no page slips past the tenant rules (R11)."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ImproperlyConfigured
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.cache import patch_cache_control
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from apps.agencies import panels
from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.agencies.models import User
from apps.agencies.panels import Found

METHODS = ("GET", "HEAD", "POST")
FEWEST_WRITTEN = 2
MOST_WRITTEN = 200
"""Characters, of what the search everywhere is asked for."""


class GoalpostAdminSite(UnfoldAdminSite):
    """Takes in model admins that keep the tenant rules (`TenantAdmin`) and no others."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        models = model_or_iterable if isinstance(model_or_iterable, Iterable) else [model_or_iterable]
        for model in models:
            if getattr(admin_class, "keeps_tenant_rules", False):
                super().register(model, admin_class, **options)
            elif model.__module__.startswith("apps."):
                raise ImproperlyConfigured(f"{model._meta.label} needs a TenantAdmin: its pages must ask visible_to().")
            # Pages that libraries bring along know nothing of agencies; one of them even runs any code by its name.

    def has_permission(self, request: HttpRequest) -> bool:
        """Platform staff, and everybody with a place in an active agency."""
        user = getattr(request, "user", None)
        if user is None or not user.is_active:
            return False
        actor = actor_of(request)
        return actor.agencies is None or bool(actor.agencies)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        guarded = super().admin_view(view, cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method not in METHODS:
                return HttpResponseNotAllowed(METHODS)  # Django's own pages would take it for a GET
            if request.user.is_authenticated and not self.has_permission(request):
                if request.path == reverse("admin:logout"):
                    return self.logout(request)
                return self.no_agency(request)
            if self._must_go_to_second_step(request):
                return self._second_step(request)
            return guarded(request, *args, **kwargs)

        inner.__dict__.update(getattr(guarded, "__dict__", {}))
        inner.csrf_exempt = False  # type: ignore[attr-defined]
        return inner

    def _must_go_to_second_step(self, request: HttpRequest) -> bool:
        from apps.agencies import second_step

        if not request.user.is_authenticated or not isinstance(request.user, User):
            return False
        open_ways = {reverse(f"admin:{name}") for name in ("second-step", "logout", "jsi18n")}
        return request.path not in open_ways and second_step.is_lacking(request, request.user)

    def _second_step(self, request: HttpRequest) -> HttpResponse:
        """To switch it on; whoever has it on already writes a code."""
        from apps.agencies import second_step

        user = request.user
        if not isinstance(user, User) or not second_step.is_on(user):
            return HttpResponseRedirect(reverse("admin:second-step"))
        second_step.ask_again(request, user)
        onward = {"next": request.get_full_path() if request.method == "GET" else reverse("admin:index")}
        return HttpResponseRedirect(f"{reverse('admin:login-code')}?{urlencode(onward)}")

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if request.user.is_authenticated and not self.has_permission(request):
            return self.no_agency(request)
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        from apps.agencies.login_views import PasswordStep

        request.current_app = self.name
        return PasswordStep.as_view(site=self, authentication_form=self.login_form, extra_context=extra_context)(
            request
        )

    def no_agency(self, request: HttpRequest) -> HttpResponse:
        """For a person who has a login and belongs to no agency (any more): what to do now."""
        context = {**self.each_context(request), "title": _("You are not in an agency yet")}
        return TemplateResponse(request, "agencies/no_agency.html", context)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # `view_on_site` would tell anybody whether an object exists.
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def extra_urls(self) -> list[URLPattern]:
        from apps.agencies import login_views, profile

        own = {
            "profile": ("profile/", profile.settings_page),
            "second-step": ("profile/second-step/", profile.second_step_page),
            "second-step-off": ("profile/second-step/off/", profile.second_step_off),
            "end-sessions": ("profile/sessions/", profile.end_sessions),
            "backup-codes": ("profile/second-step/codes/", profile.backup_codes),
        }
        return [
            path("login/code/", login_views.code_step, name="login-code"),
            *(path(route, self.admin_view(view), name=name) for name, (route, view) in own.items()),
        ]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The search everywhere: pages of the menu, then what each app finds for this actor.

        Not the theme's own: that one keeps what it found by person and words, whichever agency they are in by now.
        """
        term = request.GET.get("s", "").strip().replace("\0", "")[:MOST_WRITTEN]
        found = self._pages_named(request, term) if term else []
        if len(term) >= FEWEST_WRITTEN and actor_of(request).can(Right.READ):
            for find in panels.finders:
                found.extend(find(actor_of(request), term))
        answer = TemplateResponse(request, "unfold/helpers/command_results.html", {"results": found, "term": term})
        patch_cache_control(answer, no_store=True, private=True)
        return answer

    def _pages_named(self, request: HttpRequest, term: str) -> list[Found]:
        said = term.casefold()
        return [
            Found(str(item["title"]), str(group["title"]), item["link"], item.get("icon", "tag"))
            for group in self.get_sidebar_list(request)
            for item in group["items"]
            if item["has_permission"] and said in str(item["title"]).casefold()
        ][: panels.MOST_FOUND]

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        from apps.agencies.forms import OwnPasswordForm

        request.current_app = self.name
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if self.has_permission(request):
            from apps.agencies.switcher import choices

            offered = choices(request)
            context["agency_choices"] = offered
            # unfold opens the menu of its header where `site_dropdown` is not empty.
            context["site_dropdown"] = offered if len(offered) > 1 else []
            context["site_subheader"] = next((choice.name for choice in offered if choice.active), "")
        return context
