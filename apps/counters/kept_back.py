"""Calls that Goalpost itself does not make now: no quota is left for them, or Metrica does not answer (R10).

Nothing has left this machine, so no attempt is counted and no outcome is unknown.
"""

from datetime import UTC, datetime, timedelta

from apps.metrica.catalogue import ErrorKind
from apps.metrica.errors import QuotaExceeded, TransientError
from apps.metrica.text import Text, _


class KeptBack(TransientError):
    """The call was not made. `until` (aware): when it is worth trying again."""

    until: datetime

    @property
    def seconds(self) -> float:
        return max(0.0, (self.until - datetime.now(UTC)).total_seconds())


class NoPlace(KeptBack, QuotaExceeded):
    """One of Metrica's quotas is used up, or all its places are taken."""


class NotAnswering(KeptBack):
    """Metrica has not answered for a while, and is not asked until it is time to look again."""


_BY_ITSELF = _("Nothing needs to be done: uploads go as soon as there is a place. At a page, try again in a moment.")
_TOMORROW = _(
    "Calls are possible again after 00:00 GMT. Longer pauses between uploads save calls; so does a login of its own "
    "for any other program."
)

_KINDS: dict[str, ErrorKind] = {
    kind.code: kind
    for kind in (
        ErrorKind(
            NoPlace,
            "quota_second",
            _("As many calls as Metrica allows in a second are on their way already."),
            _BY_ITSELF,
        ),
        ErrorKind(
            NoPlace,
            "quota_place_login",
            _("As many calls of this login as Metrica allows at once are running already."),
            _BY_ITSELF,
        ),
        ErrorKind(
            NoPlace,
            "quota_day_login",
            _("The calls that Metrica allows this login in a day are used up."),
            _TOMORROW,
        ),
        ErrorKind(
            NoPlace,
            "quota_day_counter",
            _("The calls that Metrica allows to this counter in a day are used up."),
            _TOMORROW,
        ),
        ErrorKind(
            NoPlace,
            "quota_reports",
            _("The reports that Metrica allows this login in five minutes are used up."),
            _("Nothing needs to be done: the report is asked for later. At a page, try again in five minutes."),
        ),
        ErrorKind(
            NoPlace,
            "quota_shut",
            _("Metrica said that its limit of calls is reached, so it is not asked for a while."),
            _("Nothing needs to be done, unless other programs use the same login: let them wait."),
        ),
        ErrorKind(
            NoPlace,
            "quota_unavailable",
            _("What is used of Metrica's limits cannot be looked up, so nothing is sent."),
            _("Check that Redis (REDIS_URL) runs and can be reached from this machine."),
        ),
        ErrorKind(
            NotAnswering,
            "metrica_unreachable",
            _("Metrica has not answered for some time, so it is not asked until it is time to look again."),
            _("Nothing needs to be done: uploads go on by themselves. If it stays so, check network, proxy and DNS."),
        ),
    )
}

WORDS: dict[str, tuple[Text, Text]] = {code: (kind.message, kind.next_step) for code, kind in _KINDS.items()}
"""By code: the sentence and the next step."""


def kept_back(code: str, *, until: datetime, daily: bool = False) -> KeptBack:
    """The error for a call that is not made before `until` (aware)."""
    # Whoever asks "is it the day that is used up?" hears the same as from Metrica itself.
    error_type = "quota_requests_by_uid" if daily else ""
    seconds = max(0.0, (until - datetime.now(UTC)).total_seconds())
    error = _KINDS[code].error(error_type=error_type, retry_after=seconds)
    assert isinstance(error, KeptBack)
    error.until = until
    return error


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
