"""Whoever was erased is found nowhere: in no column of any table, in no kept file. What they bought stays as numbers,
what was sent stays proven by its digest, and everybody else's rows stay as they were.

Identifiers are plain here: sealed ones would hide from this search what was forgotten.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db import models
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies.models import Role, SavedFilter
from apps.audit import chain
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.hooks.services import create_endpoint
from apps.imports import files as import_files
from apps.imports import services as imports
from apps.imports.models import ImportJob, ImportState
from apps.imports.tasks import take_in
from apps.metrica.identifiers import md5_of
from apps.orders import erasing
from apps.orders.models import Erasure, Order
from apps.orders.people import erase_client, merge_clients
from apps.uploads import blanking, files, scheduler
from apps.uploads.models import Upload
from tests.factories import make_member
from tests.uploads.conftest import Shop

EMAIL, PHONE, CLIENT_ID = "zebulon.quill@marked.example", "79261357913", "16987654321098765"
NAME, UNIQ_ID, OTHER_ID = "Zebulon Quill", "CRM-QUILL-7", "CRM-QUILL-8"
MARKS = (EMAIL, PHONE, "9261357913", "135-79-13", CLIENT_ID, NAME, UNIQ_ID, OTHER_ID, md5_of(EMAIL), md5_of(PHONE))
PERSON = {
    "client_uniq_id": UNIQ_ID,
    "client_name": NAME,
    "emails": [EMAIL],
    "phones": [PHONE],
    "client_ids": [CLIENT_ID],
    "attributes": {"note": f"call {NAME}"},
}
SOMEBODY = {"client_uniq_id": "CRM-OTHER", "client_name": "Somebody Else", "emails": ["else@other.example"]}

_NOT_OURS = ("sandbox",)  # a Metrica that runs here: what was sent is not ours to erase


@pytest.fixture(params=["simple", "detailed"])
def full(request: Any, make_shop: Callable[..., Shop], settings: Any) -> Shop:
    """A shop in which the person has left a trace wherever one can be left."""
    settings.ENCRYPT_IDENTIFIERS = False
    shop = make_shop(mode=request.param)
    agency = shop.counter.agency
    create_endpoint(agency=agency, name="CRM", url="https://crm.example/", events=["order.held", "order.delivered"])
    shop.push("D-1", "IN_PROGRESS", "PAID", revenue="500", **PERSON)
    shop.push("D-2", "IN_PROGRESS", **{**PERSON, "client_uniq_id": OTHER_ID})
    shop.push("O-1", "PAID", revenue="700", **SOMEBODY)
    shop.upload()
    shop.push("D-3", "nobody knows this status", **PERSON)
    shop.push("D-1", "CANCELLED", at=9, **PERSON)
    shop.upload()
    merge_clients(kept=_client(UNIQ_ID), duplicate=_client(OTHER_ID))
    shop.upload()
    shop.push("O-2", "IN_PROGRESS", **SOMEBODY)
    rows = (
        "id,create_date_time,order_status,client_uniq_id,client_name,emails,phones\n"
        f"D-9,2026-11-20 10:00:00,IN_PROGRESS,{UNIQ_ID},{NAME},{EMAIL},+7 (926) 135-79-13\n"
        f"D-8,never,IN_PROGRESS,,{NAME},{EMAIL.upper()},8 926 135 79 13\n"
        "O-8,never,IN_PROGRESS,,Somebody Else,else@other.example,\n"
    )
    _import(shop, rows)
    _import(shop, "id,create_date_time,order_status,emails\nO-9,2026-11-20 10:00:00,PAID,else@other.example\n")
    user = make_member(agency, Role.OWNER)
    saved = {"agency": agency, "user": user, "list_name": "orders_order"}
    SavedFilter.objects.create(name="one", query="q=%2B7+(926)+135-79-13", **saved)
    SavedFilter.objects.create(name="other", query="q=else%40other.example", **saved)
    browser = Browser()
    browser.force_login(user)
    for words in (PHONE, NAME):
        b"".join(browser.get("/admin/orders/order/export.csv", {"q": words}).streaming_content)
    browser.post(f"/admin/clients/client/{_client(UNIQ_ID).pk}/resend/", {})
    return shop


def test_who_is_erased_is_nowhere(full: Shop) -> None:
    assert {place.split(":")[0] for place in _found()} >= {"clients.Client.identifiers", "a file"}
    erase_client(client=_client(UNIQ_ID))
    scheduler.go_on_with_erasures()
    assert not _found()
    erasure = Erasure.objects.get()
    assert erasure.finished_at is not None and erasure.marks == {}


def test_the_log_holds_after_it(full: Shop) -> None:
    chain.seal(thorough=True)
    erase_client(client=_client(UNIQ_ID))
    scheduler.go_on_with_erasures()
    chain.seal(thorough=True)
    report = chain.verify()
    assert report.ok and not report.unsealed
    told = {entry.action: entry for entry in AuditEntry.objects.filter(action__startswith="client.eras")}
    assert set(told) == {"client.erased", "client.erasure_finished"}
    assert told["client.erased"].object_label == f"#{Erasure.objects.get().client_id}"
    assert told["client.erasure_finished"].details["rows"] > 0


def test_orders_stay_as_numbers_and_others_as_they_were(full: Shop) -> None:
    sent = {upload.pk: (upload.sha256, _rows(upload)) for upload in full.uploads() if upload.file}
    erase_client(client=_client(UNIQ_ID))
    scheduler.go_on_with_erasures()
    order = Order.objects.get(order_id="D-1")
    assert [change.order_status for change in order.changes.order_by("seq")] == ["IN_PROGRESS", "PAID", "CANCELLED"]
    assert {str(change.revenue and int(change.revenue)) for change in order.changes.all()} == {"500"}
    blanked = 0
    for upload in Upload.objects.filter(pk__in=sent):
        sha256, before = sent[upload.pk]
        after = _rows(upload)
        assert upload.sha256 == sha256, "the digest of what was sent"
        assert len(after) == len(before)
        others = [row for row in before if not _is_theirs(row)]
        assert [row for row in after if row in others] == others
        blanked += upload.blanked_rows
        assert upload.blanked_rows == len(before) - len(others)
    assert blanked > 0


def test_reports_of_imports_keep_the_rows_of_others(full: Shop) -> None:
    erase_client(client=_client(UNIQ_ID))
    scheduler.go_on_with_erasures()
    first, second = ImportJob.objects.order_by("pk")
    assert (first.file, bool(second.file)) == ("", True)
    report = "".join(import_files.report_of(part.body) for part in first.report_parts.all())
    assert "else@other.example" in report and len(report.splitlines()) == 2
    assert imports.peek_at(first).header[0] == "id", "the report can still be downloaded"
    assert list(SavedFilter.objects.values_list("name", flat=True)) == ["other"]


def test_a_file_whose_end_is_not_known_is_waited_for(full: Shop) -> None:
    newest = full.uploads()[-1]
    Upload.objects.filter(pk=newest.pk).update(state="unknown")
    erase_client(client=_client(UNIQ_ID))
    scheduler.go_on_with_erasures()
    erasure = Erasure.objects.get()
    assert erasure.finished_at is None and erasure.marks["orders"]
    newest.refresh_from_db()
    assert newest.blanked_rows == 0
    Upload.objects.filter(pk=newest.pk).update(state="passed")
    scheduler.go_on_with_erasures()
    erasure.refresh_from_db()
    assert erasure.finished_at is not None
    assert not _found()


def test_an_import_under_way_is_waited_for(full: Shop) -> None:
    job = ImportJob.objects.order_by("pk")[0]
    ImportJob.objects.filter(pk=job.pk).update(state=ImportState.RUNNING)
    erase_client(client=_client(UNIQ_ID))
    scheduler.go_on_with_erasures()
    assert Erasure.objects.get().finished_at is None
    ImportJob.objects.filter(pk=job.pk).update(state=ImportState.PARTLY_FAILED)
    scheduler.go_on_with_erasures()
    assert not _found()


def test_it_goes_on_where_it_stopped_and_two_do_no_harm(full: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    erase_client(client=_client(UNIQ_ID))
    erasing.go_on(seconds=0.0)
    assert Erasure.objects.get().finished_at is None
    Erasure.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    assert erasing.go_on() == 0, "another one is at it"
    Erasure.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    assert erasing.go_on() == 1
    assert not _found()


def test_a_worker_that_dies_over_a_file_leaves_none_behind(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the new file and the row that is to point to it, and between that and the old file's end."""
    shop.push("D-1", "IN_PROGRESS", **{**PERSON, "attributes": {}})
    shop.upload()
    keep, tidy_up = files.Draft.keep, blanking._tidy_up

    def kept_and_dead(draft: files.Draft, name: str) -> str:
        keep(draft, name)
        raise RuntimeError

    def swapped_and_dead(place: erasing.Place) -> None:
        if Upload.objects.filter(blanked_at=None).exists():
            tidy_up(place)
        else:
            raise RuntimeError

    erase_client(client=_client(UNIQ_ID))
    with monkeypatch.context() as patched:
        patched.setattr(files.Draft, "keep", kept_and_dead)
        assert erasing.go_on() == 0
    assert len(_kept_files()) == 2
    Erasure.objects.update(not_before=None)
    with monkeypatch.context() as patched:
        patched.setattr(blanking, "_tidy_up", swapped_and_dead)
        assert erasing.go_on() == 0
    assert len(_kept_files()) == 2
    Erasure.objects.update(not_before=None)
    assert erasing.go_on() == 1
    [upload] = shop.uploads()
    assert [path.name for path in _kept_files()] == [Path(upload.file).name]
    assert upload.blanked_rows == 1
    assert not [where for where in _found() if where.startswith("a file")]


