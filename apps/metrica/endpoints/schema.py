"""A counter's order statuses, attributes and products at Metrica. Pages: mapOrderStatuses, getOrderStatuses,
createAttributes, getAttributes, createProducts, getTypes, getPredefinedTypes.

A change whose answer is lost is an UnknownOutcome: read what is there before making it again.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from apps.metrica.bodies import JsonBody
from apps.metrica.endpoints.group import Group, cdp
from apps.metrica.errors import Effect
from apps.metrica.schema import (
    Attribute,
    AttributeLists,
    OrderStatus,
    Product,
    TypeInfo,
    read_attributes,
    read_order_statuses,
    read_success,
    read_types,
)
from apps.metrica.vocabulary import MAX_PRODUCTS, EntityType

T = TypeVar("T")


class Schema(Group):
    def order_statuses(self, counter_id: int) -> list[OrderStatus]:
        """The mapping as Metrica holds it (page: getOrderStatuses). Whether the four default statuses are among them
        before anything was mapped is not documented.
        """
        return self._read(counter_id, "order_statuses", read_order_statuses)

    def map_order_statuses(self, counter_id: int, statuses: Sequence[OrderStatus]) -> None:
        """Maps these statuses (page: mapOrderStatuses). Whether others, already there, stay is not documented, so send
        all that must be there.
        """
        self._change(counter_id, "order_statuses", {"order_statuses": [status.body() for status in statuses]})

    def attributes(self, counter_id: int, *, entity_type: EntityType) -> AttributeLists:
        """The attributes that uploads of this kind may carry (page: getAttributes)."""
        return self._read(counter_id, "attributes", read_attributes, entity_type=entity_type.value)

    def create_attributes(self, counter_id: int, *, entity_type: EntityType, attributes: Sequence[Attribute]) -> None:
        """Makes custom attributes, which must be there before an upload carries them (page: createAttributes)."""
        body = {"attributes": [attribute.body() for attribute in attributes]}
        self._change(counter_id, "attributes", body, entity_type=entity_type.value)

    def upload_products(self, counter_id: int, items: Sequence[Product]) -> None:
        """Names for the products that orders hold, at most 160,000 at once (page: createProducts)."""
        if len(items) > MAX_PRODUCTS:
            raise ValueError(f"{len(items)} products, but at most {MAX_PRODUCTS} can be sent at once.")
        entries = [{"name": item.name, "humanized": item.humanized} for item in items]
        self._change(counter_id, "products", {"attributes": [], "items": entries})

    def types(self, counter_id: int) -> list[TypeInfo]:
        """Types of system attributes (page: getTypes)."""
        return self._read(counter_id, "types", read_types)

    def predefined_types(self, counter_id: int) -> list[TypeInfo]:
        """Types that a custom attribute can have (page: getPredefinedTypes)."""
        return self._read(counter_id, "predefined_types", read_types)

    def _read(self, counter_id: int, what: str, read: Callable[[object], T], **params: str) -> T:
        return self._transport.call("GET", f"{cdp(counter_id)}/schema/{what}", params=params, read=read)

    def _change(self, counter_id: int, what: str, value: object, **params: str) -> None:
        self._transport.call(
            "POST",
            f"{cdp(counter_id)}/schema/{what}",
            params=params,
            read=read_success,
            body=JsonBody(value),
            effect=Effect.CHANGES,
        )
