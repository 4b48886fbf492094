"""Everything that changes the sandbox: for tests in the same process, for the control addresses and for the pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.apps import apps
from django.core.management.color import no_style
from django.db import connections, router, transaction
from django.utils import timezone, translation

from apps.metrica.identifiers import NORMALIZERS
from apps.metrica.vocabulary import GOAL_ID_FORBIDDEN, SystemGoal
from apps.sandbox.conditions import CONDITION_TYPES
from apps.sandbox.faults import DEFAULT_ENDPOINTS, check_parameters
from apps.sandbox.limits import LIMITS
from apps.sandbox.models import (
    Endpoint,
    FaultKind,
    Permission,
    SandboxAccess,
    SandboxCounter,
    SandboxFault,
    SandboxGoal,
    SandboxLimit,
    SandboxSwitch,
    SandboxToken,
    SandboxUploading,
    SandboxUsage,
    SandboxVisit,
    SandboxVisitKey,
)
from apps.sandbox.receiving import FileRefused, receive, receive_simple_orders
from apps.sandbox.schema import Attribute, Status, create_attributes, create_products, map_statuses
from apps.sandbox.state import identifier_keys
from apps.sandbox.switches import SWITCHES

__all__ = [
    "Attribute",
    "FileRefused",
    "Status",
    "Visit",
    "add_access",
    "add_fault",
    "add_goal",
    "add_visit",
    "add_visits",
    "clear_faults",
    "create_attributes",
    "create_counter",
    "create_products",
    "delete_counter",
    "delete_goal",
    "map_statuses",
    "receive",
    "receive_simple_orders",
    "reset",
    "restore_limits",
    "revoke_token",
    "set_limit",
    "set_switch",
]

_LARGEST_NUMBER = 2**31 - 1


@transaction.atomic
def create_counter(
    *,
    metrica_id: int,
    name: str = "",
    site: str = "",
    time_zone_name: str = "Europe/Moscow",
    owner_login: str = "sandbox",
    token: str = "",
    goals: Iterable[str] | Mapping[str, str] = (),
    mirrors: Sequence[str] = (),
    favorite: bool = False,
) -> SandboxCounter:
    """A counter of `owner_login` with its JavaScript goals (identifiers, or identifier → name).

    `token` is made valid for the login; left out, the login's own is used or one is made (see `counter.token`).
    Raises ValueError for a number, zone or goal that cannot be, and for a token of another login.
    """
    if not 0 < metrica_id <= _LARGEST_NUMBER:
        raise ValueError(f"A counter's number lies between 1 and {_LARGEST_NUMBER}.")
    try:
        ZoneInfo(time_zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"There is no time zone {time_zone_name!r}.") from error
    if SandboxCounter.objects.filter(metrica_id=metrica_id).exists():
        raise ValueError(f"The counter {metrica_id} is there already.")
    counter = SandboxCounter.objects.create(
        metrica_id=metrica_id,
        name=name or f"Counter {metrica_id}",
        site=site,
        time_zone_name=time_zone_name,
        owner_login=owner_login,
        mirrors=",".join(mirrors),
        favorite=favorite,
    )
    with translation.override("en"):
        SandboxGoal.objects.bulk_create(
            SandboxGoal(counter=counter, name=str(goal.label), type=goal.value, identifier=goal.value)
            for goal in SystemGoal
        )
    for identifier, title in (goals if isinstance(goals, Mapping) else dict.fromkeys(goals, "")).items():
        add_goal(counter=counter, identifier=identifier, name=title)
    _issue_token(login=owner_login, token=token)
    return counter


def _issue_token(*, login: str, token: str) -> None:
    if not token and SandboxToken.objects.filter(login=login, revoked=False).exists():
        return
    held, _created = SandboxToken.objects.get_or_create(
        token=token or f"sandbox-{token_urlsafe(24)}", defaults={"login": login}
    )
    if held.login != login:
        raise ValueError("This token belongs to another login.")


def revoke_token(*, token: str) -> None:
    """From now on the token is answered with 403 invalid_token."""
    SandboxToken.objects.filter(token=token).update(revoked=True)


def add_access(*, counter: SandboxCounter, login: str, permission: Permission, token: str = "") -> None:
    """Invites `login` to the counter, with `edit` (may upload) or `view` (may not)."""
    SandboxAccess.objects.update_or_create(counter=counter, login=login, defaults={"permission": permission})
    _issue_token(login=login, token=token)


def add_goal(
    *,
    counter: SandboxCounter,
    identifier: str,
    name: str = "",
    condition_type: str = "exact",
    created_at: datetime | None = None,
) -> SandboxGoal:
    """A JavaScript goal, or the existing one with this identifier. Raises ValueError for forbidden characters.

    `condition_type` "contain" makes it as Metrica's interface does; `created_at` (aware) makes it older or younger.
    """
    if not identifier or any(character in GOAL_ID_FORBIDDEN for character in identifier):
        raise ValueError(f"A goal's identifier is not empty and has none of {GOAL_ID_FORBIDDEN}")
    if condition_type not in CONDITION_TYPES:
        raise ValueError(f"A condition's type is one of {', '.join(CONDITION_TYPES)}.")
    if created_at is not None and created_at.tzinfo is None:
        raise ValueError("A goal's creation needs a time zone.")
    goals = SandboxGoal.objects.living().filter(counter=counter, type="action", identifier=identifier)
    return goals.first() or SandboxGoal.objects.create(
        counter=counter,
        type="action",
        identifier=identifier,
        name=name or identifier,
        condition_type=condition_type,
        created_at=created_at or timezone.now(),
    )


def delete_goal(*, goal: SandboxGoal) -> None:
    """Soft, as in Metrica: the goal is listed with useDeleted only and is not reached any more."""
    if goal.deleted_at is None:
        goal.deleted_at = timezone.now()
        goal.save(update_fields=["deleted_at"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit to add. `started_at` is aware; identifiers are written as people write them."""

    started_at: datetime
    client_id: str = ""
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()


