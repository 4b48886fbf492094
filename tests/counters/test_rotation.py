"""Identifiers at rest: sealed or plain, under an older key or the present one, all are read; and they are rewritten
beside running work."""

import contextlib
import json
import zlib
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection

from apps.api.models import KeptAnswer
from apps.audit.models import AuditEntry
from apps.clients.models import Client
from apps.counters import rotation, sealing
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt, open_bytes, seal_bytes
from apps.counters.models import Counter, MetricaAccount
from apps.imports.models import ImportJob
from apps.orders.intake import accept_all
from apps.orders.models import Order
from apps.receivers.models import Post
from apps.receivers.services import create_receiver
from tests.factories import make_counter

KNOWN_BY = {"emails": ["anna@example.com"], "phones": ["79031234567"], "client_ids": ["17000000001234"]}
MARKS = ("anna", "79031234567", "17000000001234")


@pytest.fixture
def counter(db: None, settings: Any) -> Counter:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    return make_counter()


def push(counter: Counter, *numbers: int) -> None:
    rows = [
        {
            "id": f"D-{n}",
            "create_date_time": "2026-11-20 10:00:00",
            "order_status": "PAID",
            "client_uniq_id": f"C-{n}",
            **KNOWN_BY,
        }
        for n in numbers
    ]
    assert accept_all(counter=counter, rows=rows, source="api").rejected == 0


def raw(model: Any = Order) -> list[str]:
    with connection.cursor() as cursor:
        cast = "identifiers::text" if connection.vendor == "postgresql" else "identifiers"
        cursor.execute(f"SELECT {cast} FROM {model._meta.db_table} ORDER BY id")
        return [text for (text,) in cursor.fetchall()]


def rotate(**options: Any) -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out, **options)
    return out.getvalue()


