"""A person's own pages: what they are called, how Goalpost speaks to them, and how they log in."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from apps.agencies import second_step, services, shown_once, sign_ins
from apps.agencies.access import actor_of, memberships_of
from apps.agencies.forms import CodeForm, ProfileForm
from apps.agencies.models import User

SHOWN_SIGN_INS = 50


def settings_page(request: HttpRequest) -> HttpResponse:
    """Name, language and time zone; and the way to all else that is one's own."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        services.update_profile(user=form.instance, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("admin:profile"))
    context = {
        "title": _("My settings"),
        "form": form,
        "second_step": second_step.standing_of(_me(request)),
        "sign_ins": [
            {
                "pk": one.pk,
                "name": sign_ins.name_of(one.agent),
                "agent": one.agent,
                "ip": one.ip,
                "began_at": one.began_at,
                "seen_at": one.seen_at,
                "is_this": one.session_key == request.session.session_key,
            }
            for one in sign_ins.open_ones(_me(request))[:SHOWN_SIGN_INS]
        ],
        "sees_keys": actor_of(request).counters is None,
    }
    return _page(request, "agencies/profile.html", context)


def second_step_page(request: HttpRequest) -> HttpResponse:
    """Switching the second step on: the picture for the app, and its first code as the proof that it works."""
    user = _me(request)
    if second_step.is_on(user):
        return HttpResponseRedirect(reverse("admin:profile"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = second_step.switch_on(
                user=user, code=form.cleaned_data["code"], session_key=request.session.session_key
            )
        except ValidationError as refusal:
            form.add_error("code", refusal)
        else:
            second_step.note_passed(request, user)
            return _codes_page(request, codes, title=_("The second step is on"))
    device = second_step.begin(user)
    context = {
        "title": _("Switch the second step on"),
        "required": second_step.is_required(user, memberships_of(user)),
        "form": form,
        "picture": second_step.picture_of(device),
        "key": second_step.spelled(device),
        "address": device.config_url,
    }
    return _page(request, "agencies/second_step.html", context)


def second_step_off(request: HttpRequest) -> HttpResponse:
    def act(user: User, code: str) -> HttpResponse:
        second_step.switch_off(user=user, code=code)
        messages.success(request, _("Switched off. The password alone opens again."))
        return HttpResponseRedirect(reverse("admin:profile"))

    lead = _("From then on the password alone opens. To go on, write a code from the app, or a backup code.")
    return _by_code(request, act, title=_("Switch the second step off"), lead=lead)


def backup_codes(request: HttpRequest) -> HttpResponse:
    def act(user: User, code: str) -> HttpResponse:
        return _codes_page(request, second_step.renew_codes(user=user, code=code), title=_("New backup codes"))

    lead = _("The codes that you have now open nothing any more. To go on, write a code from the app, or one of them.")
    return _by_code(request, act, title=_("New backup codes"), lead=lead)


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one of one's sessions (`session`: its key), or all but this one."""
    user, given = _me(request), request.POST.get("session", "")
    if given == "others":
        count = sign_ins.end_others(user=user, but=request.session.session_key)
        text = ngettext("%(n)s session was ended.", "%(n)s sessions were ended.", count) % {"n": count}
    elif given.isascii() and given.isdigit() and sign_ins.end(user=user, pk=int(given[:18])):
        text = _("The session was ended.")
    else:
        raise Http404
    messages.success(request, text)
    return HttpResponseRedirect(reverse("admin:profile"))


def _by_code(request: HttpRequest, act: Callable[[User, str], HttpResponse], *, title: str, lead: str) -> HttpResponse:
    """An act that takes a code: a login left open on a desk is not enough for it."""
    user = _me(request)
    if not second_step.is_on(user):
        return HttpResponseRedirect(reverse("admin:profile"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return act(user, form.cleaned_data["code"])
        except ValidationError as refusal:
            form.add_error("code", refusal)
    return _page(request, "agencies/second_step.html", {"title": title, "lead": lead, "form": form})


def _codes_page(request: HttpRequest, codes: list[str], *, title: str) -> HttpResponse:
    why = _(
        "Keep these backup codes where you find them without your phone. Each opens once, in place of a code from the "
        "app. They are not shown again."
    )
    back = reverse("admin:profile")
    return shown_once.page(request, model=User, title=title, why=why, secret="\n".join(codes), back=back)


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = admin.site.name
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the site lets nobody else in
    return User.objects.get(pk=request.user.pk)
