"""Clients by the thousand: read together, changed in memory, written together; identifiers unite under one id (R5)."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.clients.models import Client
from apps.clients.services import ClientBook, ClientRecord
from apps.clients.uniting import MAX_OF_A_KIND
from apps.counters.models import Counter
from tests.factories import make_counter

NOW = timezone.now()


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter()


def learn(counter: Counter, *facts: tuple[str, str | None, dict[str, list[str]]]) -> list[int]:
    with transaction.atomic():
        book = ClientBook(counter=counter, now=NOW)
        book.load(uniq_ids={uniq_id for uniq_id, _name, _identifiers in facts})
        for uniq_id, name, identifiers in facts:
            book.named(uniq_id).learn(name=name, identifiers=identifiers)
        return book.save()


@pytest.mark.parametrize(
    ("known", "said", "united", "changed"),
    [
        ({}, {"emails": ["a"]}, {"emails": ["a"]}, True),
        ({"emails": ["a"]}, {"emails": ["b", "a"]}, {"emails": ["a", "b"]}, True),
        ({"emails": ["a", "b"]}, {"emails": ["b"]}, {"emails": ["a", "b"]}, False),
        ({"emails": ["a"]}, {"phones": ["1"]}, {"emails": ["a"], "phones": ["1"]}, True),
        ({"emails": ["a"]}, {"emails": [], "phones": []}, {"emails": ["a"]}, False),
        ({"emails": ["a"]}, {}, {"emails": ["a"]}, False),
    ],
)
def test_identifiers_unite(known: Any, said: Any, united: Any, changed: bool) -> None:
    record = ClientRecord(1, "C-1", "Anna", known)
    record.learn(name=None, identifiers=said)
    assert (record.identifiers, record.changed) == (united, changed)


def test_the_latest_of_too_many_are_kept() -> None:
    record = ClientRecord(1, "C-1", "", {"emails": [str(number) for number in range(MAX_OF_A_KIND)]})
    record.learn(name=None, identifiers={"emails": ["new"]})
    assert len(record.identifiers["emails"]) == MAX_OF_A_KIND
    assert record.identifiers["emails"][-1] == "new"
    assert record.identifiers["emails"][0] == "1"


def test_what_a_row_says_is_not_shared_with_the_row() -> None:
    said = {"emails": ["a"]}
    record = ClientRecord(None, "C-1")
    record.learn(name=None, identifiers=said)
    record.learn(name=None, identifiers={"emails": ["b"]})
    assert said == {"emails": ["a"]}


def test_new_and_old_ones(counter: Counter) -> None:
    assert learn(counter, ("C-1", "Anna", {}), ("C-2", None, {"phones": ["1"]})) == []
    first, second = Client.objects.order_by("uniq_id")
    assert (first.name, first.identifiers, first.created_at) == ("Anna", {}, NOW)
    assert learn(counter, ("C-1", None, {"emails": ["a"]}), ("C-2", "Bob", {"emails": ["b"]})) == [first.pk]
    first, second = Client.objects.order_by("uniq_id")
    assert (first.name, first.identifiers) == ("Anna", {"emails": ["a"]})
    assert (second.name, second.identifiers) == ("Bob", {"phones": ["1"], "emails": ["b"]})


def test_the_same_statements_for_two_and_for_hundreds(counter: Counter) -> None:
    def statements(*numbers: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            learn(counter, *((f"C-{number}", None, {"emails": [f"{len(numbers)}@x"]}) for number in numbers))
        return len(captured)

    assert statements(1, 2) == statements(*range(100, 500)) == 5, "with the transaction's own two"
    assert statements(1, 2, 1000) == statements(*range(100, 501)) == 7


def test_nothing_said_is_nothing_written(counter: Counter) -> None:
    learn(counter, ("C-1", "Anna", {"emails": ["a"]}))
    Client.objects.update(updated_at=None or NOW.replace(year=2000))
    learn(counter, ("C-1", "Anna", {"emails": ["a"]}))
    assert Client.objects.get().updated_at.year == 2000


def test_a_client_made_by_somebody_else_meanwhile_is_told(counter: Counter) -> None:
    book = ClientBook(counter=counter, now=NOW)
    book.load(uniq_ids={"C-1"})
    book.named("C-1")
    Client.objects.create(counter=counter, uniq_id="C-1")
    with pytest.raises(IntegrityError), transaction.atomic():
        book.save()


def test_by_key_and_by_name_it_is_one(counter: Counter) -> None:
    learn(counter, ("C-1", None, {"emails": ["a"]}), ("C-2", None, {}))
    keys = dict(Client.objects.values_list("uniq_id", "pk"))
    with transaction.atomic():
        book = ClientBook(counter=counter, now=NOW)
        book.load(uniq_ids={"C-1"}, keys={keys["C-1"], keys["C-2"]})
        assert book.named("C-1") is book.of_key(keys["C-1"])
        assert book.named("C-2") is book.of_key(keys["C-2"])
        assert book.of_key(keys["C-1"]).identifiers == {"emails": ["a"]}


def test_a_client_of_another_counter_is_not_read(counter: Counter) -> None:
    learn(make_counter(), ("C-1", "Anna", {"emails": ["a"]}))
    with transaction.atomic():
        book = ClientBook(counter=counter, now=NOW)
        book.load(uniq_ids={"C-1"}, keys={Client.objects.get().pk})
        assert book.named("C-1").pk is None
