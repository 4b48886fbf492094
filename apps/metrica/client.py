"""Metrica over HTTP: each call ends in a value or in one error that says what is known (R6, R7).

The calls themselves are in endpoints/, by subject; types of what they take and give are had from here.
"""

from datetime import datetime
from types import TracebackType
from typing import Self

from apps.metrica.answers import CounterFlags, CounterInfo, CounterPage, GoalInfo, Grant, Uploading
from apps.metrica.drafts import GoalDraft
from apps.metrica.endpoints.management import Management
from apps.metrica.endpoints.reports import Reports
from apps.metrica.endpoints.schema import Schema
from apps.metrica.endpoints.uploads import Uploads
from apps.metrica.guarded import Reach
from apps.metrica.ledger import Exchange, Recorder
from apps.metrica.reports import Dimension, Report, ReportRow
from apps.metrica.schema import Attribute, AttributeLists, OrderStatus, Product, TypeInfo
from apps.metrica.transport import Transport

__all__ = [
    "Attribute",
    "AttributeLists",
    "CounterFlags",
    "CounterInfo",
    "CounterPage",
    "Dimension",
    "Exchange",
    "GoalDraft",
    "GoalInfo",
    "Grant",
    "MetricaClient",
    "OrderStatus",
    "Product",
    "Recorder",
    "Report",
    "ReportRow",
    "TypeInfo",
    "Uploading",
]


class MetricaClient(Uploads, Schema, Management, Reports):
    """One account's way to Metrica. Use it as a context manager, or close() it; one thread at a time.

    `timeout`: seconds for each single step (connecting, a write, a wait for bytes). `total_timeout`: seconds for a
    whole call, None for no bound; a server that sends its answer drop by drop can stretch it by one step.

    `may_reach`: asked of each address that the base URL's name means, before one of them is connected to; None: all may
    be, for a base URL that is trusted.

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
        may_reach: Reach | None = None,
    ) -> None:
        self._transport = Transport(
            base_url=base_url,
            token=token,
            recorder=recorder,
            timeout=timeout,
            total_timeout=total_timeout,
            user_agent=user_agent,
            may_reach=may_reach,
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

    @property
    def server_date(self) -> datetime | None:
        """The `Date` of the newest answer (aware, whole seconds): what the server's clock showed. None where it told
        none."""
        return self._transport.server_date

    def close(self) -> None:
        self._transport.close()
