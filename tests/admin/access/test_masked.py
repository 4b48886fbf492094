"""Who only reads sees identifiers masked: on every page, in every export and every file. Walked as the table of
addresses is, at an agency whose people have identifiers that stand nowhere else."""

import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser

from apps.clients.models import Client
from apps.counters.encryption import encrypt
from apps.counters.models import Counter
from apps.imports import services as imports
from apps.imports.models import ImportJob
from apps.imports.tasks import take_in
from apps.metrica.identifiers import md5_of
from apps.metrica.vocabulary import SIMPLE_COLUMNS
from apps.orders.models import Order, StatusChange
from apps.receivers import accepting
from apps.receivers import services as receivers
from apps.receivers.models import Post, Receiver
from apps.uploads import files
from apps.uploads.models import Upload
from tests.admin.access import found
from tests.admin.access.table import ADDRESSES
from tests.admin.access.world import World, asked
from tests.admin.conftest import keep

EMAIL, PHONE, CLIENT_ID = "zebulon.quill@plain.example", "79261357913", "16987654321098765"
HASHED = ["hidden.hash@plain.example", "79265551122"]
SECRETS = (
    *(EMAIL, PHONE, "9261357913", "135-79-13", CLIENT_ID),
    *map(md5_of, [EMAIL, PHONE, *HASHED]),
)
GIVEN = {
    "emails": [EMAIL],
    "phones": [PHONE],
    "client_ids": [CLIENT_ID],
    "emails_md5": [md5_of(HASHED[0])],
    "phones_md5": [md5_of(HASHED[1])],
}

pytestmark = pytest.mark.skipif(connection.vendor == "postgresql", reason="what is shown is the same on both")


Values = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Full:
    """`values`: what the table writes into addresses, as long as there is one of everything."""

    world: World
    values: Values


@pytest.fixture
def full(world: World) -> Full:
    """Identifiers wherever there may be some: of orders and clients, held, rejected, sent, waiting, imported."""
    place = world.place
    mark, counter = place.mark, place.counter
    values = {address.group: found.values_of(world, address.group) for address in found.addresses()}
    upload = Upload.objects.get(job__counter=counter)
    files.forget(upload.file)
    keep(upload, counter, _sent(f"{mark}-1"))
    place.push(f"{mark}-1", "won", client_uniq_id=f"{mark}-client", client_name="P.", **GIVEN)
    place.push(f"{mark}-p2", f"{mark} unknown", client_uniq_id=f"{mark}-client", **GIVEN)
    place.push(f"{mark}-p3", "new", client_uniq_id=f"{mark}-client", **GIVEN)
    rows = (
        "id,create_date_time,order_status,emails,phones,client_ids\n"
        f"{mark}-p4,2026-11-20 10:00:00,new,{EMAIL},+7 (926) 135-79-13,{CLIENT_ID}\n"
        f"{mark}-p5,never,new,{EMAIL},+7 (926) 135-79-13,{CLIENT_ID}\n"
    ).encode()
    _import(counter, rows, start=True)
    _import(counter, rows, start=False)
    _post(counter, mark)
    return Full(world, values)


def _post(counter: Counter, mark: str) -> None:
    """What a CRM posted to a receiver that is mapped, and what was read in the CRM by it."""
    receiver = Receiver.objects.get(counter=counter, name=f"{mark} receiver")
    fields = {"id": "id", "order_status": "status", "create_date_time": "at", **{kind: kind for kind in GIVEN}}
    receivers.map_fields(receiver=receiver, kept=receivers.checked_mapping({"fields": fields}))
    document = {"id": f"{mark}-p6", "status": "new", "at": "2026-11-20 10:00:00", **GIVEN}
    post, _again = accepting.keep(
        receiver, body=json.dumps(document).encode(), content_type="application/json", document=document
    )
    told = [["phones", "invalid", f"“{PHONE}” is no phone."]]
    results = [{"id": f"{mark}-p6", "result": "rejected", "hold": None, "errors": told, "warnings": []}]
    Post.objects.filter(pk=post.pk).update(
        state="held",
        error_code="rows_rejected",
        error_detail=f"{EMAIL} is not known",
        results=results,
        rejected=1,
        documents_encrypted=encrypt(json.dumps([document])),
    )


