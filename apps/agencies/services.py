"""Every write to agencies, their people and their keys. Each asks the actor's right and tells `events.acted`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from apps.agencies import keys, sign_ins
from apps.agencies.access import RIGHT_OF_SCOPE, require
from apps.agencies.actor import Actor, Right
from apps.agencies.checking import check_fields, check_limit, check_role, checked_counters, limit_of
from apps.agencies.events import Snapshot, tell
from apps.agencies.models import Agency, ApiKey, Membership, Role, SecondStepFor, User, folded
from apps.agencies.networks import checked_networks

LONGEST_OVERLAP = timedelta(days=30)


@transaction.atomic
def create_agency(*, actor: Actor, slug: str, name: str, is_active: bool = True, second_step_for: str = "") -> Agency:
    """A new tenant. `second_step_for`: of SecondStepFor. The platform's own staff only.

    Raises ValidationError by field.
    """
    _require_platform(actor)
    agency = Agency(slug=slug.strip(), name=name.strip(), is_active=is_active, second_step_for=second_step_for)
    agency.full_clean()
    agency.save()
    tell("agency.created", actor, agency, agency, after=_agency_facts(agency))
    return agency


@transaction.atomic
def update_agency(
    *,
    actor: Actor,
    agency: Agency,
    name: str | None = None,
    slug: str | None = None,
    is_active: bool | None = None,
    second_step_for: str | None = None,
) -> Agency:
    """Rename, close or reopen an agency. A closed one lets nobody in and its keys open nothing; its data stays."""
    _require_platform(actor)
    agency = Agency.objects.select_for_update().get(pk=agency.pk)
    before = _agency_facts(agency)
    agency.name = agency.name if name is None else name.strip()
    agency.slug = agency.slug if slug is None else slug.strip()
    agency.is_active = agency.is_active if is_active is None else is_active
    agency.second_step_for = agency.second_step_for if second_step_for is None else second_step_for
    agency.full_clean()
    if (after := _agency_facts(agency)) != before:
        agency.save()
        tell("agency.changed", actor, agency, agency, before=before, after=after)
    return agency


@transaction.atomic
def add_member(
    *,
    actor: Actor,
    agency: Agency,
    email: str,
    role: str,
    password: str | None = None,
    name: str = "",
    counter_ids: Iterable[int] | None = None,
) -> Membership:
    """Let a person into the agency. `counter_ids`: the counters that they are limited to; None: all.

    Somebody who already has a login keeps it as it is: their password and name are never changed by an agency. A new
    person gets `password`, or none: then give them `password_link`. Raises ValidationError by field.
    """
    require(actor=actor, right=Right.ADMINISTER, agency_id=agency.pk)
    email = folded(email)
    limit = limit_of(counter_ids)
    check_fields(
        email=lambda: validate_email(email),
        role=lambda: check_role(role),
        counter_ids=lambda: check_limit(role, limit),
    )
    user = User.objects.by_email(email)
    if user is None:
        user = User(email=email, name=name.strip())
        if password:
            check_fields(password=lambda: validate_password(password, User(email=email, name=name)))
        user.set_password(password or None)
        user.full_clean(exclude=["password"])
        user.save()
    elif Membership.objects.filter(agency=agency, user=user).exists():
        raise ValidationError({"email": ValidationError(_("This person is in the agency already."), code="duplicate")})
    member = Membership.objects.create(agency=agency, user=user, role=role, counter_ids=limit)
    tell("member.added", actor, agency, member, after=_member_facts(member))
    return member


@transaction.atomic
def change_member(
    *, actor: Actor, member: Membership, role: str, counter_ids: Iterable[int] | None = None
) -> Membership:
    """Give a member another role, or other counters to be limited to (None: all). The last owner stays one."""
    member = _locked(actor, member)
    limit = limit_of(counter_ids)
    check_fields(role=lambda: check_role(role), counter_ids=lambda: check_limit(role, limit))
    before = _member_facts(member)
    if role != Role.OWNER:
        _check_not_last_owner(member)
    action = "member.role_changed" if role != member.role else "member.counters_changed"
    member.role, member.counter_ids = role, limit
    if (after := _member_facts(member)) != before:
        member.save(update_fields=["role", "counter_ids"])
        tell(action, actor, member.agency, member, before=before, after=after)
    return member


@transaction.atomic
def remove_member(*, actor: Actor, member: Membership) -> None:
    """Take a person out of the agency; their login and their other agencies stay. Never the last owner."""
    member = _locked(actor, member)
    _check_not_last_owner(member)
    tell("member.removed", actor, member.agency, member, before=_member_facts(member))
    member.delete()


@transaction.atomic
def password_link(*, actor: Actor, member: Membership) -> str:
    """The path of a page where the member chooses a password; good for three days and for one use.

    Only for a person of this agency alone: their login to other agencies is no owner's to reset.
    """
    member = for_their_own_agency(actor=actor, member=member)
    user = member.user
    tell("member.password_link", actor, member.agency, member)
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("first-password", args=[uid, default_token_generator.make_token(user)])


def for_their_own_agency(*, actor: Actor, member: Membership) -> Membership:
    """The member, locked, where their login is this agency's alone: else it is no owner's to reset."""
    member = _locked(actor, member)
    user = member.user
    elsewhere = user.is_superuser or Membership.objects.filter(user=user).exclude(agency=member.agency_id).exists()
    if elsewhere and not actor.platform:
        message = _("This person works elsewhere as well. Only the platform's staff may reset how they log in.")
        raise ValidationError(message, code="works_elsewhere")
    return member


@transaction.atomic
def update_person(*, actor: Actor, user: User, **fields: Any) -> User:
    """Correct a login: `email`, `name`, `is_active`, `is_superuser`. The platform's own staff only."""
    _require_platform(actor)
    user = User.objects.select_for_update().get(pk=user.pk)
    before = _person_facts(user)
    for name, value in fields.items():
        setattr(user, name, value)
    user.email = folded(user.email)
    user.full_clean(exclude=["password"])
    if (after := _person_facts(user)) != before:
        user.save(update_fields=list(fields))
        tell("person.changed", actor, None, user, before=before, after=after)
    return user