def test_an_order_that_is_older_than_its_client_is_found_as_well(shop: Shop) -> None:
    shop.push("D-1", "IN_PROGRESS", emails=[EMAIL])
    shop.upload()
    shop.push("D-1", "PAID", at=5, **{**PERSON, "attributes": {}})
    Client.objects.update(created_at=timezone.now() + timedelta(hours=1))
    erase_client(client=_client(UNIQ_ID))
    assert erasing.go_on() == 1
    assert [upload.blanked_rows for upload in shop.uploads()] == [1]
    assert not _found()


def test_a_file_that_somebody_else_rewrote_meanwhile_is_gone_through_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.push("D-1", "IN_PROGRESS", **{**PERSON, "attributes": {}})
    shop.push("O-1", "IN_PROGRESS", **SOMEBODY)
    shop.upload()
    look = blanking._any

    def others_first(*args: Any) -> bool:
        monkeypatch.setattr(blanking, "_any", look)
        erase_client(client=_client("CRM-OTHER"))
        Erasure.objects.filter(lease_until=None).update(tried_at=None)
        erasing.go_on()
        return look(*args)

    monkeypatch.setattr(blanking, "_any", others_first)
    erase_client(client=_client(UNIQ_ID))
    erasing.go_on()
    assert not Erasure.objects.filter(finished_at=None).exists()
    [upload] = shop.uploads()
    assert upload.blanked_rows == 2 and len(_kept_files()) == 1
    assert not [row for row in _rows(upload) if row["emails"]]


