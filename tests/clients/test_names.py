"""Finding a client by a name that is written otherwise than the CRM writes it, from the index of names alone."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.clients import search
from apps.clients.models import Client
from apps.clients.words import AfterFirstWord
from tests.factories import make_counter

NAMES = ["ООО «Ромашка»", 'ЗАО "Заря"', "ИП Иванов", "Иванова Анна", "Римский-Корсаков Николай"]
NAMES += ["McDonald", "anna", "АО Лютик", "Мария Сидорова", "ПАО СИДОРОВА И КО"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ооо ромашка", {"ООО «Ромашка»"}),
        ("ООО Ромашка", {"ООО «Ромашка»"}),
        ('ооо "ромашка"', {"ООО «Ромашка»"}),
        ("«Ромашка»", {"ООО «Ромашка»"}),
        ("ромаш", {"ООО «Ромашка»"}),
        ("зао заря", {'ЗАО "Заря"'}),
        ("анна иванова", {"Иванова Анна"}),
        ("ИВАНОВА АННА", {"Иванова Анна"}),
        ("иванов", {"ИП Иванов", "Иванова Анна"}),
        ("римский-корсаков", {"Римский-Корсаков Николай"}),
        ("николай римский-корсаков", {"Римский-Корсаков Николай"}),
        ("McDonald", {"McDonald"}),
        ("anna", {"anna"}),
        ("лютик", {"АО Лютик"}),
        ("Сидорова", {"Мария Сидорова", "ПАО СИДОРОВА И КО"}),
        ("сидорова мария", {"Мария Сидорова"}),
        ("сидорова и", {"ПАО СИДОРОВА И КО"}),
        ("заря", {'ЗАО "Заря"'}),
        ("nobody", set()),
        ("«»", set()),
        ("%", set()),
    ],
)
def test_names_are_found_in_other_writings(said: str, meant: set[str]):
    counter = make_counter()
    Client.objects.bulk_create(Client(counter=counter, uniq_id=f"C-{at}", name=name) for at, name in enumerate(NAMES))
    with CaptureQueriesContext(connection) as captured:
        found = search.find(Client.objects.all(), said, counters=[counter.pk], digests=())
    assert set(Client.objects.filter(pk__in=found.keys).values_list("name", flat=True)) == meant
    assert len(captured) <= 14, "the plain writings are one query each, and of the second index all"


@pytest.mark.parametrize("said", ["а б в г д е ж з", "ооо а б в г д", "анна", "петров иван сидорович", "x" * 5000])
def test_there_are_never_many_writings(said: str):
    assert len(search.names(said)) <= search.MOST_NAMES
    assert search.names(said)[0] == said


def test_what_is_no_name_is_not_turned_about():
    assert search.names("anna@mail.example") == ["anna@mail.example", "Anna@Mail.Example"]
    assert search.names("D-1001") == ["D-1001"]


@pytest.mark.django_db
def test_both_databases_know_the_expression_of_their_index_again():
    counter = make_counter()
    Client.objects.bulk_create(Client(counter=counter, uniq_id=f"C-{at}", name=name) for at, name in enumerate(NAMES))
    rows = Client.objects.filter(counter__in=[counter.pk]).exclude(name="").alias(later=AfterFirstWord("name"))
    found = search.beginning(rows, "later", "Сидорова").order_by()
    assert [client.name for client in found] == ["Мария Сидорова"]
    others = (Client(counter=counter, uniq_id=f"O-{at}", name=f"Client {at}") for at in range(3_000))
    Client.objects.bulk_create(others)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE clients_client")
    assert "client_by_second_word" in found.explain()