def add_visit(
    *,
    counter: SandboxCounter,
    started_at: datetime,
    client_id: str = "",
    emails: Sequence[str] = (),
    phones: Sequence[str] = (),
) -> SandboxVisit:
    """One visit; `started_at` is aware. Raises ValueError for an identifier that is none."""
    visit = Visit(started_at=started_at, client_id=client_id, emails=emails, phones=phones)
    return add_visits(counter=counter, visits=[visit])[0]


@transaction.atomic
def add_visits(*, counter: SandboxCounter, visits: Iterable[Visit]) -> list[SandboxVisit]:
    """Visits by the thousand. Raises ValueError for an identifier that is none or a time without a zone."""
    rows = [_visit(counter, visit) for visit in visits]
    made = SandboxVisit.objects.bulk_create(rows, batch_size=500)
    SandboxVisitKey.objects.bulk_create(
        (
            SandboxVisitKey(visit=visit, key=f"{counter.pk}{key}", started_at=visit.started_at)
            for visit in made
            for key in sorted(
                identifier_keys(
                    client_ids=[visit.client_id] if visit.client_id else [],
                    emails=visit.emails.split(",") if visit.emails else [],
                    phones=visit.phones.split(",") if visit.phones else [],
                )
            )
        ),
        batch_size=500,
    )
    return made


def _visit(counter: SandboxCounter, visit: Visit) -> SandboxVisit:
    if visit.started_at.tzinfo is None:
        raise ValueError("A visit's start needs a time zone.")
    return SandboxVisit(
        counter=counter,
        started_at=visit.started_at,
        client_id=NORMALIZERS["client_ids"](visit.client_id) if visit.client_id else "",
        emails=",".join(map(NORMALIZERS["emails"], visit.emails)),
        phones=",".join(map(NORMALIZERS["phones"], visit.phones)),
    )


def add_fault(
    *,
    kind: FaultKind | str,
    count: int | None = 1,
    counter: SandboxCounter | int | None = None,
    endpoint: Endpoint | str | None = None,
    **parameters: Any,
) -> SandboxFault:
    """A fault that meets the next `count` calls (None: every call until it is cleared), of one counter or of all.

    `endpoint` left out: uploads for cut_before, cut_after, failed and refuse_row; any call for the others.
    Parameters by kind:
    - latency: `seconds` (default 1);
    - quota_429, quota_420: `error_type` (default quota_requests_by_uid), `retry_after` in seconds (default no header);
    - server_error: `status` 500…599 (default 503), `retry_after`;
    - cut_before: `after_bytes` of the body (default: the whole body is read, then the connection is cut);
    - refuse_row: `order_id` (equal) or `contains` (part of an id, status, identifier, customer or goal);
      `location` False leaves the line out of the answer. Usually set with `count=None`.
    Raises ValueError for a kind, place or parameter that does not exist.
    """
    kind = FaultKind(kind)
    check_parameters(kind, parameters)
    if isinstance(counter, int):
        number = counter
        counter = SandboxCounter.objects.filter(metrica_id=number).first()
        if counter is None:
            raise ValueError(f"There is no counter {number}.")
    if count is not None and count < 1:
        raise ValueError("A fault meets at least one call.")
    return SandboxFault.objects.create(
        kind=kind,
        counter=counter,
        endpoint=Endpoint(endpoint) if endpoint else DEFAULT_ENDPOINTS.get(kind, Endpoint.ANY),
        remaining=count,
        parameters=parameters,
    )


def clear_faults(*, fault_id: int | None = None) -> None:
    """Removes one fault, or all of them."""
    faults = SandboxFault.objects.all() if fault_id is None else SandboxFault.objects.filter(pk=fault_id)
    faults.delete()


def set_switch(*, name: str, value: str) -> None:
    """Moves a switch of `apps.sandbox.switches`. Raises ValueError for a name or value that does not exist."""
    switch = SWITCHES.get(name)
    if switch is None or value not in switch.values:
        raise ValueError(f"There is no switch {name!r} with the value {value!r}.")
    SandboxSwitch.objects.update_or_create(name=name, defaults={"value": value})


def set_limit(*, name: str, value: int | None = None) -> None:
    """Puts a number in the place of a documented limit of `apps.sandbox.limits`; None takes the limit away.

    Raises ValueError for a limit or a number that cannot be.
    """
    if name not in LIMITS:
        raise ValueError(f"There is no limit {name!r}.")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31):
        raise ValueError("A limit is a whole number from 0.")
    SandboxLimit.objects.update_or_create(name=name, defaults={"value": value})


def restore_limits() -> None:
    """The documented numbers again, and nothing counted yet."""
    SandboxLimit.objects.all().delete()
    SandboxUsage.objects.all().delete()


def delete_counter(*, counter: SandboxCounter, deleted: bool = True) -> None:
    """Soft, as in Metrica: listed with status=Deleted, read still, not changed. `deleted` False brings it back."""
    counter.deleted_at = timezone.now() if deleted else None
    counter.save(update_fields=["deleted_at"])


def reset() -> None:
    """Empties the sandbox: counters, uploads with their files, faults, switches, requests."""
    files = [uploading.body for uploading in SandboxUploading.objects.exclude(body="").only("body").iterator()]
    connection = connections[router.db_for_write(SandboxCounter)]
    tables = [model._meta.db_table for model in apps.get_app_config("sandbox").get_models()]
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables))
    for file in files:
        file.delete(save=False)
