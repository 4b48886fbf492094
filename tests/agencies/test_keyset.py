"""Reading a list on from where the last chunk ended: whatever it is ordered by, each row once, in the same order."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.agencies import keyset
from apps.agencies.models import ApiKey, Membership
from apps.counters.models import Counter, MetricaAccount
from tests.factories import make_agency, make_counter, make_key, make_member

pytestmark = pytest.mark.django_db

ORDERS = [
    ("pk",),
    ("-pk",),
    ("name", "pk"),
    ("-name", "-pk"),
    ("last_passed_at", "pk"),
    ("-last_passed_at", "-pk"),
    ("last_passed_at", "-name", "pk"),
    ("account", "pk"),
    ("-account__login", "name", "pk"),
    ("agency", "-metrica_id"),
    ("name",),
    (),
]


@pytest.fixture
def counters(db: None) -> None:
    agency, now = make_agency("north"), timezone.now()
    for number in range(23):
        counter = make_counter(agency, name=f"Name {number % 3}")
        passed = None if number % 4 == 0 else now - timedelta(hours=number % 5)
        account = None if number % 6 == 0 else counter.account
        Counter.objects.filter(pk=counter.pk).update(last_passed_at=passed, account=account)


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
@pytest.mark.parametrize("size", [1, 4, 23, 100])
def test_chunks_are_the_list(counters: None, order: tuple[str, ...], size: int):
    rows = Counter.objects.order_by(*order).select_related("account", "agency")
    found = list(keyset.chunks(rows, size))
    assert {len(chunk) for chunk in found[:-1]} <= {size}
    read = list(itertools.chain.from_iterable(found))
    assert len({row.pk for row in read}) == len(read) == 23
    if order and order != ("name",):
        assert read == list(rows)
    else:
        assert [row.name for row in read] == sorted(row.name for row in read)


def test_each_chunk_is_one_query(counters: None, django_assert_num_queries: Any):
    with django_assert_num_queries(6):
        assert len(list(keyset.chunks(Counter.objects.order_by("-name", "-pk"), 4))) == 6


def test_what_is_added_meanwhile_moves_nothing(counters: None):
    rows = keyset.chunks(Counter.objects.order_by("-pk"), 10)
    first = next(rows)
    make_counter(name="Newer")
    rest = list(itertools.chain.from_iterable(rows))
    assert len({row.pk for row in [*first, *rest]}) == 23


def test_lists_over_relations_and_counts(db: None):
    from django.db.models import Count

    agency = make_agency()
    for number in range(5):
        make_member(agency, email=f"{number}@x.example")
        make_key(agency)
        make_counter(agency)
    people = Membership.objects.order_by("-user__last_login", "user__email", "pk").select_related("user")
    assert len([row for chunk in keyset.chunks(people, 2) for row in chunk]) == 5
    assert (
        len([row for chunk in keyset.chunks(ApiKey.objects.order_by("revoked_at", "name", "pk"), 2) for row in chunk])
        == 5
    )
    accounts = MetricaAccount.objects.annotate(counters_count=Count("counters")).order_by("-counters_count", "pk")
    assert len([row for chunk in keyset.chunks(accounts, 2) for row in chunk]) == 5


def test_an_order_that_cannot_be_read_on_is_refused(counters: None):
    from django.db.models.functions import Lower

    with pytest.raises(ValueError, match="cannot be read on"):
        list(keyset.chunks(Counter.objects.order_by(Lower("name")), 2))
