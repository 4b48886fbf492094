"""From a login or an API key to the actor that every right is asked of (R11)."""

from collections.abc import Iterable
from types import MappingProxyType

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.agencies.actor import ALL_RIGHTS, NOBODY, Actor, Right
from apps.agencies.models import Agency, ApiKey, Membership, Role, User

RIGHTS_OF_ROLE = MappingProxyType(
    {
        Role.OWNER.value: ALL_RIGHTS,
        Role.MANAGER.value: frozenset({Right.READ, Right.OPERATE}),
        Role.ANALYST.value: frozenset({Right.READ}),
    }
)
RIGHT_OF_SCOPE = MappingProxyType({"read": Right.READ, "write": Right.OPERATE})


def memberships_of(user: User) -> list[Membership]:
    """The person's places in active agencies, by the agencies' names. One query."""
    places = Membership.objects.filter(user=user, agency__is_active=True)
    return list(places.select_related("agency").order_by("agency__name", "pk"))


def agencies_of(user: User) -> list[Agency | None]:
    """Whose log is told of what a person does with their own login; the platform's, None, where they are in none."""
    return [place.agency for place in memberships_of(user)] or [None]


def actor_for_user(
    user: User, agency_id: int | None = None, *, memberships: Iterable[Membership] | None = None
) -> Actor:
    """The person as an actor within one agency.

    `agency_id`: the agency they chose; one that they do not belong to is passed over for their first. Platform staff
    work in every agency while none is chosen. `memberships`: what `memberships_of` gave, where it is at hand.
    """
    if not user.is_active:
        return NOBODY
    if user.is_superuser:
        agencies = None if agency_id is None else frozenset({agency_id})
        return Actor("person", user.email, str(user.pk), agencies, ALL_RIGHTS, platform=True)
    places = list(memberships_of(user) if memberships is None else memberships)
    if not places:
        return Actor("person", user.email, str(user.pk))
    place = next((place for place in places if place.agency_id == agency_id), places[0])
    rights = RIGHTS_OF_ROLE.get(place.role, frozenset())
    limit = None if place.counter_ids is None else frozenset(place.counter_ids)
    return Actor("person", user.email, str(user.pk), frozenset({place.agency_id}), rights, counters=limit)


def actor_for_key(key: ApiKey) -> Actor:
    """The key as an actor: its scopes are its rights, its counters its limits. It never administers."""
    return Actor(
        kind="key",
        label=f"key {key}",
        id=str(key.pk),
        agencies=frozenset({key.agency_id}),
        rights=frozenset(RIGHT_OF_SCOPE[scope] for scope in key.scopes if scope in RIGHT_OF_SCOPE),
        counters=None if key.counter_ids is None else frozenset(key.counter_ids),
    )


def actor_of(request: HttpRequest) -> Actor:
    """The actor of a request; nobody where no middleware has named one."""
    return getattr(request, "actor", NOBODY)


def require(*, actor: Actor, right: Right, agency_id: int) -> None:
    """Raise PermissionDenied unless the actor has the right in this agency."""
    if not (actor.can(right) and actor.reaches(agency_id)):
        raise PermissionDenied(_("You may not do this in this agency."))
