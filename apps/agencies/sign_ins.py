"""Where a person is logged in: noted at login, seen every few minutes, ended from anywhere."""

import hashlib
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.agencies.access import agencies_of
from apps.agencies.actor import Actor
from apps.agencies.callers import address_of
from apps.agencies.events import tell
from apps.agencies.models import SignIn, User

SEEN_EVERY = timedelta(minutes=10)
_BROWSERS = (
    *(("YaBrowser", "Yandex Browser"), ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet")),
    *(("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari")),
)
_SYSTEMS = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def open_ones(user: User) -> QuerySet[SignIn]:
    """Those whose session is still good, the last seen first."""
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=timezone.now())
    return SignIn.objects.filter(Exists(alive), user=user).order_by("-seen_at", "-pk")


def begun(*, request: HttpRequest, user: User, **_: object) -> None:
    """Somebody logs in. What is left of sessions that are no more goes."""
    SignIn.objects.filter(~Exists(Session.objects.filter(session_key=OuterRef("session_key"))), user=user).delete()
    _note(request, user)
    request.let_in = user  # type: ignore[attr-defined]  # the middleware lets the browser be known for it


def ended(*, request: HttpRequest, user: User | None, **_: object) -> None:
    """Somebody logs out."""
    if user is not None and request.session.session_key:
        SignIn.objects.filter(session_key=request.session.session_key).delete()


def seen(request: HttpRequest, user: User) -> bool:
    """Somebody is here; False where their login is over, as it was not used for long or began too long ago.

    A query at most once in ten minutes for each process; more where it is over, or where Django gave the session
    another key, as it does with a new password.
    """
    key, now = request.session.session_key, timezone.now()
    if not key or not cache.add(_cache_name(key), True, SEEN_EVERY.total_seconds()):
        return True
    mine = SignIn.objects.filter(session_key=key)
    good = mine.filter(
        seen_at__gt=now - timedelta(hours=settings.SESSION_IDLE_HOURS),
        began_at__gt=now - timedelta(days=settings.SESSION_DAYS),
    )
    if good.update(seen_at=now, ip=address_of(request)):
        return True
    if mine.exists():
        cache.delete(_cache_name(key))
        return False
    _note(request, user)
    return True


@transaction.atomic
def end(*, user: User, pk: int) -> bool:
    """End one of one's own sessions, wherever it is. False where there is none of this key."""
    sign_in = SignIn.objects.filter(user=user, pk=pk).first()
    if sign_in is None:
        return False
    _end([sign_in], user)
    return True


@transaction.atomic
def end_others(*, user: User, but: str | None) -> int:
    """End all but the one whose session has this key; how many that were."""
    others = list(open_ones(user).exclude(session_key=but or ""))
    _end(others, user)
    return len(others)


def forget_all(user: User) -> None:
    """The password was changed: no session that was opened with the old one goes on."""
    keys = list(SignIn.objects.filter(user=user).values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    SignIn.objects.filter(user=user).delete()


def name_of(agent: str) -> str:
    """The browser and the system that a User-Agent speaks of, as people call them."""
    browser = next((name for mark, name in _BROWSERS if f"{mark}/" in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return ", ".join(part for part in (browser, system) if part) or agent[:40]


def _end(sign_ins: list[SignIn], user: User) -> None:
    Session.objects.filter(session_key__in=[one.session_key for one in sign_ins]).delete()
    SignIn.objects.filter(pk__in=[one.pk for one in sign_ins]).delete()
    actor = Actor("person", user.email, str(user.pk))
    places = agencies_of(user)
    for one in sign_ins:
        before = {"ip": one.ip, "browser": name_of(one.agent), "began_at": one.began_at}
        for agency in places:
            tell("person.session_ended", actor, agency, user, before=before)


def _note(request: HttpRequest, user: User) -> None:
    key = request.session.session_key
    if not key:
        return
    facts = {
        "user_id": user.pk,
        "seen_at": timezone.now(),
        "ip": address_of(request),
        "agent": request.headers.get("User-Agent", "").replace("\x00", "")[:300],
    }
    SignIn.objects.update_or_create(session_key=key, defaults=facts)
    cache.set(_cache_name(key), True, SEEN_EVERY.total_seconds())


def _cache_name(session_key: str) -> str:
    """The cache may be another machine's: it does not get the key itself."""
    return "seen:" + hashlib.sha256(session_key.encode()).hexdigest()
