"""What an attacker writes wherever the outside may write something, and how it would be noticed in a page.

Each text has the word PROBE in it. Broken out of its place it makes an element or an attribute of that name; a script
that runs shows a dialog of that name.
"""

import io
from collections.abc import Iterator
from html.parser import HTMLParser

from apps.agencies.models import Agency, ApiKey, Invitation, User
from apps.counters.models import Counter, MetricaAccount
from apps.goals.models import Goal
from apps.goals.services import set_status
from apps.hooks.models import Endpoint
from apps.imports import services as imports
from apps.imports.tasks import take_in
from apps.orders.intake import accept_all
from apps.orders.models import StatusChange
from apps.reports.models import AgencyLook
from tests.admin.conftest import Place

PROBE = "xprobe"
MARKUP = (
    f"\"'><{PROBE} {PROBE}=1><img src=x onerror=alert('{PROBE}')><script>alert('{PROBE}')</script>{{{{7*7}}}}${{7*7}}"
)
TEXTS = {
    "markup": MARKUP,
    "end of a script": f"</script><script>alert('{PROBE}')</script><!--{PROBE}",
    "address": f"javascript:alert('{PROBE}')//",
    "formula": f'=HYPERLINK("http://evil.example/{PROBE}","{PROBE}")',
    "command": f"@SUM(1+1)*cmd|' /C {PROBE}'!A0",
    "turned around": f"{PROBE}\u202egnp.exe\u2066\u200b\ufeff",
    "path": f"../../etc/{PROBE}%2f..%00?a=b#c&amp;",
    "headers": f"{PROBE}\r\nSet-Cookie: {PROBE}=1\r\n\r\n<{PROBE}>",
    "zero": f"{PROBE}\x00end",
    "half a letter": f"{PROBE}\ud800end",
    "expression": f"'+alert('{PROBE}')+'",
    "long": f"{PROBE}{'A' * 5000}",
}


def attack(place: Place) -> int:
    """Bring every text into every field that the outside writes: by intake, by a file, by its headers, and by what a
    person of another trade may name. How many orders were taken in."""
    taken = 0
    for number, text in enumerate(TEXTS.values()):
        rows = [_row(place, f"{field}-{number}", **{field: value}) for field, value in _fields(text).items()]
        rows += [_row(place, f"{text}{number}"), _row(place, f"status-{number}", order_status=text), {text: text}]
        rows.append(_row(place, f"bad-{number}", currency=text, revenue=text, emails=[text]))
        taken += accept_all(counter=place.counter, rows=rows, source="api", actor_label=text[:200]).created
    _file(place)
    _names(place)
    return taken


def _fields(text: str) -> dict[str, object]:
    """By one field each: where one is refused, the others come in."""
    return {
        "client_uniq_id": text,
        "client_name": text,
        "products": {text: 1},
        "goals": [{"goal_action_id": text}],
        "attributes": {text: text},
        "client_attributes": {text: text},
    }


def _row(place: Place, order_id: str, **fields: object) -> dict[str, object]:
    start = {"id": order_id, "create_date_time": place.began.isoformat(), "order_status": "new"}
    return {**start, "client_ids": ["1700000001"], **fields}


def _file(place: Place) -> None:
    name = f"{MARKUP}.csv"
    content = f'id,create_date_time,order_status\n"{MARKUP.replace(chr(34), chr(34) * 2)}",never,"{PROBE}<b>"\n'
    job = imports.receive(counter=place.counter, name=name, content=io.BytesIO(content.encode()))
    imports.start(job=job)
    take_in(str(job.pk))


def _names(place: Place) -> None:
    """What people may call things: their own, and so nobody's proof that it is harmless to others."""
    set_status(counter=place.counter, crm_status=MARKUP[:200], type="PAID", name=MARKUP[:100])
    for model, fields in (
        (Agency, ("name",)),
        (ApiKey, ("name",)),
        (Counter, ("name", "site", "pause_reason")),
        (Endpoint, ("name",)),
        (Goal, ("name",)),
        (Invitation, ("invited_by",)),
        (MetricaAccount, ("login", "state_reason")),
        (AgencyLook, ("shown_name",)),
        (User, ("name",)),
    ):
        for row in model.objects.all():
            model.objects.filter(pk=row.pk).update(
                **{
                    name: f"{row.pk}{MARKUP}"[: model._meta.get_field(name).max_length]  # type: ignore[union-attr]
                    for name in fields
                }
            )
    StatusChange.objects.filter(delivery="rejected").update(reject_message=MARKUP[:500])


class Page(HTMLParser):
    """Reads a page as a browser would and keeps what an attacker's words became of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.broken: list[str] = []
        self.links: set[str] = set()
        self.shown = False
        self._in = ""
        self._kind = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag if tag in ("script", "style") else ""
        facts = {name: value or "" for name, value in attrs}
        self._kind = facts.get("type", "")
        if PROBE in tag or any(PROBE in name for name in facts):
            self.broken.append(f"a tag of their own: <{tag} {facts}>")
        for name, value in facts.items():
            self.shown |= PROBE in value
            if PROBE in value and (name.startswith(("x-", ":", "@", "on", "hx-on", "hx-vals")) or name == "style"):
                self.broken.append(f"evaluated: <{tag} {name}={value!r}>")
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post", "data"):
                self._address(tag, name, value)

    def _address(self, tag: str, name: str, value: str) -> None:
        plain = "".join(sign for sign in value if sign.isprintable()).strip().lower()
        if plain.startswith(("javascript:", "vbscript:", "data:text", "data:image/svg")) and PROBE in value:
            self.broken.append(f"a script as an address: <{tag} {name}={value!r}>")
        if name == "href" and PROBE in value and value.startswith(("/", "?")):
            self.links.add(value)

    def handle_data(self, data: str) -> None:
        self.shown |= PROBE in data
        if PROBE in data and self._in and self._kind not in ("application/json",):
            self.broken.append(f"within <{self._in}>: {data[:200]!r}")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


def cells_that_begin_formulas(rows: list[list[str]]) -> Iterator[str]:
    for row in rows:
        yield from (cell for cell in row if PROBE in cell and cell[:1] in tuple("=+-@\t\r\n"))
