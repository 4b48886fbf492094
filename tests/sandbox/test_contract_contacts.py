"""`/data/contacts/csv`, `/data/contacts/json` and the old `/data/contacts` over real HTTP. Each line of a table: the
fact of the contract, what is sent, what must come of it."""

import json
import re
import uuid
from typing import Any

import pytest

from apps.metrica.serving import body as serving_body
from apps.sandbox import services
from apps.sandbox.models import Permission, SandboxCustomer, SandboxUploading
from tests.sandbox.conftest import NUMBER, Api, error_of

SAVE = "merge_mode=SAVE"
GOOD = "uniq_id,name,client_ids\nC-1,Anna,17\n"
MD5 = "3c56ff8fef0f6c65b36b2d25720fe276"


@pytest.fixture
def shop(api: Api) -> Api:
    """The counter knows a numeric attribute and a list."""
    attributes = [
        {"name": "age", "multivalued": False, "type_name": "numeric"},
        {"name": "tags", "multivalued": True, "type_name": "text"},
        {"name": "since", "multivalued": False, "type_name": "date"},
    ]
    assert api.cdp("POST", "schema/attributes?entity_type=contact", {"attributes": attributes}).status_code == 200
    return api


def customer(api: Api, uniq_id: str = "C-1") -> dict[str, Any]:
    (found,) = api.look("customers", counter=NUMBER, uniq_id=uniq_id)["customers"]
    return found


def mapped(mapping: dict[str, str]) -> str:
    """`columns_mapping`, to be URL-encoded by the client."""
    return ",".join(f'"{name}":"{title}"' for name, title in mapping.items())


GOOD_CSV = [
    ("uploadContacts: uniq_id alone is required", "uniq_id\nC-1\n", {"name": "", "client_ids": []}),
    ("uploadContacts: name: any text", 'uniq_id,name\nC-1,"Анна, ""Аня"""\n', {"name": 'Анна, "Аня"'}),
    ("uploadSimpleOrders: several identifiers in one cell: commas in quotes, no spaces",
     'uniq_id,phones\nC-1,"79031234567,79037654321"\n', {"phones": ["79031234567", "79037654321"]}),
    ("uploadContacts: all five kinds of identifiers",
     f"uniq_id,client_ids,emails,phones,emails_md5,phones_md5\nC-1,17,a@b.example,79031234567,{MD5},{MD5}\n",
     {"client_ids": ["17"], "emails": ["a@b.example"], "emails_md5": [MD5], "phones_md5": [MD5]}),
    ("uploadSimpleOrders: ClientIDs of 19 and 20 digits stay whole",
     'uniq_id,client_ids\nC-1,"1700000000123456789,12345678901234567890"\n',
     {"client_ids": ["1700000000123456789", "12345678901234567890"]}),
    ("uploadContacts: birth_date: a date", "uniq_id,birth_date\nC-1,1990-02-28\n", {"birth_date": "1990-02-28"}),
    ("date: dates of CSV: dd.MM.yyyy HH:mm, on the counter's clock",
     "uniq_id,create_date_time\nC-1,04.03.2026 14:05\n", {"create_date_time": "2026-03-04T11:05:00+00:00"}),
    ("uploadContacts: update_date_time: on the counter's clock",
     "uniq_id,update_date_time\nC-1,2026-03-04 14:05:06\n", {"update_date_time": "2026-03-04T11:05:06+00:00"}),
    ("uploadContacts: a custom attribute by its name", "uniq_id,age\nC-1,41\n", {"attribute_values": {"age": ["41"]}}),
    ("uploadContacts: a multivalued attribute is a comma list",
     'uniq_id,tags\nC-1,"vip,north"\n', {"attribute_values": {"tags": ["vip", "north"]}}),
    ("uploadContacts: the order of the columns is the file's own", "name,uniq_id\nAnna,C-1\n", {"name": "Anna"}),
]  # fmt: skip

