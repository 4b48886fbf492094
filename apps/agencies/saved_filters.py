"""What people do with saved filters. Those for the whole agency leave a trace; a person's own are a matter of taste."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.agencies.actor import Actor, Right
from apps.agencies.changelists import without_words
from apps.agencies.events import Snapshot, tell
from apps.agencies.models import SavedFilter, User

MOST = 100
"""That one person keeps of one list: nobody chooses among more."""


def may_share(actor: Actor) -> bool:
    """Who works for all of the agency, and on more than some of its counters."""
    return actor.can(Right.OPERATE) and actor.counters is None


def may_change(actor: Actor, saved: SavedFilter) -> bool:
    return may_share(actor) if saved.shared else str(saved.user_id) == actor.id


@transaction.atomic
def save_filter(*, actor: Actor, list_name: str, name: str, query: str, shared: bool = False) -> SavedFilter:
    """Keep the parameters (of those that the list knows) under a name. Raises ValidationError by field."""
    if shared and not may_share(actor):
        raise PermissionDenied(_("You may not do this in this agency."))
    if not query:
        message = _("Nothing is chosen that could be saved: search, filter or sort the list first.")
        raise ValidationError({"query": ValidationError(message, code="nothing")})
    saved = SavedFilter(
        agency_id=actor.agency_id, user_id=int(actor.id), list_name=list_name, query=query, shared=shared
    )
    own = SavedFilter.objects.filter(agency=actor.agency_id, user=int(actor.id), list_name=list_name)
    if own.count() >= MOST:
        message = _("You have saved %(number)s filters of this list. Delete one that you do not need any more.")
        raise ValidationError({"name": ValidationError(message, code="too_many", params={"number": MOST})})
    _name(saved, name)
    saved.save()
    _tell("saved_filter.created", actor, saved, after=_facts(saved))
    return saved


@transaction.atomic
def rename_filter(*, actor: Actor, saved: SavedFilter, name: str) -> None:
    """Raises ValidationError by field."""
    _require(actor, saved)
    before, was = _facts(saved), saved.name
    _name(saved, name)
    saved.save(update_fields=["name"])
    if was != saved.name:
        _tell("saved_filter.renamed", actor, saved, before=before, after=_facts(saved))


@transaction.atomic
def delete_filter(*, actor: Actor, saved: SavedFilter) -> None:
    """Where it was the start of a list, that list opens whole again."""
    _require(actor, saved)
    _tell("saved_filter.deleted", actor, saved, before=_facts(saved))
    saved.delete()


@transaction.atomic
def start_with(*, actor: Actor, saved: SavedFilter, on: bool = True) -> None:
    """Let its list open with it, for this person alone, or whole again. One filter of a list is its start."""
    user = User.objects.select_for_update().get(pk=actor.id)
    rows = SavedFilter.objects.filter(pk__in=user.start_filters)
    of_this_list = rows.filter(agency=saved.agency_id, list_name=saved.list_name)
    kept = set(rows.values_list("pk", flat=True)) - set(of_this_list.values_list("pk", flat=True))
    user.start_filters = sorted({*kept, saved.pk} if on else kept)
    user.save(update_fields=["start_filters"])


def _require(actor: Actor, saved: SavedFilter) -> None:
    if not may_change(actor, saved):
        raise PermissionDenied(_("You may not do this in this agency."))


def _name(saved: SavedFilter, name: str) -> None:
    saved.name = " ".join(name.split())
    saved.full_clean(exclude=["agency", "user"], validate_unique=False, validate_constraints=False)
    same = SavedFilter.objects.filter(
        agency=saved.agency_id, user=saved.user_id, list_name=saved.list_name, name=saved.name
    )
    if same.exclude(pk=saved.pk).exists():
        message = _("You have a filter of this name already. Choose another name.")
        raise ValidationError({"name": ValidationError(message, code="duplicate")})


def _facts(saved: SavedFilter) -> Snapshot:
    """For the log, which stays: a name may be somebody's phone as well as what is searched for."""
    return {
        "name": saved.audit_label,
        "list": saved.list_name,
        "parameters": without_words(QueryDict(saved.query)),
    }


def _tell(action: str, actor: Actor, saved: SavedFilter, **facts: Any) -> None:
    if saved.shared:
        tell(action, actor, saved.agency, saved, **facts)
