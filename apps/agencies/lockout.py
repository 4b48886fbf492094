"""The lock-out of guessing (django-axes): of a login from an address, of a login from anywhere, of an address anywhere.
Of IPv6 an address is its network of 64 bits: whoever has one has all of them.

Whoever guesses from many addresses would by that keep the person out for as long as they go on. So a browser in which
somebody was let in before is known by a signed cookie: there the second and the third count do not close their own
login, only the first does. And a new password by an owner's link opens the door in the browser that chose it.
"""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.core import signing
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.agencies.models import User, folded

KNOWN_FOR = 180 * 86_400
_SALT = "apps.agencies.lockout"


class Handler(AxesDatabaseHandler):
    """Counts the failures of the last quarter of an hour."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Of this login from this address; what the wider counts close counts as the limit."""
        counted: int = super().get_failures(request, credentials)
        limit: int = settings.AXES_FAILURE_LIMIT
        if counted >= limit:
            return counted
        name = get_client_username(request, credentials)
        if _is_too_much(name, request, self._recent(request)) and not is_known(request, name):
            return limit
        return counted

    def _recent(self, request: HttpRequest) -> "QuerySet[AccessAttempt]":
        from axes.attempts import get_cool_off_threshold

        return AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))


def _is_too_much(name: str, request: HttpRequest, recent: "QuerySet[AccessAttempt]") -> bool:
    of_login = _failures(recent.filter(username=name)) if name else 0
    if of_login >= settings.LOGIN_FAILURES_OF_A_LOGIN:
        return True
    here = recent.filter(ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
    return _failures(here) >= settings.LOGIN_FAILURES_OF_AN_ADDRESS


def _failures(attempts: "QuerySet[AccessAttempt]") -> int:
    return attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0


def is_known(request: HttpRequest, name: str) -> bool:
    """Whether the person of this login was let in in this browser, with the password that they have now."""
    text = request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE, "")
    try:
        told = signing.loads(text, salt=_SALT, max_age=KNOWN_FOR) if text else None
    except signing.BadSignature:
        return False
    if not isinstance(told, dict):
        return False
    user = User.objects.by_email(name)
    if user is None or not user.is_active:
        return False
    return constant_time_compare(str(told.get(str(user.pk), "")), _mark_of(user))


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """From now on this is a browser of theirs; of others who use it too."""
    try:
        told = signing.loads(request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE, ""), salt=_SALT, max_age=KNOWN_FOR)
    except signing.BadSignature:
        told = {}
    others = {key: mark for key, mark in told.items() if key != str(user.pk)} if isinstance(told, dict) else {}
    newest = {**dict(list(others.items())[-4:]), str(user.pk): _mark_of(user)}
    response.set_cookie(
        settings.KNOWN_BROWSER_COOKIE,
        signing.dumps(newest, salt=_SALT),
        max_age=KNOWN_FOR,
        secure=settings.SECURE_COOKIES,
        httponly=True,
        samesite="Lax",
    )


def open_again(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """For who has chosen a new password by a link: what others guessed does not keep them out."""
    AxesProxyHandler.reset_attempts(username=folded(user.email))
    remember(request, response, user)


def _mark_of(user: User) -> str:
    """Another one with each password."""
    return salted_hmac(_SALT, user.get_session_auth_hash(), algorithm="sha256").hexdigest()[:32]