class TestAtRest:
    @pytest.mark.parametrize("model", [Order, Client])
    def test_nothing_of_a_person_is_in_the_row(self, counter: Counter, settings: Any, model: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1)
        [text] = raw(model)
        assert not any(mark in text for mark in MARKS)
        assert set(json.loads(text)) == {*KNOWN_BY, "sealed"}, "which kinds there are is no secret"
        assert model.objects.get().identifiers == KNOWN_BY

    def test_the_same_value_is_sealed_differently_each_time(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1, 2)
        assert len(set(raw())) == 2

    def test_a_value_of_another_column_does_not_open(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orders_order SET identifiers = (SELECT identifiers FROM clients_client)")
        with pytest.raises(UnreadableSecret):
            Order.objects.get()

    def test_the_database_is_not_asked_for_what_it_cannot_see(self, counter: Counter) -> None:
        for name in ("identifiers", "identifiers__emails", "identifiers__contains"):
            with pytest.raises(FieldError):
                Order.objects.filter(**{name: "anna@example.com"}).exists()

    def test_a_key_that_is_gone_is_told_by_name(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1)
        settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[1:]
        with pytest.raises(UnreadableSecret, match="rotate_keys"):
            Order.objects.get()


class TestSwitching:
    def test_both_are_read_while_it_is_switched(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = False
        push(counter, 1)
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 2)
        assert [order.identifiers for order in Order.objects.order_by("pk")] == [KNOWN_BY, KNOWN_BY]
        push(counter, 1)
        assert Order.objects.get(order_id="D-1").changes_count == 1, "the same state is nothing new"

    @pytest.mark.parametrize("to", [True, False])
    def test_all_rows_are_rewritten(self, counter: Counter, settings: Any, to: bool) -> None:
        settings.ENCRYPT_IDENTIFIERS = not to
        push(counter, *range(7))
        before = list(Order.objects.values_list("updated_at", flat=True))
        settings.ENCRYPT_IDENTIFIERS = to
        with pytest.raises(CommandError, match=r"Order\.identifiers"):
            rotate(check=True)
        assert "orders.Order.identifiers: 7 rewritten" in rotate(batch=3)
        for model in (Order, Client):
            assert [("anna" in text) for text in raw(model)] == [not to] * 7
            assert [one.identifiers for one in model.objects.all()] == [KNOWN_BY] * 7
        assert list(Order.objects.values_list("updated_at", flat=True)) == before
        assert "orders.Order.identifiers: 0 rewritten" in rotate()
        assert AuditEntry.objects.filter(action="keys.rotated").count() == 1

    def test_what_broke_off_is_gone_on_with(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = False
        push(counter, *range(5))
        settings.ENCRYPT_IDENTIFIERS = True
        column = next(one for one in rotation.columns() if str(one) == "orders.Order.identifiers")
        assert column.step(column, None, 2).rewritten == 2
        assert "orders.Order.identifiers: 3 rewritten" in rotate()

    def test_an_order_without_identifiers_is_left_as_it_is(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        row = {"id": "D-1", "create_date_time": "2026-11-20 10:00:00", "order_status": "PAID"}
        accept_all(counter=counter, rows=[row], source="api")
        assert raw() == ["{}"]
        assert "orders.Order.identifiers: 0 rewritten" in rotate()


class TestRotation:
    def test_after_it_the_old_key_is_needed_no_more(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1, 2)
        new = Fernet.generate_key().decode()
        settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
        account = MetricaAccount.objects.get()
        token = decrypt(account.token_encrypted)
        assert "may be taken out" in rotate()
        settings.ENCRYPTION_KEYS = [new]
        assert [order.identifiers for order in Order.objects.all()] == [KNOWN_BY] * 2
        account.refresh_from_db()
        assert decrypt(account.token_encrypted) == token
        assert all(sealing.current().id in text for text in raw())

    def test_what_no_key_opens_stays_and_is_told(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1)
        kept = raw()
        settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), settings.ENCRYPTION_KEYS[-1]]
        with pytest.raises(CommandError, match=r"orders\.Order\.identifiers 1"):
            rotate()
        assert raw() == kept

    def test_rows_of_imports_go_along(self, counter: Counter, settings: Any) -> None:
        from apps.imports import files

        settings.ENCRYPT_IDENTIFIERS = False
        head = b"id,emails\nD-1,anna@example.com\n"
        job = ImportJob.objects.create(counter=counter, name="a.csv", kind="csv", sample=files.pack_sample(head))
        assert zlib.decompress(bytes(job.sample)) == head
        settings.ENCRYPT_IDENTIFIERS = True
        assert "imports.ImportJob.sample: 1 rewritten" in rotate()
        job.refresh_from_db()
        assert bytes(job.sample).startswith(b"\x00gp1.")
        assert files.sample_of(job) == head

    def test_answers_that_are_kept_for_the_api_go_along(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = False  # which they do not ask
        old, new = settings.ENCRYPTION_KEYS, Fernet.generate_key().decode()
        sealed = seal_bytes(zlib.compress(b'{"id": "D-1"}'))
        kept = KeptAnswer.objects.create(pk="k", agency=counter.agency, request="r", status=200, answer=sealed)
        KeptAnswer.objects.create(pk="begun", agency=counter.agency, request="r")
        settings.ENCRYPTION_KEYS = [new, *old]
        with pytest.raises(CommandError, match=r"KeptAnswer\.answer"):
            rotate(check=True)
        assert "api.KeptAnswer.answer: 1 rewritten" in rotate()
        settings.ENCRYPTION_KEYS = [new]
        kept.refresh_from_db()
        assert zlib.decompress(open_bytes(bytes(kept.answer))) == b'{"id": "D-1"}'
        settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        with pytest.raises(CommandError, match=r"api\.KeptAnswer\.answer 1"):
            rotate()

    def test_the_doctor_tells(self, counter: Counter, settings: Any) -> None:
        settings.ENCRYPT_IDENTIFIERS = True
        push(counter, 1)
        assert "identifiers are sealed" in _doctor()
        settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
        assert "Run `manage.py rotate_keys`" in _doctor()


def _doctor() -> str:
    out = StringIO()
    with contextlib.suppress(CommandError):
        call_command("doctor", offline=True, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    from apps.clients import blind

    yield
    blind.forget()


def test_what_is_large_is_read_a_little_at_a_time(counter: Counter, settings: Any, monkeypatch: Any) -> None:
    """A post of a CRM may be megabytes: memory stays flat whatever the batch."""
    receiver, _secret = create_receiver(counter=counter, name="Shop", kind="generic")
    for number in range(25):
        Post.objects.create(receiver=receiver, body_encrypted=encrypt(f"{number:03}" * 1000), digest=str(number))
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    monkeypatch.setattr(rotation, "MOST_BYTES", 30_000)
    column = next(one for one in rotation.columns() if str(one) == "receivers.Post.body_encrypted")
    keys = list(Post.objects.order_by("pk").values_list("pk", flat=True))
    last, steps = None, []
    while (step := column.step(column, last, rotation.BATCH)).last is not None:
        last = step.last
        steps.append((step.rewritten, keys.index(last)))
    assert steps == [(10, 9), (10, 19), (5, 24)]
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert [decrypt(post.body_encrypted)[:3] for post in Post.objects.order_by("pk")] == [f"{n:03}" for n in range(25)]
