"""What a database that was put back to an older state has to be told before anybody works on it (R6)."""

from datetime import datetime

from django.db import models, transaction
from django_q.models import OrmQ

from apps.audit.services import record
from apps.counters import clock
from apps.counters.models import Counter
from apps.uploads import cargo
from apps.uploads.models import CarriedRow, Heartbeat, Permit, Recovery, Upload, UploadJob, UploadState

_TOGETHER = 1000

OF_THAT_TIME: tuple[type[models.Model], ...] = (OrmQ, Permit, Heartbeat, CarriedRow, Recovery)
"""Worthless in a database that was put back: messages and signs of life of then, and what an earlier restore found."""


@transaction.atomic
def mark_restored(*, taken_at: datetime) -> dict[str, int]:
    """Nothing goes out of a counter before it was looked up what went out after `taken_at` (aware, on the database's
    clock), when the backup was taken. Files that were ready or under way then may have arrived since. Returns numbers
    for people."""
    now = clock.now()
    for unfinished in Upload.objects.filter(state=UploadState.PREPARED, file=""):
        # Its bytes may lie in the storage and have gone since: then they are found there, with all their rows.
        cargo.give_back(unfinished)
        unfinished.delete()
    open_files = Upload.objects.filter(state__in=[UploadState.PREPARED, UploadState.SENDING]).exclude(file="")
    unknown = open_files.update(
        state=UploadState.UNKNOWN, not_before=None, lookups=0, error_code="restored", error_message=""
    )
    # Whoever held a job then is gone.
    jobs = UploadJob.objects.unfinished().update(lease_until=None, not_before=None)
    for model in OF_THAT_TIME:
        model._default_manager.all().delete()
    counters = Counter.objects.order_by("pk").values_list("pk", flat=True)
    Recovery.objects.bulk_create(
        (Recovery(counter_id=pk, taken_at=taken_at, restored_at=now) for pk in counters), batch_size=_TOGETHER
    )
    numbers = {"counters": len(counters), "unknown_files": unknown, "jobs": jobs}
    record(action="installation.restored", agency=None, details={"backup_taken_at": taken_at, **numbers})
    return numbers
