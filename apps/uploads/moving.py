"""A counter that has moved to another Metrica (from the sandbox of a rehearsal to the real one, say): nothing of what
the former one was told is known there (detailed mode)."""

from typing import Final

from apps.audit.services import record
from apps.clients import outbox
from apps.counters import declaring
from apps.counters.addresses import address_of
from apps.counters.models import Counter
from apps.uploads import settle
from apps.uploads.lease import Lease
from apps.uploads.models import Upload, UploadJob, UploadState

_SECONDS: Final = 60
"""How long a counter's clients may take to become due again."""


def settled_in(*, lease: Lease, job: UploadJob, counter: Counter, upload: Upload | None) -> bool:
    """True where what is noted of the counter is true of its present Metrica. Else does one step towards it: a file
    that is not sent yet (`upload`) was made for the former Metrica and is given up; then all is due again.

    A counter in simple mode tells nothing in advance, so only the first address is noted: what a detailed time before
    left behind stays true of the Metrica of that time. Raises LeaseLost.
    """
    assert counter.account is not None, "a counter without an account is blocked"
    address = address_of(counter.account)
    if counter.known_address == address:
        return True
    if not counter.known_address:
        with lease.step():
            declaring.note_address(counter=counter, address=address)
        return True
    if not counter.is_detailed:
        return True
    if upload is not None:
        if upload.state != UploadState.PREPARED:
            return True  # whether it came anywhere is looked up first
        settle.given_up(lease=lease, upload=upload, counter=counter, code="metrica_changed", message="")
        return False
    with lease.step(seconds=_SECONDS):
        declaring.nothing_sent(counter=counter)
        clients = outbox.forget(counter=counter)
        declaring.note_address(counter=counter, address=address)
        UploadJob.objects.filter(pk=job.pk).update(clients_planned=False)
        record(
            action="counter.metrica_changed",
            agency=counter.agency_id,
            obj=counter,
            before={"address": counter.known_address},
            after={"address": address},
            details={"clients_due_again": clients},
        )
    return False
