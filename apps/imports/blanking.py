"""What imports keep of an erased client: files that a person brought, and the report on their rows.

A file that names the client is deleted as a whole, with its sample: all of its good rows are taken in, and it may be of
any make, so it is not rewritten. Of the report the client's rows alone are blanked; the others can still be corrected.
Files that are yet to be taken in are waited for.
"""

import csv
import io
import time
from pathlib import Path

from apps.counters.encryption import UnreadableSecret
from apps.counters.models import Counter
from apps.imports import files
from apps.imports.columns import REPORT_COLUMNS
from apps.imports.models import ENDED, ImportJob, ReportPart
from apps.imports.reader import OrdersFile
from apps.imports.services import column_map
from apps.metrica.wire.csvio import UnusableFile
from apps.orders.erasing import Marks, Place
from apps.orders.models import Erasure


def blank(counter: Counter, marks: Marks, erasure: Erasure, place: Place, end: float) -> None:
    """The part of an erasure that is about imports; see `orders.erasing`."""
    seen: list[str] = place.rest.setdefault("seen", [])
    waiting = False
    for job in ImportJob.objects.filter(counter=counter).exclude(file="").order_by("pk").iterator(50):
        if str(job.pk) in seen:
            continue
        if time.monotonic() > end:
            return
        if job.state not in ENDED:
            waiting = True
            continue
        _blank_report(job, marks, place)
        if _names(job, marks):
            files.forget(job)
            header = files.pack_sample(files.sample_of(job).split(b"\n", 1)[0] + b"\n")  # the report needs it
            ImportJob.objects.filter(pk=job.pk).update(file="", table="", sample=header)
            place.files += 1
        seen.append(str(job.pk))
    if not waiting:
        place.done, place.rest = True, {}


def _names(job: ImportJob, marks: Marks) -> bool:
    """Whether a row of the file says who the client is. One that cannot be read is taken for such."""
    try:
        with files.local_table(job) as path:
            return _any(job, path, marks)
    except (files.FileUnusable, UnusableFile, UnreadableSecret, OSError, ValueError):
        return True


def _any(job: ImportJob, path: Path, marks: Marks) -> bool:
    with OrdersFile(path, delimiter=job.delimiter, column_map=column_map(job)) as file:
        for record in file.records():
            row = record.row or {}
            if row.get("id") in marks.orders or marks.within_any(record.cells):
                return True
    return False


def _blank_report(job: ImportJob, marks: Marks, place: Place) -> None:
    known = len(REPORT_COLUMNS)
    for part in ReportPart.objects.filter(job=job).order_by("first_line").iterator(20):
        text = files.report_of(part.body)
        anew = io.StringIO(newline="")
        writer = csv.writer(anew, delimiter=job.delimiter)
        number = 0
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=job.delimiter):
            if marks.within_any(cells[known:]) or marks.orders.intersection(cells[known:]):
                cells[known:] = [""] * len(cells[known:])
                number += 1
            writer.writerow(cells)
        if number:
            ReportPart.objects.filter(pk=part.pk).update(body=files.pack_report(anew.getvalue()))
            place.rows += number
