"""Every write to a counter's custom attributes and list of products. Metrica is told of them before the next upload in
detailed mode: each change raises the revision that says so (R2)."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from apps.audit.services import record
from apps.counters.models import AttributeEntity, AttributeType, Counter, CustomAttribute, Product
from apps.counters.services import touch
from apps.metrica.vocabulary import CONTACT_COLUMNS, ID_PATTERN, ORDER_COLUMNS

MAX_PRODUCTS: Final = 160_000
MAX_ATTRIBUTES: Final = 100
MAX_TITLE: Final = 4096
_OF_ATTRIBUTE: Final = ("entity", "name", "type", "multivalued", "humanized")
_SYSTEM_NAMES: Final = {
    AttributeEntity.CONTACT: {*CONTACT_COLUMNS, "user_ids", "attribute_values", "company_uniq_id", "user_comment"},
    AttributeEntity.ORDER: {*ORDER_COLUMNS, "attribute_values", "user_comment"},
}
_BAD_NAME = _("Only Latin letters, digits, _, - and : are allowed here, 1 to 255 of them.")


@transaction.atomic
def set_attributes(*, counter: Counter, attributes: Sequence[Mapping[str, Any]]) -> bool:
    """Make the declared attributes exactly these, in this order. True if that changed anything.

    Each: entity (CONTACT, ORDER), name, and optionally type, multivalued, humanized. Raises ValidationError, told by
    entity and name, and then nothing is changed. An attribute taken away stays at Metrica, which knows no way to delete
    one; its values are no longer sent.
    """
    wanted = checked_attributes(attributes)
    Counter.objects.select_for_update().get(pk=counter.pk)
    before = _declared(counter)
    if before == wanted:
        return False
    CustomAttribute.objects.filter(counter=counter).delete()
    CustomAttribute.objects.bulk_create(CustomAttribute(counter=counter, **one) for one in wanted)
    Counter.objects.filter(pk=counter.pk).update(attributes_revision=F("attributes_revision") + 1)
    record(
        action="counter.attributes_changed",
        agency=counter.agency_id,
        obj=counter,
        before={"attributes": before},
        after={"attributes": wanted},
    )
    touch(counter)
    return True


def checked_attributes(attributes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The attributes in their one canonical form. Raises ValidationError."""
    wanted = [_checked_attribute(one) for one in attributes]
    keys = [(one["entity"], one["name"]) for one in wanted]
    if len(set(keys)) < len(keys):
        twice = next(name for number, (entity, name) in enumerate(keys) if (entity, name) in keys[:number])
        raise ValidationError(_("The attribute “%(name)s” is there twice.") % {"name": twice}, code="duplicate")
    if len(wanted) > MAX_ATTRIBUTES:
        raise ValidationError(_("A counter has at most 100 custom attributes."), code="too_many")
    return wanted


def _declared(counter: Counter) -> list[dict[str, Any]]:
    return list(CustomAttribute.objects.filter(counter=counter).order_by("pk").values(*_OF_ATTRIBUTE))


def _checked_attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    entity, name = str(given.get("entity") or "").strip().upper(), str(given.get("name") or "").strip()
    of_type = str(given.get("type") or AttributeType.TEXT).strip().lower()
    humanized = str(given.get("humanized") or "").strip()
    where = f"{entity.lower()}.{name}"
    if entity not in AttributeEntity.values:
        raise _wrong(where, _("An attribute is of CONTACT or of ORDER."), "invalid_choice")
    if not ID_PATTERN.match(name):
        raise _wrong(where, _BAD_NAME, "bad_name")
    if name.lower() in _SYSTEM_NAMES[AttributeEntity(entity)]:
        raise _wrong(where, _("Metrica has a field of that name itself; choose another."), "system_name")
    if of_type not in AttributeType.values:
        offered = ", ".join(AttributeType.values)
        raise _wrong(where, _("Choose one of: %(choices)s.") % {"choices": offered}, "invalid_choice")
    if len(humanized) > 255:
        raise _wrong(where, _("At most 255 characters fit here; shorten it."), "too_long")
    multivalued = bool(given.get("multivalued", False))
    return dict(zip(_OF_ATTRIBUTE, (entity, name, of_type, multivalued, humanized), strict=True))


