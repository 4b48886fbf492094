"""Finding a client by a name that is written otherwise than the CRM writes it, from the index of names alone."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.clients import search
from apps.clients.models import Client
from tests.factories import make_counter

NAMES = ["ООО «Ромашка»", 'ЗАО "Заря"', "ИП Иванов", "Иванова Анна", "Римский-Корсаков Николай"]
NAMES += ["McDonald", "anna", "АО Лютик"]


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
    assert set(Client.objects.filter(pk__in=found).values_list("name", flat=True)) == meant
    assert len(captured) <= 6, "the plain writings of a name are one query each, all others one more"


@pytest.mark.parametrize("said", ["а б в г д е ж з", "ооо а б в г д", "анна", "петров иван сидорович", "x" * 5000])
def test_there_are_never_many_writings(said: str):
    assert len(search.names(said)) <= search.MOST_NAMES
    assert search.names(said)[0] == said


def test_what_is_no_name_is_not_turned_about():
    assert search.names("anna@mail.example") == ["anna@mail.example", "Anna@Mail.Example"]
    assert search.names("D-1001") == ["D-1001"]
