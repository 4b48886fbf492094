"""Pages of customers, of mapped statuses, attributes and products, and of uploads of every kind."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.metrica.vocabulary import OrderType
from apps.sandbox import schema
from apps.sandbox.models import EntityType, SandboxCustomer, SandboxOrder, SandboxUploading
from apps.sandbox.receiving import FileRefused
from tests.sandbox.conftest import NUMBER, Desk, as_file
from tests.sandbox.test_pages import EVIL, Addresses


@pytest.fixture
def filled(desk: Desk) -> Desk:
    desk.now = timezone.now()
    schema.map_statuses(
        counter=desk.counter,
        statuses=[schema.Status(id="won", humanized=EVIL, type=OrderType.PAID, goal_action_ids=[EVIL, "deal_won"])],
    )
    schema.create_attributes(
        counter=desk.counter,
        entity_type=EntityType.CONTACT,
        attributes=[schema.Attribute(name="age", humanized=EVIL), schema.Attribute(name="tags", multivalued=True)],
    )
    schema.create_products(
        counter=desk.counter,
        attributes=[schema.Attribute(name="colour")],
        items=[("sku-1", "Mug"), ("sku-2", EVIL)],
        raw=b"{}",
    )
    person = {
        "uniq_id": "C-1",
        "name": EVIL,
        "client_ids": ["17"],
        "attribute_values": {"age": [EVIL], "tags": ["a", "b"]},
    }
    desk.contacts(person, {"uniq_id": EVIL}, now=desk.now - timedelta(hours=2))
    desk.visit(client_id="17")
    desk.orders(
        {"id": "D-1", "order_status": "won", "revenue": 50, "products": {"sku-1": 2, "sku-2": 1, EVIL: 3}},
        {"id": EVIL, "client_uniq_id": EVIL},
        {"id": "D-9", "client_uniq_id": "C-9"},
    )
    with pytest.raises(FileRefused):
        desk.orders({"client_type": "COMPANY"}, {"goals": EVIL})
    return desk


def pages() -> list[str]:
    return [
        *(reverse(f"sandbox:{name}", args=[NUMBER]) for name in ("counter", "uploads", "orders", "customers")),
        *(reverse("sandbox:upload", args=[row.uuid]) for row in SandboxUploading.objects.all()),
        *(reverse("sandbox:customer", args=[row.pk]) for row in SandboxCustomer.objects.all()),
        *(reverse("sandbox:order", args=[row.pk]) for row in SandboxOrder.objects.all()),
        f"{reverse('sandbox:customers', args=[NUMBER])}?id=%3Cscript%3E&page=%3Cscript%3E",
    ]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_page_opens_and_escapes(filled: Desk, client: Client, language: str) -> None:
    """Ids, names and attributes are whatever a stranger uploaded."""
    assert len(pages()) == 4 + 4 + 2 + 3 + 1
    for page in pages():
        response = client.get(page, headers={"Accept-Language": language})
        assert response.status_code == 200, page
        html = response.content.decode()
        assert f'<html lang="{language}">' in html
        assert "<script" not in html.lower(), page
        outside = [address for address in Addresses(html).found if not address.startswith(("/", "?"))]
        assert not outside, (page, outside)


def page_of(client: Client, name: str, *args: object) -> str:
    return client.get(reverse(f"sandbox:{name}", args=args)).content.decode()


def test_the_counter_shows_what_the_crm_told_it(filled: Desk, client: Client) -> None:
    html = page_of(client, "counter", NUMBER)
    for text in (
        "<code>won</code>",
        "deal_won",
        "<code>age</code>",
        "<code>colour</code>",
        "<code>sku-1</code>",
        "Mug",
    ):
        assert text in html, text


def test_an_order_shows_customer_products_and_finish_time(filled: Desk, client: Client) -> None:
    order, customer = filled.order("D-1"), filled.customer("C-1")
    html = page_of(client, "order", order.pk)
    assert reverse("sandbox:customer", args=[customer.pk]) in html
    assert "Mug <code>sku-1</code> × 2" in html
    assert "set by the first upload in a status of type “paid”" in html
    assert "CRM: Order paid" in html
    stranger = page_of(client, "order", filled.order("D-9").pk)
    assert "never uploaded" in stranger
    assert "The order&#x27;s customer was never uploaded" in stranger


def test_a_customer_shows_attributes_rows_and_orders(filled: Desk, client: Client) -> None:
    filled.contacts({"uniq_id": "C-1", "name": "Anna"}, mode="UPDATE")
    html = page_of(client, "customer", filled.customer("C-1").pk)
    assert reverse("sandbox:order", args=[filled.order("D-1").pk]) in html
    for text in ("Anna", "a, b", "17"):
        assert text in html
    assert html.count("[0]") == 2
    assert "no visit can be found" in page_of(client, "customer", filled.customer(EVIL).pk)


def test_uploads_of_every_kind(filled: Desk, client: Client) -> None:
    html = page_of(client, "uploads", NUMBER)
    for text in ("customers, JSON", "orders, JSON", "products, JSON", "orders[0].client_type", "REFUSED"):
        assert text in html, text
    contacts = page_of(client, "upload", SandboxUploading.objects.get(kind="contacts").uuid)
    assert reverse("sandbox:customer", args=[filled.customer("C-1").pk]) in contacts
    orders = page_of(client, "upload", SandboxUploading.objects.get(kind="orders", status="PASSED").uuid)
    assert reverse("sandbox:order", args=[filled.order("D-1").pk]) in orders
    refused = page_of(client, "upload", SandboxUploading.objects.get(status="REFUSED").uuid)
    assert "[0]" in refused and "[1]" in refused and "client_type" in refused


def test_a_json_body_is_downloaded_as_it_came(filled: Desk, client: Client) -> None:
    upload = SandboxUploading.objects.get(kind="contacts")
    download = client.get(reverse("sandbox:upload_file", args=[upload.uuid]))
    assert json.loads(b"".join(download.streaming_content))["contacts"][0]["uniq_id"] == "C-1"
    assert download.headers["Content-Disposition"] == f'attachment; filename="{upload.uuid}.json"'
    assert download.headers["Content-Type"] == "application/json"


def test_customers_are_found_by_their_id(filled: Desk, client: Client) -> None:
    address = reverse("sandbox:customers", args=[NUMBER])
    html = client.get(address, {"id": "C-1"}).content.decode()
    assert html.count(reverse("sandbox:customer", args=[filled.customer("C-1").pk])) == 1
    assert reverse("sandbox:customer", args=[filled.customer(EVIL).pk]) not in html
    assert "There are no such customers" in client.get(address, {"id": "nobody"}).content.decode()
    assert "Customers were first uploaded at" in html


def test_lists_are_paged_and_their_queries_do_not_grow(desk: Desk, client: Client) -> None:
    def fill(start: int, count: int) -> None:
        numbers = range(start, start + count)
        desk.contacts(*({"uniq_id": f"C-{number}", "client_ids": ["17"]} for number in numbers))
        desk.orders(*({"id": f"D-{number}", "products": {"sku-1": 1}} for number in numbers))
        schema.create_products(counter=desk.counter, attributes=[], items=[(f"p-{number}", "x") for number in numbers])

    def queries() -> list[int]:
        counts = []
        upload = SandboxUploading.objects.filter(kind="contacts").latest("pk").uuid
        for name, arg in (
            ("customers", NUMBER),
            ("counter", NUMBER),
            ("uploads", NUMBER),
            ("upload", upload),
            ("customer", desk.customer("C-1").pk),
            ("order", desk.order("D-1").pk),
        ):
            page_of(client, name, arg)
            with CaptureQueriesContext(connection) as captured:
                html = page_of(client, name, arg)
            assert html.count("<tr>") <= 70
            counts.append(len(captured))
        return counts

    fill(1, 3)
    few = queries()
    fill(10, 60)
    assert queries() == few
    for name in ("customers", "counter"):
        assert "page=2" in page_of(client, name, NUMBER)
    assert "The latest 50 are shown" in page_of(client, "customer", desk.customer("C-1").pk)


def test_what_is_not_there_is_404(db: None, client: Client) -> None:
    missing = "00000000-0000-0000-0000-000000000000"
    for address in ("counters/1/customers/", f"customers/{missing}/", "customers/1/"):
        assert client.get(f"/sandbox/{address}").status_code == 404


def test_the_mapping_of_columns_is_shown(desk: Desk, client: Client) -> None:
    from apps.metrica.vocabulary import MergeMode
    from apps.sandbox import services
    from apps.sandbox.models import UploadKind

    upload = services.receive(
        kind=UploadKind.CONTACTS,
        counter=desk.counter,
        file=as_file("No\nC-1\n"),
        merge_mode=MergeMode.SAVE,
        columns_mapping={"uniq_id": "No"},
    )
    assert "&quot;uniq_id&quot;:&quot;No&quot;" in page_of(client, "upload", upload.uuid)
