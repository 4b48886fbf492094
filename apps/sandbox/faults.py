"""Faults on demand: which ones meet a call, counted down so that each is applied exactly as often as it was set."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet

from apps.metrica.serving.envelope import ApiError
from apps.metrica.wire.contacts import Contact
from apps.sandbox.models import Endpoint, FaultKind, SandboxFault
from apps.sandbox.problems import RowProblem

# What a fault meets when nobody says.
DEFAULT_ENDPOINTS = {
    FaultKind.CUT_BEFORE: Endpoint.UPLOAD,
    FaultKind.CUT_AFTER: Endpoint.UPLOAD,
    FaultKind.FAILED: Endpoint.UPLOAD,
    FaultKind.REFUSE_ROW: Endpoint.UPLOAD,
    FaultKind.LATE_LISTING: Endpoint.LAST_UPLOADINGS,
}

PARAMETERS: dict[FaultKind, dict[str, tuple[type, ...]]] = {
    FaultKind.LATENCY: {"seconds": (int, float)},
    FaultKind.QUOTA_429: {"error_type": (str,), "retry_after": (int,)},
    FaultKind.QUOTA_420: {"error_type": (str,), "retry_after": (int,)},
    FaultKind.SERVER_ERROR: {"status": (int,), "retry_after": (int,)},
    FaultKind.CUT_BEFORE: {"after_bytes": (int,)},
    FaultKind.CUT_AFTER: {},
    FaultKind.FAILED: {},
    FaultKind.REFUSE_ROW: {"order_id": (str,), "contains": (str,), "location": (bool,)},
    FaultKind.BAD_TOKEN: {},
    FaultKind.LATE_LISTING: {"seconds": (int, float)},
}


def check_parameters(kind: FaultKind, parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for a parameter that the kind does not have or that cannot be."""
    known = PARAMETERS[kind]
    for name, value in parameters.items():
        if name not in known:
            raise ValueError(f"The fault {kind} has no parameter {name!r}.")
        if not isinstance(value, known[name]) or (isinstance(value, bool) and bool not in known[name]):
            raise ValueError(f"The parameter {name!r} of {kind} cannot be {value!r}.")
    if kind is FaultKind.SERVER_ERROR and not 500 <= parameters.get("status", 503) <= 599:
        raise ValueError("A server error has a status from 500 to 599.")
    if kind is FaultKind.REFUSE_ROW and len({"order_id", "contains"} & parameters.keys()) != 1:
        raise ValueError("The fault refuse_row needs either order_id or contains.")
    if not parameters.get("error_type", "quota_").startswith("quota_"):
        raise ValueError("A quota's error type begins with quota_.")
    if parameters.get("seconds", 0) < 0 or parameters.get("after_bytes", 0) < 0 or parameters.get("retry_after", 0) < 0:
        raise ValueError("A parameter is negative.")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that was taken for a call: it counts as applied."""

    kind: FaultKind
    parameters: Mapping[str, Any]


def take(*, endpoint: Endpoint, counter_number: int | None) -> list[Fault]:
    """Takes the faults that meet this call: all latencies, and the oldest one of the other kinds. Counts them down."""
    taken: list[Fault] = []
    main_taken = False
    for fault in _waiting(endpoint=endpoint, counter_number=counter_number).exclude(kind=FaultKind.REFUSE_ROW):
        kind = FaultKind(fault.kind)
        if kind is not FaultKind.LATENCY and main_taken:
            continue
        if _consume(fault):
            taken.append(Fault(kind, fault.parameters))
            main_taken = main_taken or kind is not FaultKind.LATENCY
    return taken


def answer_instead(fault: Fault) -> ApiError | None:
    """The error that this fault gives instead of the call's own answer, if it is of that sort."""
    parameters = fault.parameters
    headers = {"Retry-After": str(parameters["retry_after"])} if parameters.get("retry_after") is not None else {}
    if fault.kind in (FaultKind.QUOTA_429, FaultKind.QUOTA_420):
        return ApiError(
            parameters.get("error_type", "quota_requests_by_uid"),
            "Request quota exceeded.",
            status=429 if fault.kind is FaultKind.QUOTA_429 else 420,
            headers=headers,
        )
    if fault.kind is FaultKind.SERVER_ERROR:
        status = parameters.get("status", 503)
        return ApiError(
            "timeout" if status == 504 else "backend_error", "The service failed.", status=status, headers=headers
        )
    if fault.kind is FaultKind.BAD_TOKEN:
        return ApiError("invalid_token", "The OAuth token is not valid.")
    return None


def hidden_seconds(taken: Sequence[Fault]) -> float:
    """How far behind the list of uploads is by the faults among `taken`: younger uploads are not in it yet."""
    behind = (float(fault.parameters.get("seconds", 5)) for fault in taken if fault.kind is FaultKind.LATE_LISTING)
    return max(behind, default=0.0)


def wait_out(taken: Sequence[Fault]) -> None:
    """Sleeps the seconds of all latencies among `taken`."""
    seconds = sum(float(fault.parameters.get("seconds", 1)) for fault in taken if fault.kind is FaultKind.LATENCY)
    if seconds:
        time.sleep(seconds)


class RefusedRows:
    """A check for `receive`: the rows that a fault of kind `refuse_row` names. One query to make it.

    A fault counts once for a file, however many of its rows it names.
    """

    def __init__(self, *, counter_number: int) -> None:
        waiting = _waiting(endpoint=Endpoint.UPLOAD, counter_number=counter_number)
        self._faults = list(waiting.filter(kind=FaultKind.REFUSE_ROW))
        self._counted: dict[int, bool] = {}

    def __call__(self, line: int, record: Any) -> RowProblem | None:
        for fault in self._faults:
            if not _names(fault.parameters, record):
                continue
            if fault.pk not in self._counted:
                self._counted[fault.pk] = _consume(fault)
            if self._counted[fault.pk]:
                hidden = not fault.parameters.get("location", True)
                column = "uniq_id" if isinstance(record, Contact) else "id"
                return RowProblem(
                    0 if hidden else line, "" if hidden else column, "refused_row", "The row is not valid."
                )
        return None


def _waiting(*, endpoint: Endpoint, counter_number: int | None) -> QuerySet[SandboxFault]:
    everywhere = Q(counter=None)
    here = everywhere if counter_number is None else everywhere | Q(counter__metrica_id=counter_number)
    left = Q(remaining=None) | Q(remaining__gt=0)
    return SandboxFault.objects.filter(here, left, endpoint__in=[Endpoint.ANY, endpoint]).order_by("pk")


def _consume(fault: SandboxFault) -> bool:
    """Counts one application; False when another process took the last one first."""
    rows = SandboxFault.objects.filter(pk=fault.pk)
    if fault.remaining is None:
        return rows.update(applied=F("applied") + 1) == 1
    return rows.filter(remaining__gt=0).update(remaining=F("remaining") - 1, applied=F("applied") + 1) == 1


def _names(parameters: Mapping[str, Any], record: Any) -> bool:
    own = record.uniq_id if isinstance(record, Contact) else record.id
    if "order_id" in parameters:
        return own == parameters["order_id"]
    cells = [own, *(getattr(record, name, "") for name in ("client_uniq_id", "order_status", "name"))]
    cells += [value for name in ("client_ids", "emails", "phones") for value in getattr(record, name, ())]
    cells += [goal.goal_action_id for goal in getattr(record, "goals", ())]
    return any(parameters["contains"] in cell for cell in cells)
