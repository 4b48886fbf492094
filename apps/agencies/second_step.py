"""The second step of logging in: a code from an app (TOTP) or a backup code, each good once.

Codes cannot be guessed: django-otp makes each wrong one wait longer than the one before, from wherever it comes, and
the lock-out of passwords (django-axes) counts wrong codes along with wrong passwords.
"""

import hashlib
import re
import secrets
import time
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass

import segno
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, logout
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.agencies import sign_ins
from apps.agencies.access import agencies_of, memberships_of
from apps.agencies.actor import Actor
from apps.agencies.events import tell
from apps.agencies.models import Membership, Role, SecondStepFor, User
from apps.agencies.services import for_their_own_agency

BACKUP_CODES = 10
# How long the code may be awaited after the right password.
PATIENCE = 600
_WAITING = "password_step"
_PASSED = "second_step"
_SALT = "apps.agencies.second_step"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else


@dataclass(frozen=True, slots=True)
class Standing:
    """How the second step of a person stands."""

    is_on: bool
    codes_left: int = 0


def is_required(user: User, memberships: Iterable[Membership]) -> bool:
    """Whether the platform, or an agency that they are in, wants it of this person. `memberships`: with agencies."""
    if settings.SECOND_STEP_FOR == "everybody" or (user.is_superuser and settings.SECOND_STEP_FOR != "nobody"):
        return True
    return any(_wants(place) for place in memberships)


def _wants(place: Membership) -> bool:
    wanted_of = place.agency.second_step_for
    if wanted_of == SecondStepFor.EVERYBODY:
        return True
    return place.role == Role.OWNER and (wanted_of == SecondStepFor.OWNERS or settings.SECOND_STEP_FOR == "owners")


def is_lacking(request: HttpRequest, user: User) -> bool:
    """Whether this login is let in by less than is wanted: by the password alone, or by a code of a device that the
    person has no more, or before the password was changed. One query where it is wanted."""
    if not is_required(user, getattr(request, "memberships", [])):
        return False
    mark = _mark_of(user)
    return not mark or not constant_time_compare(str(request.session.get(_PASSED, "")), mark)


def note_passed(request: HttpRequest, user: User) -> None:
    """A code was right: this login is let in by it for as long as the person has this device and this password."""
    request.session[_PASSED] = _mark_of(user)


def ask_again(request: HttpRequest, user: User) -> None:
    """The code that let this login in is good no more: log out, and await one as after the password."""
    user.backend = request.session[BACKEND_SESSION_KEY]
    logout(request)
    await_code(request, user)


