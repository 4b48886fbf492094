"""`/sandbox/token`, `/sandbox/revoke_token`, `/sandbox/info`: what programs ask of Yandex OAuth."""

import base64
import binascii
import functools
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from apps.sandbox.cutting import cut
from apps.sandbox.faults import answer_instead, take, wait_out
from apps.sandbox.models import Endpoint, FaultKind, SandboxApp, SandboxGrant, SandboxRequest
from apps.sandbox.oauth import issuing
from apps.sandbox.oauth.issuing import OAuthRefused

View = Callable[[HttpRequest], dict[str, Any]]
FORM = "application/x-www-form-urlencoded"


def oauth_endpoint(method: str) -> Callable[[View], Callable[[HttpRequest], HttpResponse]]:
    """Makes an address of a view that returns the JSON to answer with, or raises OAuthRefused. Faults meet it too."""

    def decorate(view: View) -> Callable[[HttpRequest], HttpResponse]:
        @csrf_exempt
        @functools.wraps(view)
        def handle(request: HttpRequest) -> HttpResponse:
            started_at = timezone.now()
            faults = take(endpoint=Endpoint.OAUTH, counter_number=None)
            wait_out(faults)
            kinds = {fault.kind for fault in faults}
            response: HttpResponse | None = None
            error = ""
            if FaultKind.CUT_BEFORE not in kinds:
                try:
                    if instead := next(filter(None, map(answer_instead, faults)), None):
                        raise OAuthRefused(instead.error_type, str(instead.message), status=instead.status)
                    if request.method != method:
                        raise OAuthRefused("invalid_request", f"{method} is expected.", status=405)
                    response = JsonResponse(view(request))
                except OAuthRefused as refused:
                    error = refused.error
                    body = {"error": refused.error, "error_description": refused.description}
                    response = JsonResponse(body, status=refused.status)
                response.headers["Cache-Control"] = "no-store"
            cut_off = response is None or FaultKind.CUT_AFTER in kinds
            SandboxRequest.objects.create(
                started_at=started_at,
                finished_at=timezone.now(),
                method=(request.method or "")[:8],
                path=request.path[:255],
                size=len(request.body),
                status=None if response is None or cut_off else response.status_code,
                error_type=error,
                fault=",".join(sorted(kinds))[:255],
            )
            return cut(request) if response is None or cut_off else response

        return handle

    return decorate


@oauth_endpoint("POST")
def token(request: HttpRequest) -> dict[str, Any]:
    """A code or a refresh token into tokens (code-url, refresh-client pages)."""
    if request.content_type != FORM:
        raise OAuthRefused("invalid_request", f"The body must be {FORM}.")
    kind = request.POST.get("grant_type", "")
    if kind not in ("authorization_code", "refresh_token"):
        raise OAuthRefused("unsupported_grant_type", "grant_type must be authorization_code or refresh_token.")
    app = _app(request)
    if kind == "refresh_token":
        return wire_token(issuing.refresh(app=app, refresh_token=_parameter(request, "refresh_token")))
    verifier = request.POST.get("code_verifier", "")
    return wire_token(issuing.exchange(app=app, code=_parameter(request, "code"), verifier=verifier))


@oauth_endpoint("POST")
def revoke_token(request: HttpRequest) -> dict[str, Any]:
    """Ends a token that was issued for a device (token-invalidate page)."""
    app = _app(request)
    issuing.revoke(app=app, token=_parameter(request, "access_token"))
    return {"status": "ok"}


@oauth_endpoint("GET")
def info(request: HttpRequest) -> dict[str, Any]:
    """Whose token it is, as login.yandex.ru/info says."""
    scheme, _space, text = request.headers.get("Authorization", "").strip().partition(" ")
    held = issuing.live_token(text.strip()) if scheme.lower() == "oauth" else None
    if held is None:
        raise OAuthRefused("unauthorized", "The token is missing or not valid.", status=401)
    grant = getattr(held, "grant", None)
    app = grant.app if grant is not None else None
    return {"login": held.login, "id": str(held.pk), "client_id": app.client_id if app else "", "psuid": f"1.{held.pk}"}


def wire_token(grant: SandboxGrant) -> dict[str, Any]:
    """`scope` is named always; Yandex names it where the person took a part away."""
    seconds = (grant.expires_at - grant.issued_at).total_seconds() if grant.expires_at else 0
    return {
        "token_type": "bearer",
        "access_token": grant.token.token,
        "expires_in": int(seconds),
        "refresh_token": grant.refresh_token,
        "scope": " ".join(grant.scopes),
    }


def _parameter(request: HttpRequest, name: str) -> str:
    if not (value := request.POST.get(name, "").strip()):
        raise OAuthRefused("invalid_request", f"{name} is missing.")
    return value


def _app(request: HttpRequest) -> SandboxApp:
    """The app by its credentials: of the header if there is one, else of the body (refresh-client page)."""
    header = request.headers.get("Authorization", "")
    if header:
        client_id, secret = _basic(header)
    else:
        client_id, secret = request.POST.get("client_id", ""), request.POST.get("client_secret", "")
    app = SandboxApp.objects.filter(client_id=client_id).first() if client_id else None
    if app is None:
        raise OAuthRefused("invalid_client", "Client not found")
    if not hmac.compare_digest(app.client_secret.encode(), secret.encode()):
        raise OAuthRefused("invalid_client", "Wrong client secret")
    return app


def _basic(header: str) -> tuple[str, str]:
    scheme, _space, encoded = header.partition(" ")
    try:
        client_id, _colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthRefused("invalid_request", "The Authorization header cannot be read.") from error
    if scheme.lower() != "basic":
        raise OAuthRefused("invalid_request", "The Authorization header must be Basic.")
    return unquote_plus(client_id), unquote_plus(secret)
