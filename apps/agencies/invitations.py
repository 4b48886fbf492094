"""Invitations: an owner asks a person in by a link, good once and for a week, withdrawn or sent again at will."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.agencies.access import require
from apps.agencies.actor import Actor, Right
from apps.agencies.checking import check_fields, check_limit, check_role, limit_of
from apps.agencies.events import Snapshot, tell
from apps.agencies.models import Agency, Invitation, Membership, User

GOOD_FOR = timedelta(days=7)


@transaction.atomic
def invite(
    *, actor: Actor, agency: Agency, email: str, role: str, counter_ids: Iterable[int] | None = None
) -> tuple[Invitation, str]:
    """An invitation and the secret of its link, which is kept nowhere. `counter_ids`: as of `add_member`.

    Raises ValidationError by field.
    """
    require(actor=actor, right=Right.ADMINISTER, agency_id=agency.pk)
    email, limit = email.strip().lower(), limit_of(counter_ids)
    check_fields(
        email=lambda: _check_email(agency, email),
        role=lambda: check_role(role),
        counter_ids=lambda: check_limit(role, limit),
    )
    secret = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            invitation = Invitation.objects.create(
                agency=agency,
                email=email,
                role=role,
                counter_ids=limit,
                secret_hash=_hash_of(secret),
                invited_by=actor.label,
                expires_at=timezone.now() + GOOD_FOR,
            )
    except IntegrityError:  # another owner, or a second press, was a moment earlier
        raise ValidationError({"email": _invited_already()}) from None
    tell("invitation.sent", actor, agency, invitation, after=_facts(invitation))
    return invitation, secret


@transaction.atomic
def send_again(*, actor: Actor, invitation: Invitation) -> tuple[Invitation, str]:
    """A new link for another week; the one before opens nothing any more. Raises ValidationError."""
    invitation = _open(actor, invitation)
    secret, before = secrets.token_urlsafe(32), _facts(invitation)
    invitation.secret_hash, invitation.expires_at = _hash_of(secret), timezone.now() + GOOD_FOR
    invitation.mailed_at = None
    invitation.save(update_fields=["secret_hash", "expires_at", "mailed_at"])
    tell("invitation.sent_again", actor, invitation.agency, invitation, before=before, after=_facts(invitation))
    return invitation, secret


@transaction.atomic
def withdraw(*, actor: Actor, invitation: Invitation) -> None:
    """From now on the link opens nothing. Raises ValidationError where it was accepted or withdrawn before."""
    invitation = _open(actor, invitation)
    invitation.withdrawn_at = timezone.now()
    invitation.save(update_fields=["withdrawn_at"])
    tell("invitation.withdrawn", actor, invitation.agency, invitation, before=_facts(invitation))


def find(secret: str) -> Invitation | None:
    """The invitation whose link can be followed; None where there is none, or not any more."""
    found = Invitation.objects.select_related("agency").filter(secret_hash=_hash_of(secret)).first()
    return found if found is not None and found.is_good else None


def person_of(invitation: Invitation) -> User | None:
    """Who has a login by this e-mail already."""
    return User.objects.by_email(invitation.email)


@transaction.atomic
def join(*, secret: str, user: User) -> Membership:
    """A person who has a login, and is logged in, accepts. Raises ValidationError."""
    return _accept(_followed(secret), user)


@transaction.atomic
def join_newly(*, secret: str, name: str, password: str) -> Membership:
    """A person without a login accepts, and gets one by the e-mail that was invited. Raises ValidationError."""
    invitation = _followed(secret)
    if person_of(invitation) is not None:
        raise ValidationError(_("There is a login by this e-mail already. Log in and follow the link once more."))
    user = User(email=invitation.email, name=name.strip())
    check_fields(password=lambda: validate_password(password, user))
    user.set_password(password)
    user.full_clean(exclude=["password"])
    user.save()
    return _accept(invitation, user)


def note_mailed(invitation: Invitation) -> None:
    invitation.mailed_at = timezone.now()
    invitation.save(update_fields=["mailed_at"])


def _accept(invitation: Invitation, user: User) -> Membership:
    actor = Actor("person", user.email, str(user.pk))
    if user.email != invitation.email or not user.is_active:
        raise ValidationError(_("This invitation is for another person."), code="another_person")
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    limits = {"role": invitation.role, "counter_ids": invitation.counter_ids}
    member, joined = Membership.objects.get_or_create(agency=invitation.agency, user=user, defaults=limits)
    if joined:
        tell("member.added", actor, invitation.agency, member, after={"email": user.email, **limits})
    tell("invitation.accepted", actor, invitation.agency, invitation, after=_facts(invitation))
    return member


def _followed(secret: str) -> Invitation:
    """The invitation, once nobody else can accept or withdraw it."""
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("agency")
    invitation = rows.filter(secret_hash=_hash_of(secret)).first()
    if invitation is None or not invitation.is_good:
        message = _("This link has been used or is too old. Ask the owner of your agency for a new one.")
        raise ValidationError(message, code="not_good")
    return invitation


def _open(actor: Actor, invitation: Invitation) -> Invitation:
    require(actor=actor, right=Right.ADMINISTER, agency_id=invitation.agency_id)
    invitation = Invitation.objects.select_for_update(of=("self",)).select_related("agency").get(pk=invitation.pk)
    if not invitation.is_open:
        message = _("This invitation was accepted or withdrawn already. Make a new one.")
        raise ValidationError(message, code="closed")
    return invitation


def _check_email(agency: Agency, email: str) -> None:
    validate_email(email)
    if Membership.objects.filter(agency=agency, user=User.objects.by_email(email)).exists():
        raise ValidationError(_("This person is in the agency already."), code="duplicate")
    if Invitation.objects.open().filter(agency=agency, email=email).exists():
        raise _invited_already()


def _invited_already() -> ValidationError:
    message = _("This person is invited already. Send the invitation again, or withdraw it first.")
    return ValidationError(message, code="invited")


def _facts(invitation: Invitation) -> Snapshot:
    return {
        "email": invitation.email,
        "role": invitation.role,
        "counter_ids": invitation.counter_ids,
        "expires_at": invitation.expires_at,
    }


def _hash_of(secret: str) -> str:
    """A fast hash is enough: the secret is long and random."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
