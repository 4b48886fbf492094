"""Puts the clients of whom Metrica lacks the present state into the next file, before their orders (detailed mode).

A client is taken and read in one step, so the file carries exactly the revision that is noted; who changes afterwards
is due again (R2).
"""

from collections.abc import Sequence

from django.db import reset_queries
from django.db.models import F

from apps.clients import outbox
from apps.clients.models import Client
from apps.counters.attributes import Declared
from apps.counters.models import Counter
from apps.uploads import schema
from apps.uploads.detailed import CONTACT_COLUMNS, ContactMaker, ContactRow
from apps.uploads.formats import smallest_format
from apps.uploads.lease import Lease
from apps.uploads.making import FileInMaking, file_in_making
from apps.uploads.models import Upload, UploadJob, UploadKind
from apps.uploads.pacing import Pace
from apps.uploads.scribe import by_cause
from apps.uploads.selection import due_clients


def plan_contacts(
    *,
    lease: Lease,
    job: UploadJob,
    counter: Counter,
    only_orders: Sequence[int] | None = None,
    pace: Pace | None = None,
) -> Upload | None:
    """The next file of clients, or None where none is due: then orders come next. Raises LeaseLost, and Outdated (see
    `schema.confirm`). `only_orders`: clients of these, where not all of the job's are wanted."""
    chunks = due_clients(counter=counter, only_orders=job.only_orders if only_orders is None else only_orders)
    first = next(chunks, None)
    if first is None:
        return None
    declared = Declared.of(counter)
    schema.confirm(counter)
    with file_in_making(
        lease=lease,
        job=job,
        counter=counter,
        kind=UploadKind.CONTACTS,
        file_format=smallest_format(len(first)),
        maker=ContactMaker(counter=counter, declared=declared),
        pace=pace,
    ) as file:
        all_taken = _take(file, first)
        while all_taken and (keys := next(chunks, None)) is not None:
            all_taken = _take(file, keys)
            reset_queries()  # while developing, Django would keep the text of every query
        written = file.complete()
        _refuse_unwritable(file)
        kept = file.store() if written else {}
        with lease.step():
            uploads = Upload.objects.filter(pk=file.upload.pk)
            if written:
                uploads.update(**kept)
            else:
                uploads.delete()
            UploadJob.objects.filter(pk=job.pk).update(clients_planned=all_taken)
        return file.upload


def _take(file: FileInMaking, client_keys: Sequence[int]) -> bool:
    """One committed step. False once the file is full."""
    upload = file.upload
    with file.lease.step(more_follow=True):
        file.begin()
        # One after the other, as intake does.
        list(Client.objects.select_for_update().filter(pk__among=client_keys).order_by("pk").values_list("pk"))
        outbox.claim(client_keys=client_keys, upload_id=upload.pk)
        mine = Client.objects.filter(pk__among=client_keys, upload_id=upload.pk, sending_revision__gt=0)
        rows = [ContactRow._make(values) for values in mine.order_by("pk").values_list(*CONTACT_COLUMNS)]
    file.write(rows)
    return not file.full


def _refuse_unwritable(file: FileInMaking) -> None:
    if not (unwritable := file.scribe.unwritable):
        return
    with file.lease.step():
        for why, client_keys in by_cause(unwritable):
            outbox.refuse(upload_id=file.upload.pk, client_keys=client_keys, code="unwritable", message=why)
        UploadJob.objects.filter(pk=file.job.pk).update(clients_refused=F("clients_refused") + len(unwritable))
