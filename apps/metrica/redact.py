"""What the ledger may keep of a request and an answer: no token, no address, no name, no number of a person."""

import csv
import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

HIDDEN = "•••"

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

_EMAIL = re.compile(
    r"[^\s@,;:\"'<>()\[\]|]{1,64}@(?:[^\s@,;:\"'<>()\[\]|]+(\.[^\s@,;:\"'<>()\[\]|.\\]+)|[^\s@,;:\"'<>()\[\]|]+)"
)
_HASH = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Fa-f]{32}(?![0-9A-Za-z-])")
# Bare digits: 10 as Russian mobiles are written, or 11 to 20 as phones with a code and ClientIDs are. A hyphen
# before or after belongs to a UUID or to an order's number, which must stay readable.
_DIGITS = re.compile(r"(?<![0-9A-Za-z.-])(?:9\d{2}|\d{4})\d{5,14}(\d{2})(?![0-9A-Za-z.-])", re.ASCII)
_SPELLED_PHONE = re.compile(
    r"(?:\+\d{1,3}|(?<![0-9A-Za-z-])[78])[ (.-]{1,3}\d{2,5}[ ).-]{1,3}\d{2,4}[ .-]?\d{2}[ .-]?(\d{2})(?![0-9])",
    re.ASCII,
)
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|\s+|[^\s{}\[\],:"]+', re.DOTALL)
_COLON = re.compile(r"\s*:")


def mask_personal(text: str) -> str:
    """`text` with e-mails, phones, ClientIDs and hashes masked: of an address its last part stays, of a number its last
    two digits, of a hash nothing."""
    if "@" in text:
        text = _EMAIL.sub(lambda found: f"{HIDDEN}@{HIDDEN}{found[1] or ''}", text)
    text = _HASH.sub(HIDDEN, text)
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
    names of people among them. So is a row of another width, whose cells stand who knows where, and a last row that
    may be cut is left out.
    """
    if not whole:
        text = text[: text.rfind("\n") + 1]
    out = io.StringIO()
    write = csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow
    seen: list[bool] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
            if number == 0:
                # What is no known title is hidden here too: a file without a header has a person in its first row.
                seen = [cell in shown for cell in cells]
            fits = len(cells) == len(seen)
            write([cell if not cell or (fits and seen[place]) else HIDDEN for place, cell in enumerate(cells)])
    except csv.Error:
        out.write(HIDDEN)
    return out.getvalue()


@dataclass(slots=True)
class _Bracket:
    """An open bracket of a JSON text: whether shown fields count in it, and what holds of the value that comes next:
    shown, looked into, shown with all that is in it.
    """

    mark: str
    counts: bool = False
    shown: bool = False
    inside: bool = False
    all: bool = False
    always: bool = False


def shown_json(
    text: str, whole: bool, *, shown: Collection[str], inside: Collection[str], with_all: Collection[str] = ()
) -> str:
    """The start of a JSON body with the values of `shown` fields alone: a text, a number, or a list of such. All others
    are hidden, whatever they are. What may be cut at the end is hidden; field names always stay.

    `inside`: fields whose objects, or lists of objects, are looked into; `with_all`: fields in which all is shown.
    """
    out: list[str] = []
    brackets = [_Bracket("", inside=True)]
    for token in _JSON_TOKEN.finditer(text):
        piece, at = token[0], brackets[-1]
        if piece == "{":
            brackets.append(_Bracket(piece, counts=at.inside, shown=at.all, all=at.all, always=at.all))
        elif piece == "[":
            inside_list = at.inside and at.mark != ""
            brackets.append(_Bracket(piece, shown=at.shown, inside=inside_list, all=at.all, always=at.all))
        elif piece in ("}", "]"):
            if len(brackets) > 1:
                brackets.pop()
        elif piece == "," and at.mark == "{":
            at.shown, at.inside, at.all = at.always, False, at.always  # until the next field's name
        elif piece in (",", ":") or piece.isspace():
            pass
        elif token.end() == len(text) and not whole:
            piece = HIDDEN
        elif at.mark == "{" and piece[0] == '"' and _COLON.match(text, token.end()):
            name = piece[1:-1]
            at.all = at.always or (at.counts and name in with_all)
            at.shown = at.all or (at.counts and name in shown)
            at.inside = at.counts and name in inside
        elif not at.shown:
            piece = f'"{HIDDEN}"'
        out.append(piece)
    return "".join(out)
