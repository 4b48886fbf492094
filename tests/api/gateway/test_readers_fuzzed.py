"""Whatever bytes come: no crash, no fault of ours, and never a part of a request (R2, R7)."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.api.models import ReceivedUpload
from apps.clients.models import Client
from apps.metrica.vocabulary import CONTACT_COLUMNS, ORDER_COLUMNS, SIMPLE_COLUMNS
from apps.orders.models import Order, StatusChange
from tests.api.gateway.conftest import WHEN

AS_OFTEN = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
SIGNS = st.sampled_from(["COMMA", "SEMICOLON"])
MODES = st.sampled_from(["SAVE", "UPDATE", "APPEND"])
CELLS = st.one_of(
    st.just(""),
    st.sampled_from(
        [
            *(
                "D-1",
                WHEN,
                "05.03.2026",
                "17",
                "a@b.example",
                "+7 903 123-45-67",
                "PAID",
                "5000.50",
                "1e9",
                "-1",
                "RUB",
            ),
            *('"', '""', '"a,b"', ",", "a:5,b", "sku:2", "CONTACT", "\x00", "\r", "\ud800", "9" * 400, "0.1234567"),
        ]
    ),
    st.text(max_size=12),
)


@st.composite
def files(draw, columns):
    header = draw(st.lists(st.sampled_from([*columns, "comment", "id", ""]), min_size=1, max_size=10))
    sign = draw(st.sampled_from(",;"))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header) + 1), max_size=5))
    text = "\n".join(sign.join(row) for row in [header, *rows])
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe"])) + text.encode("utf-8", "surrogatepass")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), CELLS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(CELLS, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def bodies(draw, key, columns):
    names = st.sampled_from([*columns, "attribute_values", "user_comment"])
    good = {"id": "D-1", "uniq_id": "C-1", "client_uniq_id": "C-1", "client_type": "CONTACT", "create_date_time": WHEN}
    good |= {"order_status": "PAID"}
    item = st.one_of(VALUES, st.dictionaries(names, VALUES, max_size=6).map(lambda one: {**good, **one}))
    return json.dumps({key: draw(st.one_of(VALUES, st.lists(item, max_size=4)))}).encode()


def sound(answer, before):
    """Refused whole or taken whole, and in either case listed."""
    assert answer.status in (200, 400), answer.body
    after = counted()
    upload = ReceivedUpload.objects.order_by("-received_at", "-id").first()
    if answer.status == 400:
        assert answer.body["errors"] and all(error["message"] for error in answer.body["errors"])
        assert after[:3] == before[:3]
    else:
        assert upload.state == "PASSED"
        assert upload.elements == upload.created + upload.updated + upload.unchanged == after[3] - before[3]


def counted():
    elements = sum(ReceivedUpload.objects.filter(state="PASSED").values_list("elements", flat=True))
    return Order.objects.count(), StatusChange.objects.count(), Client.objects.count(), elements


@pytest.mark.parametrize(
    ("path", "columns"),
    [("simple_orders", SIMPLE_COLUMNS), ("orders/csv", ORDER_COLUMNS), ("contacts/csv", CONTACT_COLUMNS)],
)
def test_files(script, counter, path, columns):
    @AS_OFTEN
    @given(
        content=st.one_of(files(columns), st.binary(max_size=60)),
        mode=MODES,
        sign=st.sampled_from(["COMMA", "SEMICOLON"]),
    )
    def any_file(content, mode, sign):
        before = counted()
        query = f"merge_mode={mode}&delimiter_type={sign}"
        sound(script("POST", f"data/{path}?{query}", content, "text/csv"), before)

    any_file()


@pytest.mark.parametrize(("key", "columns"), [("orders", ORDER_COLUMNS), ("contacts", CONTACT_COLUMNS)])
def test_bodies(script, counter, key, columns):
    @AS_OFTEN
    @given(body=st.one_of(bodies(key, columns), st.binary(max_size=60)), mode=MODES)
    def any_body(body, mode):
        before = counted()
        sound(script.json(f"data/{key}/json?merge_mode={mode}", body), before)

    any_body()


@pytest.mark.parametrize(
    ("path", "key"),
    [("order_statuses", "order_statuses"), ("attributes?entity_type=ORDER", "attributes"), ("products", "items")],
)
def test_schema(script, counter, path, key):
    names = st.sampled_from(["id", "name", "type", "humanized", "goal_action_ids", "type_name", "multivalued"])
    rows = st.lists(st.dictionaries(names, VALUES, max_size=5), max_size=3)

    @AS_OFTEN
    @given(body=st.one_of(VALUES, rows))
    def any_schema(body):
        answer = script.json(f"schema/{path}", json.dumps({"attributes": [], key: body}).encode())
        assert answer.status in (200, 400, 409), answer.body

    any_schema()


@AS_OFTEN
@given(text=st.text(max_size=30))
def test_parameters(text):
    from django.http import QueryDict

    from apps.metrica.serving.envelope import ApiError
    from apps.metrica.serving.query import columns_mapping, whole_number

    for read in (columns_mapping, lambda query: whole_number(query, "limit", default=1)):
        query = QueryDict(mutable=True)
        query["columns_mapping"] = query["limit"] = text
        try:
            read(query)
        except ApiError as error:
            assert error.status == 400
