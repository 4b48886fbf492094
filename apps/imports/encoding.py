"""Which encoding a text file is in: UTF-8, with or without a mark, and Windows-1251 are read, others refused by name.

A whole cheap pass is made before the first row is stored, so that a file never stops half-way for its encoding.
"""

import codecs
import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO

from django.utils.translation import gettext as _

from apps.metrica.wire.csvio import UnusableFile, unusable

CHUNK_BYTES = 1 << 18

_MARKS = (  # the longer mark first: UTF-32 LE begins like UTF-16 LE
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SIGNATURES = (
    (b"PK\x03\x04", "Excel (.xlsx) or ZIP"),
    (b"\xd0\xcf\x11\xe0", "Excel (.xls)"),
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "PDF"),
)
# What Russian text in a one-byte encoding can be taken for; the name is the one that text editors show.
_CYRILLIC = (
    ("cp1251", "Windows-1251"),
    ("koi8-r", "KOI8-R"),
    ("cp866", "CP866 (DOS)"),
    ("mac-cyrillic", "Mac Cyrillic"),
    ("iso8859-5", "ISO 8859-5"),
)
# About how often each letter stands in Russian text, per thousand; the neighbours' own letters count a little.
_FREQUENCY = (
    dict.fromkeys("оеаинтсрвл", 67)
    | dict.fromkeys("кмдпуяыьгзбч", 22)
    | dict.fromkeys("йхжшюцщэфъё", 6)
    | dict.fromkeys("іїєґўђјљњћџ", 10)
)

_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
# What other encodings' letters look like in Windows-1251.
_ODD = re.compile("[ЂЃѓ‚‡€‰‹Ќ‘ќ†•™›¤¦¬¶µ\ufffd]")
_SAMPLE_WORDS = 4000


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file that can be read: Python's name of its encoding, its size in bytes, the SHA-256 of its bytes, and how many
    line feeds it has."""

    encoding: str  # "utf-8", "utf-8-sig" or "cp1251"
    size: int
    sha256: str
    line_feeds: int

    @property
    def label(self) -> str:
        return "Windows-1251" if self.encoding == "cp1251" else "UTF-8"


def detect(fp: BinaryIO) -> Encoded:
    """Read `fp` through once, from its beginning, and leave it there. Raises UnusableFile that names the encoding."""
    fp.seek(0)
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    size = newlines = 0
    beyond_ascii = False
    head = b""
    while chunk := fp.read(CHUNK_BYTES):
        if not size:
            head = chunk
            _refuse_by_head(head)
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            line = 1 + newlines + before.count(b"\n")
            return _one_byte(fp, tail=error.object, line=line, beyond_ascii=beyond_ascii or not before.isascii())
        digest.update(chunk)
        size += len(chunk)
        newlines += chunk.count(b"\n")
        beyond_ascii = beyond_ascii or not text.removeprefix("\ufeff").isascii()
    if not size:
        raise unusable(1, "empty_file", _("The file is empty. Export the orders again, with a header line."))
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return _one_byte(fp, tail=error.object, line=1 + newlines, beyond_ascii=beyond_ascii)
    fp.seek(0)
    return Encoded("utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8", size, digest.hexdigest(), newlines)


def _refuse_by_head(head: bytes) -> None:
    for mark, name in _MARKS:
        if head.startswith(mark):
            raise _wrong(name)
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            message = _("This is no text but %(name)s. Save the orders as CSV in UTF-8 and try again.")
            raise unusable(1, "not_text", message % {"name": name})
    start = head[:4096]
    zeros = start.count(0)
    # Latin letters and digits of UTF-16 and UTF-32 are padded with zero bytes, always on the same side.
    if zeros >= len(start) * 0.2:
        even = start[0::2].count(0)
        raise _wrong("UTF-16" if even < zeros * 0.05 or even > zeros * 0.95 else "UTF-32")


def _one_byte(fp: BinaryIO, *, tail: bytes, line: int, beyond_ascii: bool) -> Encoded:
    """The file is no UTF-8: is it Windows-1251? `tail` begins with the bytes that were read last.

    `beyond_ascii`: good UTF-8 beyond ASCII came before, so that one spot is broken and the file no other encoding.
    """
    words = _WORD.findall(tail)[:_SAMPLE_WORDS]
    while len(words) < _SAMPLE_WORDS and (chunk := fp.read(CHUNK_BYTES)):
        words += _WORD.findall(chunk)[: _SAMPLE_WORDS - len(words)]
    sample = b" ".join(words)
    in_sequences = sum(map(len, _UTF8_SEQUENCE.findall(sample)))
    if beyond_ascii or in_sequences > 0.8 * len(_HIGH.findall(sample)):
        message = _("The file is in UTF-8, but line %(line)s holds a broken character. Save the file as UTF-8 again.")
        raise unusable(line, "broken_utf8", message % {"line": line})
    name = _cyrillic_name(sample)
    if name != "Windows-1251":
        raise _wrong(name)
    fp.seek(0)
    digest, size, newlines = hashlib.sha256(), 0, 0
    while chunk := fp.read(CHUNK_BYTES):
        if b"\x98" in chunk:  # the one byte without a meaning in Windows-1251
            raise _wrong("")
        digest.update(chunk)
        size += len(chunk)
        newlines += chunk.count(b"\n")
    fp.seek(0)
    return Encoded("cp1251", size, digest.hexdigest(), newlines)


def _cyrillic_name(sample: bytes) -> str:
    """The encoding's name, or an empty text where nothing fits. Windows-1251 wins where two fit alike."""
    scores = {name: _score(sample.decode(codec, "replace")) for codec, name in _CYRILLIC}
    best = max(scores, key=lambda name: scores[name])
    if scores["Windows-1251"] >= scores[best] / 1.3 and not _ODD.search(sample.decode("cp1251", "replace")):
        best = "Windows-1251"
    if scores[best] >= 20:
        return best
    western = sample.decode("cp1252", "replace")
    accented = sum(not sign.isascii() and sign.isalpha() for sign in western)
    beside_latin = len(re.findall(r"(?<=[A-Za-z])[À-ÿ]|[À-ÿ](?=[A-Za-z])", western))
    return "Windows-1252" if accented and beside_latin >= accented / 2 else ""


def _score(text: str) -> float:
    """How Russian a text reads: mean frequency of its letters per thousand, less for signs and letters out of place."""
    total, count = 0.0, 0
    before = " "
    for sign in text:
        if not sign.isascii():
            count += 1
            total += _FREQUENCY.get(sign.lower(), 15 if sign in "№«»—–“”„…\xa0" else -40)
            if before.isascii() and before.isalpha() and sign.isalpha():
                total -= 60  # a Latin letter inside a Russian word
            elif sign.isupper() and before.islower():
                total -= 60  # a capital after a small letter
        before = sign
    return total / count if count else 0.0


def _wrong(name: str) -> UnusableFile:
    if name:
        message = _("The file is in %(name)s. Only UTF-8 and Windows-1251 are read: save it as UTF-8 and try again.")
        return unusable(1, "wrong_encoding", message % {"name": name})
    message = _("The file's encoding is not known. Only UTF-8 and Windows-1251 are read: save it as UTF-8.")
    return unusable(1, "wrong_encoding", message)
