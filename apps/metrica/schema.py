"""What a counter is told about a CRM's words: statuses, attributes, products, and the types attributes can have.

Pages: mapOrderStatuses, getOrderStatuses, createAttributes, getAttributes, createProducts, getTypes,
getPredefinedTypes. Each `read_…` takes the parsed JSON and raises Unreadable where it has not the documented shape.
"""

from dataclasses import dataclass, field
from typing import Any

from apps.metrica import catalogue
from apps.metrica.parts import Unreadable, entries, flag, text, texts
from apps.metrica.vocabulary import AttributeType, OrderType


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """A line of the mapping. `humanized` is the CRM's name of the status, `goal_action_ids` JavaScript goals (at most
    10) that are reached besides those of the type. `source` ("status source") is only read.
    """

    id: str
    type: str
    humanized: str = ""
    goal_action_ids: tuple[str, ...] = ()
    source: str = field(default="", compare=False)
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def order_type(self) -> OrderType | None:
        """The type, or None if it is one that is not known here."""
        return OrderType(self.type) if self.type in OrderType.__members__ else None

    def body(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "humanized": self.humanized,
            "type": str(self.type),
            "goal_action_ids": list(self.goal_action_ids),
        }


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field of customers or orders. `type_name`: an AttributeType or the name of a list; `type_group`: an
    AttributeGroup, which Metrica derives from the type where it is left out.
    """

    name: str
    multivalued: bool = False
    humanized: str = ""
    type_name: str = AttributeType.TEXT
    type_group: str = ""
    type_humanized: str = field(default="", compare=False)
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def body(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"name": self.name, "multivalued": self.multivalued, "type_name": str(self.type_name)}
        if self.humanized:
            fields["humanized"] = self.humanized
        if self.type_group:
            fields["type_group"] = str(self.type_group)
        return fields


@dataclass(frozen=True, slots=True)
class AttributeLists:
    """The attributes that Metrica has by itself, and those that were made for this counter."""

    system: list[Attribute]
    custom: list[Attribute]


@dataclass(frozen=True, slots=True)
class Product:
    """An entry of the product list: the identifier (`name`) that orders use, and its name for people."""

    name: str
    humanized: str = ""


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """A type that an attribute can have. Newer answers hold `humanized` alone."""

    name: str
    group: str
    humanized: str
    raw: dict[str, Any] = field(repr=False, compare=False)


def read_order_statuses(answer: object) -> list[OrderStatus]:
    return [_status(entry) for entry in entries(answer, "order_statuses")]


def read_attributes(answer: object) -> AttributeLists:
    return AttributeLists(
        [_attribute(entry) for entry in entries(answer, "system_attributes")],
        [_attribute(entry) for entry in entries(answer, "custom_attributes")],
    )


def read_types(answer: object) -> list[TypeInfo]:
    return [
        TypeInfo(text(entry.get("name")), text(entry.get("group")), text(entry.get("humanized")), raw=entry)
        for entry in entries(answer, "types")
    ]


def read_success(answer: object) -> None:
    """`{"success": true}`. Raises InvalidRequest for a plain false, Unreadable for anything else."""
    success = answer.get("success") if isinstance(answer, dict) else None
    if success is False:
        raise catalogue.REFUSED.error(http_status=200)
    if success is not True:
        raise Unreadable("success")


def _status(raw: dict[str, Any]) -> OrderStatus:
    if not (identifier := text(raw.get("id"))):
        raise Unreadable("id")
    return OrderStatus(
        id=identifier,
        type=text(raw.get("type")),
        humanized=text(raw.get("humanized")),
        goal_action_ids=texts(raw.get("goal_action_ids")),
        source=text(raw.get("order_status_source")),
        raw=raw,
    )


def _attribute(raw: dict[str, Any]) -> Attribute:
    if not (name := text(raw.get("name"))):
        raise Unreadable("name")
    return Attribute(
        name=name,
        multivalued=bool(flag(raw.get("multivalued"))),
        humanized=text(raw.get("humanized")),
        type_name=text(raw.get("type_name")),
        type_group=text(raw.get("type_group")),
        type_humanized=text(raw.get("type_humanized")),
        raw=raw,
    )
