"""Why a comparison did not come about: each code with a plain sentence and the person's next step (R8)."""

from django.utils.translation import gettext_lazy as _

from apps.orders.models import HoldReason
from apps.uploads import problems
from apps.uploads.problems import Problem

_OWN = {
    problem.code: problem
    for problem in [
        Problem(
            HoldReason.ACCOUNT_DISCONNECTED.value,
            _("The counter has no Metrica account that is connected, so Metrica could not be asked."),
            _("Connect the Yandex account again, or choose another account for the counter."),
        ),
        Problem(
            HoldReason.UNKNOWN_TIME_ZONE.value,
            _("The counter's time zone is unknown, so nobody can say which orders belong to which day."),
            _("Read the counter from Metrica, or set its time zone."),
        ),
        Problem(
            "agency_closed",
            _("The agency is closed, so Metrica is not asked."),
            _("Open the agency again to compare its counters."),
        ),
        Problem(
            "internal_error",
            _("The comparison broke off several times because of a fault in Goalpost or in its machine."),
            _("Read the worker's log, then compare once more."),
        ),
    ]
}


def describe(code: str) -> Problem | None:
    """The sentence and next step for a code that a comparison carries; None for a blank one."""
    return _OWN.get(code) or problems.describe(code)
