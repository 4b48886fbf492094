"""Switching agency and language, a first password by link, and the page of an invitation."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse, reverse_lazy
from django.utils.cache import patch_cache_control
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import i18n
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.agencies import invitations, lockout, services, switcher
from apps.agencies.forms import JoiningForm
from apps.agencies.going_on import safe_next
from apps.agencies.middleware import SESSION_KEY
from apps.agencies.models import Membership, User


@login_required
@require_POST
def switch_agency(request: HttpRequest) -> HttpResponse:
    """Go on in another agency, at its home: the page one comes from may not exist there."""
    if not switcher.switch(request, request.POST.get("agency", "")):
        raise Http404
    return HttpResponseRedirect(safe_next(request))


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Django's own switch, which keeps a cookie; a person who is logged in keeps the choice for good."""
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        services.choose_language(user=request.user, language=language)
    return i18n.set_language(request)


class FirstPasswordView(PasswordResetConfirmView):
    """A link that an owner hands over: whoever opens it chooses the password of the account."""

    template_name = "agencies/first_password.html"
    success_url = reverse_lazy("admin:login")
    title = gettext_lazy("Choose your password")

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        services.tell_password_chosen(user=form.user)
        lockout.open_again(self.request, answer, form.user)
        return answer

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        for field in form.fields.values():
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs)}


def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """The page that an invitation's link opens: who is new chooses a name and a password, others just join."""
    found = invitations.find(secret)
    known = invitations.person_of(found) if found else None
    form = JoiningForm(request.POST or None) if found and known is None else None
    refused = ""
    if request.method == "POST" and found:
        try:
            if form is None and request.user == known:
                member = invitations.join(secret=secret, user=known)
                return _joined(request, member)
            if form is not None and form.is_valid():
                facts = form.cleaned_data
                member = invitations.join_newly(secret=secret, name=facts["name"], password=facts["password"])
                login(request, member.user, backend="django.contrib.auth.backends.ModelBackend")
                return _joined(request, member)
        except ValidationError as refusal:
            if form is None or not hasattr(refusal, "error_dict"):
                refused = refusal.messages[0]
            else:
                for field, errors in refusal.error_dict.items():
                    form.add_error(field if field in form.fields else None, errors)
    context = {
        **admin.site.each_context(request),
        "title": _("Join %(agency)s") % {"agency": found.agency.name} if found else _("Invitation"),
        "invitation": found,
        "form": form,
        "refused": refused,
        "is_them": known is not None and request.user == known,
        "log_in": f"{reverse('admin:login')}?{urlencode({'next': request.path})}",
    }
    answer = TemplateResponse(request, "agencies/invitation.html", context, status=200 if found else 404)
    patch_cache_control(answer, no_store=True, private=True)
    return answer


def _joined(request: HttpRequest, member: Membership) -> HttpResponse:
    request.session[SESSION_KEY] = member.agency_id
    messages.success(request, _("Welcome to %(agency)s.") % {"agency": member.agency.name})
    return HttpResponseRedirect(reverse("admin:index"))
