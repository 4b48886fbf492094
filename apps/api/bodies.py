"""A request's body as it comes: plain or gzip, of a known length or in chunks, piece by piece in flat memory.

What is compressed is opened here, once for all ways in, and no further than is good: a small body that would become a
very large one is refused before it has become it.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from django.utils.translation import gettext_lazy as _

from apps.api.problems import Problem, bad_request, too_large

PIECE: Final = 64 * 1024
_PIECE_OF_CHUNKS: Final = 8 * 1024
"""What a server has gathered of a piece is lost where its next chunk is none."""

_OPENED_AT_ONCE: Final = 256 * 1024
_NOT_LOOKED_AT: Final = 1024 * 1024
"""Bytes of an opened body from which on it is asked how small it came."""

MOST_TIMES: Final = 200
"""So many times larger than it came may a compressed body become. Orders become ten to forty times larger."""

_KEPT: Final = "_goalpost_body"


def is_there(request: HttpRequest) -> bool:
    """False where the request says of itself that nothing follows."""
    return is_chunked(request) or request.META.get("CONTENT_LENGTH") not in ("0", "", None)


def is_chunked(request: HttpRequest) -> bool:
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def coding(request: HttpRequest) -> str:
    """How the body is compressed: `gzip`, or an empty text. Raises a Problem (415) for other ways."""
    named = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if named in ("", "identity"):
        return ""
    if named in ("gzip", "x-gzip"):
        return "gzip"
    raise Problem(
        status=415,
        code="unsupported_content_encoding",
        message=_("A body compressed in this way is not taken here."),
        next_step=_("Send it plain, or with Content-Encoding: gzip."),
        headers={"Accept-Encoding": "gzip"},
    )


def whole(request: HttpRequest) -> bytes:
    """The whole body, opened, read once. Raises a Problem: 400 where it breaks off or cannot be opened, 411 where it
    does not say how long it is, 413 where it is larger than DATA_UPLOAD_MAX_MEMORY_SIZE, 415."""
    kept: bytes | None = getattr(request, _KEPT, None)
    if kept is not None:
        return kept
    if is_chunked(request):
        raise unknown_length()
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length(request) > limit:
        raise too_large()
    found: list[bytes] = []
    size = 0
    for piece in pieces(request):
        size += len(piece)
        if size > limit:
            raise too_large()
        found.append(piece)
    body = b"".join(found)
    setattr(request, _KEPT, body)
    # From here on it is the request's body for Django and the framework too.
    request._body = body
    return body


def pieces(request: HttpRequest) -> Iterator[bytes]:
    """The body, opened, in pieces of at most some hundred kilobytes. Raises a Problem in the middle where it breaks off
    or cannot be opened; what was given until then came as it is."""
    raw = _raw(request)
    return opened(raw) if coding(request) else raw


def length(request: HttpRequest) -> int:
    """What Content-Length says; 0 where it says nothing."""
    try:
        return max(0, int(request.META.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0


def unknown_length() -> Problem:
    return Problem(
        status=411,
        code="length_required",
        message=_("The request does not say how long it is."),
        next_step=_("Send Content-Length instead of Transfer-Encoding: chunked."),
    )


def cut_off() -> Problem:
    return bad_request("cut_off", _("The request broke off before its end."), _("Send it again."))


def opened(raw: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip file opened as it comes, one or several after each other. Raises a Problem: 400, 413."""
    inflate = zlib.decompressobj(wbits=31)
    came = gave = 0
    fresh = True
    for piece in raw:
        came += len(piece)
        while piece or not fresh:
            if inflate.eof:
                piece = piece.lstrip(b"\0")  # some pad a file to a block's length
                if not piece:
                    break
                inflate = zlib.decompressobj(wbits=31)
            try:
                out = inflate.decompress(piece, _OPENED_AT_ONCE)
            except zlib.error:
                raise _not_gzip() from None
            fresh = False
            gave += len(out)
            if gave > _NOT_LOOKED_AT and gave > came * MOST_TIMES:
                raise _bomb()
            if out:
                yield out
            piece = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if not piece and len(out) < _OPENED_AT_ONCE:
                break
    if not inflate.eof:
        raise _not_gzip() if fresh else cut_off()


def _raw(request: HttpRequest) -> Iterator[bytes]:
    if not is_chunked(request):
        left = length(request)
        while left:
            piece = _read(request.read, min(PIECE, left))
            if not piece:
                raise cut_off()
            left -= len(piece)
            yield piece
        return
    if not request.META.get("wsgi.input_terminated"):
        # This server hands the connection itself over: nobody could tell where the body ends.
        raise unknown_length()
    # Django's own stream takes a body without a length for an empty one.
    stream = request.META["wsgi.input"]
    while piece := _read(stream.read, _PIECE_OF_CHUNKS):
        yield piece


def _read(read: Callable[[int], bytes], size: int) -> bytes:
    try:
        return read(size)
    except BlockingIOError:
        raise _stalled() from None
    except (UnreadablePostError, OSError) as error:
        raise (_stalled() if isinstance(error.__cause__, BlockingIOError) else cut_off()) from None
    except Exception as error:
        # Chunks that are none: each server has exceptions of its own for them.
        raise cut_off() from error


def _stalled() -> Problem:
    return Problem(
        status=408,
        code="stalled",
        message=_("Nothing more came of the request for too long."),
        next_step=_("Send it again without a pause, or in several requests."),
    )


def _not_gzip() -> Problem:
    message = _("The body is not what Content-Encoding: gzip says.")
    return bad_request("bad_gzip", message, _("Compress it again, or send it plain."))


def _bomb() -> Problem:
    return Problem(
        status=413,
        code="compressed_too_much",
        message=_("The compressed body becomes more than %(times)s times larger than it came.") % {"times": MOST_TIMES},
        next_step=_("Send it plain, or in several requests."),
    )
