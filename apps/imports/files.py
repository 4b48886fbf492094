"""The files of imports in Django's default storage: never under the name that a person gave, read in flat memory.

They hold personal data, so they go 30 days after the import (see `rounds`); no page serves them.
"""

import contextlib
import gzip
import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.core.files.base import File
from django.core.files.storage import default_storage

from apps.counters.rotation import bytes_place, packed
from apps.counters.sealing import open_bytes
from apps.imports.models import FileKind, ImportJob, ReportPart

_PIECE = 1024 * 1024
_SAMPLE = bytes_place(ImportJob, "sample")
_REPORT = bytes_place(ReportPart, "body")


class FileUnusable(Exception):
    """The kept file is not there, or is not what was uploaded. `code`: file_missing, file_damaged."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def keep(job: ImportJob, source: IO[bytes]) -> str:
    """Keep the uploaded file; returns its name in the storage."""
    source.seek(0)
    return _kept(f"{_folder(job)}/{job.pk}.{job.kind}.gz", source)


def keep_table(job: ImportJob, source: IO[bytes]) -> str:
    """Keep the table that was read out of a workbook."""
    source.seek(0)
    return _kept(f"{_folder(job)}/{job.pk}.table.csv.gz", source)


def forget(job: ImportJob) -> None:
    for name in (job.file, job.table):
        if name and default_storage.exists(name):
            default_storage.delete(name)


@contextlib.contextmanager
def local(job: ImportJob) -> Iterator[Path]:
    """The uploaded file on this machine's disk, checked against its checksum. Raises FileUnusable."""
    with _unpacked(job.file, sha256=job.sha256) as path:
        yield path


@contextlib.contextmanager
def local_table(job: ImportJob) -> Iterator[Path]:
    """The CSV that is read: the uploaded file, or what was read out of the workbook. Raises FileUnusable."""
    name, checksum = (job.table, "") if job.kind == FileKind.XLSX else (job.file, job.sha256)
    with _unpacked(name, sha256=checksum) as path:
        yield path


def pack_sample(head: bytes) -> bytes:
    """The first rows as the job keeps them: they are of people, so they are sealed where identifiers are."""
    return packed(zlib.compress(head), _SAMPLE)


def sample_of(job: ImportJob) -> bytes:
    """The first rows, as CSV. Raises UnreadableSecret."""
    return zlib.decompress(open_bytes(bytes(job.sample), _SAMPLE)) if job.sample else b""


def pack_report(body: str) -> bytes:
    """Lines of a report as they are kept."""
    return packed(zlib.compress(body.encode()), _REPORT)


def report_of(body: bytes | memoryview) -> str:
    """Lines of a report. Raises UnreadableSecret."""
    return zlib.decompress(open_bytes(bytes(body), _REPORT)).decode()


@contextlib.contextmanager
def local_sample(job: ImportJob) -> Iterator[Path]:
    """The first rows."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(sample_of(job))
        file.flush()
        yield Path(file.name)


def _folder(job: ImportJob) -> str:
    counter = job.counter
    return f"imports/{counter.agency_id}/{counter.metrica_id}/{job.created_at:%Y-%m}"


def _kept(name: str, source: IO[bytes]) -> str:
    with tempfile.TemporaryFile() as packed:
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=1, mtime=0) as target:
            shutil.copyfileobj(source, target, _PIECE)
        packed.seek(0)
        if default_storage.exists(name):  # a worker died here
            default_storage.delete(name)
        return default_storage.save(name, File(packed, name=name))


@contextlib.contextmanager
def _unpacked(name: str, *, sha256: str) -> Iterator[Path]:
    if not name:
        raise FileUnusable("file_missing")
    with tempfile.NamedTemporaryFile() as target:
        digest = hashlib.sha256()
        try:
            with default_storage.open(name) as kept, gzip.GzipFile(fileobj=kept) as plain:
                while piece := plain.read(_PIECE):
                    digest.update(piece)
                    target.write(piece)
        except FileNotFoundError as error:
            raise FileUnusable("file_missing") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FileUnusable("file_damaged") from error
        if sha256 and digest.hexdigest() != sha256:
            raise FileUnusable("file_damaged")
        target.flush()
        yield Path(target.name)
