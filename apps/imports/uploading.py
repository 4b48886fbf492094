"""Keeps a file that is larger than any import off the disk: what comes beyond the limit is passed over unread."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from apps.imports.services import MAX_CSV_BYTES

TOO_LARGE = "goalpost.upload_too_large"
"""In `request.META` where a file of the request was left out for its size."""


class LimitedUpload(FileUploadHandler):
    """Stands before the handlers that keep what comes."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._size = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._size = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._size += len(raw_data)
        if self._size > MAX_CSV_BYTES:
            if self.request is not None:
                self.request.META[TOO_LARGE] = True
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile | None:
        return None
