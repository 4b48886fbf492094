"""Puts the actor on every request of a person, and their language and time zone in force."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation

from apps.agencies import key_uses, lockout, sign_ins
from apps.agencies.access import actor_for_user, memberships_of
from apps.agencies.actor import NOBODY, Actor
from apps.agencies.models import Membership, User

SESSION_KEY = "agency"
# Here a key speaks for itself: a login left open in the browser opens nothing.
KEY_ONLY_PATHS = ("/api/", "/cdp/")

Answer = Callable[[HttpRequest], HttpResponseBase]


class ActorMiddleware:
    """Sets `request.actor` and `request.memberships` (the agencies that the person may switch to)."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        actor, memberships = self._who(request)
        request.actor = actor  # type: ignore[attr-defined]
        request.memberships = memberships  # type: ignore[attr-defined]
        response = self.get_response(request)
        if isinstance(user := getattr(request, "let_in", None), User):
            lockout.remember(request, response, user)
        key_uses.write_if_due()
        return response

    def _who(self, request: HttpRequest) -> tuple[Actor, list[Membership]]:
        if request.path_info.startswith(KEY_ONLY_PATHS) or not isinstance(request.user, User):
            timezone.deactivate()
            return NOBODY, []
        user = request.user
        _speak_to(user, request)
        if not sign_ins.seen(request, user):
            logout(request)
            return NOBODY, []
        memberships = [] if user.is_superuser else memberships_of(user)
        chosen = request.session.get(SESSION_KEY)
        return actor_for_user(user, chosen, memberships=memberships), memberships


def _speak_to(user: User, request: HttpRequest) -> None:
    if user.language in dict(settings.LANGUAGES):
        translation.activate(user.language)
        request.LANGUAGE_CODE = translation.get_language()
    try:
        timezone.activate(ZoneInfo(user.time_zone or settings.TIME_ZONE))
    except (ZoneInfoNotFoundError, ValueError):
        timezone.deactivate()
