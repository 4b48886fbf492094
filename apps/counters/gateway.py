"""The one way to call Metrica: a client with the account's token, whose every call has leave to be made (R10) and is in
the ledger before it goes."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from apps.audit import trace
from apps.counters.addresses import address_of, reach_of
from apps.counters.encryption import UnreadableSecret, decrypt
from apps.counters.leave import Bounds, Leave, Way
from apps.counters.models import AccountState, ApiCall, Counter, MetricaAccount
from apps.counters.quotas.sharing import caller_of
from apps.metrica.client import Exchange, MetricaClient
from apps.metrica.errors import CATALOGUE

PAGE_SECONDS = 20.0
"""For a whole call that somebody waits for at a page."""


class LedgerRecorder:
    """Writes each exchange as an ApiCall: once before the bytes leave, once when the outcome is known.

    `account` is None for the calls by which one comes into being. `before_call`: asked before each call; what it raises
    keeps the call back. `way`: where each call needs leave; None for calls to others than Metrica.
    """

    def __init__(
        self,
        *,
        agency_id: int,
        account: MetricaAccount | None,
        counter: Counter | None,
        subject: UUID | None,
        before_call: Callable[[], None] | None = None,
        way: Way | None = None,
    ) -> None:
        self._agency_id = agency_id
        self._account = account
        self._counter = counter
        self._subject = subject
        self._before_call = before_call
        self._way = way
        self._leave: Leave | None = None

    def started(self, exchange: Exchange) -> None:
        """Raises KeptBack, and what `before_call` raises."""
        if self._before_call is not None:
            self._before_call()
        if self._way is not None:
            self._leave = self._way.leave_for(exchange)
            exchange.started_at = datetime.now(UTC)  # without the time that it waited for leave
        try:
            self._note(exchange)
        except BaseException:
            if self._leave is not None:
                self._leave.unused()
            raise

    def _note(self, exchange: Exchange) -> None:
        ApiCall.objects.create(
            id=exchange.id,
            agency_id=self._agency_id,
            account=self._account,
            counter=self._counter,
            subject=self._subject,
            method=exchange.method,
            url=exchange.url,
            request_headers=exchange.request_headers,
            request_body=exchange.request_excerpt,
            request_size=exchange.request_size,
            started_at=exchange.started_at,
            request_id=trace.current().request_id,
        )

    def finished(self, exchange: Exchange) -> None:
        try:
            ApiCall.objects.filter(pk=exchange.id).update(
                finished_at=exchange.finished_at,
                request_body=exchange.request_excerpt,
                request_size=exchange.request_size,
                status=exchange.status,
                response_headers=exchange.response_headers,
                response_body=exchange.response_body,
                outcome=exchange.outcome,
                error_code=exchange.error_code,
            )
        finally:
            if self._leave is not None:
                self._leave.ended(exchange)


def metrica_client(
    account: MetricaAccount,
    *,
    counter: Counter | None = None,
    subject: UUID | None = None,
    timeout: float | None = None,
    total_timeout: float | None = None,
    before_call: Callable[[], None] | None = None,
    leave: Leave | None = None,
) -> MetricaClient:
    """A client for the account. `subject`: the upload on whose behalf it calls. `timeout`: seconds for each single step
    of a call; `total_timeout`: for a whole call, twice `timeout` if left out. `before_call`: asked before each call
    leaves; what it raises keeps the call back. `leave`: the one in hand for the first call.

    Each call raises KeptBack where it may not be made now. Raises AuthorizationError where there is no token to use.
    Call it outside any transaction: the ledger row must be committed before the request leaves (R6).
    """
    if account.state != AccountState.CONNECTED or not account.token_encrypted:
        raise CATALOGUE["unauthorized"].error(detail=_("The account has no token that Metrica accepts."))
    try:
        token = decrypt(account.token_encrypted)
    except UnreadableSecret as error:
        detail = _("The kept token cannot be decrypted: a key is missing in ENCRYPTION_KEYS.")
        raise CATALOGUE["unauthorized"].error(detail=detail) from error
    bounds = bounds_of(timeout=timeout, total_timeout=total_timeout)
    way = Way(caller_of(account), account, bounds, in_hand=leave)
    recorder = LedgerRecorder(
        agency_id=account.agency_id,
        account=account,
        counter=counter,
        subject=subject,
        before_call=before_call,
        way=way,
    )
    return MetricaClient(
        base_url=address_of(account),
        may_reach=reach_of(account),
        token=token,
        recorder=recorder,
        timeout=bounds.step,
        total_timeout=bounds.total,
    )


def bounds_of(*, timeout: float | None = None, total_timeout: float | None = None) -> Bounds:
    step = timeout or settings.METRICA_TIMEOUT_SECONDS
    return Bounds(step=step, total=total_timeout or 2 * step)