def _sent(order_id: str) -> bytes:
    """A file with the order's row, as it goes to Metrica."""
    cells = dict.fromkeys(SIMPLE_COLUMNS, "")
    cells |= {"id": order_id, "create_date_time": "2026-11-20 10:00:00", "order_status": "IN_PROGRESS"}
    cells |= {kind: values[0] for kind, values in GIVEN.items()}
    return f"{','.join(cells)}\r\n{','.join(cells.values())}\r\n".encode()


def _import(counter: Counter, rows: bytes, *, start: bool) -> None:
    job = imports.receive(counter=counter, name="people.csv", content=io.BytesIO(rows))
    if start:
        imports.start(job=job)
        take_in(str(job.pk))


def test_an_analyst_meets_no_identifier_anywhere(full: Full) -> None:
    browser = _browser(full.world.people["analyst"])
    told = [f"{url}: {secret}" for url, text in _pages(full, browser) for secret in SECRETS if secret in text]
    assert not told, "\n".join(told)


def test_who_works_with_them_sees_them(full: Full) -> None:
    browser = _browser(full.world.people["manager"])
    seen = {secret for _url, text in _pages(full, browser) for secret in SECRETS if secret in text}
    assert seen >= {EMAIL, PHONE, CLIENT_ID, md5_of(HASHED[0]), md5_of(HASHED[1])}


def test_what_an_analyst_sees_can_be_recognised(full: Full) -> None:
    browser = _browser(full.world.people["analyst"])
    page = browser.get("/admin/clients/client/").content.decode()
    for mask in ("z•••@•••.example", "•••13", "•••65"):
        assert mask in page
    for more in ("plain", "926", "1698", md5_of(HASHED[0])[:4], md5_of(HASHED[1])[:4]):
        assert more not in re.sub(r'name="csrf[^>]*|nonce="[^"]*|<link[^>]*|<script[^>]*', "", page), more


@pytest.mark.parametrize("kind", ["generic", "bitrix24", "amocrm"])
def test_what_a_crm_posted_is_for_who_works_with_it(full: Full, kind: str) -> None:
    post = Post.objects.order_by("-pk")[0]
    Receiver.objects.filter(pk=post.receiver_id).update(kind=kind)
    pages = [f"/admin/receivers/post/{post.pk}/change/", f"/admin/receivers/receiver/{post.receiver_id}/mapping/"]
    for page in pages:
        url = f"{page}?post={post.pk}"
        seen = _browser(full.world.people["manager"]).get(url).content.decode()
        assert EMAIL in seen and PHONE in seen and "owners and managers alone" not in seen
        hidden = _browser(full.world.people["analyst"]).get(url).content.decode()
        assert "owners and managers alone" in hidden
        assert not [secret for secret in SECRETS if secret in hidden]


def _browser(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def _pages(full: Full, browser: Browser) -> Iterator[tuple[str, str]]:
    """Every address that the table knows, of the objects that the table looks at and of those of these people."""
    for address in found.addresses():
        line = ADDRESSES[address.key]
        for values in _all_values(full, address.group):
            url = found.written(address, values)
            answer = browser.get(url, asked(line.query, full.world))
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            yield url, _plain(content)


def _all_values(full: Full, group: str) -> Iterator[dict[str, Any]]:
    """The values of the table, and the same with further objects."""
    values = full.values[group]
    yield values
    further = _further(full.world).get(group)
    for row in [] if further is None else further:
        yield {**values, "object_id": row.pk}


def _further(world: World) -> dict[str, Any]:
    """By group, the objects of people who have identifiers."""
    mark = world.place.mark
    orders = [f"{mark}-{number}" for number in ("1", "p2", "p3", "p4")]
    changes = StatusChange.objects.filter(order__order_id__in=orders)
    return {
        "orders_order": Order.objects.filter(order_id__in=orders),
        "orders_statuschange": changes,
        "orders_heldchange": changes.filter(delivery="held"),
        "clients_client": Client.objects.filter(uniq_id=f"{mark}-client"),
        "imports_importjob": ImportJob.objects.all(),
        "receivers_post": Post.objects.order_by("-pk")[:1],
    }


def _plain(content: bytes) -> str:
    """A workbook is an archive of texts."""
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8", "replace")
