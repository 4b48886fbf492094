"""Metrica's words: order types, merge modes, system goals, columns of the simple format, currencies.

Pages: contacts, uploadSimpleOrders, modes, mapOrderStatuses, goal-js-event.
"""

import re
from enum import StrEnum

from apps.metrica.text import Text, _


class OrderType(StrEnum):
    """The five types that a status can have (page: mapOrderStatuses)."""

    IN_PROGRESS = "IN_PROGRESS"
    PAID = "PAID"
    CANCELLED = "CANCELLED"
    SPAM = "SPAM"
    OTHER = "OTHER"

    @property
    def label(self) -> Text:
        return _ORDER_TYPE_LABELS[self]


_ORDER_TYPE_LABELS: dict[OrderType, Text] = {
    OrderType.IN_PROGRESS: _("In progress"),
    OrderType.PAID: _("Paid"),
    OrderType.CANCELLED: _("Cancelled"),
    OrderType.SPAM: _("Spam"),
    OrderType.OTHER: _("Other"),
}

DEFAULT_STATUSES: dict[str, OrderType] = {
    order_type.value: order_type for order_type in OrderType if order_type is not OrderType.OTHER
}
"""The statuses that every counter knows without a mapping (page: maporderstatuses-about)."""


class MergeMode(StrEnum):
    """What an upload does with what Metrica already holds about a record (page: modes)."""

    SAVE = "SAVE"
    UPDATE = "UPDATE"
    APPEND = "APPEND"


class Delimiter(StrEnum):
    """`delimiter_type` of a CSV upload (page: uploadSimpleOrders)."""

    COMMA = "COMMA"
    SEMICOLON = "SEMICOLON"

    @property
    def char(self) -> str:
        return "," if self is Delimiter.COMMA else ";"


class SystemGoal(StrEnum):
    """Goals that Metrica itself makes for CRM orders; the value is the goal's `type` (page: contacts)."""

    CREATED = "cdp_order_in_progress"
    PAID = "cdp_order_paid"
    CANCELLED = "cdp_order_cancelled"
    SPAM = "cdp_order_spam"

    @property
    def label(self) -> Text:
        return _SYSTEM_GOAL_LABELS[self]


_SYSTEM_GOAL_LABELS: dict[SystemGoal, Text] = {
    SystemGoal.CREATED: _("CRM: Order created"),
    SystemGoal.PAID: _("CRM: Order paid"),
    SystemGoal.CANCELLED: _("CRM: Order canceled"),
    SystemGoal.SPAM: _("CRM: Spam order"),
}

IDENTIFIER_KINDS = ("client_ids", "emails", "phones", "emails_md5", "phones_md5")
"""The columns by which Metrica finds a visitor; a row needs at least one value in one of them."""

SIMPLE_COLUMNS = (
    "id",
    "create_date_time",
    "client_uniq_id",
    "client_ids",
    "emails",
    "phones",
    "emails_md5",
    "phones_md5",
    "order_status",
    "revenue",
    "cost",
    "goals",
    "currency",
)
"""Header of our simple_orders files: the official sample's order, the two MD5 columns after `phones`."""

DEFAULT_CURRENCY = "RUB"
"""What Metrica takes a row without a currency for (page: simple-orders-data)."""

MAX_GOALS_PER_STATUS = 10
MAX_ID_LENGTH = 255
GOAL_ID_FORBIDDEN = '/\\&#?="'
"""Characters that the identifier of a JavaScript goal must not hold (page: goal-js-event)."""

ID_PATTERN = re.compile(r"\A[A-Za-z0-9_:-]{1,255}\Z")
"""Identifiers that Metrica checks itself: statuses, attributes, products (page: mapOrderStatuses).

The page writes `^[\\w-:]+$`; we read its `\\w` as ASCII, which every reading of the pattern accepts.
"""

MAX_FILE_BYTES = 1_000_000_000
"""The largest file that Metrica takes: "1 GB", read as the smaller of its two meanings."""

MAX_UPLOADINGS_PER_PAGE = 1000

_ACTIVE_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX
USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD
XPF XPT XSU XUA YER ZAR ZMW ZWG
"""

CURRENCIES: frozenset[str] = frozenset(_ACTIVE_CODES.split())
"""Active ISO 4217 codes, without XTS (for tests) and XXX (no currency), in which no order is paid."""
