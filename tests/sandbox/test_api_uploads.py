"""POST simple_orders over real HTTP: good and bad requests, each quoting the fact that it checks."""

import hashlib
import re
import uuid

import httpx
import pytest

from apps.metrica.serving import body as serving_body
from apps.metrica.vocabulary import MAX_FILE_BYTES
from apps.sandbox import services
from apps.sandbox.models import Permission, SandboxOrder, SandboxUploading
from tests.sandbox.conftest import HEADER, NUMBER, Api, csv, error_of

GOOD = csv("D-1,2026-03-10 11:30:00,,17,,,PAID,100,,,", "D-2,10.03.2026,,18,,,SPAM,,,,")
CSV = ("orders.csv", GOOD, "text/csv")


def test_the_answer_of_an_upload(api: Api) -> None:
    """2, common answer: a UUID, counter-local time without zone, PASSED, rows without the header, SYSTEM, CSV, API."""
    response = api.upload(GOOD)
    assert response.status_code == 200
    answer = response.json()["uploading"]
    uuid.UUID(answer.pop("uploading_id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", answer.pop("datetime"))
    assert answer == {
        "api_validation_status": "PASSED",
        "elements_count": 2,
        "entity_type": "SYSTEM",
        "uploading_format": "CSV",
        "uploading_source": "API",
    }
    assert SandboxOrder.objects.count() == 2


def test_the_very_bytes_are_kept(api: Api) -> None:
    api.upload(GOOD)
    stored = SandboxUploading.objects.get()
    assert stored.body.read().decode() == GOOD
    assert (stored.sha256, stored.size) == (hashlib.sha256(GOOD.encode()).hexdigest(), len(GOOD.encode()))


QUERIES = [
    ("", 400, "missing_parameter"),  # 2: merge_mode is required, no default is documented
    ("merge_mode=REPLACE", 400, "invalid_parameter"),
    ("merge_mode=save", 400, "invalid_parameter"),
    ("merge_mode=SAVE&delimiter_type=TAB", 400, "invalid_parameter"),  # 2: COMMA and SEMICOLON, no TAB value
    ("merge_mode=SAVE&delimiter_type=SEMICOLON", 400, "invalid_uploading"),
]


def test_query_parameters(api: Api, subtests: pytest.Subtests) -> None:
    for query, status, error_type in QUERIES:
        with subtests.test(query=query):
            assert error_of(api.upload(GOOD, query=query)) == (status, error_type)
            assert not SandboxOrder.objects.exists()


@pytest.mark.parametrize("mode", ["SAVE", "UPDATE", "APPEND"])
def test_merge_modes_of_the_query(api: Api, mode: str) -> None:
    """2: merge_mode SAVE, UPDATE or APPEND."""
    assert api.upload(GOOD, query=f"merge_mode={mode}&delimiter_type=COMMA").status_code == 200
    assert SandboxUploading.objects.get().merge_mode == mode


TOKENS = [
    ({"Authorization": ""}, 401, "unauthorized"),  # authorization: needed on every call
    ({"Authorization": "Bearer y0_north"}, 401, "unauthorized"),  # authorization: the scheme word is OAuth, not Bearer
    ({"Authorization": "OAuth"}, 401, "unauthorized"),
    (
        {"Authorization": "OAuth y0_other"},
        403,
        "invalid_token",
    ),  # authorization: a live call with a bad token returned 403
]


def test_tokens(api: Api, subtests: pytest.Subtests) -> None:
    for headers, status, error_type in TOKENS:
        with subtests.test(headers=headers):
            assert error_of(api.upload(GOOD, headers=headers)) == (status, error_type)
            assert (
                error_of(api.upload(GOOD, headers=headers, query="merge_mode=SAVE&oauth_token=y0_north"))[0] == status
            )


def test_a_revoked_token(api: Api) -> None:
    services.revoke_token(token="y0_north")
    assert error_of(api.upload(GOOD)) == (403, "invalid_token")


NUMBERS = [
    ("40000002", 404, "not_found"),
    ("4000000001", 400, "invalid_parameter"),  # method-call: an int32
    ("mine", 400, "invalid_parameter"),
    ("-1", 400, "invalid_parameter"),
]


def test_counters_that_are_not_there(api: Api, subtests: pytest.Subtests) -> None:
    for number, status, error_type in NUMBERS:
        with subtests.test(number=number):
            assert error_of(api.upload(GOOD, number=number)) == (status, error_type)


def test_uploading_needs_the_owner_or_an_editor(api: Api) -> None:
    """authorization: to upload the account must be owner or have "edit" guest access."""
    counter = services.create_counter(metrica_id=40000002, owner_login="south", token="y0_south")
    assert error_of(api.upload(GOOD, number=40000002)) == (403, "access_denied")
    services.add_access(counter=counter, login="north-metrica", permission=Permission.VIEW)
    assert error_of(api.upload(GOOD, number=40000002)) == (403, "access_denied")
    assert api.uploadings(number=40000002).status_code == 200
    services.add_access(counter=counter, login="north-metrica", permission=Permission.EDIT)
    assert api.upload(GOOD, number=40000002).status_code == 200


BODIES = [
    [("data", CSV)],  # formats: exactly one part named file
    [("file", CSV), ("file", CSV)],
    [("file", CSV), ("comment", (None, "from the CRM"))],
    [("file", (None, GOOD))],  # formats: with a file name
    [("file", ("orders.csv", GOOD, "application/octet-stream"))],  # formats: and Content-Type: text/csv
]


def test_the_multipart_body(api: Api, subtests: pytest.Subtests) -> None:
    for files in BODIES:
        with subtests.test(files=files):
            assert error_of(api.upload("", files=files)) == (400, "invalid_uploading")
            assert not SandboxUploading.objects.exists()


def test_a_body_that_is_no_multipart(api: Api) -> None:
    path = f"{api.base}/cdp/api/v1/counter/{NUMBER}/data/simple_orders?merge_mode=SAVE"
    assert error_of(api.client.post(path, content=GOOD, headers={"Content-Type": "text/csv"})) == (
        400,
        "missing_parameter",
    )
    assert error_of(api.client.post(path, json={"orders": []})) == (400, "missing_parameter")
    assert error_of(api.client.post(path)) == (400, "missing_parameter")
    broken = api.client.post(
        path, content=b"--XbX\r\nnothing", headers={"Content-Type": "multipart/form-data; boundary=XbX"}
    )
    assert error_of(broken)[0] == 400
    nameless = api.client.post(path, content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert error_of(nameless)[0] == 400


def test_a_body_that_breaks_off_is_not_taken_for_a_shorter_file(api: Api) -> None:
    path = f"{api.base}/cdp/api/v1/counter/{NUMBER}/data/simple_orders?merge_mode=SAVE"
    head = b'--XbX\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    response = api.client.post(
        path, content=head + GOOD.encode(), headers={"Content-Type": "multipart/form-data; boundary=XbX"}
    )
    assert error_of(response) == (400, "invalid_uploading")
    assert not SandboxOrder.objects.exists()


def test_a_file_beyond_the_limit(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """uploadSimpleOrders: file limit 1 GB."""
    assert MAX_FILE_BYTES == 10**9
    monkeypatch.setattr(serving_body, "MAX_FILE_BYTES", len(GOOD.encode()))
    assert api.upload(GOOD).status_code == 200
    assert error_of(api.upload(GOOD + " ")) == (400, "invalid_uploading")


def test_a_bad_row_names_line_and_column(api: Api) -> None:
    """errors: errors[].location says where; left open: 400 and the envelope for an unusable file."""
    response = api.upload(csv("D-1,2026-03-10,,17,,,PAID,,,,", "D-2,2026-03-10,,x,Mail@yandex.ru,,PAID,1e3,,,"))
    assert error_of(response) == (400, "invalid_uploading")
    assert [error["location"] for error in response.json()["errors"]] == [
        "line 3, column client_ids",
        "line 3, column emails",
        "line 3, column revenue",
    ]
    assert response.json()["message"].startswith("line 3, column client_ids: ")
    assert not SandboxOrder.objects.exists()


def test_errors_are_english_whatever_the_language_of_the_request(api: Api) -> None:
    body = csv("D-1,2026-03-10,,x,,,PAID,,,,")
    answers = {api.upload(body, headers={"Accept-Language": tongue}).text for tongue in ("ru", "en")}
    assert len(answers) == 1
    assert answers.pop().isascii()


FILES = [
    b"\xef\xbb\xbf" + GOOD.encode(),
    csv("D-1,2026-03-10,,17,,,Оплачен,,,,").encode("cp1251"),
    GOOD.encode("utf-16"),
    HEADER.encode() + b"\nD-1,2026-03-10,,17,,,PA\0ID,,,,\n",
    b"",
    HEADER.encode(),
    b'id,create_date_time,client_ids\n"D-1,2026-03-10,17\n',
]


def test_files_that_cannot_be_used(api: Api, subtests: pytest.Subtests) -> None:
    """Left open: UTF-8 without BOM is what is known to work; everything else is refused here."""
    for body in FILES:
        with subtests.test(body=body):
            assert error_of(api.upload(body)) == (400, "invalid_uploading")


def test_an_error_list_stays_short(api: Api) -> None:
    response = api.upload(csv(*["D-1,2026-03-10,,x,,,PAID,,,,"] * 500))
    assert len(response.json()["errors"]) == 20
    assert len(SandboxUploading.objects.get().errors) == 100


ADDRESSES = [
    ("GET", f"cdp/api/v1/counter/{NUMBER}/data/simple_orders"),
    ("PUT", "management/v1/counters"),
    ("POST", f"cdp/api/v1/counter/{NUMBER}/data/unknown"),
    ("GET", "cdp/"),
    ("GET", "management/v1/counter/1/2/3"),
]


def test_addresses_that_are_not_there(api: Api, subtests: pytest.Subtests) -> None:
    for method, path in ADDRESSES:
        with subtests.test(method=method):
            assert error_of(api.client.request(method, f"{api.base}/{path}")) == (404, "not_found")


def test_a_fault_of_the_sandbox_itself_is_the_envelope_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """errors: backend_error 503, server fault, retry later. Nothing is half applied."""
    from apps.sandbox import applying

    def broken(**_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(applying, "write_rows", broken)
    assert error_of(api.upload(GOOD)) == (503, "backend_error")
    assert not SandboxUploading.objects.exists()


def test_hostile_names_stay_text(api: Api) -> None:
    name = "../../etc/passwd\u202e<script>.csv"
    assert api.upload(GOOD, files={"file": (name, GOOD, "text/csv")}).status_code == 200
    stored = SandboxUploading.objects.get()
    assert ".." not in stored.body.name
    assert "/" not in stored.filename


def test_many_uploads_at_once(api: Api) -> None:
    """Two uploads of one counter at once must not both take an order for new."""
    import threading

    services.set_limit(name="parallel_requests", value=None)
    answers: list[int] = []

    def send() -> None:
        with httpx.Client(headers=api.client.headers, timeout=60) as client:
            answers.append(Api(client, api.base).upload(GOOD).status_code)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 6
    assert SandboxOrder.objects.count() == 2
    assert SandboxOrder.objects.get(order_id="D-1").events.count() == 6
