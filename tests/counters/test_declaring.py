"""Custom attributes and products of a counter: what may be declared, what values fit, and that Metrica is told of
changes."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from apps.audit.models import AuditEntry
from apps.counters import declaring
from apps.counters.attributes import AttributeValueError, Declared, UndeclaredAttribute
from apps.counters.models import Counter, CustomAttribute, Product
from tests.factories import make_counter

AGE = {"entity": "CONTACT", "name": "age", "type": "numeric"}


@pytest.fixture
def counter(db: None) -> Counter:
    return make_counter(mode="detailed")


def test_the_list_becomes_what_is_given(counter: Counter) -> None:
    assert declaring.set_attributes(counter=counter, attributes=[AGE, {"entity": "order", "name": "branch"}])
    rows = CustomAttribute.objects.filter(counter=counter).values_list("entity", "name", "type", "multivalued")
    assert list(rows) == [("CONTACT", "age", "numeric", False), ("ORDER", "branch", "text", False)]
    counter.refresh_from_db()
    assert (counter.attributes_revision, counter.attributes_sent) == (1, 0)
    [entry] = AuditEntry.objects.filter(action="counter.attributes_changed")
    assert entry.after["attributes"][0]["name"] == "age"
    assert not declaring.set_attributes(counter=counter, attributes=[AGE, {"entity": "ORDER", "name": "branch"}])
    assert AuditEntry.objects.filter(action="counter.attributes_changed").count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"entity": "VISIT"}, "invalid_choice"),
        ({"name": "возраст"}, "bad_name"),
        ({"name": ""}, "bad_name"),
        ({"name": "emails"}, "system_name"),
        ({"type": "colour"}, "invalid_choice"),
        ({"humanized": "x" * 256}, "too_long"),
    ],
)
def test_what_metrica_would_refuse_is_refused_here(counter: Counter, wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        declaring.set_attributes(counter=counter, attributes=[{**AGE, **wrong}])
    assert caught.value.code == code
    assert not CustomAttribute.objects.exists()


def test_one_name_stands_once_for_an_entity(counter: Counter) -> None:
    with pytest.raises(ValidationError, match="twice"):
        declaring.set_attributes(counter=counter, attributes=[AGE, AGE])
    declaring.set_attributes(counter=counter, attributes=[AGE, {**AGE, "entity": "ORDER"}])


@pytest.mark.parametrize(
    ("of_type", "several", "given", "kept"),
    [
        ("text", False, " north ", "north"),
        ("text", False, 5, "5"),
        ("text", False, "", None),
        ("text", True, ["a", "b", "a"], ["a", "b"]),
        ("text", True, "a", ["a"]),
        ("text", True, [], None),
        ("numeric", False, "12.50", "12.50"),
        ("numeric", False, 1000, "1000"),
        ("date", False, "04.03.2026", "2026-03-04"),
        ("date", False, "2026-03-04T22:30:00Z", "2026-03-05"),
        ("datetime", False, "2026-03-04T10:00:00+00:00", "2026-03-04 13:00:00"),
        ("email", False, "Mail@Yandex.ru", "mail@yandex.ru"),
    ],
)
def test_values_that_fit(of_type: str, several: bool, given: Any, kept: Any) -> None:
    attribute = CustomAttribute(entity="ORDER", name="a", type=of_type, multivalued=several)
    assert Declared([attribute], zone=ZoneInfo("Europe/Moscow")).checked("ORDER", "a", given) == kept


@pytest.mark.parametrize(
    ("of_type", "several", "given", "code"),
    [
        ("text", False, ["a"], "attribute_single"),
        ("text", True, ["a,b"], "attribute_comma"),
        ("text", True, [str(number) for number in range(101)], "too_many"),
        ("numeric", False, "many", "attribute_number"),
        ("numeric", False, "NaN", "attribute_number"),
        ("numeric", False, "1e999", "attribute_number"),
        ("date", False, "yesterday", "attribute_date"),
        ("email", False, "nobody", "attribute_email"),
    ],
)
def test_values_that_do_not(of_type: str, several: bool, given: Any, code: str) -> None:
    attribute = CustomAttribute(entity="ORDER", name="a", type=of_type, multivalued=several)
    with pytest.raises(AttributeValueError) as caught:
        Declared([attribute], zone=ZoneInfo("Europe/Moscow")).checked("ORDER", "a", given)
    assert caught.value.code == code


def test_what_is_declared_for_one_entity_is_not_for_the_other() -> None:
    declared = Declared([CustomAttribute(entity="ORDER", name="a")], zone=None)
    assert (declared.names("ORDER"), declared.names("CONTACT")) == ({"a": False}, {})
    with pytest.raises(UndeclaredAttribute):
        declared.checked("CONTACT", "a", datetime.now().isoformat())


def test_products_are_replaced_as_a_whole(counter: Counter) -> None:
    first = declaring.read_products('sku-1;Mug\n\nsku-2;"Cup; large"\nsku-3\n')
    assert declaring.set_products(counter=counter, products=first) == {"products": 3, "changed": 3, "removed": 0}
    counter.refresh_from_db()
    assert (counter.products_revision, counter.products_sent) == (1, 0)
    second = [{"name": "sku-2", "humanized": "Cup; large"}, {"name": "sku-4", "humanized": "Jug"}]
    assert declaring.set_products(counter=counter, products=second) == {"products": 2, "changed": 1, "removed": 2}
    assert list(Product.objects.values_list("name", "humanized")) == [("sku-2", "Cup; large"), ("sku-4", "Jug")]
    declaring.set_products(counter=counter, products=second)
    counter.refresh_from_db()
    assert counter.products_revision == 2, "the same again changes nothing"


@pytest.mark.parametrize("text", ["a,A", "a\tA", "a;A", "\ufeffa;A"])
def test_a_pasted_list_shows_its_own_delimiter(text: str) -> None:
    assert declaring.read_products(text) == [{"name": "a", "humanized": "A"}]


def test_a_line_with_too_much_is_named() -> None:
    with pytest.raises(ValidationError, match="Line 2"):
        declaring.read_products("a;A\nb;B;more")


def test_a_shown_list_is_read_back_the_same() -> None:
    titles = ["Mug", "Cup; large", 'The "best"', "a,b"]
    text = "\n".join(f"p{number};{declaring.quoted(title)}" for number, title in enumerate(titles))
    assert [one["humanized"] for one in declaring.read_products(text)] == titles


def test_a_product_id_that_no_list_can_hold_is_refused(counter: Counter) -> None:
    with pytest.raises(ValidationError, match="Laptop TG12"):
        declaring.set_products(counter=counter, products=[{"name": "Laptop TG12"}])
