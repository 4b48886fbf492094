"""`Authorization: Bearer <api key>`: the key becomes the actor of the request (R11) and of all it writes (R12)."""

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.agencies.access import actor_for_key
from apps.agencies.actor import Actor
from apps.agencies.keys import authenticate_key
from apps.agencies.models import ApiKey
from apps.audit import trace


class ApiKeyAuthentication(BaseAuthentication):
    """Gives (Actor, ApiKey). One query; a second one at most once a minute, to note the use."""

    def authenticate(self, request: Request) -> tuple[Actor, ApiKey] | None:
        scheme, space, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not space:
            raise AuthenticationFailed(_("The header must read “Authorization: Bearer <key>”."), code="bad_scheme")
        key = authenticate_key(text.strip())
        if key is None:
            raise AuthenticationFailed(_("This key is unknown, expired or revoked."), code="bad_key")
        actor = actor_for_key(key)
        trace.set_actor(actor)
        request._request.actor = actor  # type: ignore[attr-defined]
        return actor, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
