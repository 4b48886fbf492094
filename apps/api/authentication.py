"""`Authorization: Bearer <api key>`: the key becomes the actor of the request (R11) and of all it writes (R12)."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.agencies.access import actor_for_key
from apps.agencies.actor import Actor
from apps.agencies.callers import address_of
from apps.agencies.key_models import Shut
from apps.agencies.keys import KeyRefused, admit
from apps.agencies.models import ApiKey
from apps.api.problems import Problem
from apps.audit import trace
from apps.metrica.text import Text, filled

_SHUT: dict[Shut | None, tuple[str, Text]] = {
    None: ("bad_key", _("This key is unknown.")),
    Shut.REVOKED: ("revoked_key", _("This key was revoked.")),
    Shut.REPLACED: ("replaced_key", _("A newer key of the same name has taken the place of this one.")),
    Shut.EXPIRED: ("expired_key", _("This key has expired.")),
    Shut.CLOSED: ("closed_agency", _("The agency of this key is closed.")),
}


class NotAdmitted(Exception):
    """The key opens nothing to this caller now. `outside`: it would from another address."""

    def __init__(self, code: str, message: Text, next_step: Text, *, outside: bool = False) -> None:
        super().__init__(code)
        self.code, self.message, self.next_step, self.outside = code, message, next_step, outside


def admitted(request: HttpRequest, text: str) -> ApiKey:
    """The key that this text is, for the caller of this request. Raises NotAdmitted: only who has the right key gets to
    know more than that it is none."""
    address = address_of(request)
    try:
        return admit(text, address=address)
    except KeyRefused as refusal:
        if refusal.why is Shut.OUTSIDE:
            message = filled(_("This key may not be used from the address %(address)s."), address=address or "?")
            next_step = _("Ask the owner of the agency to add this address to the key's networks.")
            raise NotAdmitted("wrong_network", message, next_step, outside=True) from None
        code, message = _SHUT[refusal.why]
        next_step = _("Check the key; its owner finds the state of all keys in the admin.")
        raise NotAdmitted(code, message, next_step) from None


class ApiKeyAuthentication(BaseAuthentication):
    """Gives (Actor, ApiKey). One query; a second one at most once a minute, to note the use."""

    def authenticate(self, request: Request) -> tuple[Actor, ApiKey] | None:
        scheme, space, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not space:
            raise AuthenticationFailed(_("The header must read “Authorization: Bearer <key>”."), code="bad_scheme")
        try:
            key = admitted(request._request, text.strip())
        except NotAdmitted as refusal:
            if refusal.outside:
                raise Problem(
                    status=403, code=refusal.code, message=refusal.message, next_step=refusal.next_step
                ) from None
            raise AuthenticationFailed(str(refusal.message), code=refusal.code) from None
        actor = actor_for_key(key)
        trace.set_actor(actor)
        request._request.actor = actor  # type: ignore[attr-defined]
        return actor, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
