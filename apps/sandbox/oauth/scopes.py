"""What a call needs of its token (authorization page): too small a scope looks like any other lack of rights."""

from collections.abc import Collection

from django.http import HttpRequest

from apps.metrica.oauth import MAY_UPLOAD, Scope
from apps.metrica.serving.envelope import ApiError
from apps.sandbox.models import SandboxToken

_READS = frozenset({Scope.READ})
_WRITES = frozenset({Scope.WRITE})


def enough(*, path: str, method: str) -> frozenset[Scope]:
    """The scopes of which one is enough for the call. Whatever reads needs metrika:read, CDP data and dictionaries
    that go in are uploads, and all else that is changed is settings.
    """
    if method in ("GET", "HEAD"):
        return _READS
    return MAY_UPLOAD if "/cdp/api/" in path else _WRITES


def scopes_of(token: SandboxToken) -> Collection[str] | None:
    """The token's rights, or None for all of them."""
    grant = getattr(token, "grant", None)
    return None if grant is None else grant.scopes


def check(request: HttpRequest, token: SandboxToken) -> None:
    """Raises ApiError where the token's scopes are too small for the call."""
    scopes = scopes_of(token)
    if scopes is not None and enough(path=request.path, method=request.method or "").isdisjoint(scopes):
        raise ApiError("access_denied", "Access is denied.")
