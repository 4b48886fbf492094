"""A logo that strangers' browsers may be given: a PNG of which only what draws it is kept.

It is taken apart and put together again: other parts (texts, places, programs' own) are left out, sums are checked, and
what it unpacks to is bounded. No other format is taken: an SVG is a program, and others need a library to be checked.
"""

import base64
import struct
import zlib
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MOST_BYTES: Final = 64 * 1024
MOST_WIDTH: Final = 800
MOST_HEIGHT: Final = 300

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_DRAWS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class _Unusable(Exception):
    pass


def cleaned(content: bytes) -> bytes:
    """The same picture and nothing besides. Raises ValidationError."""
    if len(content) > MOST_BYTES:
        message = _("The logo has more than %(most)s KB. Save it smaller.")
        raise ValidationError(message, code="too_large", params={"most": MOST_BYTES // 1024})
    try:
        return _taken_apart(content)
    except (_Unusable, struct.error, zlib.error) as error:
        message = _("This is no PNG picture of at most %(width)s × %(height)s points. Save the logo as one.")
        params = {"width": MOST_WIDTH, "height": MOST_HEIGHT}
        raise ValidationError(message, code="bad_picture", params=params) from error


def as_data(content: bytes) -> str:
    """The picture as an address of its own, so that a page asks for nothing else."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}" if content else ""


def _taken_apart(content: bytes) -> bytes:
    if not content.startswith(_SIGNATURE):
        raise _Unusable
    kept = [_SIGNATURE]
    names: list[bytes] = []
    packed: list[bytes] = []
    at = len(_SIGNATURE)
    while at < len(content) and (not names or names[-1] != b"IEND"):
        length, name = struct.unpack_from(">I4s", content, at)
        whole = content[at : at + 12 + length]
        if len(whole) != 12 + length or zlib.crc32(whole[4:-4]) != struct.unpack(">I", whole[-4:])[0]:
            raise _Unusable
        at += len(whole)
        if name not in _DRAWS:
            if name[:1].isupper():  # one without which the picture is not understood
                raise _Unusable
            continue
        names.append(name)
        kept.append(whole)
        if name == b"IDAT":
            packed.append(whole[8:-4])
    if len(names) < 3 or names[0] != b"IHDR" or names[-1] != b"IEND" or names.count(b"IHDR") != 1 or not packed:
        raise _Unusable
    _check_points(kept[1][8:-4], b"".join(packed))
    return b"".join(kept)


def _check_points(header: bytes, packed: bytes) -> None:
    """Within the size, and not a byte more in it than the size says."""
    width, height, depth, colour, _method, _filter, interlaced = struct.unpack(">IIBBBBB", header)
    if not (
        0 < width <= MOST_WIDTH and 0 < height <= MOST_HEIGHT and colour in _CHANNELS and depth in (1, 2, 4, 8, 16)
    ):
        raise _Unusable
    points = height * (1 + -(-width * _CHANNELS[colour] * depth // 8))
    most = 2 * points + 4096 if interlaced else points
    unpacking = zlib.decompressobj()
    found = len(unpacking.decompress(packed, most + 1))
    if not unpacking.eof or found > most or (not interlaced and found != points):
        raise _Unusable
