"""Every documented refusal becomes one class with a code, a sentence and a next step (pages: errors, quotas)."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from apps.metrica import catalogue, errors
from apps.metrica.errors import (
    CATALOGUE,
    AccessDenied,
    AuthorizationError,
    Effect,
    InvalidRequest,
    MetricaError,
    NotFound,
    PermanentError,
    QuotaExceeded,
    ServerError,
    TransientError,
    UnknownOutcome,
    UploadRefused,
    error_from_answer,
    error_from_response,
)
from tests.metrica.servers import envelope

READS, CHANGES, UPLOADS = Effect.READS, Effect.CHANGES, Effect.UPLOADS

# The table of the page, as it stands there: error_type, HTTP status, and what it is to us.
DOCUMENTED: list[tuple[str, int, type[MetricaError]]] = [
    ("backend_error", 503, ServerError),
    ("invalid_parameter", 400, InvalidRequest),
    ("missing_parameter", 400, InvalidRequest),
    ("invalid_json", 400, InvalidRequest),
    ("invalid_uploading", 400, UploadRefused),
    ("limit_exceeded", 400, InvalidRequest),
    ("filter_limits", 400, InvalidRequest),
    ("query_error", 400, InvalidRequest),
    ("too_much_rows", 400, InvalidRequest),
    ("unauthorized", 401, AuthorizationError),
    ("access_denied", 403, AccessDenied),
    ("invalid_token", 403, AuthorizationError),
    ("counter_in_connect", 403, AccessDenied),
    ("not_found", 404, NotFound),
    ("not_acceptable", 406, InvalidRequest),
    ("conflict", 409, InvalidRequest),
    ("quota_requests_by_uid", 429, QuotaExceeded),
    ("quota_requests_by_ip", 429, QuotaExceeded),
    ("quota_parallel_requests", 429, QuotaExceeded),
    ("quota_requests_by_counter_id", 429, QuotaExceeded),
    ("quota_delegate_requests", 429, QuotaExceeded),
    ("quota_grants_requests", 429, QuotaExceeded),
    ("timeout", 504, ServerError),
]


def answered(status: int, body: object = None, *, effect: Effect, **headers: str) -> MetricaError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from_answer(status=status, headers=headers, body=content, effect=effect)


def test_the_catalogue_is_the_documented_table() -> None:
    assert set(CATALOGUE) == {error_type for error_type, _status, _cls in DOCUMENTED}
    assert all(kind.code == error_type for error_type, kind in CATALOGUE.items())


@pytest.mark.parametrize(
    "kind",
    [
        *CATALOGUE.values(),
        catalogue.FAILED,
        catalogue.UNKNOWN,
        catalogue.NOT_SENT,
        catalogue.UNKNOWN_CHANGE,
        catalogue.CHANGE_DENIED,
    ],
)
def test_every_kind_says_what_happened_and_what_to_do(kind: errors.ErrorKind) -> None:
    assert len(str(kind.message)) > 20
    assert len(str(kind.next_step)) > 20
    error = kind.error(detail="Their words")
    assert type(error) is kind.cls
    assert str(error) == f"{kind.message} (Their words)"
    assert kind.code in repr(error)


@pytest.mark.parametrize(("error_type", "status", "cls"), DOCUMENTED)
def test_a_refused_question(error_type: str, status: int, cls: type[MetricaError]) -> None:
    body = envelope(error_type, code=status, message="Why", location="orders[0].id")
    error = answered(status, body, effect=READS)
    assert type(error) is cls
    assert (error.code, error.error_type, error.http_status) == (error_type, error_type, status)
    assert (error.detail, error.location) == ("Why", "orders[0].id")


@pytest.mark.parametrize(("error_type", "status", "cls"), DOCUMENTED)
def test_a_refused_upload(error_type: str, status: int, cls: type[MetricaError]) -> None:
    error = answered(status, envelope(error_type, code=status), effect=UPLOADS)
    assert type(error) is (UnknownOutcome if error_type == "timeout" else cls)


@pytest.mark.parametrize("status", [420, 429])
@pytest.mark.parametrize("body", [None, envelope("quota_requests_by_ip", code=420), b"<h1>Slow down</h1>"])
def test_both_statuses_of_the_quota_are_known(status: int, body: object) -> None:
    for effect in Effect:
        assert type(answered(status, body, effect=effect)) is QuotaExceeded


def test_a_daily_quota_is_told_from_one_of_seconds() -> None:
    daily = answered(429, envelope("quota_requests_by_uid"), effect=UPLOADS)
    short = answered(429, envelope("quota_requests_by_ip"), effect=UPLOADS)
    assert isinstance(daily, QuotaExceeded)
    assert isinstance(short, QuotaExceeded)
    assert (daily.daily, short.daily) == (True, False)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, InvalidRequest),
        (401, AuthorizationError),
        (403, AccessDenied),
        (404, NotFound),
        (405, InvalidRequest),
        (406, InvalidRequest),
        (408, ServerError),
        (409, InvalidRequest),
        (413, UploadRefused),
        (415, InvalidRequest),
        (418, InvalidRequest),
        (301, InvalidRequest),
        (307, InvalidRequest),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<h1>nginx</h1>", b"{}", b'{"errors": "x"}', b'{"errors": [1]}', b"\xff"])
def test_a_refusal_without_an_envelope_is_told_by_its_status(status: int, cls: type[MetricaError], body: bytes) -> None:
    assert type(answered(status, body, effect=UPLOADS)) is cls


@pytest.mark.parametrize(
    ("location", "cls"),
    [
        ("orders[0].id", UploadRefused),
        ("line 3", UploadRefused),
        ("file", UploadRefused),
        ("merge_mode", InvalidRequest),
        ("", InvalidRequest),
    ],
)
def test_a_bad_parameter_inside_the_file_is_a_bad_file(location: str, cls: type[MetricaError]) -> None:
    """R7: such a file is split; a call that is wrong in itself is not, or every row would be blamed."""
    error = answered(400, envelope("invalid_parameter", location=location), effect=UPLOADS)
    assert type(error) is cls
    assert error.error_type == "invalid_parameter"
    assert type(answered(400, envelope("invalid_parameter", location=location), effect=READS)) is InvalidRequest


def test_all_reasons_are_kept_and_the_first_decides() -> None:
    body = {
        "errors": [
            {"error_type": "invalid_uploading", "message": "Bad date", "location": "line 2"},
            {"error_type": "invalid_parameter", "message": "Bad phone"},
        ],
        "code": 400,
        "message": "Bad date",
    }
    error = answered(400, body, effect=UPLOADS)
    assert isinstance(error, UploadRefused)
    assert (error.detail, error.location) == ("Bad date; Bad phone", "line 2")


def test_a_long_story_is_cut() -> None:
    assert len(answered(400, envelope("invalid_uploading", message="x" * 9999), effect=UPLOADS).detail) == 1000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("7", 7.0), (" 12 ", 12.0), ("0", 0.0), ("999999999999", 86400.0), ("soon", None), ("", None)),
        ("Mon, 20 Nov 99999999999999 19:12:08 GMT", None),  # a year beyond any calendar
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert answered(429, None, effect=UPLOADS, **{"retry-after": value}).retry_after == seconds


def test_retry_after_as_a_date() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    wait = answered(429, None, effect=UPLOADS, **{"retry-after": until}).retry_after
    assert wait is not None
    assert 80 < wait <= 90
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert answered(429, None, effect=UPLOADS, **{"retry-after": past}).retry_after == 0


def test_an_httpx_response_is_read_the_same() -> None:
    response = httpx.Response(429, headers={"Retry-After": "3"}, json=envelope("quota_parallel_requests"))
    error = error_from_response(response, effect=READS)
    assert (type(error), error.code, error.retry_after) == (QuotaExceeded, "quota_parallel_requests", 3)


def test_the_three_families_are_apart() -> None:
    families = (PermanentError, TransientError, UnknownOutcome)
    leaves = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, MetricaError)]
    for cls in leaves:
        if cls is not MetricaError:
            assert sum(issubclass(cls, family) for family in families) == 1, cls


@pytest.mark.parametrize("body", [envelope("access_denied", code=403), None])
def test_a_change_needs_a_right_of_its_own(body: object) -> None:
    """Uploads need metrika:offline_data; goals and counters are changed with metrika:write (page: authorization)."""
    change, upload = answered(403, body, effect=CHANGES), answered(403, body, effect=UPLOADS)
    assert isinstance(change, AccessDenied)
    assert (change.code, upload.code) == ("change_denied", "access_denied")
    assert "metrika:write" in str(change.next_step)
    assert type(answered(403, envelope("invalid_token", code=403), effect=CHANGES)) is AuthorizationError


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (502, None, UnknownOutcome),
        (504, envelope("timeout", code=504), UnknownOutcome),
        (500, b"<h1>proxy</h1>", UnknownOutcome),
        (200, b"{", UnknownOutcome),
        (503, envelope("backend_error", code=503), ServerError),
        (413, None, InvalidRequest),
        (400, envelope("limit_exceeded"), InvalidRequest),
        (404, envelope("not_found", code=404), NotFound),
    ],
)
def test_what_is_known_of_a_change(status: int, body: object, cls: type[MetricaError]) -> None:
    assert type(answered(status, body, effect=CHANGES)) is cls
