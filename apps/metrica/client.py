"""Metrica over HTTP: five calls, each ending in a value or in one error that says what is known (R6, R7).

Pages: uploadSimpleOrders, getLastUploadings, counters, counter, goals, authorization.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO, Self

from apps.metrica import catalogue
from apps.metrica.answers import (
    CounterInfo,
    CounterPage,
    GoalInfo,
    Uploading,
    read_counter,
    read_counter_page,
    read_goals,
    read_uploading,
    read_uploadings,
)
from apps.metrica.ledger import Exchange, Recorder
from apps.metrica.multipart import MultipartFile
from apps.metrica.transport import Transport
from apps.metrica.vocabulary import MAX_UPLOADINGS_PER_PAGE, Delimiter, MergeMode

__all__ = [
    "CounterInfo",
    "CounterPage",
    "Exchange",
    "GoalInfo",
    "MetricaClient",
    "Recorder",
    "Uploading",
]


class MetricaClient:
    """One account's way to Metrica. Use it as a context manager, or close() it; one thread at a time.

    `timeout`: seconds for each single step (connecting, a write, a wait for bytes). `total_timeout`: seconds for a
    whole call, None for no bound; a server that sends its answer drop by drop can stretch it by one step.

    Nothing is retried here but connecting, once: what to repeat, and when, is decided by who knows what an upload
    holds. Redirects are not followed.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        recorder: Recorder | None = None,
        timeout: float = 60.0,
        total_timeout: float | None = None,
        user_agent: str = "Goalpost/0.1",
    ) -> None:
        self._transport = Transport(
            base_url=base_url,
            token=token,
            recorder=recorder,
            timeout=timeout,
            total_timeout=total_timeout,
            user_agent=user_agent,
        )

    def __repr__(self) -> str:
        return f"MetricaClient({self._transport.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def upload_simple_orders(
        self,
        counter_id: int,
        file: BinaryIO,
        *,
        filename: str = "orders.csv",
        merge_mode: MergeMode = MergeMode.SAVE,
        delimiter: Delimiter = Delimiter.COMMA,
    ) -> Uploading:
        """Sends a CSV file (seekable, read from where it stands) in flat memory (page: uploadSimpleOrders).

        Returns only what Metrica called PASSED. Raises UploadRefused (invalid or FAILED), UnknownOutcome when the
        file may or may not have been taken in, NotSent when nothing left, or another MetricaError.
        """
        return self._transport.call(
            "POST",
            f"/cdp/api/v1/counter/{counter_id:d}/data/simple_orders",
            params={"merge_mode": merge_mode.value, "delimiter_type": delimiter.value},
            read=_passed,
            upload=MultipartFile(file, filename=filename),
        )

    def last_uploadings(
        self, counter_id: int, *, limit: int = MAX_UPLOADINGS_PER_PAGE, before: str | None = None
    ) -> list[Uploading]:
        """Recent uploads, newest first, at most 1000 (page: getLastUploadings).

        `before` is the `datetime` of the oldest upload already seen; the answer holds only strictly earlier ones, so
        of several uploads in that second some may be missed.
        """
        if not 1 <= limit <= MAX_UPLOADINGS_PER_PAGE:
            raise ValueError(f"limit is {limit}, but must be from 1 to {MAX_UPLOADINGS_PER_PAGE}.")
        params = {"limit": str(limit)}
        if before is not None:
            params["datetime_offset"] = before
        return self._transport.call(
            "GET",
            f"/cdp/api/v1/counter/{counter_id:d}/last_uploadings",
            params=params,
            read=read_uploadings,
        )

    def counters(
        self,
        *,
        search: str = "",
        permission: str = "",
        per_page: int = 1000,
        offset: int = 1,
        field: Sequence[str] = (),
    ) -> CounterPage:
        """Counters that the account sees, a page at a time; the first `offset` is 1 (page: counters).

        `search`: a full number, or part of a name or site; `permission`: comma list of own, view, edit; `field`: extra
        blocks such as "goals" or "counter_flags".
        """
        params = {"per_page": str(per_page), "offset": str(offset)}
        if search:
            params["search_string"] = search
        if permission:
            params["permission"] = permission
        if field:
            params["field"] = ",".join(field)
        return self._transport.call("GET", "/management/v1/counters", params=params, read=read_counter_page)

    def counter(self, counter_id: int, *, field: Sequence[str] = ()) -> CounterInfo:
        """One counter (page: counter). Raises NotFound, AccessDenied."""
        return self._transport.call(
            "GET",
            f"/management/v1/counter/{counter_id:d}",
            params={"field": ",".join(field)} if field else {},
            read=read_counter,
        )

    def goals(self, counter_id: int, *, use_deleted: bool = False) -> list[GoalInfo]:
        """All goals of a counter, system goals among them once they exist (page: goals)."""
        return self._transport.call(
            "GET",
            f"/management/v1/counter/{counter_id:d}/goals",
            params={"useDeleted": "true" if use_deleted else "false"},
            read=read_goals,
        )


def _passed(answer: object) -> Uploading:
    uploading = read_uploading(answer)
    if not uploading.passed:
        raise catalogue.FAILED.error(http_status=200, detail=f"uploading_id {uploading.uploading_id}")
    return uploading
