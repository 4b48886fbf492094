"""`/sandbox/authorize` and `/sandbox/verification_code`: what a person sees of Yandex OAuth (code-url, screen-code
pages). Nobody logs in for real: one picks a login of the sandbox, or writes a new one.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.metrica.oauth import Scope
from apps.metrica.text import Text
from apps.sandbox.models import SandboxApp, SandboxGrant
from apps.sandbox.oauth import issuing

_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_DEVICE = re.compile(r"[\x20-\x7e]{6,50}")
_ROWS = 50
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,99}")


class Unanswerable(Exception):
    """There is no address that the person could be sent back to: they read why."""


class SendBack(Exception):
    """The app is told by its return address what is wrong."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Question:
    """What the app asks the person for."""

    app: SandboxApp
    redirect_uri: str
    state: str

    def answer(self, **parameters: str) -> HttpResponse:
        """Back to the app, with its `state`."""
        parts = urlsplit(self.redirect_uri)
        query = [*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()]
        if self.state:
            query.append(("state", self.state))
        response = HttpResponseRedirect("/")
        # An app's own address may have any scheme; which ones it has is said where it is registered.
        response.headers["Location"] = urlunsplit(parts._replace(query=urlencode(query)))
        return response

    @property
    def origin(self) -> str:
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """Asks for the person's consent; with it, a code goes to the return address."""
    try:
        question = _question(request)
    except Unanswerable as problem:
        return render(request, "sandbox/oauth_error.html", {"problem": str(problem)}, status=400)
    try:
        required, optional = _scopes(request, question.app)
        proof = _proof(request)
    except SendBack as problem:
        return question.answer(error=problem.error, error_description=problem.description)
    error: Text = ""
    if request.method == "POST":
        if request.POST.get("answer") != "confirm":
            return question.answer(error="access_denied", error_description="The user denied access.")
        login = (request.POST.get("new_login", "") or request.POST.get("login", "")).strip()
        if _LOGIN.fullmatch(login):
            granted = [*required, *(scope for scope in optional if scope in request.POST.getlist("allow"))]
            code = issuing.give_code(app=question.app, login=login, scopes=granted, **proof)
            return question.answer(code=code.code)
        error = _("Pick a login, or write a new one: Latin letters, digits, dots and hyphens.")
    response = render(request, "sandbox/authorize.html", _context(request, question, required, optional, error))
    # The form's answer leads to the app, wherever that is.
    response._csp_update = {"form-action": [question.origin]}  # type: ignore[attr-defined]
    return response


@require_GET
def verification_code(request: HttpRequest) -> HttpResponse:
    """Shows the code, to be copied into the app."""
    context = {"code": request.GET.get("code", ""), "problem": request.GET.get("error_description", "")}
    return render(request, "sandbox/verification_code.html", context)


class AppForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=255)
    client_id = forms.CharField(label=gettext_lazy("Client id (empty: one is made)"), required=False, max_length=64)
    redirect_uris = forms.CharField(
        label=gettext_lazy("Return addresses, one a line"), required=False, widget=forms.Textarea({"rows": 2})
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Rights"),
        choices=[(scope.value, scope.value) for scope in Scope],
        initial=[scope.value for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
    )


@require_http_methods(["GET", "POST"])
def apps(request: HttpRequest) -> HttpResponse:
    """Apps and the tokens that they got; an app is registered here, one with the same client id is changed."""
    form = AppForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        issuing.create_app(**{**given, "redirect_uris": given["redirect_uris"].split()})
        messages.success(request, _("The app is registered."))
        return redirect("sandbox:apps")
    grants = SandboxGrant.objects.select_related("token", "app").order_by("-pk")[:_ROWS]
    context = {"tab": "apps", "form": form, "apps": SandboxApp.objects.all()[:_ROWS], "grants": grants}
    return render(request, "sandbox/apps.html", context)


@require_POST
def end_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a token expire, or let its login take the access away."""
    grant = get_object_or_404(SandboxGrant.objects.select_related("token"), pk=pk)
    if request.POST.get("how") == "revoke":
        issuing.take_back(login=grant.token.login)
        messages.success(request, _("The login has taken the access away from all apps."))
    else:
        issuing.end_token(token=grant.token.token, expires_at=timezone.now())
        messages.success(request, _("The token has expired."))
    return redirect("sandbox:apps")


def _question(request: HttpRequest) -> Question:
    query = request.GET
    app = SandboxApp.objects.filter(client_id=query.get("client_id", "")).first()
    if app is None:
        raise Unanswerable(_("There is no app with this client_id (invalid_client)."))
    if query.get("response_type") != "code":
        raise Unanswerable(_("response_type must be “code” (unsupported_response_type)."))
    shown_here = request.build_absolute_uri(reverse("sandbox:verification_code"))
    redirect_uri = query.get("redirect_uri", "") or (app.redirect_uris[0] if app.redirect_uris else shown_here)
    if redirect_uri not in (shown_here, *app.redirect_uris):
        raise Unanswerable(_("redirect_uri is not one of the app's return addresses (redirect_uri_mismatch)."))
    return Question(app, redirect_uri, query.get("state", ""))


def _scopes(request: HttpRequest, app: SandboxApp) -> tuple[list[str], list[str]]:
    """The required and the optional rights. Where none are named, all of the app's are required."""
    required = request.GET.get("scope", "").split()
    optional = request.GET.get("optional_scope", "").split()
    if not set(required + optional) <= set(app.scopes):
        raise SendBack("invalid_scope", "The app does not have the rights that are asked for.")
    if not required and not optional:
        required = list(app.scopes)
    return required, [scope for scope in optional if scope not in required]


def _proof(request: HttpRequest) -> dict[str, str]:
    """The PKCE challenge and the device, which stay with the code."""
    query = request.GET
    challenge, method = query.get("code_challenge", ""), query.get("code_challenge_method", "plain")
    if challenge and (not _CHALLENGE.fullmatch(challenge) or method not in ("plain", "S256")):
        raise SendBack("invalid_request", "code_challenge or code_challenge_method is wrong.")
    device = query.get("device_id", "")
    if device and not _DEVICE.fullmatch(device):
        raise SendBack("invalid_request", "device_id must have 6 to 50 printable ASCII characters.")
    return {"code_challenge": challenge, "code_challenge_method": method if challenge else "", "device_id": device}


def _context(
    request: HttpRequest, question: Question, required: list[str], optional: list[str], error: Text
) -> dict[str, Any]:
    hint = request.GET.get("login_hint", "")
    logins = issuing.known_logins()
    return {
        "app": question.app,
        "logins": logins,
        "chosen": hint if hint in logins else "",
        "new_login": "" if hint in logins else hint,
        "required": [(scope, Scope(scope).label) for scope in required],
        "optional": [(scope, Scope(scope).label) for scope in optional],
        "device": request.GET.get("device_name", "") if request.GET.get("device_id") else "",
        "error": error,
    }
