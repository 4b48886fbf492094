"""Keeps the mapping at Metrica (/schema/order_statuses) in step with ours, for the detailed mode.

Both sides are compared with what they last agreed on, so our own changes go out by themselves, and what somebody else
changed at Metrica is never overwritten before a person saw it. Pages: mapOrderStatuses, getOrderStatuses.

Whether Metrica's POST replaces its list or only adds to it is not documented, so what it holds besides is always sent
along, and every push is read back.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.counters.addresses import address_of
from apps.counters.gateway import metrica_client
from apps.counters.models import Counter
from apps.goals.models import AgreedStatus, StatusMapping, StepState
from apps.goals.services import change_statuses
from apps.goals.status_lines import Line, Said, digest, lines_between, stands_by_itself
from apps.metrica.client import MetricaClient, OrderStatus
from apps.metrica.errors import CATALOGUE, PermanentError
from apps.metrica.text import _, filled

LOOK_AGAIN: Final = timedelta(hours=1)
"""How long two sides that agreed are taken to agree still."""

ASK_AGAIN: Final = timedelta(minutes=5)
"""How long a difference that waits for a person is taken to be there still."""

_OUT_OF_STEP = _("At Metrica somebody else changed statuses that this counter uses: %(statuses)s.")
_CHOOSE = _("Open the counter's page, press “Compare statuses”, and choose for each status which side is right.")
_NOT_TAKEN = _("Metrica said that it took the statuses, but shows others than were sent: %(statuses)s.")
_CHANGED_MEANWHILE = _("The statuses at Metrica are others now than those that were shown.")
_LOOK_ONCE_MORE = _("Look at the differences once more, then choose.")


class StatusesOutOfStep(PermanentError):
    """Somebody else changed at Metrica what our mapping says, and a person has to choose. `lines`: those statuses."""

    def __init__(self, lines: Collection[Line]) -> None:
        self.lines = list(lines)
        names = ", ".join(line.crm_status or line.metrica_id for line in self.lines)
        message = filled(_OUT_OF_STEP, statuses=names)
        super().__init__(code="statuses_out_of_step", message=message, next_step=_CHOOSE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`lines`: what differs. `shown` stands for Metrica's side as it was then; see `settle`."""

    lines: list[Line]
    shown: str
    looked_at: datetime

    @property
    def blocking(self) -> list[Line]:
        return [line for line in self.lines if line.blocks]


@dataclass(slots=True)
class _Look:
    """Both sides at one moment. `ours` and `agreed` are read before the call, `theirs` by it."""

    ours: dict[str, tuple[str, Said]]
    agreed: dict[str, Said]
    theirs: dict[str, Said]

    @property
    def lines(self) -> list[Line]:
        return lines_between(ours=self.ours, theirs=self.theirs, agreed=self.agreed)


