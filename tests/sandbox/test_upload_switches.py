"""Switches of the uploads: chapter 5 leaves these things open; each has a default and another answer that works."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.metrica.vocabulary import MergeMode
from apps.sandbox import schema, services
from apps.sandbox.models import EntityType, SandboxOrder, UploadFormat, UploadKind
from apps.sandbox.receiving import FileRefused
from apps.sandbox.switches import SWITCHES
from apps.sandbox.upload_switches import UPLOAD_SWITCHES
from tests.sandbox.conftest import HEADER, NOW, Api, Desk, as_file, csv, error_of

GOOD = "D-1,2026-03-10,,17,,,PAID,,,,"
BAD = "D-2,2026-03-10,,x,,,PAID,,,,"
SHORT = "id,create_date_time,client_ids,order_status"


def take(desk: Desk, body: str | bytes, **more: Any) -> Any:
    return services.receive_simple_orders(
        counter=desk.counter, file=as_file(body), merge_mode=MergeMode.SAVE, now=NOW, **more
    )


def refused(desk: Desk, body: str | bytes, **more: Any) -> str:
    """The code of the first problem."""
    with pytest.raises(FileRefused) as caught:
        take(desk, body, **more)
    return caught.value.problems[0].code


def test_every_switch_is_documented_and_shown(db: None, client: Client) -> None:
    """Its name is its own, its first value the default, and the panel says what each value means."""
    html = client.get(reverse("sandbox:faults")).content.decode()
    for switch in UPLOAD_SWITCHES:
        assert SWITCHES[switch.name] is switch
        assert len(switch.values) > 1
        assert f"<code>{switch.name}</code>" in html
    assert len(SWITCHES) == len({*SWITCHES})


def test_every_switch_stands_in_the_document() -> None:
    """docs/sandbox.md: the name, the values with the default first, and why."""
    lines = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text().splitlines()
    for switch in SWITCHES.values():
        values = ", ".join(f"`{value}`" for value in switch.values)
        assert any(line.startswith(f"| `{switch.name}` | {values} | ") for line in lines), switch.name


def test_refusal(api: Api) -> None:
    """Question 1: whether a bad file is 400 or 200 with FAILED."""
    assert error_of(api.upload(csv(BAD))) == (400, "invalid_uploading")
    services.set_switch(name="refusal", value="failed")
    for body in (csv(BAD), "", csv(GOOD, BAD)):
        response = api.upload(body)
        assert response.status_code == 200
        answer = response.json()["uploading"]
        assert answer["api_validation_status"] == "FAILED"
        assert api.uploadings("limit=1").json()["uploadings"] == [answer]
    assert not SandboxOrder.objects.exists()
    uploadings = api.look("uploadings")["uploadings"]
    assert [bool(row["errors"]) for row in uploadings] == [True] * 4


def test_bad_row(desk: Desk) -> None:
    """Question 2: whether one bad row is fatal for the whole file."""
    assert refused(desk, csv(GOOD, BAD)) == "client_id_format"
    services.set_switch(name="bad_row", value="row")
    uploading = take(desk, csv(BAD, GOOD, BAD))
    assert (uploading.status, uploading.elements_count) == ("PASSED", 3)
    assert [error["line"] for error in uploading.errors] == [2, 4]
    assert [order.order_id for order in desk.counter.orders.all()] == ["D-1"]
    many = take(desk, csv(*[BAD] * 300, GOOD.replace("D-1", "D-3")))
    assert (len(many.errors), many.elements_count, desk.counter.orders.count()) == (100, 301, 2)
    assert refused(desk, "id,client_ids\nD-1,17\n") == "missing_column", "an unusable file is refused in any case"
    desk.contacts({"uniq_id": ""}, {"uniq_id": "C-1"})
    assert desk.customer("C-1")


def test_simple_id(desk: Desk) -> None:
    """Question 3: whether id is required."""
    take(desk, csv(GOOD.replace("D-1", "")))
    services.set_switch(name="simple_id", value="required")
    assert refused(desk, csv(GOOD.replace("D-1", ""))) == "required"
    assert refused(desk, "create_date_time,client_ids\n2026-03-10,17\n") == "required"


def test_byte_order_mark_and_encoding(desk: Desk) -> None:
    """Question 6: UTF-8 without a mark is what is known to work."""
    marked = b"\xef\xbb\xbf" + csv(GOOD).encode()
    russian = csv(GOOD.replace("PAID", "Оплачен")).encode("cp1251")
    assert (refused(desk, marked), refused(desk, russian)) == ("bom", "encoding")
    services.set_switch(name="byte_order_mark", value="accept")
    services.set_switch(name="encoding", value="cp1251")
    take(desk, csv(GOOD))
    take(desk, marked)
    uploading = take(desk, russian)
    assert desk.order("D-1").order_status == "Оплачен"
    assert uploading.body.read() == russian, "the very bytes are kept"
    take(desk, csv(GOOD.replace("PAID", "Новый")))
    assert desk.order("D-1").order_status == "Новый", "UTF-8 stays UTF-8"


def test_duplicate_column(desk: Desk) -> None:
    """Question 7: a column that is there twice."""
    body = f'{SHORT},order_status\nD-1,2026-03-10,"17,18",PAID,SPAM\n'
    assert refused(desk, body) == "duplicate_column"
    services.set_switch(name="duplicate_column", value="first")
    take(desk, body)
    assert (desk.order("D-1").type, desk.order("D-1").client_ids) == ("PAID", "17,18")
    with pytest.raises(FileRefused) as caught:
        take(desk, f'{SHORT},order_status\nD-1,2026-03-10,17,PAID,SPAM\n\n"D\n2",2026-03-10,x,PAID,SPAM\n')
    assert caught.value.problems[0].location == "line 4, column client_ids", "lines are counted as in the file"
    assert refused(desk, f'{SHORT},order_status\nD-1,2026-03-10,17,"PA,SPAM\n') == "quoting"
    for cells in ("D-1", "D-1,2026-03-10,17,PAID", "D-1,2026-03-10,17,PAID,SPAM,SPAM"):
        assert refused(desk, f"{SHORT},order_status\n{cells}\n") == "cell_count"
    assert refused(desk, "") == "empty"


def test_no_rows(desk: Desk) -> None:
    """Question 7: a file of a header alone, a list without elements."""
    assert refused(desk, HEADER + "\n") == "no_rows"
    with pytest.raises(FileRefused):
        desk.contacts()
    services.set_switch(name="no_rows", value="accept")
    assert (take(desk, HEADER + "\n").elements_count, desk.contacts().status) == (0, "PASSED")


def test_unknown_column_in_the_detailed_format(desk: Desk) -> None:
    """Question 7: unknown columns and fields."""
    services.set_switch(name="unknown_column", value="ignore")
    desk.orders({"colour": "red"})
    desk.contacts({"uniq_id": "C-1", "colour": "red"})
    text = "uniq_id,colour\nC-2,red\n"
    services.receive(
        kind=UploadKind.CONTACTS,
        counter=desk.counter,
        file=as_file(text),
        uploading_format=UploadFormat.CSV,
        merge_mode=MergeMode.SAVE,
    )
    assert desk.counter.customers.count() == 2


def test_simple_columns_mapping(api: Api) -> None:
    """Question 8: columns_mapping is not listed among the parameters of simple_orders."""
    query = 'merge_mode=SAVE&columns_mapping="id":"No","create_date_time":"When"'
    mapped = "No,When,client_ids\nD-1,2026-03-10,17\n"
    assert error_of(api.upload(mapped, query=query)) == (400, "invalid_uploading")
    services.set_switch(name="simple_columns_mapping", value="refuse")
    assert error_of(api.upload(csv(GOOD), query=query)) == (400, "invalid_parameter")
    services.set_switch(name="simple_columns_mapping", value="apply")
    assert api.upload(mapped, query=query).status_code == 200
    assert SandboxOrder.objects.get().order_id == "D-1"


def test_simple_attributes(desk: Desk) -> None:
    """Question 8: SIMPLE_ORDER has attributes, but no page says how they travel."""
    attributes = [schema.Attribute(name="channel")]
    schema.create_attributes(counter=desk.counter, entity_type=EntityType.SIMPLE_ORDER, attributes=attributes)
    body = f"channel,{SHORT}\nshop,D-1,2026-03-10,17,PAID\n"
    assert refused(desk, body) == "unknown_column"
    services.set_switch(name="simple_attributes", value="ignore")
    take(desk, body)
    assert refused(desk, f"colour,{SHORT}\nred,D-1,2026-03-10,17,PAID\n") == "unknown_column"


def test_attribute_type(desk: Desk) -> None:
    """2.7: attributes have types; what becomes of a value that is none of its type is not said."""
    names = ("numeric", "date", "datetime", "email", "text")
    attributes = [schema.Attribute(name=f"a_{name}", type_name=name) for name in names]
    schema.create_attributes(counter=desk.counter, entity_type=EntityType.CONTACT, attributes=attributes)
    good = {
        "numeric": "-4.5",
        "date": "04.03.2026",
        "datetime": "2026-03-04 10:00",
        "email": "a@b.example",
        "text": "!",
    }
    bad = {"numeric": "4,5", "date": "2026-03-04 10:00", "datetime": "soon", "email": "nobody"}
    desk.contacts({"uniq_id": "C-1", "attribute_values": {f"a_{name}": [value] for name, value in good.items()}})
    for name, value in bad.items():
        with pytest.raises(FileRefused) as caught:
            desk.contacts({"uniq_id": "C-1", "attribute_values": {f"a_{name}": [value]}})
        assert caught.value.problems[0].location == f"contacts[0].attribute_values.a_{name}"
    services.set_switch(name="attribute_type", value="accept")
    desk.contacts({"uniq_id": "C-1", "attribute_values": {f"a_{name}": [value] for name, value in bad.items()}})
    assert desk.customer("C-1").attribute_values["a_numeric"] == ["4,5"]


def test_identifiers_per_contact(desk: Desk) -> None:
    """Question 12: the lists are bounded; the numbers cannot be read."""
    eleven = {"uniq_id": "C-1", "client_ids": [str(number) for number in range(11)]}
    desk.contacts(eleven)
    services.set_switch(name="identifiers_per_contact", value="100")
    desk.contacts(eleven)
    services.set_switch(name="identifiers_per_contact", value="10")
    with pytest.raises(FileRefused) as caught:
        desk.contacts(eleven)
    assert caught.value.problems[0].location == "contacts[0].client_ids"


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=5), st.sampled_from(",;"))
def test_a_column_is_cut_out_and_nothing_else(rows: list[list[str]], delimiter: str) -> None:
    """What is left of a file by `without_columns` is the same file without the column."""
    import csv as csv_module
    from io import BytesIO, StringIO

    from apps.metrica.vocabulary import Delimiter
    from apps.sandbox.csv_switches import without_columns

    table = [["a", "b", "a"], *rows]

    def written(table: list[list[str]]) -> str:
        text = StringIO(newline="")
        csv_module.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(table)
        return text.getvalue()

    kind = Delimiter.COMMA if delimiter == "," else Delimiter.SEMICOLON
    cut = without_columns(BytesIO(written(table).encode()), delimiter=kind, duplicates=True)
    lines = list(iter(lambda: cut.readline(2**20), b""))
    left = list(csv_module.reader(StringIO(b"".join(lines).decode(), newline=""), delimiter=delimiter))
    assert [row or ["", ""] for row in left] == [row[:2] for row in table]
