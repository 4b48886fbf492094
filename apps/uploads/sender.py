"""Sends one file: the attempt is committed before a byte leaves, the call is made outside any transaction (R6).

The step that counts the attempt is the last thing before the call, and the lease lasts longer than the call may: who
has lost the job sends nothing, and who was stopped on the way to the first byte for longer than a call may take gives
it up by itself. Only a machine whose very clocks stood still could send after its successor; see
`settle.came_after_all`.
"""

from contextlib import AbstractContextManager
from typing import Protocol

import structlog
from django.db.models import F
from django.db.models.functions import Coalesce

from apps.counters import clock
from apps.counters.gateway import bounds_of, metrica_client
from apps.counters.kept_back import KeptBack
from apps.counters.leave import to_upload
from apps.counters.models import Counter, MetricaAccount
from apps.counters.refusals import refusal
from apps.counters.services import disconnect_account
from apps.metrica.errors import AuthorizationError, MetricaError, TransientError, UnknownOutcome, UploadRefused
from apps.uploads import files, formats, settle, splitter
from apps.uploads.lease import Lease, LeaseLost
from apps.uploads.models import Upload, UploadState
from apps.uploads.waits import seconds_for

log = structlog.get_logger(__name__)


class Owner(Protocol):
    """Who works on something that one worker at a time may work on: a lease of a job, a turn of a comparison."""

    def step(self) -> AbstractContextManager[None]: ...


class JobFailed(Exception):
    """The job cannot go on until a person has done something; `code` and `message` say why."""

    def __init__(self, *, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def send(*, lease: Lease, upload: Upload, counter: Counter) -> None:
    """Sends a prepared file once and settles what came of it. Raises JobFailed, LeaseLost, and KeptBack where it may
    not go now: then nothing has happened."""
    account = counter.account
    assert account is not None, "a counter without an account is blocked"
    seconds = seconds_for(upload.bytes)
    lease.extend(seconds=seconds)

    def note_attempt() -> None:
        _note_attempt(lease, upload, seconds)

    try:
        with (
            files.plain(upload) as file,
            # Before an attempt is counted: what waits for Metrica's quotas has not been tried.
            to_upload(account, counter=counter, bounds=bounds_of(total_timeout=seconds)) as leave,
            metrica_client(
                account,
                counter=counter,
                subject=upload.pk,
                total_timeout=seconds,
                leave=leave,
                before_call=note_attempt,
            ) as metrica,
        ):
            uploading = formats.upload(metrica, counter.metrica_id, file, of=upload)
    except KeptBack:
        raise
    except files.FileUnusable as error:
        fail(lease=lease, upload=upload, counter=counter, code=error.code)
    except UploadRefused as error:
        refused(lease=lease, upload=upload, counter=counter, error=error)
    except UnknownOutcome as error:
        settle.unknown(lease=lease, upload=upload, counter=counter, error=error)
    except TransientError as error:
        if settle.exhausted(upload):
            fail(lease=lease, upload=upload, counter=counter, code=error.code, error=error)
        settle.retry_later(lease=lease, upload=upload, counter=counter, error=error)
    except MetricaError as error:
        stays = isinstance(error, AuthorizationError) and not disconnect(lease, account, error)
        if stays and not settle.exhausted(upload):
            # Another token is in its place already: the file goes with that one.
            settle.retry_later(lease=lease, upload=upload, counter=counter, error=error)
            return
        fail(lease=lease, upload=upload, counter=counter, code=error.code, error=error)
    else:
        try:
            settle.passed(lease=lease, upload=upload, counter=counter, uploading=uploading)
        except LeaseLost:
            settle.came_after_all(upload=upload, counter=counter, uploading=uploading)
            raise


def refused(*, lease: Lease, upload: Upload, counter: Counter, error: MetricaError) -> None:
    """A refused file is divided; a refused row is rejected. Raises JobFailed where dividing leads nowhere."""
    if upload.rows <= 1:
        settle.rejected(lease=lease, upload=upload, counter=counter, error=error)
    elif code := splitter.why_not(upload):
        fail(lease=lease, upload=upload, counter=counter, code=code, error=error)
    else:
        try:
            splitter.split(lease=lease, upload=upload, counter=counter, error=error)
        except files.FileUnusable as broken:
            fail(lease=lease, upload=upload, counter=counter, code=broken.code)


def fail(*, lease: Lease, upload: Upload, counter: Counter, code: str, error: MetricaError | None = None) -> None:
    """Give the file up and end the job with this reason."""
    said = error.detail if error else ""
    status = error.http_status if error else None
    settle.given_up(lease=lease, upload=upload, counter=counter, code=code, message=said, status=status)
    raise JobFailed(code=code, message=str(error) if error else "")


def disconnect(owner: Owner, account: MetricaAccount, error: AuthorizationError) -> bool:
    """Metrica does not accept the token: stop using it. False where another has taken its place meanwhile.

    Where the token never reached Metrica, because it cannot be decrypted here, the account stays as it is. A step of
    its owner's: a refusal that is older than what the next owner was told disconnects nobody. Raises what that step
    does.
    """
    if error.http_status is None and error.code != "malformed_token":
        return True
    with owner.step():
        return disconnect_account(account=account, reason=refusal(error))


def _note_attempt(lease: Lease, upload: Upload, seconds: float) -> None:
    now = clock.present()
    with lease.step(seconds=seconds):
        Upload.objects.filter(pk=upload.pk).update(
            state=UploadState.SENDING,
            attempts=F("attempts") + 1,
            not_before=None,
            sent_at=now,
            started_at=Coalesce("started_at", now),
        )
    upload.attempts += 1
    upload.state = UploadState.SENDING
