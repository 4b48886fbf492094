"""The look-up of people is keyed: a stolen database alone does not say whose phone is in it; and it still finds."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import transaction
from django.utils import timezone

from apps.clients import blind, contacts
from apps.clients.models import Client, Contact, IndexKey
from apps.counters.encryption import UnreadableSecret
from apps.counters.models import Counter
from apps.metrica.identifiers import md5_of
from apps.orders.intake import accept_all
from apps.uploads import scheduler
from tests.factories import make_counter

PHONE = "79031234567"


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter()


def push(counter: Counter, number: int = 1, **fields: Any) -> None:
    row = {"id": f"D-{number}", "create_date_time": "2026-11-20 10:00:00", "order_status": "PAID", **fields}
    assert accept_all(counter=counter, rows=[row], source="api").rejected == 0


def found(counter: Counter, term: str) -> int:
    return len(contacts.who_told(counters=[counter.pk], digests=contacts.meant(term)))


def as_of_old(counter: Counter) -> None:
    """The look-up as an older version left it."""
    for client in Client.objects.filter(counter=counter):
        for kind, values in client.identifiers.items():
            for value in values:
                plain = contacts.unkeyed(kind, value)
                Contact.objects.filter(digest=contacts.digest(kind, value)).update(digest=plain, keyed=False)
    old = timezone.now() - timedelta(days=1)
    IndexKey.objects.update(completed_at=None, keyed_up_to=0, created_at=old)
    blind.forget()


def test_who_knows_all_phones_but_not_the_key_finds_none(counter: Counter) -> None:
    push(counter, client_uniq_id="C-1", phones=[PHONE], emails=["anna@example.com"], client_ids=["17000000001"])
    kept = set(Contact.objects.values_list("digest", flat=True))
    guesses = {contacts.unkeyed("phones", PHONE), contacts.unkeyed("emails", "anna@example.com")}
    assert len(kept) == 3
    assert not kept & (guesses | {contacts.unkeyed("client_ids", "17000000001")})


def test_a_value_and_its_hash_find_the_same(counter: Counter) -> None:
    push(counter, 1, client_uniq_id="C-1", phones=[PHONE])
    push(counter, 2, client_uniq_id="C-2", phones_md5=[md5_of(PHONE)], emails=["anna@example.com"])
    for term in ("+7 (903) 123-45-67", md5_of(PHONE)):
        assert found(counter, term) == 2, term
    for term in ("Anna@Example.com", md5_of("anna@example.com")):
        assert found(counter, term) == 1, term
    assert found(counter, "79031234568") == 0


def test_two_installations_keep_different_digests(counter: Counter) -> None:
    here = contacts.digest("phones", PHONE)
    IndexKey.objects.all().delete()
    blind.forget()
    assert contacts.digest("phones", PHONE) != here
    blind.forget()


def test_lines_of_old_are_found_before_while_and_after_they_are_keyed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blind, "ROWS", 3)
    phones = [f"7903123{n:04}" for n in range(10)]
    for number, phone in enumerate(phones):
        push(counter, number, client_uniq_id=f"C-{number}", phones=[phone])
    as_of_old(counter)
    push(counter, 99, client_uniq_id="C-99", phones=["79990000000"])
    assert Contact.objects.filter(keyed=False).count() == 10
    for _batch in range(6):
        assert [found(counter, phone) for phone in phones] == [1] * 10
        client = Client.objects.get(uniq_id="C-5")
        assert list(contacts.origins(client)) == [("phones", phones[5])]
        blind.rekey(limit=3)
    assert not Contact.objects.filter(keyed=False).exists()
    assert found(counter, "79990000000") == 1
    blind.rekey(limit=3)
    assert IndexKey.objects.get().completed_at is not None
    assert len(contacts.forms("phones", PHONE)) == 1, "from now on one form is asked for"
    assert [found(counter, phone) for phone in phones] == [1] * 10


def test_the_tick_does_it(counter: Counter) -> None:
    push(counter, client_uniq_id="C-1", phones=[PHONE])
    as_of_old(counter)
    scheduler.key_contacts()
    assert Contact.objects.get().keyed
    assert found(counter, PHONE) == 1
    scheduler.key_contacts()
    assert blind.all_keyed()


def test_it_is_not_taken_for_done_while_an_older_version_may_still_write(counter: Counter) -> None:
    push(counter, client_uniq_id="C-1", phones=[PHONE])
    as_of_old(counter)
    IndexKey.objects.update(created_at=timezone.now())
    blind.rekey(limit=10)
    blind.rekey(limit=10)
    assert not blind.all_keyed()


def test_a_line_that_was_committed_late_is_keyed_too(counter: Counter) -> None:
    push(counter, client_uniq_id="C-1", phones=[PHONE])
    as_of_old(counter)
    IndexKey.objects.update(keyed_up_to=Contact.objects.get().pk + 10)
    for _walk in range(3):
        blind.rekey(limit=10)
    assert Contact.objects.get().keyed
    assert blind.all_keyed()


def test_the_key_outlives_a_rotation_of_encryption_keys(counter: Counter, settings: Any) -> None:
    push(counter, client_uniq_id="C-1", phones=[PHONE])
    first, second = settings.ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = [second, first]
    blind.forget()
    assert found(counter, PHONE) == 1
    settings.ENCRYPTION_KEYS = [second]
    blind.forget()
    with pytest.raises(UnreadableSecret):
        blind.key()
    settings.ENCRYPTION_KEYS = [second, first]
    blind.forget()


def test_a_key_on_which_nothing_depends_is_made_anew(counter: Counter, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    blind.forget()
    push(counter, client_uniq_id="C-1", phones=[PHONE])
    assert found(counter, PHONE) == 1
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    blind.forget()
    with pytest.raises(UnreadableSecret):
        contacts.digest("phones", PHONE)
    blind.forget()


unreadable = pytest.mark.parametrize("unreadable", [False, True], ids=["none there", "one of other ENCRYPTION_KEYS"])


def without_a_key(settings: Any, *, unreadable: bool) -> None:
    """None is there, or one that ENCRYPTION_KEYS do not open any more, so that a new one takes its place."""
    IndexKey.objects.all().delete()
    blind.forget()
    if unreadable:
        blind.key()
        settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        blind.forget()


@pytest.mark.django_db(transaction=True)
@unreadable
def test_a_key_that_was_rolled_back_is_forgotten(settings: Any, unreadable: bool) -> None:
    without_a_key(settings, unreadable=unreadable)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        first = blind.key()
        assert blind.key() == first
        raise ZeroDivisionError
    second = blind.key()
    assert second != first and blind.key() == second
    assert IndexKey.objects.count() == 1
    blind.forget()
    assert blind.key() == second, "as it lies in the database"


@pytest.mark.django_db(transaction=True)
@unreadable
def test_the_transaction_that_makes_the_key_reads_it_once(
    settings: Any, django_assert_num_queries: Any, unreadable: bool
) -> None:
    without_a_key(settings, unreadable=unreadable)
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            lost = blind.key()
            raise ZeroDivisionError
        first = blind.key()
        with django_assert_num_queries(0):
            assert blind.key() == first != lost
    with django_assert_num_queries(0):
        assert blind.key() == first
    blind.forget()
    assert blind.key() == first, "and it is what lies in the database"