@transaction.atomic
def set_products(*, counter: Counter, products: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Make the list of products exactly this. Returns {"products": n, "changed": n, "removed": n}.

    Each: name (the id that orders carry), humanized (its title). Raises ValidationError and then changes nothing.
    """
    wanted: dict[str, str] = {}
    for one in products:
        name, title = str(one.get("name") or "").strip(), str(one.get("humanized") or "").strip()
        if not ID_PATTERN.match(name):
            raise _wrong(name[:255], _BAD_NAME, "bad_name")
        if len(title) > MAX_TITLE or "\0" in title:
            raise _wrong(name, _("A title is a text of at most 4,096 characters."), "too_long")
        wanted[name] = title
        if len(wanted) > MAX_PRODUCTS:
            raise ValidationError(_("Metrica takes at most 160,000 products of a counter."), code="too_many")
    Counter.objects.select_for_update().get(pk=counter.pk)
    known = dict(Product.objects.filter(counter=counter).values_list("name", "humanized"))
    changed = {name: title for name, title in wanted.items() if known.get(name) != title}
    removed = [name for name in known if name not in wanted]
    if changed or removed:
        Product.objects.bulk_create(
            [Product(counter=counter, name=name, humanized=title) for name, title in changed.items()],
            batch_size=1000,
            update_conflicts=True,
            unique_fields=["counter", "name"],
            update_fields=["humanized"],
        )
        for start in range(0, len(removed), 1000):
            Product.objects.filter(counter=counter, name__in=removed[start : start + 1000]).delete()
        Counter.objects.filter(pk=counter.pk).update(products_revision=F("products_revision") + 1)
        lines = "\n".join(f"{name};{title}" for name, title in sorted(wanted.items()))
        record(
            action="counter.products_changed",
            agency=counter.agency_id,
            obj=counter,
            details={
                "products": len(wanted),
                "changed": len(changed),
                "removed": len(removed),
                "sha256": hashlib.sha256(lines.encode()).hexdigest(),
            },
        )
        touch(counter)
    return {"products": len(wanted), "changed": len(changed), "removed": len(removed)}


def read_products(text: str) -> list[dict[str, str]]:
    """A pasted list: a line for each product, its id and its title, parted by a semicolon, a tab or a comma (the first
    of them that the first line has). Lines without anything are left out. Raises ValidationError with the line."""
    lines = text.lstrip("\ufeff").splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((sign for sign in ";\t," if sign in first), ";")
    found = []
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > 2:
            message = _(
                "Line %(line)s has more than an id and a title. Put a title with the delimiter in it in quotes."
            )
            raise ValidationError(message % {"line": reader.line_num}, code="too_many_cells")
        found.append({"name": cells[0], "humanized": cells[1] if len(cells) == 2 else ""})
    return found


def quoted(title: str) -> str:
    """The title as `read_products` takes it back, within lines parted by semicolons."""
    doubled = title.replace('"', '""')
    return f'"{doubled}"' if ";" in title or '"' in title else title


def attributes_sent(*, counter: Counter, revision: int) -> None:
    """Metrica has the attributes as they were at that revision."""
    Counter.objects.filter(pk=counter.pk, attributes_sent__lt=revision).update(attributes_sent=revision)


def products_sent(*, counter: Counter, revision: int) -> None:
    """Metrica has the products as they were at that revision."""
    Counter.objects.filter(pk=counter.pk, products_sent__lt=revision).update(products_sent=revision)


def note_address(*, counter: Counter, address: str) -> None:
    """What is noted of the counter's clients, attributes and products is true of the Metrica at this address."""
    Counter.objects.filter(pk=counter.pk).update(known_address=address)


def nothing_sent(*, counter: Counter) -> None:
    """Metrica knows neither attributes nor products, and has had no clients yet."""
    Counter.objects.filter(pk=counter.pk).update(attributes_sent=0, products_sent=0, first_clients_at=None)


def _wrong(where: str, message: Any, code: str) -> ValidationError:
    return ValidationError(_("%(where)s: %(message)s"), code=code, params={"where": where, "message": message})
