"""Customers and orders of the detailed format, for the tests of its files: full ones, and all that hypothesis finds."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import CURRENCIES
from apps.metrica.wire.contacts import Contact
from apps.metrica.wire.orders import DetailedOrder

MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 3, 4, 9, tzinfo=UTC)
LATER = datetime(2026, 3, 5, 6, 30, tzinfo=UTC)

CONTACT = Contact(
    uniq_id="C-77",
    name="Анна К.",
    birth_date=date(1990, 1, 2),
    create_date_time=NOON,
    update_date_time=LATER,
    client_ids=("1700000000123456789", "12345678901234567890"),
    emails=("buyer@shop.example",),
    phones=("79031234567",),
    emails_md5=("261b44f92b75954e9125a14bd8029285",),
    phones_md5=("62341e1d75b4f662d8f14d4a9a89ca18",),
    attributes={"age": ("35",), "tags": ("vip", "a b")},
)
ORDER = DetailedOrder(
    id="D-2001",
    client_uniq_id="C-77",
    create_date_time=NOON,
    update_date_time=LATER,
    finish_date_time=LATER,
    order_status="meeting",
    revenue=Decimal("7000.10"),
    cost=Decimal("4.5E+3"),
    currency="RUB",
    products={"sku-1": 2, "Laptop TG12:b": 1},
    goals=(GoalPrice("meeting_done", Decimal("150.5")), GoalPrice("branch_2")),
    attributes={"manager": ("Ivan, the second",)},
)
CONTACT_ATTRIBUTES = {"age": False, "tags": True}
ORDER_ATTRIBUTES = {"manager": False, "branches": True}

ZONES = st.sampled_from(["Europe/Moscow", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"]).map(ZoneInfo)

TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(",;\"'\n\r\t =+-@|\\/\x1f", max_size=10),
    st.sampled_from(
        ["=cmd|' /C calc'!A0", "🎯🦷", "Запись в филиал №1", '""', "\r", "\n", "\r\n", "\u2028", "x" * 300]
    ),
).filter(lambda text: "\0" not in text)
NAMES = TEXTS.filter(bool)
"""Texts that are not blank."""

_TIMES = st.datetimes(datetime(1970, 1, 3), datetime(2037, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
_MONEY = st.none() | st.decimals(0, 10**14, places=2)
_GOALS = st.lists(
    st.builds(
        GoalPrice, st.sampled_from(["deal_won", "цель", "a:b", "x y", "%2B"]), st.none() | st.decimals(0, 999, places=2)
    ),
    max_size=3,
).map(tuple)
_HASHES = st.integers().map(lambda number: hashlib.md5(str(number).encode()).hexdigest())


def _some(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, max_size=3).map(tuple)


def _attributes(one: str, many: str) -> st.SearchStrategy[dict[str, tuple[str, ...]]]:
    items = NAMES.filter(lambda text: "," not in text)
    return st.fixed_dictionaries(
        {}, optional={one: NAMES.map(lambda text: (text,)), many: st.lists(items, min_size=1, max_size=3).map(tuple)}
    )


CONTACTS = st.builds(
    Contact,
    uniq_id=NAMES,
    name=TEXTS,
    birth_date=st.none() | st.dates(date(1970, 1, 1), date(2030, 1, 1)),
    create_date_time=st.none() | _TIMES,
    update_date_time=st.none() | _TIMES,
    client_ids=_some(st.integers(1, 10**20 - 1).map(str)),
    emails=_some(st.sampled_from(["buyer@shop.example", "a.b+c@x.ru", "o'neil@x.co"])),
    phones=_some(st.integers(79030000000, 79039999999).map(str)),
    emails_md5=_some(_HASHES),
    phones_md5=_some(_HASHES),
    attributes=_attributes("age", "tags"),
)

_PRODUCT_IDS = st.text(max_size=10).filter(
    lambda text: bool(text) and text == text.strip() and "," not in text and "\0" not in text
)
ORDERS = st.builds(
    DetailedOrder,
    id=NAMES,
    client_uniq_id=NAMES,
    create_date_time=_TIMES,
    update_date_time=st.none() | _TIMES,
    finish_date_time=st.none() | _TIMES,
    order_status=NAMES,
    revenue=_MONEY,
    cost=_MONEY,
    currency=st.sampled_from(["", *sorted(CURRENCIES)]),
    products=st.dictionaries(_PRODUCT_IDS, st.integers(1, 2**31 - 1), max_size=3),
    goals=_GOALS,
    attributes=_attributes("manager", "branches"),
)


def on_the_clock(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    """A clock shows the second hour of an overlap as the first."""
    return at and at.astimezone(zone).replace(fold=0).astimezone(UTC)
