"""Every write to goals and to the status mapping. A change of either may free held orders (R8)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record, snapshot
from apps.counters.models import Counter
from apps.counters.services import touch
from apps.goals.models import AgreedStatus, Goal, MappingVersion, StatusMapping
from apps.goals.status_ids import derived_id
from apps.goals.statuses import STATUS_FIELDS, StatusRow, clean_goals, clean_status
from apps.goals.versions import check_newest, keep_version

__all__ = [
    "Changes",
    "change_statuses",
    "clean_goals",
    "remove_status",
    "replace_statuses",
    "restore_version",
    "set_status",
]


@dataclass(frozen=True, slots=True)
class Changes:
    """How many rows were added or changed and how many removed; and the version that this made, if anything did."""

    changed: int
    removed: int
    version: MappingVersion | None = None


Look = Callable[[Sequence[StatusRow]], None]
"""Is shown the mapping in its order as it stands before a change, while nobody else can change it; what it raises stops
the change."""


@transaction.atomic
def change_statuses(
    *,
    counter: Counter,
    put: Sequence[Mapping[str, Any]] = (),
    remove: Iterable[str] = (),
    restores: int | None = None,
    upon: int | None = None,
    look: Look | None = None,
) -> Changes:
    """Take statuses out of the mapping and set others, as one change: one version of its history.

    `put`: what `clean_status` takes. Without a Metrica id a status keeps the one that it has, a new one gets one by
    transliteration. A status that is there already and in `remove` as well begins anew. Goals named here that the
    counter does not know yet are added to its list. `restores`: the version that this goes back to. `upon`: the version
    that whoever decided this had before them (0: none yet), which must still be the newest. `look`: see there.

    Raises ValidationError by field, and then nothing is changed. A handful of statements, and one per audit entry.
    """
    _alone(counter)
    if upon is not None and (put or remove):
        check_newest(counter=counter, number=upon)
    rows = {row.crm_status: row for row in StatusMapping.objects.filter(counter=counter)}
    before = _standing(rows)
    if look is not None:
        look(before)
    removed = [rows.pop(crm_status) for crm_status in dict.fromkeys(remove) if crm_status in rows]
    cleaned = [clean_status(mode=counter.mode, **status) for status in put]
    wanted = _with_ids(counter, rows, list({row.crm_status: row for row in cleaned}.values()))
    added: list[StatusMapping] = []
    changed: list[StatusMapping] = []
    for row in wanted:
        mapping = rows.get(row.crm_status)
        if mapping is None:
            mapping = rows[row.crm_status] = StatusMapping(counter=counter, crm_status=row.crm_status)
            added.append(mapping)
        elif StatusRow.of(mapping) != row:
            changed.append(mapping)
        _fill(mapping, row)
    if not (added or changed or removed):
        return Changes(0, 0)
    _record_removed(counter, removed)
    _write(counter, added=added, changed=changed, removed=removed)
    was = {row.crm_status: row for row in before}
    for mapping in added:
        _record_set(counter, mapping, None)
    for mapping in changed:
        _record_set(counter, mapping, was[mapping.crm_status])
    version = keep_version(counter=counter, before=before, after=_standing(rows), restores=restores)
    touch(counter)
    return Changes(len(added) + len(changed), len(removed), version)


@transaction.atomic
def set_status(
    *,
    counter: Counter,
    crm_status: str,
    type: str,
    goal_action_ids: Sequence[str] = (),
    name: str = "",
    metrica_id: str = "",
    position: int | None = None,
    look: Look | None = None,
) -> StatusMapping:
    """Say what a CRM status means: its type and goals. Adds it or changes it; the same again changes nothing.

    Raises ValidationError by field.
    """
    status = {
        "crm_status": crm_status,
        "type": type,
        "goal_action_ids": goal_action_ids,
        "name": name,
        "metrica_id": metrica_id,
        "position": position,
    }
    change_statuses(counter=counter, put=[status], look=look)
    return StatusMapping.objects.get(counter=counter, crm_status=crm_status.strip())


def remove_status(*, counter: Counter, crm_status: str, look: Look | None = None) -> bool:
    """Take a status out of the mapping. True if it was there."""
    return change_statuses(counter=counter, remove=[crm_status], look=look).removed > 0


@transaction.atomic
def replace_statuses(
    *,
    counter: Counter,
    statuses: Sequence[Mapping[str, Any]],
    restores: int | None = None,
    look: Look | None = None,
) -> dict[str, int]:
    """Make the mapping exactly this list, in this order. Returns {"changed": n, "removed": n}.

    Each item: crm_status, type, and optionally name, metrica_id, goal_action_ids. Raises ValidationError by field, and
    then nothing is changed.
    """
    put: list[dict[str, Any]] = [
        {
            "crm_status": str(status.get("crm_status", "")),
            "type": str(status.get("type", "")),
            "goal_action_ids": status.get("goal_action_ids") or (),
            "name": str(status.get("name") or ""),
            "metrica_id": str(status.get("metrica_id") or ""),
            "position": position,
        }
        for position, status in enumerate(statuses)
    ]
    wanted = {status["crm_status"].strip() for status in put}
    _alone(counter)  # what somebody else adds meanwhile is not in the list either
    there = StatusMapping.objects.filter(counter=counter).values_list("crm_status", flat=True)
    gone = [name for name in there if name not in wanted]
    done = change_statuses(counter=counter, put=put, remove=gone, restores=restores, look=look)
    return {"changed": done.changed, "removed": done.removed}


@transaction.atomic
def restore_version(*, version: MappingVersion) -> dict[str, int]:
    """Go back to the mapping of this version, as a new version. A status that Metrica knows meanwhile keeps its id.

    Returns as `replace_statuses`, and raises as it does.
    """
    counter = version.counter
    present = dict(StatusMapping.objects.filter(counter=counter).values_list("crm_status", "metrica_id"))
    fixed = _fixed_ids(counter)
    kept = {name: metrica_id for name, metrica_id in present.items() if metrica_id in fixed}
    rows = [StatusRow.from_json(row) for row in version.mapping]
    held = {kept[row.crm_status] for row in rows if row.crm_status in kept}
    statuses = []
    for row in rows:
        own = kept.get(row.crm_status)
        # An id that another status has been known by meanwhile is derived anew.
        metrica_id = own or ("" if row.metrica_id in held else row.metrica_id)
        statuses.append(replace(row, metrica_id=metrica_id).to_json())
    return replace_statuses(counter=counter, statuses=statuses, restores=version.number)


def _alone(counter: Counter) -> None:
    """Nobody else changes the mapping until the end of this transaction. Intake, whose rows refer to the counter, does
    not wait for it."""
    Counter.objects.select_for_update(no_key=True).get(pk=counter.pk)


def _standing(rows: Mapping[str, StatusMapping]) -> list[StatusRow]:
    return [StatusRow.of(row) for row in sorted(rows.values(), key=lambda row: (row.position, row.pk))]


def _fixed_ids(counter: Counter) -> set[str]:
    return set(AgreedStatus.objects.filter(counter=counter).values_list("metrica_id", flat=True))


def _with_ids(counter: Counter, rows: Mapping[str, StatusMapping], wanted: Sequence[StatusRow]) -> list[StatusRow]:
    """The rows with their place and their id at Metrica, each id once in the counter."""
    changing = {row.crm_status for row in wanted}
    ids = {mapping.metrica_id: name for name, mapping in rows.items() if name not in changing}
    fixed: set[str] | None = None
    given: dict[str, str] = {}
    for row in wanted:
        old = rows[row.crm_status].metrica_id if row.crm_status in rows else ""
        metrica_id = row.metrica_id or old
        if old and metrica_id != old:
            fixed = _fixed_ids(counter) if fixed is None else fixed
            if old in fixed:
                message = _("Metrica knows this status as %(id)s already, and orders stand under it: it stays so.")
                refused = ValidationError(message, code="metrica_id_fixed", params={"id": old})
                raise ValidationError({"metrica_id": refused})
        if not metrica_id:
            continue
        other = ids.get(metrica_id)
        if other is not None and other != row.crm_status:
            message = _("%(id)s is what “%(other)s” is called at Metrica. Choose another.")
            refused = ValidationError(message, code="metrica_id_taken", params={"id": metrica_id, "other": other})
            raise ValidationError({"metrica_id": refused})
        ids[metrica_id] = row.crm_status
        given[row.crm_status] = metrica_id
    last = max((mapping.position for mapping in rows.values()), default=-1)
    complete = []
    for row in wanted:
        if row.crm_status not in given:
            given[row.crm_status] = derived_id(row.crm_status, taken=ids)
            ids[given[row.crm_status]] = row.crm_status
        position = row.position
        if position is None and row.crm_status in rows:
            position = rows[row.crm_status].position
        elif position is None:
            last = position = last + 1
        complete.append(replace(row, metrica_id=given[row.crm_status], position=position))
    return complete


def _fill(mapping: StatusMapping, row: StatusRow) -> None:
    mapping.name, mapping.type, mapping.metrica_id = row.name, row.type, row.metrica_id
    mapping.goal_action_ids = list(row.goal_action_ids)
    mapping.position = row.position or 0


def _write(
    counter: Counter, *, added: Sequence[StatusMapping], changed: Sequence[StatusMapping], removed: Sequence[Any]
) -> None:
    if removed:
        StatusMapping.objects.filter(pk__in=[mapping.pk for mapping in removed]).delete()
    if changed:
        # Ids may change hands within one change; for a moment nobody has them.
        StatusMapping.objects.filter(pk__in=[mapping.pk for mapping in changed]).update(metrica_id="")
        now = timezone.now()
        for mapping in changed:
            mapping.updated_at = now
        fields = ["name", "type", "metrica_id", "goal_action_ids", "position", "updated_at"]
        StatusMapping.objects.bulk_update(changed, fields, batch_size=200)
    StatusMapping.objects.bulk_create(added)
    goals = dict.fromkeys(goal for mapping in [*added, *changed] for goal in mapping.goal_action_ids)
    Goal.objects.bulk_create([Goal(counter=counter, identifier=goal) for goal in goals], ignore_conflicts=True)


def _record_removed(counter: Counter, removed: Iterable[StatusMapping]) -> None:
    for mapping in removed:
        record(
            action="status.removed",
            agency=counter.agency_id,
            obj=mapping,
            before=snapshot(mapping, STATUS_FIELDS),
            details={"counter": counter.metrica_id},
        )


def _record_set(counter: Counter, mapping: StatusMapping, before: StatusRow | None) -> None:
    record(
        action="status.changed" if before else "status.added",
        agency=counter.agency_id,
        obj=mapping,
        before=before.to_json() if before else None,
        after=snapshot(mapping, STATUS_FIELDS),
        details={"counter": counter.metrica_id},
    )