BAD_CSV = [
    ("uploadContacts: uniq_id is a required column", "name\nAnna\n", "line 1, column uniq_id"),
    ("uploadContacts: uniq_id is required in every row", "uniq_id,name\nC-1,Anna\n,Boris\n", "line 3, column uniq_id"),
    ("uploadContacts: uniq_id: longer than an id can be", f"uniq_id\n{'x' * 256}\n", "line 2, column uniq_id"),
    ("createAttributes: an attribute must exist before an upload carries it",
     "uniq_id,height\nC-1,180\n", "line 1, column height"),
    ("createAttributes: numeric is a number", "uniq_id,age\nC-1,old\n", "line 2, column age"),
    ("createAttributes: date is a date", "uniq_id,since\nC-1,yesterday\n", "line 2, column since"),
    ("uploadSimpleOrders: e-mails have no upper case", "uniq_id,emails\nC-1,Mail@yandex.ru\n", "line 2, column emails"),
    ("uploadSimpleOrders: phones are digits only", "uniq_id,phones\nC-1,+79031234567\n", "line 2, column phones"),
    ("uploadSimpleOrders: ClientIDs are digits", "uniq_id,client_ids\nC-1,1.7E+18\n", "line 2, column client_ids"),
    ("hashing: MD5 has 32 characters", "uniq_id,emails_md5\nC-1,abc\n", "line 2, column emails_md5"),
    ("date: a date that no calendar has", "uniq_id,birth_date\nC-1,2026-02-30\n", "line 2, column birth_date"),
    ("date: dates before 1970 are not supported", "uniq_id,create_date_time\nC-1,1969-12-31\n",
     "line 2, column create_date_time"),
    ("uploadSimpleOrders: no spaces in a list",
     'uniq_id,phones\nC-1,"79031234567, 79037654321"\n', "line 2, column phones"),
    ("uploadContacts: a header line is mandatory", "", "line 1"),
    ("5.7 a file of a header alone", "uniq_id\n", "line 1"),
    ("5.7 a column that is there twice", "uniq_id,name,name\nC-1,Anna,Anna\n", "line 1, column name"),
    ("5.6 a byte order mark", "\ufeffuniq_id\nC-1\n", "line 1"),
]  # fmt: skip


