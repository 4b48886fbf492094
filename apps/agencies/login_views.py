"""Logging in: the password first, then the code of whoever has switched the second step on."""

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from apps.agencies import logins, second_step
from apps.agencies.forms import CodeForm
from apps.agencies.going_on import safe_next


class PasswordStep(LoginView):
    """The admin's login page. Whoever has a second step is not logged in by it yet."""

    template_name = "admin/login.html"
    site: Any = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **self.site.each_context(self.request),
            "title": _("Log in"),
            "subtitle": None,
            "app_path": self.request.get_full_path(),
            "username": self.request.user.get_username(),
            **super().get_context_data(**kwargs),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not second_step.is_on(user):
            return super().form_valid(form)
        second_step.await_code(self.request, user)
        return HttpResponseRedirect(f"{reverse('admin:login-code')}?{urlencode({'next': self.get_success_url()})}")


@never_cache
@sensitive_post_parameters("code")
def code_step(request: HttpRequest) -> HttpResponse:
    """The second step. Only after the right password, for ten minutes, and as hard to guess as that."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(reverse("admin:index"))
    user = second_step.awaited(request)
    if user is None:
        second_step.stop_waiting(request)
        return HttpResponseRedirect(reverse("admin:login"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        credentials = {"username": user.email}
        if not AxesProxyHandler.is_allowed(request, credentials):
            return logins.locked_out(request, None, credentials)
        try:
            second_step.check(user=user, code=form.cleaned_data["code"])
        except ValidationError as refusal:
            second_step.count_wrong(request, user)
            form.add_error("code", refusal)
        else:
            second_step.stop_waiting(request)
            login(request, user)
            second_step.note_passed(request, user)
            return HttpResponseRedirect(safe_next(request))
    context = {**admin.site.each_context(request), "title": _("One more step"), "form": form}
    context["next"] = safe_next(request)
    return TemplateResponse(request, "agencies/code.html", context)
