"""Where the numbers of many counters lead, and whether the page says that a list is wider than its number."""

from datetime import date

import pytest

from apps.counters.models import Counter
from apps.dashboard import behind as lists
from apps.dashboard.behind import Behind
from apps.dashboard.periods import Period

DAYS = Period(date(2026, 3, 1), date(2026, 3, 28))


def counters(*currencies: str) -> list[Counter]:
    return [Counter(pk=number, currency=currency) for number, currency in enumerate(currencies, 1)]


@pytest.fixture(autouse=True)
def two_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_NAMED", 2)


@pytest.mark.parametrize(
    ("currencies", "whole", "too_many"),
    [
        (["RUB"] * 2, False, False),
        (["RUB"] * 3, False, True),
        (["RUB"] * 3, True, False),
        (["RUB"] * 2 + ["USD"] * 2, True, False),
        (["RUB"] * 3 + ["USD"], True, True),
    ],
)
def test_a_list_that_is_wider_than_its_number_is_told(currencies: list[str], whole: bool, too_many: bool) -> None:
    assert Behind(counters(*currencies), DAYS, whole=whole).too_many is too_many


def test_money_leads_to_the_counters_of_its_currency_as_long_as_they_can_be_named() -> None:
    behind = Behind(counters("RUB", "RUB", "RUB", "USD", "USD"), DAYS, whole=True)
    assert "counter__id__in=4,5&" in behind.orders(currency="USD")
    assert "counter__id__in" not in behind.orders(currency="RUB")
