"""Takes an upload's body from the wire straight to a temporary file, strictly: multipart with exactly one part `file`,
with a file name and `Content-Type: text/csv` (uploadSimpleOrders page), or JSON; at most 1 GB."""

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from apps.metrica.vocabulary import MAX_FILE_BYTES
from apps.sandbox.envelope import ApiError

_STEP = 64 * 1024


class BodyReader:
    """The request's body, counted, with its last bytes at hand: whether it ended as multipart must end."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.received = 0
        self.tail = b""

    def read(self, size: int = _STEP) -> bytes:
        """Raises UnreadablePostError where the connection broke."""
        data = self._request.read(size)
        self.received += len(data)
        self.tail = (self.tail + data)[-256:]
        return data

    def drain(self, *, limit: int | None = None) -> None:
        """Reads what is left, or up to `limit` bytes in all, and throws it away."""
        while limit is None or self.received < limit:
            step = _STEP if limit is None else min(_STEP, limit - self.received)
            try:
                if not self.read(step):
                    return
            except UnreadablePostError:
                return


class _OneFile(TemporaryFileUploadHandler):
    """Keeps the first part `file` on disk and counts everything else without keeping it."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.kept: TemporaryUploadedFile | None = None
        self.parts: list[tuple[str, str]] = []  # (field name, content type) of each file part
        self.too_large = False
        self.bytes = 0
        self._writing = False

    def new_file(self, field_name: str, file_name: str, content_type: str, *args: object, **kwargs: object) -> None:
        self.parts.append((field_name, content_type))
        self._writing = field_name == "file" and self.kept is None
        if self._writing:
            super().new_file(field_name, file_name, content_type, *args, **kwargs)  # type: ignore[arg-type]
            self.kept = self.file

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if not self._writing or self.too_large:
            return
        self.bytes += len(raw_data)
        if self.bytes > MAX_FILE_BYTES:
            self.too_large = True
            return
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        if self._writing and self.kept is not None:
            self.kept.seek(0)
            self.kept.size = self.bytes
        self._writing = False


def receive_file(request: HttpRequest, body: BodyReader) -> TemporaryUploadedFile:
    """The file of an upload; it is deleted when closed. Reads the whole body in any case.

    Raises ApiError for all that is not as documented.
    """
    handler = _OneFile(request)
    try:
        fields = _parse(request, body, handler)
        if handler.too_large:
            raise _refused(f"The file is larger than 1 GB ({MAX_FILE_BYTES} bytes).")
        if fields or len(handler.parts) != 1 or handler.kept is None:
            names = sorted({*fields, *(name for name, _type in handler.parts)})
            if not names:
                raise ApiError("missing_parameter", "The part “file” is missing.", location="file")
            raise _refused(
                f"The body must hold exactly one part, “file”, with a file name. It holds: {', '.join(names[:5])}."
            )
        if handler.parts[0][1].lower() != "text/csv":
            raise _refused("The part “file” must have Content-Type text/csv.")
    except BaseException:
        body.drain()
        if handler.kept is not None:
            handler.kept.close()
        raise
    return handler.kept


def receive_json(request: HttpRequest, body: BodyReader) -> TemporaryUploadedFile:
    """The JSON body of an upload as a file without a name; it is deleted when closed. Reads the whole body in any case.

    Raises ApiError for all that is not as documented.
    """
    file = TemporaryUploadedFile("body.json", "application/json", 0, None)
    file.name = None
    try:
        if request.content_type != "application/json":
            raise ApiError("invalid_json", "The body must be application/json.")
        size = 0
        while data := body.read():
            size += len(data)
            if size > MAX_FILE_BYTES:
                raise _refused(f"The body is larger than 1 GB ({MAX_FILE_BYTES} bytes).")
            file.write(data)
        if size < int(request.META.get("CONTENT_LENGTH") or 0):
            raise _refused("The body ended before its end.")
    except UnreadablePostError as error:
        file.close()
        raise _refused("The body ended before its end.") from error
    except BaseException:
        body.drain()
        file.close()
        raise
    file.seek(0)
    file.size = size
    return file


def _parse(request: HttpRequest, body: BodyReader, handler: _OneFile) -> list[str]:
    """Names of the parts that are no files. The files are in `handler`."""
    if request.content_type != "multipart/form-data":
        raise ApiError("missing_parameter", "The body must be multipart/form-data with a part “file”.", location="file")
    try:
        parser = MultiPartParser(request.META, body, [handler], request.encoding)  # type: ignore[arg-type]
        fields, _files = parser.parse()
        body.drain()
    except UnreadablePostError as error:
        raise _refused("The body ended before its end.") from error
    except (MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent, SuspiciousOperation) as error:
        raise _refused("The multipart body is not well formed.") from error
    closing = f"--{request.content_params['boundary']}--".encode()  # type: ignore[index]
    # Django's parser takes a body that broke off for a shorter file.
    if body.received < int(request.META["CONTENT_LENGTH"] or 0) or closing not in body.tail:
        raise _refused("The body ended before its end.")
    return list(fields)


def _refused(message: str) -> ApiError:
    return ApiError("invalid_uploading", message, location="file")