def ensure_in_step(
    *,
    counter: Counter,
    before_call: Callable[[], None] | None = None,
    writing: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """See that Metrica knows the mapping as it is now, before anything is sent under its ids.

    No call where both sides agreed less than LOOK_AGAIN ago and the mapping is the same since; else one that reads,
    and two more where our own changes go out, each bounded by METRICA_TIMEOUT_SECONDS. `before_call`: asked before each
    of them. `writing`: around each note of what was seen; what it raises keeps the note back. Call it outside any
    transaction.

    Raises StatusesOutOfStep where somebody else changed a status of ours at Metrica, and the errors of
    apps.metrica.errors.
    """
    ours = _ours(counter)
    if not ours:
        return
    state = StepState.objects.filter(counter=counter).first()
    now = timezone.now()
    if state is not None and state.looked_at is not None and state.mapping_digest == _digest_of(counter, ours):
        age = now - state.looked_at
        if not state.drift and age < LOOK_AGAIN:
            return
        if state.drift and age < ASK_AGAIN:
            raise StatusesOutOfStep([Line.from_json(line) for line in state.drift])
    with _client(counter, before_call) as client:
        look = _look(counter, client, ours)
        blocking = [line for line in look.lines if line.blocks]
        if blocking:
            with writing():
                _note(counter, look, agreed=())
            raise StatusesOutOfStep(blocking)
        _bring(counter, client, look, overwrite=(), writing=writing)


def compare(*, counter: Counter) -> Comparison:
    """Read Metrica's side now and say what differs. One call; nothing is changed at either side.

    Raises the errors of apps.metrica.errors. Call it outside any transaction.
    """
    with _client(counter) as client:
        look = _look(counter, client, _ours(counter))
    state = _note(counter, look, agreed=_same(look))
    return Comparison(look.lines, digest(look.theirs.items()), state.looked_at or timezone.now())


def settle(
    *, counter: Counter, ours: Collection[str] = (), theirs: Collection[str] = (), shown: str | None = None
) -> Comparison:
    """Let the statuses of `ours` (ids at Metrica) overwrite Metrica's, and those of `theirs` ours. The rest of what
    somebody else changed stays as it is; our own changes go out with it. Returns what still differs.

    `shown`: of the comparison that the person saw; where Metrica's side is another now, nothing is done. The audit log
    gets both versions of each. Raises PermanentError (`statuses_changed_meanwhile`, `statuses_not_taken`),
    ValidationError by field from the mapping, and the errors of apps.metrica.errors. Call it outside any transaction.
    """
    with _client(counter) as client:
        look = _look(counter, client, _ours(counter))
        if shown is not None and digest(look.theirs.items()) != shown:
            raise PermanentError(
                code="statuses_changed_meanwhile", message=_CHANGED_MEANWHILE, next_step=_LOOK_ONCE_MORE
            )
        taken = [line for line in look.lines if line.metrica_id in set(theirs)]
        if taken:
            _take(counter, taken)
            look.ours = _ours(counter)
            look.agreed = _agreed(counter)
        _bring(counter, client, look, overwrite=set(ours))
    return Comparison(look.lines, digest(look.theirs.items()), timezone.now())


def push(*, counter: Counter, take: Collection[str], shown: str | None = None) -> Comparison:
    """Let ours overwrite these statuses (ids) at Metrica. See `settle`."""
    return settle(counter=counter, ours=take, shown=shown)


def pull(*, counter: Counter, take: Collection[str], shown: str | None = None) -> Comparison:
    """Let Metrica's overwrite these statuses (ids) of ours. See `settle`."""
    return settle(counter=counter, theirs=take, shown=shown)


def known_drift(counter: Counter) -> list[Line]:
    """What waited for a person when the sides were compared last. One query, no call."""
    state = StepState.objects.filter(counter=counter).only("drift").first()
    return [Line.from_json(line) for line in state.drift] if state else []


def _client(counter: Counter, before_call: Callable[[], None] | None = None) -> MetricaClient:
    if counter.account is None:
        raise CATALOGUE["unauthorized"].error()
    seconds = settings.METRICA_TIMEOUT_SECONDS
    return metrica_client(counter.account, counter=counter, total_timeout=seconds, before_call=before_call)


def _ours(counter: Counter) -> dict[str, tuple[str, Said]]:
    return {
        row.metrica_id: (row.crm_status, Said(row.type, row.name or row.crm_status, tuple(row.goal_action_ids)))
        for row in StatusMapping.objects.filter(counter=counter)
    }


def _address(counter: Counter) -> str:
    return address_of(counter.account) if counter.account else settings.METRICA_URL


def _agreed(counter: Counter) -> dict[str, Said]:
    """What both sides agreed on. With another Metrica (the sandbox before it, say) nothing was ever agreed."""
    if not StepState.objects.filter(counter=counter, address=_address(counter)).exists():
        return {}
    return {
        row.metrica_id: Said(row.type, row.name, tuple(row.goal_action_ids))
        for row in AgreedStatus.objects.filter(counter=counter)
    }


def _theirs(counter: Counter, client: MetricaClient) -> dict[str, Said]:
    return {
        status.id: Said(status.type, status.humanized, tuple(status.goal_action_ids))
        for status in client.order_statuses(counter.metrica_id)
    }


def _look(counter: Counter, client: MetricaClient, ours: dict[str, tuple[str, Said]]) -> _Look:
    return _Look(ours=ours, agreed=_agreed(counter), theirs=_theirs(counter, client))


def _digest_of(counter: Counter, ours: Mapping[str, tuple[str, Said]]) -> str:
    """Of our side as it stands against this very Metrica."""
    return digest(((metrica_id, said) for metrica_id, (_name, said) in ours.items()), _address(counter))


def _same(look: _Look) -> list[str]:
    return [metrica_id for metrica_id, (_name, said) in look.ours.items() if said.same_as(look.theirs.get(metrica_id))]


def _bring(
    counter: Counter,
    client: MetricaClient,
    look: _Look,
    *,
    overwrite: Collection[str],
    writing: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Send what only we changed, and `overwrite`; read it back; keep what was agreed on. `look` is as it is after."""
    going = [
        line
        for line in look.lines
        if line.ours is not None and (line.metrica_id in overwrite or (line.changed_by_us and not line.blocks))
    ]
    if going:
        sent = _whole(look, {line.metrica_id: line.ours for line in going if line.ours is not None})
        client.map_order_statuses(counter.metrica_id, [_as_sent(metrica_id, said) for metrica_id, said in sent.items()])
        look.theirs = _theirs(counter, client)
        lost = [metrica_id for metrica_id, said in sent.items() if not said.same_as(look.theirs.get(metrica_id))]
        if lost:
            message = filled(_NOT_TAKEN, statuses=", ".join(sorted(lost)))
            raise PermanentError(code="statuses_not_taken", message=message, next_step=_CHOOSE)
    with writing():
        _note(counter, look, agreed=_same(look), pushed=going)


def _whole(look: _Look, going: Mapping[str, Said]) -> dict[str, Said]:
    """All that Metrica is to hold: what goes, in our order, and what stands there besides."""
    besides = {
        metrica_id: said
        for metrica_id, said in look.theirs.items()
        if metrica_id not in going and not stands_by_itself(metrica_id, said)
    }
    return {**going, **besides}


def _as_sent(metrica_id: str, said: Said) -> OrderStatus:
    return OrderStatus(id=metrica_id, humanized=said.name, type=said.type, goal_action_ids=said.goal_action_ids)


@transaction.atomic
def _take(counter: Counter, lines: Iterable[Line]) -> None:
    """Metrica's side becomes ours, and both versions stand in the log."""
    lines = list(lines)
    rows = {row.metrica_id: row for row in StatusMapping.objects.filter(counter=counter)}
    names = {row.crm_status for row in rows.values()}
    put = []
    for line in lines:
        if line.theirs is None:
            continue
        row = rows.get(line.metrica_id)
        name = line.theirs.name
        if row is None:
            # Metrica does not tell how the CRM writes it; its name is the best guess, and a person may correct it.
            fits = name and len(name) <= 255 and name not in names
            crm_status, name = (name, "") if fits else (line.metrica_id, name)
            names.add(crm_status)
        else:
            crm_status, name = row.crm_status, "" if name == row.crm_status else name
        put.append(
            {
                "crm_status": crm_status,
                "type": line.theirs.type,
                "goal_action_ids": line.theirs.goal_action_ids,
                "name": name[:255],
                "metrica_id": line.metrica_id,
            }
        )
    change_statuses(counter=counter, put=put, remove=[line.crm_status for line in lines if line.theirs is None])
    _agree(counter, {line.metrica_id: line.theirs for line in lines})
    _record("statuses.taken_from_metrica", counter, before="ours", after="theirs", lines=lines)


@transaction.atomic
def _note(counter: Counter, look: _Look, *, agreed: Collection[str], pushed: Collection[Line] = ()) -> StepState:
    """Keep what was seen: what both sides agree on, and what waits for a person."""
    address = _address(counter)
    if StepState.objects.filter(counter=counter).exclude(address=address).exists():
        AgreedStatus.objects.filter(counter=counter).delete()
    _agree(counter, {metrica_id: look.ours[metrica_id][1] for metrica_id in agreed})
    look.agreed = {**look.agreed, **{metrica_id: look.ours[metrica_id][1] for metrica_id in agreed}}
    if pushed:
        _record("statuses.pushed_to_metrica", counter, before="theirs", after="ours", lines=pushed)
    lines = look.lines
    drift = [line.to_json() for line in lines if line.blocks]
    still_to_go = not drift and any(line.ours is not None for line in lines)
    state, _new = StepState.objects.update_or_create(
        counter=counter,
        defaults={
            "address": address,
            "looked_at": timezone.now(),
            "mapping_digest": "" if still_to_go else _digest_of(counter, look.ours),
            "drift": drift,
        },
    )
    return state


def _agree(counter: Counter, said: Mapping[str, Said | None]) -> None:
    """Both sides say this now. None: the status is at neither."""
    gone = [metrica_id for metrica_id, one in said.items() if one is None]
    if gone:
        AgreedStatus.objects.filter(counter=counter, metrica_id__in=gone).delete()
    now = timezone.now()
    AgreedStatus.objects.bulk_create(
        [
            AgreedStatus(
                counter=counter,
                metrica_id=metrica_id,
                type=one.type,
                name=one.name,
                goal_action_ids=list(one.goal_action_ids),
                agreed_at=now,
            )
            for metrica_id, one in said.items()
            if one is not None
        ],
        update_conflicts=True,
        unique_fields=["counter", "metrica_id"],
        update_fields=["type", "name", "goal_action_ids", "agreed_at"],
    )


def _record(action: str, counter: Counter, *, before: str, after: str, lines: Collection[Line]) -> None:
    sides = {
        side: {line.metrica_id: said.to_json() if (said := getattr(line, side)) else None for line in lines}
        for side in (before, after)
    }
    record(action=action, agency=counter.agency_id, obj=counter, before=sides[before], after=sides[after])