def update_profile(*, user: User, name: str, language: str, time_zone: str) -> None:
    """What a person says of themselves. A matter of taste: it leaves no trace."""
    user.name, user.language, user.time_zone = name.strip(), language, time_zone
    user.full_clean(exclude=["password"])
    user.save(update_fields=["name", "language", "time_zone"])


def tell_password_chosen(*, user: User) -> None:
    """The person has chosen a new password themselves; where they were logged in with the old one, they are not."""
    sign_ins.forget_all(user)
    actor = Actor("person", user.email, str(user.pk))
    tell("person.password_chosen", actor, None, user)


@transaction.atomic
def create_api_key(
    *,
    actor: Actor,
    agency: Agency,
    name: str,
    scopes: Iterable[str],
    counter_ids: Iterable[int] | None = None,
    networks: Iterable[str] | None = None,
    expires_at: datetime | None = None,
    secret: str | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is kept nowhere: show it once.

    `scopes`: of "read", "write". `counter_ids`: Metrica's numbers, None for no limit. `networks`: from which it may be
    used, like "192.0.2.0/24"; None for no limit. `expires_at`: aware. `secret`: the key's text where it comes from
    outside, 24 to 200 characters. Raises ValidationError by field.
    """
    require(actor=actor, right=Right.ADMINISTER, agency_id=agency.pk)
    text = keys.new_key() if secret is None else secret
    key = ApiKey(agency=agency, name=name.strip(), prefix=keys.prefix_of(text), secret_hash=keys.hash_of(text))
    check_fields(
        name=lambda: _check_name_is_free(key),
        scopes=lambda: setattr(key, "scopes", _checked_scopes(scopes)),
        counter_ids=lambda: setattr(key, "counter_ids", checked_counters(counter_ids)),
        networks=lambda: setattr(key, "networks", checked_networks(networks)),
        expires_at=lambda: _check_expiry(expires_at),
        secret=lambda: _check_secret(text),
    )
    key.expires_at = expires_at
    key.full_clean()
    key.save()
    tell("api_key.created", actor, agency, key, after=_key_facts(key))
    return key, text


@transaction.atomic
def change_api_key(*, actor: Actor, key: ApiKey, networks: Iterable[str] | None, expires_at: datetime | None) -> ApiKey:
    """Limit a key to other networks (None: none), or let it end at another time. What it may do stays: that takes
    another key. Raises ValidationError by field.

    Those that it took the place of and that open still are limited along with it, and end with it at the latest.
    """
    key = _locked_key(actor, key)
    before = _key_facts(key)
    check_fields(
        networks=lambda: setattr(key, "networks", checked_networks(networks)),
        expires_at=lambda: _check_expiry(expires_at if expires_at != key.expires_at else None),
    )
    key.expires_at = expires_at
    if _key_facts(key) != before:
        _check_in_force(key)
        _save_limits(actor, key, before)
    for old in _open_before(key):
        before = _key_facts(old)
        old.networks = key.networks
        old.expires_at = min(old.expires_at, expires_at) if old.expires_at and expires_at else old.expires_at
        if _key_facts(old) != before:
            _save_limits(actor, old, before)
    return key


@transaction.atomic
def rotate_api_key(
    *, actor: Actor, key: ApiKey, overlap: timedelta, expires_at: datetime | None = None, secret: str | None = None
) -> tuple[ApiKey, str]:
    """A new key under the name and the limits of this one, and its text: show it once.

    `overlap`: how long the old one goes on, at most until its own end; none: it opens nothing from now on.
    `expires_at`: when the new one ends; None: never. Raises ValidationError by field.
    """
    key = _locked_key(actor, key)
    _check_in_force(key)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        message = _("The old key goes on for up to %(days)s days.") % {"days": LONGEST_OVERLAP.days}
        raise ValidationError({"overlap": ValidationError(message, code="too_long")})
    text, now = keys.new_key() if secret is None else secret, timezone.now()
    check_fields(expires_at=lambda: _check_expiry(expires_at), secret=lambda: _check_secret(text))
    before, end = _key_facts(key), now + overlap
    new = ApiKey(
        agency=key.agency,
        name=key.name,
        prefix=keys.prefix_of(text),
        secret_hash=keys.hash_of(text),
        scopes=key.scopes,
        counter_ids=key.counter_ids,
        networks=key.networks,
        expires_at=expires_at,
        replaced_by=key,  # for this moment: a name is carried by one key alone
    )
    new.save()
    key.replaced_by, key.expires_at = new, end if key.expires_at is None else min(key.expires_at, end)
    key.save(update_fields=["replaced_by", "expires_at"])
    new.replaced_by = None
    new.save(update_fields=["replaced_by"])
    tell("api_key.rotated", actor, key.agency, key, before=before, after=_key_facts(key))
    tell("api_key.created", actor, key.agency, new, after=_key_facts(new))
    return new, text


@transaction.atomic
def revoke_api_key(*, actor: Actor, key: ApiKey) -> list[ApiKey]:
    """From now on the key opens nothing, and neither do those that it took the place of, which are returned. It stays
    in the list, so that one sees what it was."""
    key = _locked_key(actor, key)
    older = _open_before(key)
    for one in [key, *older]:
        if one.revoked_at is None:
            before = _key_facts(one)
            one.revoked_at = timezone.now()
            one.save(update_fields=["revoked_at"])
            tell("api_key.revoked", actor, key.agency, one, before=before, after=_key_facts(one))
    return older


def choose_language(*, user: User, language: str) -> None:
    """Remember the person's language. A matter of taste: it leaves no trace."""
    User.objects.filter(pk=user.pk).exclude(language=language).update(language=language)


@transaction.atomic
def require_second_step(*, actor: Actor, agency: Agency, of: str) -> Agency:
    """Who has to log in with a second step to work in the agency: of SecondStepFor. Its owners decide."""
    require(actor=actor, right=Right.ADMINISTER, agency_id=agency.pk)
    if of not in SecondStepFor.values:
        raise ValidationError({"of": ValidationError(_("Choose one of the list."), code="invalid_choice")})
    agency = Agency.objects.select_for_update().get(pk=agency.pk)
    before = _agency_facts(agency)
    if agency.second_step_for != of:
        agency.second_step_for = of
        agency.save(update_fields=["second_step_for"])
        tell("agency.second_step_required", actor, agency, agency, before=before, after=_agency_facts(agency))
    return agency


def _agency_facts(agency: Agency) -> Snapshot:
    return {
        "slug": agency.slug,
        "name": agency.name,
        "is_active": agency.is_active,
        "second_step_for": agency.second_step_for,
    }


def _person_facts(user: User) -> Snapshot:
    return {"email": user.email, "name": user.name, "is_active": user.is_active, "is_superuser": user.is_superuser}


def _member_facts(member: Membership) -> Snapshot:
    return {"email": member.user.email, "role": member.role, "counter_ids": member.counter_ids}


def _key_facts(key: ApiKey) -> Snapshot:
    return {
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "counter_ids": key.counter_ids,
        "networks": key.networks,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _locked(actor: Actor, member: Membership) -> Membership:
    """The member, once nobody else can change who owns the agency."""
    require(actor=actor, right=Right.ADMINISTER, agency_id=member.agency_id)
    Agency.objects.select_for_update().get(pk=member.agency_id)
    return Membership.objects.select_related("agency", "user").get(pk=member.pk)


def _locked_key(actor: Actor, key: ApiKey) -> ApiKey:
    require(actor=actor, right=Right.ADMINISTER, agency_id=key.agency_id)
    return ApiKey.objects.select_for_update(of=("self",)).select_related("agency").get(pk=key.pk)


def _open_before(key: ApiKey) -> list[ApiKey]:
    rows = ApiKey.objects.select_for_update(of=("self",)).select_related("agency")
    return list(rows.still_open_before(key))


def _save_limits(actor: Actor, key: ApiKey, before: Snapshot) -> None:
    key.save(update_fields=["networks", "expires_at"])
    tell("api_key.changed", actor, key.agency, key, before=before, after=_key_facts(key))


def _check_in_force(key: ApiKey) -> None:
    if key.revoked_at is not None or key.replaced_by_id is not None:
        message = _("This key is revoked or has been replaced already. Make a new one, or go to its successor.")
        raise ValidationError(message, code="not_in_force")


def _check_not_last_owner(member: Membership) -> None:
    if member.role != Role.OWNER:
        return
    owners = Membership.objects.filter(agency=member.agency_id, role=Role.OWNER, user__is_active=True)
    if not owners.exclude(pk=member.pk).exists():
        message = _("The agency would be left without an owner. Make somebody else its owner first.")
        raise ValidationError({"role": ValidationError(message, code="last_owner")})


def _require_platform(actor: Actor) -> None:
    if not actor.platform:
        raise PermissionDenied(_("Only the platform's own staff may do this."))


def _check_name_is_free(key: ApiKey) -> None:
    if ApiKey.objects.current().filter(agency=key.agency, name=key.name).exists():
        raise ValidationError(_("There is a key of this name already. Choose another name."), code="duplicate")


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(scopes))
    if not chosen or any(scope not in RIGHT_OF_SCOPE for scope in chosen):
        message = _("Choose one or more of: %(choices)s.")
        raise ValidationError(message, code="invalid_choice", params={"choices": ", ".join(RIGHT_OF_SCOPE)})
    return chosen


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError(_("This moment has passed. Choose a later one."), code="past")


def _check_secret(text: str) -> None:
    if not (keys.SHORTEST_SECRET <= len(text) <= keys.LONGEST_SECRET and text.isascii() and text.isprintable()):
        message = _("A key is 24 to 200 printable ASCII characters.")
        raise ValidationError(message, code="bad_secret")
    if " " in text:
        raise ValidationError(_("A key has no spaces."), code="bad_secret")
    if ApiKey.objects.filter(prefix=keys.prefix_of(text)).exists():
        raise ValidationError(_("This key is in use already. Choose another."), code="duplicate")