def test_it_is_erased_once(full: Shop) -> None:
    one = _client(UNIQ_ID)
    erase_client(client=one)
    with pytest.raises(ValidationError):
        erase_client(client=one)


def _client(uniq_id: str) -> Client:
    return Client.objects.get(uniq_id=uniq_id)


def _import(shop: Shop, rows: str) -> None:
    job = imports.receive(counter=shop.counter, name="people.csv", content=io.BytesIO(rows.encode()))
    imports.start(job=job)
    take_in(str(job.pk))


def _kept_files() -> list[Path]:
    return [path for path in Path(django_settings.MEDIA_ROOT).glob("uploads/**/*") if path.is_file()]


def _rows(upload: Upload) -> list[Any]:
    with files.plain(upload) as stream:
        text = stream.read().decode()
    if upload.format == "json":
        [rows] = json.loads(text).values()
        return list(rows)
    return list(csv.DictReader(io.StringIO(text)))


def _is_theirs(row: dict[str, Any]) -> bool:
    return any(mark in str(row) for mark in MARKS) or str(row.get("id", "")).startswith("D-")


def _found() -> list[str]:
    return [where for where, text in _everything() if any(mark.casefold() in text.casefold() for mark in MARKS)]


def _everything() -> Iterator[tuple[str, str]]:
    """Each column of each row, each file of the storage."""
    kinds = (models.CharField, models.TextField, models.JSONField, models.BinaryField)
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or model._meta.app_label in _NOT_OURS:
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, kinds):
                for value in model._base_manager.values_list(field.attname, flat=True):
                    yield f"{model._meta.label}.{field.attname}: {value!r}"[:300], _text(value)
    for path in Path(django_settings.MEDIA_ROOT).rglob("*"):
        if path.is_file() and "sandbox" not in path.parts:
            yield f"a file: {path}", gzip.decompress(path.read_bytes()).decode("utf-8", "replace")


def _text(value: Any) -> str:
    if isinstance(value, memoryview | bytes):
        data = bytes(value)
        try:
            return zlib.decompress(data).decode("utf-8", "replace")
        except zlib.error:
            return data.decode("utf-8", "replace")
    return str(value)
