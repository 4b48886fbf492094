"""What the ledger may keep of a request and an answer: no token, no address, no name, no number of a person."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

HIDDEN = "•••"

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

_EMAIL = re.compile(r"[^\s@,;:\"'<>()\[\]|]{1,64}@(?=[^\s@,;:\"'<>()\[\]|]+)")
_HASH = re.compile(r"(?<![0-9A-Za-z-])([0-9A-Fa-f]{4})[0-9A-Fa-f]{28}(?![0-9A-Za-z-])")
# Bare digits: 10 as Russian mobiles are written, or 11 to 20 as phones with a code and ClientIDs are. A hyphen
# before or after belongs to a UUID or to an order's number, which must stay readable.
_DIGITS = re.compile(r"(?<![0-9A-Za-z.-])(?:9\d{2}|\d{4})\d{5,14}(\d{2})(?![0-9A-Za-z.-])", re.ASCII)
_SPELLED_PHONE = re.compile(
    r"(?:\+\d{1,3}|(?<![0-9A-Za-z-])[78])[ (.-]{1,3}\d{2,5}[ ).-]{1,3}\d{2,4}[ .-]?\d{2}[ .-]?(\d{2})(?![0-9])",
    re.ASCII,
)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|\s+|[^\s{}\[\],:"]+', re.DOTALL)


def mask_personal(text: str) -> str:
    """`text` with e-mails, phones, ClientIDs and hashes masked; enough stays to recognise a value one knows."""
    if "@" in text:
        text = _EMAIL.sub(f"{HIDDEN}@", text)
    text = _HASH.sub(rf"\1{HIDDEN}", text)
    text = _SPELLED_PHONE.sub(rf"{HIDDEN}\1", text)
    return _DIGITS.sub(rf"{HIDDEN}\1", text)


def redact_headers(headers: Iterable[tuple[str, str]], *, secret: str) -> dict[str, str]:
    """Headers for the ledger: those that carry credentials hidden, `secret` hidden wherever else it stands."""
    return {name: HIDDEN if name.lower() in _SECRET_HEADERS else hide(value, secret) for name, value in headers}


def hide(text: str, secret: str) -> str:
    return text.replace(secret, HIDDEN) if secret else text


def as_it_is(text: str, _whole: bool) -> str:
    """For files whose every column is one that the masks understand."""
    return text


def shown_csv(text: str, whole: bool, *, delimiter: str, shown: Collection[str]) -> str:
    """The start of a CSV file with the cells of `shown` columns (by their titles) alone; all others are hidden, the
    names of people among them. A last row that may be cut is left out.
    """
    if not whole:
        text = text[: text.rfind("\n") + 1]
    out = io.StringIO()
    write = csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow
    open_columns: list[bool] = []
    try:
        for number, cells in enumerate(csv.reader(text.splitlines(keepends=True), delimiter=delimiter)):
            if number == 0:
                # A file without a header has a person in its first row.
                open_columns = [cell in shown for cell in cells]
            write([_seen(cell, open_columns, place) for place, cell in enumerate(cells)])
    except csv.Error:
        out.write(HIDDEN)
    return out.getvalue()


def _seen(cell: str, open_columns: Sequence[bool], place: int) -> str:
    if not cell or (place < len(open_columns) and open_columns[place]):
        return cell
    return HIDDEN


@dataclass(slots=True)
class _Bracket:
    """An open bracket of a JSON text. `seen`: shown fields count in it; `all`: everything in it is shown.

    `now` and `now_all` are the same for the value that comes next, which in an object hangs on its field.
    """

    mark: str
    seen: bool
    all: bool
    now: bool
    now_all: bool = False


def shown_json(text: str, whole: bool, *, shown: Collection[str], shown_with_all: Collection[str] = ()) -> str:
    """The start of a JSON body with the values of `shown` fields alone; all others are hidden, whatever they are.

    A value is shown only if every field around it is; in `shown_with_all` everything is. Field names always stay, and
    what may be cut at the end is hidden.
    """
    out: list[str] = []
    brackets = [_Bracket("", seen=True, all=False, now=False)]
    name_comes = False
    for token in _JSON_TOKEN.finditer(text):
        piece, at = token[0], brackets[-1]
        if piece in ("{", "["):
            seen, everything = at.now or not at.mark, at.now_all
            now = everything or (piece == "[" and at.now)
            brackets.append(_Bracket(piece, seen=seen, all=everything, now=now, now_all=everything))
            name_comes = piece == "{"
        elif piece in ("}", "]"):
            if len(brackets) > 1:
                brackets.pop()
            name_comes = False
        elif piece == ",":
            name_comes = at.mark == "{"
        elif piece == ":" or piece.isspace():
            pass
        elif token.end() == len(text) and not whole:
            piece = HIDDEN
        elif name_comes and piece[0] == '"':
            name, name_comes = piece.strip('"'), False
            at.now_all = at.all or (at.seen and name in shown_with_all)
            at.now = at.now_all or (at.seen and name in shown)
        elif not at.now:
            piece = f'"{HIDDEN}"'
        out.append(piece)
    return "".join(out)
