"""Links to pages that not everybody may open: the address for who may, whom to ask for everybody else."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.agencies.access import actor_of
from apps.agencies.models import Membership, Role

NAMED = 5
"""Owners who are named to whoever is to ask one."""


def page_of(request: HttpRequest, obj: models.Model | None) -> str:
    """The address of an object's page; empty where pages of its kind are closed to this person. No query: it is for
    objects that belong to something which the person sees already."""
    if obj is None or not _opens(request, type(obj)):
        return ""
    return _address(type(obj), obj.pk)


def page_by_name(request: HttpRequest, kind: str, pk: Any) -> str:
    """The same for an object that may be gone, or somebody else's: `kind` is `app.model`. One query."""
    known = {model._meta.label_lower: model for model in admin.site._registry}
    model = known.get(kind)
    if model is None or not _opens(request, model):
        return ""
    found = admin.site._registry[model].get_object(request, str(pk))
    return "" if found is None else _address(model, found.pk)


def ask_owner(request: HttpRequest, agency_id: int | None) -> str:
    """What stands in place of a way that only an agency's owners have. One query for an agency and a request."""
    known: dict[int | None, str] = request.__dict__.setdefault("_ask_owner", {})
    if agency_id not in known:
        owners = Membership.objects.filter(agency=agency_id, role=Role.OWNER, user__is_active=True)
        emails = list(owners.order_by("user__email").values_list("user__email", flat=True)[: NAMED + 1])
        who = ", ".join(emails[:NAMED]) + ("…" if len(emails) > NAMED else "")
        nobody = _("Only an owner of the agency may do this, and it has none yet: ask whoever runs Goalpost.")
        known[agency_id] = _("Ask an owner of the agency: %(who)s.") % {"who": who} if who else nobody
    return known[agency_id]


def sees_accounts(request: HttpRequest) -> bool:
    """Accounts are the whole agency's: who is limited to some counters has no page of them."""
    return actor_of(request).counters is None


def _opens(request: HttpRequest, model: type[models.Model]) -> bool:
    pages = admin.site._registry.get(model)
    return pages is not None and pages.has_view_permission(request)


def _address(model: type[models.Model], pk: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
