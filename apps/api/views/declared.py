"""What a counter in detailed mode declares at Metrica: its custom attributes and its products, each list as a whole."""

from typing import Any, TypedDict

from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import answer_docs as docs
from apps.api.base import ApiView, checked_object, text_field
from apps.api.openapi import SHORT_TEXT, Schema, described, example, of
from apps.api.problems import FieldError, Problem, bad_request, field_error, invalid
from apps.counters import declaring
from apps.counters.models import AttributeEntity, AttributeType, Counter, CustomAttribute, Product


class AttributeShape(TypedDict):
    entity: str
    name: str
    type: str
    multivalued: bool
    humanized: str


class AttributeListShape(TypedDict):
    """`at_metrica`: false while Metrica has not been told of the list as it is."""

    results: list[AttributeShape]
    at_metrica: bool


class ProductShape(TypedDict):
    name: str
    humanized: str


class ProductListShape(TypedDict):
    """`at_metrica`: false while Metrica has not been told of the list as it is."""

    results: list[ProductShape]
    at_metrica: bool


ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_:-]{1,255}$"}
ATTRIBUTES_BODY: Schema = {
    "type": "array",
    "maxItems": declaring.MAX_ATTRIBUTES,
    "items": {
        "type": "object",
        "properties": {
            "entity": {"type": "string", "enum": AttributeEntity.values},
            "name": ID,
            "type": {"type": "string", "enum": [*AttributeType.values, None], "nullable": True},
            "multivalued": {"type": "boolean"},
            "humanized": {**SHORT_TEXT, "nullable": True},
        },
        "required": ["entity", "name"],
        "additionalProperties": False,
    },
}
PRODUCTS_BODY: Schema = {
    "type": "array",
    "maxItems": declaring.MAX_PRODUCTS,
    "items": {
        "type": "object",
        "properties": {"name": ID, "humanized": {"type": "string", "maxLength": declaring.MAX_TITLE, "nullable": True}},
        "required": ["name"],
        "additionalProperties": False,
    },
}


class AttributesView(ApiView):
    @described(
        name="read_attributes",
        summary="Custom attributes of clients and orders",
        description="What the counter declares at Metrica in detailed mode, and whether Metrica has been told.",
        answers={200: of(AttributeListShape)},
        examples=[example("A client's age", docs.ATTRIBUTES, status=200)],
        tags=["counters"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        return Response(_attributes(self.counter(metrica_id)))

    @described(
        name="replace_attributes",
        summary="Replace the list of custom attributes",
        description="They are made at Metrica before the next upload in detailed mode. One that the list lacks stays "
        "at Metrica, which knows no way to delete it, and its values are no longer sent.",
        body=ATTRIBUTES_BODY,
        answers={200: of(AttributeListShape)},
        errors=[400, 404, 411, 413, 415],
        examples=[
            example("A client's age", [{"entity": "CONTACT", "name": "age", "type": "numeric"}]),
            example("A client's age", docs.ATTRIBUTES, status=200),
        ],
        tags=["counters"],
    )
    def put(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        wanted = _items(self.payload(), ATTRIBUTES_BODY)
        declaring.set_attributes(counter=counter, attributes=wanted)
        return Response(_attributes(self.counter(metrica_id)))


class ProductsView(ApiView):
    @described(
        name="read_products",
        summary="Products",
        description="The counter's catalogue as Metrica's reports title it, and whether Metrica has been told.",
        answers={200: of(ProductListShape)},
        examples=[example("Two products", docs.PRODUCTS, status=200)],
        tags=["counters"],
    )
    def get(self, request: Request, metrica_id: int) -> Response:
        return Response(_products(self.counter(metrica_id)))

    @described(
        name="replace_products",
        summary="Replace the list of products",
        description="`name` is the id that orders carry in `products`, `humanized` the title in Metrica's reports. The "
        "list goes to Metrica before the next upload in detailed mode.",
        body=PRODUCTS_BODY,
        answers={200: of(ProductListShape)},
        errors=[400, 404, 411, 413, 415],
        examples=[
            example("Two products", [{"name": "sku-1", "humanized": "Mug"}, {"name": "sku-9"}]),
            example("Two products", docs.PRODUCTS, status=200),
        ],
        tags=["counters"],
    )
    def put(self, request: Request, metrica_id: int) -> Response:
        counter = self.counter(metrica_id)
        declaring.set_products(counter=counter, products=_items(self.payload(), PRODUCTS_BODY))
        return Response(_products(self.counter(metrica_id)))


def _attributes(counter: Counter) -> AttributeListShape:
    rows = CustomAttribute.objects.filter(counter=counter)
    return {
        "results": [
            {
                "entity": row.entity,
                "name": row.name,
                "type": row.type,
                "multivalued": row.multivalued,
                "humanized": row.humanized,
            }
            for row in rows
        ],
        "at_metrica": counter.attributes_sent == counter.attributes_revision,
    }


def _products(counter: Counter) -> ProductListShape:
    rows = Product.objects.filter(counter=counter).values_list("name", "humanized")
    return {
        "results": [{"name": name, "humanized": humanized} for name, humanized in rows],
        "at_metrica": counter.products_sent == counter.products_revision,
    }


def _items(payload: Any, body: Schema) -> list[dict[str, Any]]:
    """The objects of a list, of which each field is a text or a truth value, as the body's schema says. Raises a
    Problem."""
    limit, fields = body["maxItems"], body["items"]["properties"]
    if not isinstance(payload, list) or len(payload) > limit:
        raise bad_request("not_an_array", _("The body must be an array of up to %(limit)s items.") % {"limit": limit})
    found: list[dict[str, Any]] = []
    errors: list[FieldError] = []
    for index, item in enumerate(payload):
        wrong: list[FieldError] = []
        try:
            values = checked_object(item, known=fields, required=body["items"]["required"])
        except Problem as problem:
            wrong = problem.errors
        else:
            texts = [name for name in fields if fields[name]["type"] == "string"]
            one: dict[str, Any] = {name: text_field(values, name, wrong) for name in texts}
            if "multivalued" in values:
                one["multivalued"] = values["multivalued"]
                if not isinstance(one["multivalued"], bool):
                    wrong.append(field_error("multivalued", "not_a_boolean", _("Write true or false.")))
            found.append(one)
        for error in wrong:
            error["index"] = index
        errors += wrong
        if len(errors) > 100:
            break
    if errors:
        raise invalid(errors)
    return found
