"""Which agency a person is working in, and the others they may switch to."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.agencies.access import actor_of
from apps.agencies.middleware import SESSION_KEY
from apps.agencies.models import Agency, Membership

ALL = "all"


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of the menu. `value` is what the form sends: an agency's key, or "all"."""

    value: str
    name: str
    active: bool


def choices(request: HttpRequest) -> list[Choice]:
    """The person's agencies; for platform staff every one, and all at once."""
    actor = actor_of(request)
    if not actor.platform:
        places: list[Membership] = getattr(request, "memberships", [])
        return [Choice(str(place.agency_id), place.agency.name, actor.agency_id == place.agency_id) for place in places]
    everything = Choice(ALL, _("All agencies"), actor.agencies is None)
    rows = Agency.objects.order_by("name").values_list("pk", "name")
    return [everything, *(Choice(str(pk), name, actor.agency_id == pk) for pk, name in rows)]


def switch(request: HttpRequest, value: str) -> bool:
    """Work in this agency from now on. False, and nothing changes, where it is not theirs to choose."""
    if value not in {choice.value for choice in choices(request)}:
        return False
    if value == ALL:
        request.session.pop(SESSION_KEY, None)
    else:
        request.session[SESSION_KEY] = int(value)
    return True
