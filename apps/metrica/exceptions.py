"""What can come of a call to Metrica that did not end well: three families, each error with its next step (R6, R7).

    MetricaError
    ├── PermanentError          Metrica said no, and will say it again
    │   ├── AuthorizationError  the token is not accepted
    │   ├── AccessDenied        the token is good, but not for this counter
    │   ├── NotFound            no such counter or goal
    │   ├── InvalidRequest      the call itself is wrong
    │   └── UploadRefused       this file is bad: split it
    ├── TransientError          it did not happen; later it may
    │   ├── QuotaExceeded       too many calls
    │   ├── ServerError         Metrica is out of order and said so
    │   ├── NotSent             no connection: nothing left this machine
    │   └── NoAnswer            nothing was changed, but the answer was lost: ask again
    └── UnknownOutcome          an upload or a change may have happened or not: look first what is there

Pages: errors, quotas, uploadSimpleOrders.
"""

from collections.abc import Sequence

from apps.metrica.text import Text


class MetricaError(Exception):
    """`code` is stable; `message` and `next_step` are sentences for people; the rest is what Metrica said, if it did.

    `detail` is Metrica's own text, `location` the first place that it names, `locations` all of them (see places.py),
    `retry_after` its wish in seconds.
    """

    def __init__(
        self,
        *,
        code: str,
        message: Text,
        next_step: Text,
        http_status: int | None = None,
        error_type: str = "",
        location: str = "",
        locations: Sequence[str] = (),
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.next_step = next_step
        self.http_status = http_status
        self.error_type = error_type
        self.location = location
        self.locations = tuple(locations) or ((location,) if location else ())
        self.detail = detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        said = f" ({self.detail})" if self.detail else ""
        return f"{self.message}{said}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, http_status={self.http_status!r})"


class PermanentError(MetricaError):
    """The same call will be refused again until a person changes something."""


class AuthorizationError(PermanentError):
    """The token is missing, wrong, expired or revoked."""


class AccessDenied(PermanentError):
    """The account has no right to this counter, or the token has too small a scope."""


class NotFound(PermanentError):
    """There is no such object."""


class InvalidRequest(PermanentError):
    """The call is wrong in itself, whatever file it carries."""


class UploadRefused(PermanentError):
    """The file was received and refused: the answer is 400, 413, or 200 with FAILED. Its halves may pass."""


class TransientError(MetricaError):
    """The call had no effect. The same call may succeed later."""


class QuotaExceeded(TransientError):
    """Too many calls per second, at once, or per day."""

    DAILY = frozenset({"quota_requests_by_uid", "quota_requests_by_counter_id"})

    @property
    def daily(self) -> bool:
        """True if the quota is given back only at 00:00 GMT (page: quotas)."""
        return self.error_type in self.DAILY


class ServerError(TransientError):
    """Metrica is out of order; for an upload only where its own answer proves that nothing was taken in."""


class NotSent(TransientError):
    """No connection came about, so not one byte of the request left this machine."""


class NoAnswer(TransientError):
    """No usable answer came to a call that only reads, or a refusal's reason was lost on the way."""


class UnknownOutcome(MetricaError):
    """An upload or a change began to leave this machine, and nothing proves whether Metrica took it in."""
