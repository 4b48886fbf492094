"""Switching agency and language, and a first password by link."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views import i18n
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.agencies import services, switcher
from apps.agencies.models import User


@login_required
@require_POST
def switch_agency(request: HttpRequest) -> HttpResponse:
    """Go on in another agency, at its home: the page one comes from may not exist there."""
    if not switcher.switch(request, request.POST.get("agency", "")):
        raise Http404
    return HttpResponseRedirect(_safe_next(request))


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's own switch, which keeps a cookie; a person who is logged in keeps the choice for good."""
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        services.choose_language(user=request.user, language=language)
    return i18n.set_language(request)


def _safe_next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    if target and url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return reverse("admin:index")


class FirstPasswordView(PasswordResetConfirmView):
    """A link that an owner hands over: whoever opens it chooses the password of the account."""

    template_name = "agencies/first_password.html"
    success_url = reverse_lazy("admin:login")
    title = _("Choose your password")

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        services.tell_password_chosen(user=form.user)
        return answer

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        for field in form.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        from django.contrib import admin

        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}
