"""The exact bytes of every upload, kept compressed in Django's default storage; written and read in flat memory."""

import contextlib
import gzip
import hashlib
import secrets
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from django.core.files.base import File
from django.core.files.storage import default_storage

from apps.counters.models import Counter
from apps.uploads.lease import LeaseLost
from apps.uploads.models import Upload

_IN_MEMORY = 256 * 1024
_PIECE = 1024 * 1024


class FileUnusable(Exception):
    """The kept file is not there, or is not what was written. `code`: file_missing, file_damaged; file_gone: its time
    was over."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Draft:
    """A file being written: what goes into `stream` is kept compressed, first in a temporary file."""

    def __init__(self) -> None:
        self._temporary = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed in close()
        # Level 1: several times faster than the default for a file that is a tenth larger.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=self._temporary, compresslevel=1, mtime=0)
        self.stream = cast(BinaryIO, self._gzip)

    def keep(self, name: str) -> str:
        """Moves the file into the storage under `name`, over what was there; returns the name it got."""
        self._gzip.close()
        self._temporary.seek(0)
        forget(name)
        return default_storage.save(name, File(self._temporary, name=name))

    def close(self) -> None:
        self._gzip.close()
        self._temporary.close()

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()


def name_of(upload: Upload, counter: Counter) -> str:
    """Where the upload's file lies: always the same, so that what a crash left there is found again; and no other's, so
    that two workers who both take themselves for the job's owner never write the same file."""
    return f"{folder_of(counter, f'{upload.created_at:%Y-%m}')}/{upload.pk}.{upload.format}.gz"


def name_of_rewritten(upload: Upload) -> str:
    """A new name beside that of the present file, so that whoever reads that one is not disturbed."""
    folder, _slash, _name = upload.file.rpartition("/")
    return f"{folder}/{upload.pk}.{secrets.token_hex(4)}.{upload.format}.gz"


def folder_of(counter: Counter, month: str) -> str:
    """Of the files that were begun in this month, `2026-11`."""
    return f"uploads/{counter.agency_id}/{counter.metrica_id}/{month}"


def forget(name: str) -> None:
    if name and default_storage.exists(name):
        default_storage.delete(name)


@contextlib.contextmanager
def nobodys_if_lost(uploads: Iterable[Upload], *, counter: Counter) -> Iterator[None]:
    """Who loses the job while it writes the files of these uploads takes along what it wrote: the job's next owner has
    given them up, and removed what was there then."""
    try:
        yield
    except LeaseLost:
        for upload in uploads:
            if not Upload.objects.filter(pk=upload.pk).exclude(file="").exists():
                forget(name_of(upload, counter))
        raise


@contextlib.contextmanager
def plain(upload: Upload) -> Iterator[BinaryIO]:
    """The upload's plain file, at its start, checked against its checksum. Raises FileUnusable."""
    if upload.file_gone_at is not None:
        raise FileUnusable("file_gone")
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as temporary:
        checksum = hashlib.sha256()
        try:
            with default_storage.open(upload.file) as kept, gzip.GzipFile(fileobj=kept) as unpacked:
                while piece := unpacked.read(_PIECE):
                    checksum.update(piece)
                    temporary.write(piece)
        except FileNotFoundError as error:
            raise FileUnusable("file_missing") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FileUnusable("file_damaged") from error
        if checksum.hexdigest() != (upload.kept_sha256 or upload.sha256):
            raise FileUnusable("file_damaged")
        temporary.seek(0)
        yield cast(BinaryIO, temporary)
