"""Metrica's words: order types, merge modes, system goals, attribute types, columns of the files, limits, currencies.

Pages: contacts, uploadSimpleOrders, contacts-data, orders-data, modes, mapOrderStatuses, createAttributes,
goal-js-event, stat/data.
"""

import re
from datetime import date
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


class EntityType(StrEnum):
    """Whose custom attributes are meant (page: createAttributes)."""

    CONTACT = "CONTACT"
    COMPANY = "COMPANY"
    ORDER = "ORDER"
    SIMPLE_ORDER = "SIMPLE_ORDER"


class AttributeType(StrEnum):
    """`type_name` of a custom attribute (page: createAttributes); a list's own name is possible too."""

    TEXT = "text"
    NUMERIC = "numeric"
    DATE = "date"
    DATETIME = "datetime"
    EMAIL = "email"
    PRODUCT = "product"

    @property
    def label(self) -> Text:
        return _ATTRIBUTE_TYPE_LABELS[self]


_ATTRIBUTE_TYPE_LABELS: dict[AttributeType, Text] = {
    AttributeType.TEXT: _("Text"),
    AttributeType.NUMERIC: _("Number"),
    AttributeType.DATE: _("Date"),
    AttributeType.DATETIME: _("Date and time"),
    AttributeType.EMAIL: _("E-mail"),
    AttributeType.PRODUCT: _("Product"),
}


class AttributeGroup(StrEnum):
    """`type_group` of an attribute: a plain value, or an entry of a list (page: createAttributes)."""

    PREDEFINED = "PREDEFINED"
    CUSTOM_LIST = "CUSTOM_LIST"
    SYSTEM_LIST = "SYSTEM_LIST"


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

CONTACT_COLUMNS = (
    "uniq_id",
    "name",
    "birth_date",
    "create_date_time",
    "update_date_time",
    *IDENTIFIER_KINDS,
)
"""Header of our customer files, custom attributes after it (page: contacts-data)."""

ORDER_COLUMNS = (
    "id",
    "client_uniq_id",
    "client_type",
    "create_date_time",
    "update_date_time",
    "finish_date_time",
    "order_status",
    "revenue",
    "cost",
    "currency",
    "products",
    "goals",
)
"""Header of our order files in the detailed format, custom attributes after it (page: orders-data)."""

CLIENT_TYPE = "CONTACT"
"""The only client type of an order that is valid (page: orders-data)."""

DEFAULT_CURRENCY = "RUB"
"""What Metrica takes a row without a currency for (page: simple-orders-data)."""

FIRST_DATE = date(1970, 1, 1)
"""Metrica supports no date before this (page: date)."""

MAX_GOALS_PER_STATUS = 10
MAX_ID_LENGTH = 255
MAX_HUMANIZED_LENGTH = 4096
"""Length of a status's, attribute's or product's name for people."""

MAX_ORDERS_PER_CLIENT = 100_000
"""Orders of one customer in the detailed format (page: uploadOrders)."""

MAX_PRODUCTS = 160_000
"""Entries in one list of products (page: createProducts)."""

MAX_REPORT_METRICS = 20
MAX_REPORT_DIMENSIONS = 10
MAX_REPORT_ROWS = 100_000
MAX_REPORT_COUNTERS = 500
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