def is_on(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def standing_of(user: User) -> Standing:
    if not is_on(user):
        return Standing(is_on=False)
    return Standing(is_on=True, codes_left=StaticToken.objects.filter(device__user=user).count())


def begin(user: User) -> TOTPDevice:
    """The device that waits for its first code; the same one however often the page is opened."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        found = TOTPDevice.objects.filter(user=user, confirmed=False).first()
        return found or TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def picture_of(device: TOTPDevice) -> str:
    """The QR code as a `data:` address of an SVG: nothing is asked of another host, and no file is kept."""
    return segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=2, dark="#000", light="#fff")


def spelled(device: TOTPDevice) -> str:
    """The key to type in where no camera is at hand, in groups of four."""
    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def switch_on(*, user: User, code: str, session_key: str | None = None) -> list[str]:
    """From now on logging in takes a code. Returns the backup codes, of which only hashes are kept: show them once.

    Sessions that the password alone has opened end, but for that of `session_key`. Raises ValidationError where the
    code is not the app's.
    """
    codes: list[str] = []
    refusal: str = ""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None:
            refusal = _("It is switched on already.")
        elif not (refusal := _refusal(device, _plain(code))):
            TOTPDevice.objects.filter(user=user, confirmed=True).delete()
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            codes = _new_codes(user)
            _tell("person.second_step_on", user)
            sign_ins.end_others(user=user, but=session_key)
    if refusal:  # raised outside, so that the wrong attempt stays counted
        raise ValidationError(refusal, code="bad_code")
    return codes


def switch_off(*, user: User, code: str) -> None:
    """The password alone opens again. Raises ValidationError where the code is neither the app's nor a backup one, and
    where it is required of the person."""
    if is_required(user, memberships_of(user)):
        message = _("It is required of you, by your agency or by the platform. You can make new backup codes instead.")
        raise ValidationError(message, code="required")
    check(user=user, code=code)
    _forget(user)
    _tell("person.second_step_off", user)


def renew_codes(*, user: User, code: str) -> list[str]:
    """New backup codes; the old ones open nothing any more. Raises ValidationError."""
    check(user=user, code=code)
    with transaction.atomic():
        codes = _new_codes(user)
        _tell("person.backup_codes_renewed", user)
    return codes


@transaction.atomic
def reset(*, actor: Actor, member: Membership) -> None:
    """For a person who has lost both the app and the backup codes: an owner switches the second step off.

    Only for a person of this agency alone, as with their password. Raises ValidationError.
    """
    member = for_their_own_agency(actor=actor, member=member)
    if not is_on(member.user):
        raise ValidationError(_("This person logs in with the password alone already."), code="is_off")
    _forget(member.user)
    sign_ins.forget_all(member.user)
    tell("member.second_step_reset", actor, member.agency, member)


def check(*, user: User, code: str) -> None:
    """Use up a code of the app, or a backup one. Raises ValidationError with what to do."""
    plain = _plain(code)
    kind: type[Device] = TOTPDevice if re.fullmatch("[0-9]{6}", plain) else StaticDevice
    with transaction.atomic():
        device = kind.objects.select_for_update().filter(user=user, confirmed=True).first()
        refusal = _("This code is wrong.") if device is None else _refusal(device, plain)
    if refusal:  # raised outside, so that the wrong attempt stays counted
        raise ValidationError(refusal, code="bad_code")


def await_code(request: HttpRequest, user: User) -> None:
    """The password was right: keep in mind whose, until the code comes. Nobody is logged in yet."""
    request.session.cycle_key()
    request.session[_WAITING] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "backend": user.backend,
        "at": time.time(),
    }


def awaited(request: HttpRequest) -> User | None:
    """Whose code is awaited; None where nobody's is, or for too long, or their password was changed meanwhile."""
    facts = request.session.get(_WAITING)
    if not facts or time.time() - facts["at"] > PATIENCE:
        return None
    user = User.objects.filter(pk=facts["user"], is_active=True).first()
    if user is None or not constant_time_compare(facts["password"], user.get_session_auth_hash()):
        return None
    user.backend = facts["backend"]
    return user


def stop_waiting(request: HttpRequest) -> None:
    request.session.pop(_WAITING, None)


def count_wrong(request: HttpRequest, user: User) -> None:
    """A wrong code is to the lock-out what a wrong password is."""
    user_login_failed.send(sender=__name__, credentials={"username": user.email}, request=request)


def _refusal(device: Device, code: str) -> str:
    allowed, _facts = device.verify_is_allowed()
    if not allowed:
        return _("Too many wrong codes. Wait a while, then write a new code.")
    given = code if isinstance(device, TOTPDevice) else _hash_of(code)
    return "" if device.verify_token(given) else _("This code is wrong or was used before. Wait for the next one.")


def _plain(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="backup")
    codes = ["".join(secrets.choice(_ALPHABET) for _place in range(10)) for _code in range(BACKUP_CODES)]
    for code in codes:
        device.token_set.create(token=_hash_of(code))
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _hash_of(code: str) -> str:
    """As much of it as the column holds. A fast hash is enough: a code is random and long."""
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()[:16]


def _mark_of(user: User) -> str:
    """Another one with each device and each password; empty where there is no device."""
    device = TOTPDevice.objects.filter(user=user, confirmed=True).order_by("pk").first()
    if device is None:
        return ""
    what = f"{device.pk} {device.key} {user.get_session_auth_hash()}"
    return salted_hmac(_SALT, what, algorithm="sha256").hexdigest()[:32]


def _forget(user: User) -> None:
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()


def _tell(action: str, user: User) -> None:
    """A line in the log of each agency of the person: its owners care."""
    actor = Actor("person", user.email, str(user.pk))
    for agency in agencies_of(user):
        tell(action, actor, agency, user)
