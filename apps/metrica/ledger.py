"""One call to Metrica as the ledger keeps it: what was asked, what came back, without token or personal data (R12)."""

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from apps.metrica.exceptions import MetricaError, PermanentError, TransientError
from apps.metrica.redact import hide, mask_personal

Outcome = Literal["pending", "ok", "permanent", "transient", "unknown"]

MAX_RESPONSE_CHARACTERS = 20_000
MAX_EXCERPT_CHARACTERS = 2_000

MAX_WORD = 300
_LAST_WORD = re.compile(r"[^\s,;\"']+\Z")


@dataclass
class Exchange:
    """One HTTP call. Times are aware, in UTC; sizes are bytes; texts are redacted. Ends as anything but "pending"."""

    method: str
    url: str
    request_headers: dict[str, str]
    request_size: int = 0
    request_excerpt: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    status: int | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""
    outcome: Outcome = "pending"
    error_code: str = ""


class Recorder(Protocol):
    """Who keeps the ledger. Both get the same object, first as "pending", then completed."""

    def started(self, exchange: Exchange) -> None:
        """Called before the first byte leaves. What it raises stops the call, so nothing goes out unrecorded."""

    def finished(self, exchange: Exchange) -> None:
        """Called once after `started`, whatever happened. What it raises comes to the caller instead of the result,
        who must then take an upload for one of unknown outcome.
        """


class NoRecorder:
    """For callers that keep no ledger."""

    def started(self, exchange: Exchange) -> None:
        pass

    def finished(self, exchange: Exchange) -> None:
        pass


def outcome_of(error: MetricaError | None) -> Outcome:
    """How a call that ended this way is entered."""
    if error is None:
        return "ok"
    if isinstance(error, PermanentError):
        return "permanent"
    return "transient" if isinstance(error, TransientError) else "unknown"


def kept_text(text: str, *, limit: int, secret: str) -> str:
    """The first `limit` characters of `text`, redacted. A word cut in two at the end is left out, because half of
    an e-mail address would no longer be recognised and masked.
    """
    text = hide(text, secret)
    if len(text) > limit:
        text = text[: limit - MAX_WORD] + _LAST_WORD.sub("", text[limit - MAX_WORD : limit], count=1)
    return mask_personal(text)[:limit]
