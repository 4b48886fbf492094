"""`/management/v1/counter/{id}/grants`, `…/grant`, `…/my_grant`: guest accesses (grants, grant, mygrant, addgrant)."""

from typing import Any

from django.db import IntegrityError, transaction

from apps.metrica.serving.envelope import ApiError
from apps.metrica.serving.json_body import flag_of, json_object, text_of
from apps.metrica.serving.methods import by_method
from apps.sandbox import quotas
from apps.sandbox.api.endpoint import Call, endpoint, permission_of
from apps.sandbox.models import Endpoint, Permission, SandboxAccess, SandboxCounter

GRANTED = (
    Permission.PUBLIC_STAT,
    Permission.VIEW,
    Permission.EDIT,
    Permission.ANALYST,
    Permission.ANALYST_ACCESS_FILTER,
)


@endpoint(Endpoint.MANAGEMENT)
def _list(call: Call) -> dict[str, Any]:
    """For the owner and editors only."""
    counter = call.counter(to_change=True)
    return {"grants": [wire_grant(access, counter) for access in counter.accesses.order_by("pk")]}


@endpoint(Endpoint.MANAGEMENT, method="POST")
def _add(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    quotas.take_grant(counter.metrica_id)
    fields = json_object(call, "grant")
    perm = text_of(fields, "perm", where="grant")
    if perm not in [permission.value for permission in GRANTED]:
        raise ApiError("invalid_parameter", f"perm must be one of {', '.join(GRANTED)}.", location="grant.perm")
    # An access for everybody has no login.
    least, default = (0, "") if perm == Permission.PUBLIC_STAT else (1, None)
    login = text_of(fields, "user_login", where="grant", least=least, most=100, default=default)
    if login == counter.owner_login:
        raise ApiError("invalid_parameter", "This login owns the counter.", location="grant.user_login")
    access = SandboxAccess(
        counter=counter,
        login=login,
        permission=perm,
        comment=text_of(fields, "comment", where="grant", default=""),
        partner_data_access=flag_of(fields, "partner_data_access", where="grant"),
    )
    try:
        with transaction.atomic():
            access.save()
    except IntegrityError:
        raise ApiError("conflict", "This login has an access already.", location="grant.user_login") from None
    return {"grant": wire_grant(access, counter)}


@endpoint(Endpoint.MANAGEMENT)
def grant(call: Call) -> dict[str, Any]:
    counter = call.counter(to_change=True)
    if "user_login" not in call.request.GET:
        raise ApiError("missing_parameter", "user_login is required.", location="user_login")
    access = counter.accesses.filter(login=call.request.GET["user_login"]).first()
    if access is None:
        raise ApiError("not_found", "This login has no access to the counter.")
    return {"grant": wire_grant(access, counter)}


@endpoint(Endpoint.MANAGEMENT)
def my_grant(call: Call) -> dict[str, Any]:
    """The caller's own permission; an owner's is `own`, since the counter was made."""
    counter = call.counter()
    access = counter.accesses.filter(login=call.login).first()
    if access is None:
        access = SandboxAccess(
            login=call.login,
            permission=permission_of(login=call.login, counter=counter) or "",
            created_at=counter.created_at,
            partner_data_access=True,
        )
    return {"grant": wire_grant(access, counter)}


grants = by_method(get=_list, post=_add)


def wire_grant(access: SandboxAccess, counter: SandboxCounter) -> dict[str, Any]:
    return {
        "user_login": access.login,
        "perm": access.permission,
        "created_at": access.created_at.astimezone(counter.zone).isoformat(timespec="seconds"),
        "comment": access.comment,
        "partner_data_access": access.partner_data_access,
    }
