"""Every refusal that Metrica documents, as an error with a code, a sentence and a next step. Page: errors."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.metrica.exceptions import (
    AccessDenied,
    AuthorizationError,
    InvalidRequest,
    MetricaError,
    NoAnswer,
    NotFound,
    NotSent,
    QuotaExceeded,
    ServerError,
    UnknownOutcome,
    UploadRefused,
)
from apps.metrica.text import Text, _


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """How one refusal is told: the class that decides what happens next, and the words for people."""

    cls: type[MetricaError]
    code: str
    message: Text
    next_step: Text

    def error(
        self,
        *,
        http_status: int | None = None,
        error_type: str = "",
        location: str = "",
        locations: Sequence[str] = (),
        detail: str = "",
        retry_after: float | None = None,
    ) -> MetricaError:
        return self.cls(
            code=self.code,
            message=self.message,
            next_step=self.next_step,
            http_status=http_status,
            error_type=error_type,
            location=location,
            locations=locations,
            detail=detail,
            retry_after=retry_after,
        )


_WAIT = _("Nothing needs to be done: the call will be repeated.")
_REPORT = _("Check the versions of Goalpost and of Metrica's API, and report this with the request shown.")
_FEWER = _("Ask for less at once: a shorter period, fewer fields or filters.")

CATALOGUE: dict[str, ErrorKind] = {
    "backend_error": ErrorKind(
        ServerError, "backend_error", _("Metrica has a fault on its side and asks to try later."), _WAIT
    ),
    "invalid_parameter": ErrorKind(
        InvalidRequest, "invalid_parameter", _("Metrica does not accept a parameter of the call."), _REPORT
    ),
    "missing_parameter": ErrorKind(
        InvalidRequest, "missing_parameter", _("Metrica misses a required parameter of the call."), _REPORT
    ),
    "invalid_json": ErrorKind(
        InvalidRequest, "invalid_json", _("Metrica could not read the body of the call as JSON."), _REPORT
    ),
    "invalid_uploading": ErrorKind(
        UploadRefused,
        "invalid_uploading",
        _("Metrica received the file and refused it as incorrect."),
        _("The file will be split until the bad row stands alone. Correct that order in the CRM."),
    ),
    "limit_exceeded": ErrorKind(
        InvalidRequest,
        "limit_exceeded",
        _("The counter has reached a limit of goals, operations or filters."),
        _("Delete goals, operations or filters of the counter that nobody needs, in Metrica's settings."),
    ),
    "filter_limits": ErrorKind(
        InvalidRequest, "filter_limits", _("The report has too many filter conditions."), _FEWER
    ),
    "query_error": ErrorKind(InvalidRequest, "query_error", _("The report's query is too complex."), _FEWER),
    "too_much_rows": ErrorKind(InvalidRequest, "too_much_rows", _("The report has too many rows."), _FEWER),
    "unauthorized": ErrorKind(
        AuthorizationError,
        "unauthorized",
        _("Metrica does not know who is calling: the token is missing or not valid."),
        _("Connect the Yandex account again."),
    ),
    "access_denied": ErrorKind(
        AccessDenied,
        "access_denied",
        _("The account has no right to do this with the counter, or its token does not include this right."),
        _(
            "Give the account edit access to the counter in Metrica, or connect it again with the rights "
            "metrika:read and metrika:offline_data."
        ),
    ),
    "invalid_token": ErrorKind(
        AuthorizationError,
        "invalid_token",
        _("The account's token is wrong, expired or revoked."),
        _("Connect the Yandex account again."),
    ),
    "counter_in_connect": ErrorKind(
        AccessDenied,
        "counter_in_connect",
        _("The counter belongs to a Yandex organisation, and access to it is managed there."),
        _("Ask the organisation's administrator to give the account access to the counter."),
    ),
    "not_found": ErrorKind(
        NotFound,
        "not_found",
        _("Metrica has no such object."),
        _("Check the counter's number, and whether the counter or goal was deleted."),
    ),
    "not_acceptable": ErrorKind(
        InvalidRequest, "not_acceptable", _("Metrica does not support the format that was asked for."), _REPORT
    ),
    "conflict": ErrorKind(
        InvalidRequest,
        "conflict",
        _("The change would contradict what Metrica already holds."),
        _("Read the object from Metrica again and repeat the change."),
    ),
    "quota_requests_by_uid": ErrorKind(
        QuotaExceeded,
        "quota_requests_by_uid",
        _("The account has used up its 5,000 calls of today."),
        _("Calls will be possible again at 00:00 GMT. Longer pauses between uploads save calls."),
    ),
    "quota_requests_by_ip": ErrorKind(
        QuotaExceeded,
        "quota_requests_by_ip",
        _("More than 30 calls a second came from this address."),
        _WAIT,
    ),
    "quota_parallel_requests": ErrorKind(
        QuotaExceeded,
        "quota_parallel_requests",
        _("More than 3 calls of the account ran at the same time."),
        _("Nothing needs to be done, unless other programs use the same account: let them wait."),
    ),
    "quota_requests_by_counter_id": ErrorKind(
        QuotaExceeded,
        "quota_requests_by_counter_id",
        _("The counter has used up its 5,000 calls of today."),
        _("Calls will be possible again at 00:00 GMT. Longer pauses between uploads save calls."),
    ),
    "quota_delegate_requests": ErrorKind(
        QuotaExceeded,
        "quota_delegate_requests",
        _("Representatives were added too often in this hour."),
        _("Wait until the next full hour."),
    ),
    "quota_grants_requests": ErrorKind(
        QuotaExceeded,
        "quota_grants_requests",
        _("Access to the counter was requested too often in this hour."),
        _("Wait until the next full hour."),
    ),
    "timeout": ErrorKind(
        ServerError,
        "timeout",
        _("Metrica took too long to answer."),
        _("Nothing needs to be done: the call will be repeated. If it stays so, ask for less at once."),
    ),
}
"""By `error_type`. For an upload, `timeout` proves nothing and becomes UNKNOWN; see errors.py."""

FAILED = ErrorKind(
    UploadRefused,
    "upload_failed",
    _("Metrica received the file but did not load its data (FAILED)."),
    _("The file will be split until the bad row stands alone. Correct that order in the CRM."),
)
FILE_TOO_LARGE = ErrorKind(
    UploadRefused, "file_too_large", _("The file is larger than Metrica takes."), _("The file will be split.")
)
NOT_SENT = ErrorKind(
    NotSent,
    "not_sent",
    _("No connection to Metrica came about. Nothing was sent."),
    _("Nothing needs to be done at once. If it stays so, check this machine's network, proxy and DNS."),
)
NO_ANSWER = ErrorKind(NoAnswer, "no_answer", _("Metrica was asked and gave no usable answer."), _WAIT)
UNKNOWN = ErrorKind(
    UnknownOutcome,
    "unknown_outcome",
    _("The upload was under way when the connection or the answer was lost. Whether Metrica has it is not known."),
    _("Nothing needs to be done: the list of recent uploads is asked first, and only what is missing is sent again."),
)
UNKNOWN_CHANGE = ErrorKind(
    UnknownOutcome,
    "unknown_change",
    _("The change was under way when the connection or the answer was lost. Whether Metrica made it is not known."),
    _("Read from Metrica what is there now, and make the change again only if it is missing."),
)
CHANGE_DENIED = ErrorKind(
    AccessDenied,
    "change_denied",
    _("The account has no right to change this, or its token does not include the right to change counters and goals."),
    _("Give the account edit access to the counter in Metrica, or connect it again with the right metrika:write."),
)
BAD_TOKEN = ErrorKind(
    AuthorizationError,
    "malformed_token",
    _("The account's token holds characters that no token has. Nothing was sent."),
    _("Connect the Yandex account again, or enter the token without spaces and line breaks."),
)
REDIRECT = ErrorKind(
    InvalidRequest,
    "unexpected_redirect",
    _("The address answered with a redirect, which is not followed: the token would go elsewhere."),
    _("Check the account's base URL. Metrica's is https://api-metrika.yandex.net."),
)
QUOTA = ErrorKind(QuotaExceeded, "quota_exceeded", _("Metrica asks for fewer calls."), _WAIT)
SERVER = ErrorKind(ServerError, "server_error", _("Metrica answered with an error of its own."), _WAIT)
BY_STATUS: dict[int, ErrorKind] = {
    401: CATALOGUE["unauthorized"],
    403: CATALOGUE["access_denied"],
    404: CATALOGUE["not_found"],
    406: CATALOGUE["not_acceptable"],
    408: SERVER,
    409: CATALOGUE["conflict"],
    413: FILE_TOO_LARGE,
    420: QUOTA,
    429: QUOTA,
}
"""For refusals without a readable envelope. What is missing here: 4xx is REFUSED, 5xx is SERVER."""

REFUSAL_CUT = ErrorKind(
    NoAnswer,
    "refusal_cut",
    _("Metrica refused the call, but the connection was cut before it had said why."),
    _WAIT,
)
REFUSED = ErrorKind(InvalidRequest, "refused", _("Metrica refused the call."), _REPORT)
