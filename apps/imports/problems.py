"""Why a file was not taken: each code with a plain sentence and the person's next step."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text, filled


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason, told in the language of whoever looks."""

    code: str
    message: Text
    next_step: Text


_UPLOAD_AGAIN = _("Correct the file and upload it again.")
_OWN = {
    problem.code: problem
    for problem in [
        Problem(
            "file_missing",
            _("The kept file is no longer in the storage."),
            _("Check the storage (STORAGE_URL, free space), then upload the file again."),
        ),
        Problem(
            "file_damaged",
            _("The kept file is not what was uploaded: its checksum differs."),
            _("Check the storage for faults, then upload the file again."),
        ),
        Problem(
            "internal_error",
            _("The import broke off several times because of a fault in Goalpost or in its machine."),
            _("Read the worker's log, then upload the file again: what was taken in stays and is not doubled."),
        ),
        Problem(
            "cancelled",
            _("A person stopped the import. What was taken in until then stays."),
            _("To take in the rest, upload the file again: what is known already changes nothing."),
        ),
        Problem(
            "expired",
            _("The file was uploaded and not imported within a day, so it was deleted. Nothing was taken in."),
            _("Upload it again and press “Import”."),
        ),
    ]
}

_REMARKS = {
    "outside_binding_window": _("Older than 21 days: Metrica will not find their visits"),
    "create_date_time_frozen": _("Another time of creation: Metrica has the earlier one"),
    "undeclared_attribute": _("An attribute that is not declared: kept, not sent"),
    "ambiguous_time": _("A time that came twice, as the clocks went back"),
}


def remark(code: str) -> Text:
    """What was remarked about rows that were taken in. What can be corrected stands in the report, row by row."""
    return _REMARKS.get(code) or filled(_("Left out of the row, see the report: %(code)s"), code=code)


def describe(code: str, message: str = "") -> Problem | None:
    """The sentence and next step for the code of an import; None for a blank one. `message`: what was said of a file
    that cannot be used."""
    if not code:
        return None
    return _OWN.get(code) or Problem(code, message or code, _UPLOAD_AGAIN)
