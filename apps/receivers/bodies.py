"""What came in a post, as one document: JSON, or a form whose names nest as PHP writes them (`leads[add][0][id]`).

What is kept of it has no keys of the CRM in it, and numbers with a fraction as texts, so that nothing is rounded.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from django.utils.translation import gettext_lazy as _

from apps.metrica.text import Text

JSON, FORM = "json", "form"
HIDDEN: Final = "[hidden]"
MOST_FIELDS: Final = 20_000
DEEPEST: Final = 60
_SECRET = re.compile(
    r"(?:^|[_-])(?:(?:access|refresh|application|api|auth)?[_-]?(?:tokens?|secrets?|passwords?)|api[_-]?keys?)$", re.I
)
_PART = re.compile(r"\[([^\[\]]*)\]")


class BadBody(ValueError):
    """The body cannot be read. `message` says why."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def kind_of(content_type: str, body: bytes) -> str:
    """Whether it is JSON or a form: as its beginning says, whatever the sender calls it."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return JSON
    return JSON if "json" in content_type.lower() else FORM


def read(body: bytes, *, content_type: str) -> Any:
    """The document. Raises BadBody."""
    text = _text(body, content_type)
    if not text.strip():
        raise BadBody("empty_body", _("The body is empty."))
    document = _json(text) if kind_of(content_type, body) == JSON else _form(text)
    if _depth(document) > DEEPEST:
        raise _too_deep()
    return document


def clean(document: Any) -> Any:
    """Without the CRM's own keys, and without signs that no database keeps."""
    if isinstance(document, Mapping):
        return {
            _kept(str(name)): HIDDEN if _SECRET.search(str(name)) and _is_text(value) else clean(value)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [clean(item) for item in document]
    return _kept(document) if isinstance(document, str) else document


def dumped(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _too_deep() -> BadBody:
    return BadBody("too_deep", _("The post is nested too deeply."))


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, int)) and value != ""


def _kept(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _text(body: bytes, content_type: str) -> str:
    match = re.search(r"charset=[\"']?([\w.-]{1,40})", content_type, re.I)
    charset = match[1].lower() if match else "utf-8"
    try:
        return body.decode("cp1251" if charset in ("windows-1251", "cp1251") else "utf-8-sig")
    except UnicodeDecodeError:
        raise BadBody("not_utf8", _("The body is not UTF-8. Let the CRM send UTF-8.")) from None


def _json(text: str) -> Any:
    try:
        document = json.loads(text, parse_float=_number, parse_int=_integer, parse_constant=str)
    except (json.JSONDecodeError, RecursionError) as error:
        place = {"line": getattr(error, "lineno", 1), "column": getattr(error, "colno", 1)}
        raise BadBody("malformed_json", _("The body is no JSON: line %(line)s, column %(column)s.") % place) from None
    if not isinstance(document, (dict, list)):
        raise BadBody("not_an_object", _("The body must be a JSON object or a list of them."))
    return document


def _number(text: str) -> str:
    """As plain text: `1e3` is 1000. One of hundreds of digits stays as it is written: it may mean gigabytes of them."""
    exponent = text.lower().partition("e")[2].lstrip("+-0")
    return format(Decimal(text), "f") if len(text) < 40 and len(exponent) < 3 else text


def _integer(text: str) -> int | str:
    return int(text) if len(text) < 19 else text


def _form(text: str) -> Any:
    try:
        pairs = parse_qsl(text.strip(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadBody("too_many_fields", _("The form has more fields than are taken.")) from None
    if not pairs or not any("=" in piece for piece in text.split("&")):
        raise BadBody("malformed_form", _("The body is neither JSON nor a form."))
    root: dict[str, Any] = {}
    for name, value in pairs:
        names = _names(name)
        if len(names) > DEEPEST:
            raise _too_deep()
        _put(root, names, value)
    return _lists(root)


def _names(name: str) -> list[str]:
    start = name.find("[")
    if start <= 0:
        return [name]
    parts = _PART.findall(name[start:])
    # What is written otherwise than PHP would is a name as it stands.
    return [name[:start], *parts] if "".join(f"[{part}]" for part in parts) == name[start:] else [name]


def _put(root: dict[str, Any], names: list[str], value: str) -> None:
    here = root
    for name in names[:-1]:
        name = name or str(len(here))
        inner = here.get(name)
        if not isinstance(inner, dict):
            inner = here[name] = {}
        here = inner
    last = names[-1] or str(len(here))
    if len(names) == 1 and last in here and not isinstance(here[last], dict):
        # The same plain name once more: several values.
        if not isinstance(here[last], list):
            here[last] = [here[last]]
        here[last].append(value)
    elif not isinstance(here.get(last), dict):
        here[last] = value


def _lists(value: Any) -> Any:
    """What is numbered from 0 on is a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    if inner and all(name == str(at) for at, name in enumerate(inner)):
        return list(inner.values())
    return inner


def _depth(document: Any) -> int:
    deepest, left = 0, [(document, 1)]
    while left:
        value, depth = left.pop()
        deepest = max(deepest, depth)
        if depth > DEEPEST:
            break
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        left += [(item, depth + 1) for item in items]
    return deepest
