"""Whatever the outside writes is text: on every page, in every file and header; and links made of it lead on.

The same in a real browser: tests/browser/test_attackers_words.py.
"""

import csv
import io
from typing import Any
from urllib.parse import quote, unquote, urlencode, urljoin

import pytest
from django.db import connection
from django.test import Client as Browser
from openpyxl import load_workbook

from tests.admin import attacks
from tests.admin.access import found
from tests.admin.access.conftest import world
from tests.admin.access.table import ADDRESSES
from tests.admin.access.world import World, asked
from tests.api.conftest import Caller
from tests.factories import make_key

__all__ = ["world"]

pytestmark = pytest.mark.skipif(
    connection.vendor == "postgresql", reason="a page looks the same whatever the database is"
)

NEWEST = 2
STAFFS = ("agencies_agency", "agencies_user", "uploads_heartbeat")
PROBED = attacks.PROBE


Values = dict[str, dict[str, Any]]


@pytest.fixture
def values(world: World) -> Values:
    """What is written into addresses, by their groups: looked up while the things are still the only ones."""
    return {address.group: found.values_of(world, address.group) for address in found.addresses()}


@pytest.fixture
def attacked(world: World, values: Values) -> World:
    assert attacks.attack(world.place) >= 30
    return world


def pages(world: World, values: Values, who: str = "owner") -> list[str]:
    """Every page, those of things with the newest things of that kind; of staff, what they alone have."""
    listed: dict[str, None] = {}
    for address in found.addresses():
        if (address.group in STAFFS) != (who == "staff"):
            continue
        mine, line = values[address.group], ADDRESSES[address.key]
        keys = [mine.get("object_id")]
        if "object_id" in address.route and address.group in found.registered():
            rows = found.registered()[address.group].model._default_manager.order_by("-pk")
            keys = [*keys, *rows.values_list("pk", flat=True)[:NEWEST]]
        query = asked(line.query, world) or {}
        for key in keys:
            url = found.written(address, {**mine, "object_id": key})
            listed.setdefault(f"{url}?{urlencode(query)}" if query else url)
    return list(listed)


@pytest.mark.parametrize("who", ["owner", "staff"])
def test_no_page_takes_it_for_anything_but_text(attacked: World, values: Values, who: str):
    browser = Browser(raise_request_exception=False)
    user = attacked.people[who]
    assert user is not None
    browser.force_login(user)
    problems: list[str] = []
    links: set[str] = set()
    shown = 0
    for url in pages(attacked, values, who):
        if "/logout/" in url:
            continue
        answer = browser.get(url)
        if answer.status_code >= 500:
            problems.append(f"{url}: {answer.status_code}")
        problems += [f"{url}: {name}" for name, value in answer.headers.items() if "\n" in value or "\r" in value]
        problems += [f"{url}: a cookie of theirs" for name in answer.cookies if PROBED in name]
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            b"".join(answer.streaming_content if answer.streaming else ())
            continue
        page = attacks.read(answer.content.decode())
        shown += page.shown
        problems += [f"{url}: {what}" for what in page.broken]
        links |= {urljoin(url, link) for link in page.links}
    assert shown > (30 if who == "owner" else 3), "hardly a page shows what was written: this tests nothing"
    assert not problems, "\n".join(["", *problems[:40], f"{len(problems)} in all"])
    for link in sorted(links)[:150]:
        status = browser.get(link).status_code
        assert status in (200, 302), f"{status}: {unquote(link)}"


def test_no_file_begins_a_formula_or_takes_a_name_of_theirs(attacked: World, values: Values):
    browser = Browser()
    browser.force_login(attacked.place.owner)
    seen = 0
    for address in found.addresses():
        if not address.key.endswith(("_export_csv", "_export_xlsx")) or "heartbeat" in address.key:
            continue
        answer: Any = browser.get(found.written(address, values[address.group]))
        if answer.status_code != 200:
            continue
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert PROBED not in answer.headers["Content-Disposition"]
        if content.startswith(b"PK"):
            cells = [cell for row in load_workbook(io.BytesIO(content)).worksheets[0].iter_rows() for cell in row]
            assert not [cell.coordinate for cell in cells if cell.data_type == "f"], address.key
            continue
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        seen += sum(PROBED in cell for row in rows for cell in row)
        assert not list(attacks.cells_that_begin_formulas(rows)), address.key
    assert seen > 30
    for url in ("errors.csv", "file"):
        found_at = [page for page in pages(attacked, values) if page.rstrip("/").endswith(url)]
        assert found_at, url
        for page in found_at:
            answer = browser.get(page)
            if answer.status_code == 200:
                name = answer.headers.get("Content-Disposition", "attachment")
                assert name.startswith("attachment"), page
                assert not set('<>"\r\n') & set(name.partition("filename=")[2].strip('"')), name


def test_the_api_says_it_as_data(attacked: World):
    caller = Caller(make_key(attacked.place.agency)[1])
    number = attacked.place.counter.metrica_id
    ids = [row["id"] for row in caller.get(f"counters/{number}/orders/?limit=100").body["results"]]
    hostile = [text for text in ids if PROBED in text]
    assert len(hostile) >= 5
    for text in hostile:
        answer = caller.get(f"counters/{number}/orders/{quote(text, safe='')}/")
        assert (answer.status, answer.body["id"]) == (200, text)
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "page",
    [
        f'<td title="">{attacks.MARKUP}</td>',
        f'<td title="{attacks.MARKUP}">',
        f"<div x-data=\"{{name: '{PROBED}'}}\">",
        f"<script>var name = '{PROBED}'</script>",
        f"<a href=\"javascript:alert('{PROBED}')\">",
        f'<a href=" java&#10;script:{PROBED}">',
        f'<p style="{PROBED}">',
    ],
)
def test_the_reader_notices(page: str):
    assert attacks.read(page).broken
