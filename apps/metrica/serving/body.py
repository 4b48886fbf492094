"""Takes an upload's body from the wire straight to a temporary file: multipart with exactly one part `file`, with a
file name and `Content-Type: text/csv` (uploadSimpleOrders page), or JSON; at most 1 GB.

`strict` keeps to the letter of the documentation. Without it, whatever a working script sends is taken where nothing
can be misread: any type of the part, further fields, a bare CSV or JSON body of whatever type.
"""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from apps.metrica.serving.envelope import ApiError
from apps.metrica.vocabulary import MAX_FILE_BYTES

if TYPE_CHECKING:
    from django.http import HttpRequest

_STEP = 64 * 1024
_AROUND_A_FILE = 2**20  # bytes that multipart may put around it


class BodyReader:
    """The request's body, counted, with its last bytes at hand: whether it ended as multipart must end."""

    def __init__(self, request: "HttpRequest") -> None:
        self._read = request.read
        self.chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
        if self.chunked and request.META.get("wsgi.input_terminated"):
            self._read = request.META["wsgi.input"].read  # Django itself reads no body without its length
            self.chunked = False
        self.received = 0
        self.tail = b""

    def read(self, size: int = _STEP) -> bytes:
        """Raises UnreadablePostError where the connection broke."""
        data: bytes = self._read(size)
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
            except OSError:  # UnreadablePostError
                return


class _OneFile(TemporaryFileUploadHandler):
    """Keeps the first part `file` on disk and counts everything else without keeping it."""

    def __init__(self, request: "HttpRequest", *, most: int) -> None:
        super().__init__(request)
        self.kept: TemporaryUploadedFile | None = None
        self.parts: list[tuple[str, str]] = []  # (field name, content type) of each file part
        self.too_large = False
        self.bytes = 0
        self._most = most
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
        if self.bytes > self._most:
            self.too_large = True
            return
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        if self._writing and self.kept is not None:
            self.kept.seek(0)
            self.kept.size = self.bytes
        self._writing = False


def receive_file(
    request: "HttpRequest", body: BodyReader, *, most: int | None = None, strict: bool = True
) -> TemporaryUploadedFile:
    """The file of an upload; it is deleted when closed. Reads the whole body unless that is larger than it may be.

    Raises ApiError for all that is not as documented.
    """
    most = MAX_FILE_BYTES if most is None else most
    if not strict:
        _refuse_announced(request, most=most)
    if not strict and request.content_type == "text/csv":
        return _spooled(request, body, most=most)
    handler = _OneFile(request, most=most)
    try:
        fields = _parse(request, body, handler, most=most)
        if handler.too_large:
            raise _too_large(most)
        wanted = handler.kept is not None
        if strict:
            wanted = wanted and not fields and len(handler.parts) == 1
        if not wanted:
            names = sorted({*fields, *(name for name, _type in handler.parts)})
            if not names:
                raise ApiError("missing_parameter", "The part “file” is missing.", location="file")
            raise _refused(
                f"The body must hold exactly one part, “file”, with a file name. It holds: {', '.join(names[:5])}."
            )
        if strict and handler.parts[0][1].lower() != "text/csv":
            raise _refused("The part “file” must have Content-Type text/csv.")
    except BaseException:
        body.drain(limit=None if strict else most + _AROUND_A_FILE)
        if handler.kept is not None:
            handler.kept.close()
        raise
    assert handler.kept is not None
    return handler.kept


def receive_json(
    request: "HttpRequest", body: BodyReader, *, most: int | None = None, strict: bool = True
) -> TemporaryUploadedFile:
    """The JSON body of an upload as a file without a name; it is deleted when closed. Reads as `receive_file` does.

    Raises ApiError for all that is not as documented.
    """
    if strict and request.content_type != "application/json":
        body.drain()
        raise ApiError("invalid_json", "The body must be application/json.")
    most = MAX_FILE_BYTES if most is None else most
    if not strict:
        _refuse_announced(request, most=most)
    return _spooled(request, body, most=most)


def _refuse_announced(request: "HttpRequest", *, most: int) -> None:
    """What says of itself that it is far too large is not read at all."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > most + _AROUND_A_FILE:
        raise _too_large(most)


def _spooled(request: "HttpRequest", body: BodyReader, *, most: int) -> TemporaryUploadedFile:
    """The whole body as a file without a name."""
    file = TemporaryUploadedFile("body", "", 0, None)
    file.name = None
    size = 0
    try:
        while data := body.read():
            size += len(data)
            if size > most:
                raise _too_large(most)
            file.write(data)
        if size < int(request.META.get("CONTENT_LENGTH") or 0):
            raise _refused("The body ended before its end.")
    except OSError as error:  # UnreadablePostError
        file.close()
        raise _refused("The body ended before its end.") from error
    except BaseException:
        body.drain(limit=2 * most)
        file.close()
        raise
    file.seek(0)
    file.size = size
    return file


def _parse(request: "HttpRequest", body: BodyReader, handler: _OneFile, *, most: int) -> list[str]:
    """Names of the parts that are no files. The files are in `handler`."""
    from django.http import UnreadablePostError
    from django.http.multipartparser import MultiPartParser, MultiPartParserError

    if request.content_type != "multipart/form-data":
        raise ApiError("missing_parameter", "The body must be multipart/form-data with a part “file”.", location="file")
    meta: dict[str, Any] = request.META
    if not meta.get("CONTENT_LENGTH"):
        meta = {**meta, "CONTENT_LENGTH": str(most + _AROUND_A_FILE)}
    try:
        parser = MultiPartParser(meta, body, [handler], request.encoding)  # type: ignore[arg-type]
        fields, _files = parser.parse()
        body.drain()
    except UnreadablePostError as error:
        raise _refused("The body ended before its end.") from error
    except (MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent, SuspiciousOperation) as error:
        raise _refused("The multipart body is not well formed.") from error
    closing = f"--{request.content_params['boundary']}--".encode()  # type: ignore[index]
    # Django's parser takes a body that broke off for a shorter file.
    if body.received < int(request.META.get("CONTENT_LENGTH") or 0) or closing not in body.tail:
        raise _refused("The body ended before its end.")
    return list(fields)


def _too_large(most: int) -> ApiError:
    return _refused(f"The file is larger than {most // 10**6 / 1000:g} GB ({most} bytes).")


def _refused(message: str) -> ApiError:
    return ApiError("invalid_uploading", message, location="file")