def test_files_of_customers(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, text, expected in GOOD_CSV:
        with subtests.test(fact):
            response = shop.send_csv("data/contacts/csv", text)
            assert response.status_code == 200, response.text
            assert {name: customer(shop)[name] for name in expected} == expected


def test_files_that_are_refused(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, text, location in BAD_CSV:
        with subtests.test(fact):
            response = shop.send_csv("data/contacts/csv", text)
            assert error_of(response) == (400, "invalid_uploading"), response.text
            assert response.json()["errors"][0]["location"] == location, response.text
            assert not SandboxCustomer.objects.exists()


GOOD_JSON = [
    ("uploadContactJson: uniq_id alone is required", {}, {"name": ""}),
    ("uploadContactJson: name", {"name": "Анна"}, {"name": "Анна"}),
    ("uploadContactJson: ClientIDs as the samples write them", {"client_ids": ["1700000000123456789"]},
     {"client_ids": ["1700000000123456789"]}),
    ("uploadContactJson: ClientIDs as the schema writes them", {"client_ids": [1700000000123456789]},
     {"client_ids": ["1700000000123456789"]}),
    ("uploadContactJson: emails, phones and their hashes are lists",
     {"emails": ["a@b.example"], "phones": ["79031234567"], "emails_md5": [MD5], "phones_md5": [MD5]},
     {"emails": ["a@b.example"], "phones": ["79031234567"], "emails_md5": [MD5], "phones_md5": [MD5]}),
    ("uploadContactJson: birth_date", {"birth_date": "1990-02-28"}, {"birth_date": "1990-02-28"}),
    ("date: JSON: yyyy-MM-dd HH:mm:ss on the counter's clock", {"create_date_time": "2026-03-04 14:05:06"},
     {"create_date_time": "2026-03-04T11:05:06+00:00"}),
    ("uploadContactJson: attribute_values by name", {"attribute_values": {"age": ["41"], "tags": ["vip", "north"]}},
     {"attribute_values": {"age": ["41"], "tags": ["vip", "north"]}}),
    ("uploadContactJson: user_ids, company_uniq_id, user_comment are fields of the schema",
     {"user_ids": ["u-1"], "company_uniq_id": "B-1", "user_comment": "calls"}, {"name": ""}),
    ("modes: null is nothing uploaded", {"name": None, "emails": None}, {"name": "", "emails": []}),
]  # fmt: skip

BAD_JSON = [
    ("uploadContactJson: uniq_id is required", {"uniq_id": None}, "contacts[0].uniq_id"),
    ("uploadContactJson: uniq_id is not empty", {"uniq_id": ""}, "contacts[0].uniq_id"),
    ("uploadContactJson: uniq_id is a text", {"uniq_id": 5}, "contacts[0].uniq_id"),
    ("uploadContactJson: emails is a list", {"emails": "a@b.example"}, "contacts[0].emails"),
    ("uploadSimpleOrders: e-mails have no upper case",
     {"emails": ["a@b.example", "A@b.example"]}, "contacts[0].emails[1]"),
    ("uploadSimpleOrders: phones are digits only", {"phones": ["+79031234567"]}, "contacts[0].phones[0]"),
    ("date: JSON has no other dates", {"create_date_time": "04.03.2026"}, "contacts[0].create_date_time"),
    ("date: nor ISO with T", {"create_date_time": "2026-03-04T14:05:06Z"}, "contacts[0].create_date_time"),
    ("uploadContactJson: birth_date is a date", {"birth_date": "1990-02-28 10:00:00"}, "contacts[0].birth_date"),
    ("createAttributes: an attribute must exist before", {"attribute_values": {"height": ["180"]}},
     "contacts[0].attribute_values.height"),
    ("createAttributes: one value unless multivalued", {"attribute_values": {"age": ["41", "42"]}},
     "contacts[0].attribute_values.age"),
    ("errors: a field that the schema does not have", {"colour": "red"}, "contacts[0].colour"),
]  # fmt: skip

NO_JSON = [
    ("errors: a body that is no JSON", b'{"contacts": [', "invalid_json"),
    ("errors: an empty body", b"", "invalid_json"),
    ("errors: JSON is UTF-8", '{"contacts": [{"uniq_id": "Анна"}]}'.encode("cp1251"), "invalid_json"),
    ("uploadContactJson: contacts is required", b"{}", "invalid_uploading"),
    ("uploadContactJson: contacts has a least number of elements", b'{"contacts": []}', "invalid_uploading"),
    ("uploadContactJson: the body is an object", b'[{"uniq_id": "C-1"}]', "invalid_uploading"),
]  # fmt: skip


def test_json_of_customers(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, fields, expected in GOOD_JSON:
        with subtests.test(fact):
            body = {"contacts": [{"uniq_id": "C-1", **fields}]}
            response = shop.cdp("POST", f"data/contacts/json?{SAVE}", body)
            assert response.status_code == 200, response.text
            assert {name: customer(shop)[name] for name in expected} == expected


def test_json_that_is_refused(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, fields, location in BAD_JSON:
        with subtests.test(fact):
            body = {"contacts": [{"uniq_id": "C-1", **fields}]}
            response = shop.cdp("POST", f"data/contacts/json?{SAVE}", body)
            assert error_of(response) == (400, "invalid_uploading"), response.text
            assert response.json()["errors"][0]["location"] == location, response.text
            assert not SandboxCustomer.objects.exists()


def test_bodies_that_are_no_list_of_customers(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, body, error_type in NO_JSON:
        with subtests.test(fact):
            response = shop.cdp(
                "POST", f"data/contacts/json?{SAVE}", content=body, headers={"Content-Type": "application/json"}
            )
            assert error_of(response) == (400, error_type), response.text


def test_one_bad_element_refuses_all(shop: Api) -> None:
    """Left open: FAILED and refusals are of the whole upload."""
    body = {"contacts": [{"uniq_id": "C-1"}, {"uniq_id": "C-2", "phones": ["no"]}]}
    response = shop.cdp("POST", f"data/contacts/json?{SAVE}", body)
    assert response.json()["errors"][0]["location"] == "contacts[1].phones[0]"
    assert not SandboxCustomer.objects.exists()
    (uploading,) = shop.look("uploadings", counter=NUMBER)["uploadings"]
    assert (uploading["status"], uploading["kind"], uploading["elements_count"]) == ("REFUSED", "contacts", 2)
    assert shop.uploadings().json() == {"uploadings": []}


def test_the_answer_of_an_upload(shop: Api) -> None:
    """2, common answer: SYSTEM for contacts, the format of the upload, elements without the header."""
    for form, response in (
        ("CSV", shop.send_csv("data/contacts/csv", GOOD)),
        ("JSON", shop.cdp("POST", f"data/contacts/json?{SAVE}", {"contacts": [{"uniq_id": "C-1"}]})),
    ):
        answer = response.json()["uploading"]
        uuid.UUID(answer["uploading_id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", answer.pop("datetime"))
        assert {name: answer[name] for name in answer if name != "uploading_id"} == {
            "api_validation_status": "PASSED",
            "elements_count": 1,
            "entity_type": "SYSTEM",
            "uploading_format": form,
            "uploading_source": "API",
        }


QUERIES = [
    ("2 merge_mode is required", "", (400, "missing_parameter")),
    ("2 merge_mode: one of three", "merge_mode=REPLACE", (400, "invalid_parameter")),
    ("2 delimiter_type: no TAB", f"{SAVE}&delimiter_type=TAB", (400, "invalid_parameter")),
    ("2 columns_mapping: pairs only", f"{SAVE}&columns_mapping=uniq_id", (400, "invalid_parameter")),
    ("2 columns_mapping: an attribute once",
     f'{SAVE}&columns_mapping="name":"a","name":"b"', (400, "invalid_parameter")),
    ("2 columns_mapping: the right side is a header of the file",
     f'{SAVE}&columns_mapping="uniq_id":"Client"', (400, "invalid_uploading")),
    ("2 columns_mapping: the left side is an attribute",
     f'{SAVE}&columns_mapping="colour":"name"', (400, "invalid_uploading")),
    ("2 delimiter_type SEMICOLON with a file of commas", f"{SAVE}&delimiter_type=SEMICOLON", (400,
     "invalid_uploading")),
]  # fmt: skip


def test_query_parameters(shop: Api, subtests: pytest.Subtests) -> None:
    for fact, query, error in QUERIES:
        with subtests.test(fact):
            assert error_of(shop.send_csv("data/contacts/csv", GOOD, query)) == error
            assert not SandboxCustomer.objects.exists()


def test_columns_mapping_renames_the_columns(shop: Api) -> None:
    """uploadContacts: wire example: uniq_id, name, emails and a custom attribute under titles of the file's own."""
    mapping = mapped({"uniq_id": "Client No", "name": "Full name", "emails": "Mail", "age": "Age"})
    text = "Client No,Full name,Mail,Age\nC-1,Anna,a@b.example,41\n"
    response = shop.cdp(
        "POST",
        "data/contacts/csv",
        params={"merge_mode": "SAVE", "columns_mapping": mapping},
        files={"file": ("a.csv", text, "text/csv")},
    )
    assert response.status_code == 200, response.text
    found = customer(shop)
    assert (found["name"], found["emails"], found["attribute_values"]) == ("Anna", ["a@b.example"], {"age": ["41"]})
    (uploading,) = shop.look("uploadings", counter=NUMBER)["uploadings"]
    assert uploading["columns_mapping"] == mapping


def test_semicolons_between_columns_and_commas_in_lists(shop: Api) -> None:
    """uploadOrders: delimiter rule: lists inside a cell use commas whatever stands between the columns."""
    text = "uniq_id;phones;tags\nC-1;79031234567,79037654321;vip,north\n"
    assert shop.send_csv("data/contacts/csv", text, f"{SAVE}&delimiter_type=SEMICOLON").status_code == 200
    found = customer(shop)
    assert found["phones"] == ["79031234567", "79037654321"]
    assert found["attribute_values"] == {"tags": ["vip", "north"]}


def test_the_old_address_takes_both_formats(shop: Api) -> None:
    """2, OLD paths: CSV or JSON by Content-Type."""
    assert shop.send_csv("data/contacts", GOOD).status_code == 200
    assert shop.cdp("POST", f"data/contacts?{SAVE}", {"contacts": [{"uniq_id": "C-2"}]}).status_code == 200
    formats = [row["uploading_format"] for row in shop.uploadings().json()["uploadings"]]
    assert formats == ["JSON", "CSV"]
    plain = shop.cdp("POST", f"data/contacts?{SAVE}", content=GOOD, headers={"Content-Type": "text/plain"})
    assert error_of(plain) == (400, "invalid_json")


def test_the_body_of_each_address(shop: Api) -> None:
    """formats: CSV as multipart with one part `file`; JSON as application/json."""
    as_json = shop.cdp("POST", f"data/contacts/csv?{SAVE}", {"contacts": []})
    assert error_of(as_json) == (400, "missing_parameter")
    assert error_of(shop.send_csv("data/contacts/json", GOOD)) == (400, "invalid_json")
    assert error_of(shop.cdp("GET", "data/contacts/json")) == (404, "not_found")


def test_a_body_beyond_the_limit(shop: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """uploadContacts: 1 GB."""
    body = json.dumps({"contacts": [{"uniq_id": "C-1"}]}).encode()
    headers = {"Content-Type": "application/json"}
    monkeypatch.setattr(serving_body, "MAX_FILE_BYTES", len(body))
    assert shop.cdp("POST", f"data/contacts/json?{SAVE}", content=body, headers=headers).status_code == 200
    longer = shop.cdp("POST", f"data/contacts/json?{SAVE}", content=body + b" ", headers=headers)
    assert error_of(longer) == (400, "invalid_uploading")


def test_uploading_needs_the_owner_or_an_editor(shop: Api) -> None:
    """authorization: to upload the account must be owner or have "edit" guest access."""
    other = services.create_counter(metrica_id=40000002, owner_login="south", token="y0_south")
    body = {"contacts": [{"uniq_id": "C-1"}]}
    for permission, status in ((None, 403), (Permission.VIEW, 403), (Permission.EDIT, 200)):
        if permission:
            services.add_access(counter=other, login="north-metrica", permission=permission)
        assert shop.cdp("POST", f"data/contacts/json?{SAVE}", body, number=40000002).status_code == status


def test_the_very_bytes_are_kept(shop: Api) -> None:
    body = b'{ "contacts" : [ {"uniq_id":"C-1"} ] }'
    headers = {"Content-Type": "application/json"}
    shop.cdp("POST", f"data/contacts/json?{SAVE}", content=body, headers=headers)
    stored = SandboxUploading.objects.get()
    assert stored.body.read() == body
    assert stored.body.name.endswith(".json")


def test_faults_meet_these_uploads_too(shop: Api) -> None:
    """2, common answer: FAILED means received but not loaded. A row can be refused on demand."""
    services.add_fault(kind="failed")
    answer = shop.send_csv("data/contacts/csv", GOOD).json()["uploading"]
    assert answer["api_validation_status"] == "FAILED"
    assert not SandboxCustomer.objects.exists()
    services.add_fault(kind="refuse_row", contains="Anna", count=None)
    for response, location in (
        (shop.send_csv("data/contacts/csv", GOOD), "line 2, column uniq_id"),
        (
            shop.cdp("POST", f"data/contacts/json?{SAVE}", {"contacts": [{"uniq_id": "C-1", "name": "Anna"}]}),
            "contacts[0].uniq_id",
        ),
    ):
        assert error_of(response) == (400, "invalid_uploading")
        assert response.json()["errors"][0]["location"] == location
