"""Why a job or a file did not end well: each code with a plain sentence and the person's next step (R8).

What Metrica refuses is told in the words of apps.metrica; here are only the reasons of our own.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.counters import kept_back
from apps.metrica import catalogue
from apps.metrica.catalogue import ErrorKind
from apps.orders.models import HoldReason

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason, told in the language of whoever looks."""

    code: str
    message: Text
    next_step: Text


_NOTHING = _("Nothing needs to be done: its status changes are waiting again and go with the next upload.")
_UPLOAD_AGAIN = _("Upload once more. If it stays so, look at the calls to Metrica shown with the upload.")

_OWN = [
    Problem("interrupted", _("The worker stopped while it wrote this file. Nothing of it was sent."), _NOTHING),
    Problem(
        "metrica_changed", _("The counter was connected to another Metrica before Metrica had this file."), _NOTHING
    ),
    Problem(
        "restored",
        _("The database was restored from a backup of a time when this file was on its way."),
        _("Nothing to do. Metrica's list of uploads is asked whether it has the file."),
    ),
    Problem(
        "overtaken",
        _("After a restore, Metrica's list has later files of this counter but not this one: it did not pass."),
        _("Nothing to do. What it carried is found with the later files, or goes again."),
    ),
    Problem("cancelled", _("A person cancelled the job before this file was sent."), _NOTHING),
    Problem(
        "file_missing",
        _("The kept file is no longer in the storage, so it could not be sent."),
        _("Check the storage (STORAGE_URL, free space), then upload once more."),
    ),
    Problem(
        "file_gone",
        _("The file is no longer kept: its time was over."),
        _("Nothing to do. What the upload did is told here and in the orders' timelines."),
    ),
    Problem(
        "file_damaged",
        _("The kept file is not what was written: its checksum differs. It was not sent."),
        _("Check the storage for faults, then upload once more."),
    ),
    Problem(
        "too_many_refused",
        _("Metrica refused so many files in a row that splitting was stopped."),
        _("Look at the rejected orders: they probably share one cause. Correct it, then upload once more."),
    ),
    Problem(
        "every_row_refused",
        _("Metrica refused each row that was tried alone, so the rest was not tried: all share one cause."),
        _("Read what Metrica says of the rejected rows and remove that cause; then upload once more."),
    ),
    Problem(
        "resend_refused",
        _("Metrica refused to take the current state of an order once more, after a late status was delivered."),
        _("Compare the order with Metrica; send a new status of it from the CRM if they differ."),
    ),
    Problem(
        "resend_blocked",
        _("The current state of an order is to be sent once more, but cannot be said to Metrica any more."),
        _("Map its status again, mend its client if that was refused, or send a new status of the order from the CRM."),
    ),
    Problem(
        "clients_refused",
        _("Metrica did not take some of the clients. Their orders are held."),
        _("Open the counter's refused clients, correct them in the CRM and send them again."),
    ),
    Problem(
        "statuses_out_of_step",
        _("At Metrica somebody else changed statuses that this counter uses, so no order was sent."),
        _("Open the counter's page, press “Compare statuses”, and choose for each status which side is right."),
    ),
    Problem(
        "statuses_not_taken",
        _("Metrica said that it took the statuses, but shows others than were sent, so no order was sent."),
        _("Open the counter's page, press “Compare statuses”, and look at what differs."),
    ),
    Problem(
        "attribute_differs",
        _("Metrica has a custom attribute of this name with another type or number of values."),
        _("Take the attribute out of the counter and declare it under another name, or as Metrica has it."),
    ),
    Problem(
        "unwritable",
        _("The order holds something that no upload file can say."),
        _("Correct the order in the CRM and send it again."),
    ),
    Problem(
        "quota_saving",
        _("The day's calls to Metrica may not last, so changes are gathered and go in fewer, larger files."),
        _("Nothing needs to be done: they go at the time of the next attempt. To send them at once, start an upload."),
    ),
    Problem(
        "internal_error",
        _("The job broke off several times because of a fault in Goalpost or in its machine."),
        _("Read the worker's log, then upload once more."),
    ),
    Problem(HoldReason.COUNTER_PAUSED, _("The counter is paused: nothing was sent."), _("Resume the counter.")),
    Problem(
        HoldReason.ACCOUNT_DISCONNECTED,
        _("The counter has no Metrica account that is connected: nothing was sent."),
        _("Connect the Yandex account again, or choose another account for the counter."),
    ),
    Problem(
        HoldReason.UNKNOWN_TIME_ZONE,
        _("The counter's time zone is unknown, so no date could be written."),
        _("Read the counter from Metrica, or set its time zone."),
    ),
]


def _of_metrica(kind: ErrorKind) -> Problem:
    return Problem(kind.code, kind.message, kind.next_step)


_KNOWN: dict[str, Problem] = {
    kind.code: _of_metrica(kind)
    for kind in [
        *catalogue.CATALOGUE.values(),
        *catalogue.BY_STATUS.values(),
        *(value for value in vars(catalogue).values() if isinstance(value, ErrorKind)),
    ]
}
_KNOWN.update({code: Problem(code, *words) for code, words in kept_back.WORDS.items()})
_KNOWN.update({problem.code: problem for problem in _OWN})


def describe(code: str) -> Problem | None:
    """The sentence and next step for a code that a job or an upload carries; None for a blank one."""
    if not code:
        return None
    return _KNOWN.get(code) or Problem(code, code, _UPLOAD_AGAIN)
