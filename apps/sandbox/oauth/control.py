"""`/sandbox/control/apps` and `/sandbox/control/tokens`: apps are registered, tokens looked at and ended.

Tokens and passwords are shown as they are: they open nothing but the sandbox.
"""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from apps.sandbox.control.views import Body, control
from apps.sandbox.models import SandboxApp, SandboxGrant
from apps.sandbox.oauth import issuing


def _post_app(_request: HttpRequest, body: Body) -> Body:
    """The parameters of issuing.create_app."""
    return _app(issuing.create_app(**body))


def _get_apps(_request: HttpRequest, _body: Body) -> Body:
    return {"apps": [_app(app) for app in SandboxApp.objects.all()[:1000]]}


def _post_token(_request: HttpRequest, body: Body) -> Body:
    """`token` with `expires_in` (seconds from now, may be negative) lets it end then; `login` with `revoked`: all that
    apps got for this login end at once, as when the person takes the access away.
    """
    if "login" in body:
        if body.get("revoked") is not True:
            raise ValueError("A login goes with “revoked”: true.")
        return {"revoked": issuing.take_back(login=str(body["login"]))}
    issuing.end_token(
        token=str(body["token"]), expires_at=timezone.now() + timedelta(seconds=float(body["expires_in"]))
    )
    return {}


def _get_tokens(request: HttpRequest, _body: Body) -> Body:
    """The newest first; `?login=` picks one login's."""
    rows = SandboxGrant.objects.select_related("token", "app").order_by("-pk")
    if login := request.GET.get("login", ""):
        rows = rows.filter(token__login=login)
    return {"tokens": [_grant(grant) for grant in rows[:1000]]}


def _app(app: SandboxApp) -> dict[str, Any]:
    names = ("client_id", "client_secret", "name", "redirect_uris", "scopes")
    return {name: getattr(app, name) for name in names}


def _grant(grant: SandboxGrant) -> dict[str, Any]:
    return {
        "token": grant.token.token,
        "login": grant.token.login,
        "client_id": grant.app.client_id if grant.app else None,
        "scopes": grant.scopes,
        "device_id": grant.device_id,
        "issued_at": grant.issued_at,
        "expires_at": grant.expires_at,
        "revoked": grant.token.revoked,
    }


apps = control(post=_post_app, get=_get_apps)
tokens = control(post=_post_token, get=_get_tokens)
