"""The `products` cell: `Product id:quantity` items joined by commas. Page: orders-data.

A product's identifier may hold spaces and colons, so only the last colon counts.
"""

import re
from collections.abc import Mapping

from apps.metrica.problems import BadValue
from apps.metrica.text import _

MAX_QUANTITY = 2**31 - 1

_QUANTITY = re.compile(r"[0-9]{1,10}")


class ProductsError(BadValue):
    """The cell cannot be read, or the products cannot be written. `code`: products_empty_item, products_spaces,
    products_id, products_quantity, products_twice, products_unwritable.
    """


def parse_products(text: str) -> dict[str, int]:
    """`"Laptop TG12:1,Bag:2"` → quantities by product. An empty text has none. Raises ProductsError."""
    products: dict[str, int] = {}
    for item in text.split(",") if text else ():
        if item != item.strip():
            raise ProductsError("products_spaces", _("Products are joined by commas without spaces."))
        product, colon, quantity = item.rpartition(":")
        if not item:
            raise ProductsError("products_empty_item", _("A product is missing between two commas."))
        if not colon or not _QUANTITY.fullmatch(quantity):
            raise ProductsError(
                "products_quantity", _("A product is written as its identifier, a colon and a whole number of pieces.")
            )
        if product in products:
            raise ProductsError("products_twice", _("A product is named twice. Add up its pieces."))
        products[check_product_id(product)] = check_quantity(int(quantity))
    return products


def format_products(products: Mapping[str, int]) -> str:
    """The cell for these products, such that parse_products gives them back. Raises ProductsError where that is
    impossible: an identifier with a comma or outer spaces.
    """
    return ",".join([f"{product}:{quantity}" for product, quantity in check_products(products).items()])


def check_products(products: Mapping[str, int]) -> dict[str, int]:
    """The same products. Raises ProductsError for what a CSV file cannot say; JSON could, but an order must not fare
    otherwise in a small file than in a large one."""
    return {_check_writable(product): check_quantity(quantity) for product, quantity in products.items()}


def check_product_id(product: str) -> str:
    if not product.strip():
        raise ProductsError("products_id", _("A product's identifier is missing."))
    if "\0" in product:
        raise ProductsError("products_id", _("A product's identifier holds a NUL byte."))
    return product


def check_quantity(quantity: int) -> int:
    if not 1 <= quantity <= MAX_QUANTITY:
        raise ProductsError("products_quantity", _("A product's quantity is a whole number from 1 to 2147483647."))
    return quantity


def _check_writable(product: str) -> str:
    check_product_id(product)
    if "," in product or product != product.strip():
        raise ProductsError(
            "products_unwritable",
            _("The product's identifier holds a comma or outer spaces, so a CSV file cannot name it."),
        )
    return product
