"""Metrica's own attributes and types (pages: getAttributes, getTypes, getPredefinedTypes)."""

from dataclasses import dataclass

from apps.metrica.vocabulary import AttributeGroup, EntityType

PRODUCTS = "PRODUCT"
"""The entity type of products' attributes: they have no entity_type of their own in the API."""


@dataclass(frozen=True, slots=True)
class TypeOfAttribute:
    name: str
    group: AttributeGroup
    humanized: str


PREDEFINED = {
    kind.name: kind
    for kind in (
        TypeOfAttribute("numeric", AttributeGroup.PREDEFINED, "Number"),
        TypeOfAttribute("date", AttributeGroup.PREDEFINED, "Date"),
        TypeOfAttribute("datetime", AttributeGroup.PREDEFINED, "Date and time"),
        TypeOfAttribute("email", AttributeGroup.PREDEFINED, "E-mail"),
        TypeOfAttribute("text", AttributeGroup.PREDEFINED, "Text"),
    )
}
"""Types that a custom attribute can have."""

TYPES = PREDEFINED | {"product": TypeOfAttribute("product", AttributeGroup.SYSTEM_LIST, "Product")}
"""Types of Metrica's own attributes."""


@dataclass(frozen=True, slots=True)
class SystemAttribute:
    name: str
    type: TypeOfAttribute
    multivalued: bool
    humanized: str


def _attribute(name: str, type_name: str, humanized: str, *, multivalued: bool = False) -> SystemAttribute:
    return SystemAttribute(name, TYPES[type_name], multivalued, humanized)


_TIMES = (
    _attribute("create_date_time", "datetime", "Created"),
    _attribute("update_date_time", "datetime", "Changed"),
)
_IDENTIFIERS = (
    _attribute("client_ids", "text", "ClientID", multivalued=True),
    _attribute("emails", "email", "E-mails", multivalued=True),
    _attribute("phones", "text", "Phones", multivalued=True),
    _attribute("emails_md5", "text", "MD5 of e-mails", multivalued=True),
    _attribute("phones_md5", "text", "MD5 of phones", multivalued=True),
)
_MONEY = (
    _attribute("order_status", "text", "Status"),
    _attribute("revenue", "numeric", "Revenue"),
    _attribute("cost", "numeric", "Cost"),
    _attribute("currency", "text", "Currency"),
    _attribute("goals", "text", "Goals", multivalued=True),
)

SYSTEM_ATTRIBUTES: dict[str, tuple[SystemAttribute, ...]] = {
    EntityType.CONTACT: (
        _attribute("uniq_id", "text", "Customer"),
        _attribute("name", "text", "Name"),
        *_TIMES,
        _attribute("birth_date", "date", "Date of birth"),
        *_IDENTIFIERS,
        # Documented fields that no report shows: they are taken and not kept.
        _attribute("user_ids", "text", "UserID", multivalued=True),
        _attribute("company_uniq_id", "text", "Company"),
        _attribute("user_comment", "text", "Comment"),
    ),
    EntityType.COMPANY: (
        _attribute("uniq_id", "text", "Company"),
        _attribute("name", "text", "Name"),
        *_TIMES,
    ),
    EntityType.ORDER: (
        _attribute("id", "text", "Order"),
        _attribute("client_uniq_id", "text", "Customer"),
        _attribute("client_type", "text", "Kind of customer"),
        *_TIMES,
        _attribute("finish_date_time", "datetime", "Finished"),
        *_MONEY,
        _attribute("products", "product", "Products", multivalued=True),
        _attribute("user_comment", "text", "Comment"),
    ),
    EntityType.SIMPLE_ORDER: (
        _attribute("id", "text", "Order"),
        _attribute("create_date_time", "datetime", "Created"),
        _attribute("client_uniq_id", "text", "Customer"),
        *_IDENTIFIERS,
        *_MONEY,
    ),
    PRODUCTS: (),
}
"""By entity type; what an upload carries without being told of it first."""


def system_names(entity_type: str) -> frozenset[str]:
    return frozenset(attribute.name for attribute in SYSTEM_ATTRIBUTES[entity_type])
