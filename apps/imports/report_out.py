"""The report of an import as it is given out: piece by piece, each line with the key of its import."""

from collections.abc import Iterator

from apps.imports import files, services
from apps.imports.models import ImportJob, ReportPart
from apps.imports.report import ReportLines, with_key

_AT_ONCE = 20


def has_report(job: ImportJob) -> bool:
    """Whether any row was wrong, and the report is still kept. One query."""
    return job.report_parts.exists()


def whole_report(job: ImportJob) -> Iterator[bytes]:
    """CSV in UTF-8, the header first. In flat memory."""

    def keyed(text: str) -> bytes:
        return with_key(text, key=str(job.pk), delimiter=job.delimiter).encode()

    head = ReportLines(header=services.peek_at(job).header, delimiter=job.delimiter).head()
    # Spreadsheets take a file for UTF-8 by the mark at its beginning.
    yield b"\xef\xbb\xbf" + keyed(head)
    parts = ReportPart.objects.filter(job=job).order_by("first_line").values_list("body", flat=True)
    for body in parts.iterator(_AT_ONCE):
        yield keyed(files.report_of(body))
