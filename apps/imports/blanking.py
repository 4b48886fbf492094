"""What imports keep of an erased client: files that a person brought, and the report on their rows.

A file that names the client is deleted as a whole, with its sample: all of its good rows are taken in, and it may be of
any make, so it is not rewritten. Of the report the client's rows alone are blanked; the others can still be corrected.
Files that are yet to be taken in are waited for.
"""

import csv
import io
import time
from typing import Final

from apps.agencies.cells import bare
from apps.counters.encryption import UnreadableSecret
from apps.counters.models import Counter
from apps.imports import files
from apps.imports.columns import CLEARED_BY_EMPTY, REPORT_COLUMNS, REQUIRED, Layout, report_width
from apps.imports.models import ENDED, ImportJob, ReportPart
from apps.imports.reader import OrdersFile
from apps.imports.services import column_map
from apps.metrica.wire.csvio import UnusableFile
from apps.orders.erasing import Place
from apps.orders.marks import Marks
from apps.orders.models import Erasure

_IDS: Final = ("id", "client_uniq_id", "client_ids")
_NOT_SEARCHED_FOR_IDS: Final = frozenset([*REQUIRED, *CLEARED_BY_EMPTY, "status_date_time", *_IDS])
"""Columns of ids, which are compared as a whole, and of numbers, any of which may be like some id."""


def blank(counter: Counter, marks: Marks, _erasure: Erasure, place: Place, end: float) -> None:
    """The part of an erasure that is about imports; see `orders.erasing`."""
    seen: list[str] = place.rest.setdefault("seen", [])
    waiting = False
    unreadable: UnreadableSecret | None = None
    for job in ImportJob.objects.filter(counter=counter).exclude(file="").order_by("pk").iterator(50):
        if str(job.pk) in seen:
            continue
        if time.monotonic() > end:
            return
        if job.state not in ENDED:
            waiting = True
            continue
        try:
            _blank_job(job, marks, place)
        except UnreadableSecret as error:
            unreadable = error
            continue
        seen.append(str(job.pk))
        place.save()
    if unreadable is not None:
        raise unreadable
    if not waiting:
        place.done, place.rest = True, {}


def _blank_job(job: ImportJob, marks: Marks, place: Place) -> None:
    """Raises UnreadableSecret where an encryption key is missing."""
    header = files.sample_of(job).split(b"\n", 1)[0] + b"\n"
    layout, named = _read(job, marks)
    _blank_report(job, layout, marks, place)
    if named:
        files.forget(job)
        sample = files.pack_sample(header)  # the report needs it
        ImportJob.objects.filter(pk=job.pk).update(file="", table="", sample=sample)
        place.files += 1


def _read(job: ImportJob, marks: Marks) -> tuple[Layout | None, bool]:
    """How the file's columns are called, and whether a row of it says who the client is. One that cannot be read is
    taken for such."""
    layout = None
    try:
        with (
            files.local_table(job) as path,
            OrdersFile(path, delimiter=job.delimiter, column_map=column_map(job)) as file,
        ):
            layout = file.layout
            return layout, any(_names(record.cells, layout, marks) for record in file.records())
    except (files.FileUnusable, UnusableFile, OSError, ValueError):
        return layout, True


def _names(cells: list[str], layout: Layout | None, marks: Marks) -> bool:
    """Of a row whose cells cannot be told apart, each may be the id."""
    if layout is None or len(cells) != len(layout.header):
        sign = layout.delimiter if layout is not None else ","
        return marks.within_any(cells) or any(marks.is_id(part) for cell in cells for part in cell.split(sign))
    if marks.own({column: cells[layout.positions[column]] for column in _IDS if column in layout.positions}):
        return True
    numbers = {position for column, position in layout.positions.items() if column in _NOT_SEARCHED_FOR_IDS}
    return any(marks.names_in(cell) if at in numbers else marks.within(cell) for at, cell in enumerate(cells))


def _blank_report(job: ImportJob, layout: Layout | None, marks: Marks, place: Place) -> None:
    known = len(REPORT_COLUMNS)
    # A report that was corrected and brought back loses the columns of the report before.
    ahead = [""] * (report_width(layout.header) if layout is not None else 0)
    for part in ReportPart.objects.filter(job=job).order_by("first_line").iterator(20):
        text = files.report_of(part.body)
        anew = io.StringIO(newline="")
        writer = csv.writer(anew, delimiter=job.delimiter)
        number = 0
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=job.delimiter):
            if any(cells[known:]) and _names([*ahead, *map(bare, cells[known:])], layout, marks):
                cells[known:] = [""] * len(cells[known:])
                number += 1
            writer.writerow(cells)
        if number:
            ReportPart.objects.filter(pk=part.pk).update(body=files.pack_report(anew.getvalue()))
            place.rows += number
