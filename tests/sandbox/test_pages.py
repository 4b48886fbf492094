"""The pages: they show what was received, in both languages, escape what attackers write, and count their queries."""

from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.sandbox import services
from apps.sandbox.models import SandboxFault, SandboxOrder, SandboxUploading, SandboxVisit
from apps.sandbox.receiving import FileRefused
from apps.sandbox.switches import values
from tests.sandbox.conftest import NUMBER, Desk

EVIL = "<script>alert(1)</script>"


class Addresses(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "action")]


@pytest.fixture
def filled(desk: Desk) -> Desk:
    desk.now = timezone.now()
    services.add_goal(counter=desk.counter, identifier="<b>goal")
    visit = desk.visit(client_id="17", emails=["buyer@shop.example"])
    assert visit
    desk.send(f"{EVIL},2020-01-01,{EVIL},17,,,PAID,10,,,USD")
    recent = (desk.now - timedelta(minutes=5)).astimezone(desk.counter.zone).strftime("%Y-%m-%d %H:%M:%S")
    desk.send(f"D-2,{recent},,17,,,PAID,5000.50,,deal_won:7,", f",{recent},,17,,,<b>goal,,,,")
    desk.send(f'"{EVIL}",{recent},,17,,,"{EVIL}",,,,')
    with pytest.raises(FileRefused):
        desk.send("D-3,2026-02-30,,17,,,PAID,,,,")
    return desk


def pages() -> list[str]:
    order = SandboxOrder.objects.get(order_id="D-2")
    return [
        reverse("sandbox:start"),
        reverse("sandbox:requests"),
        reverse("sandbox:faults"),
        *(reverse(f"sandbox:{name}", args=[NUMBER]) for name in ("counter", "uploads", "orders", "visits")),
        *(reverse("sandbox:upload", args=[uploading.uuid]) for uploading in SandboxUploading.objects.all()),
        *(reverse("sandbox:order", args=[row.pk]) for row in SandboxOrder.objects.all()),
        reverse("sandbox:visit", args=[SandboxVisit.objects.get().pk]),
        f"{reverse('sandbox:orders', args=[NUMBER])}?id=D-2&type=PAID&page=99",
        f"{reverse('sandbox:orders', args=[NUMBER])}?id=%3Cscript%3E&type=%3Cscript%3E&page=%3Cscript%3E",
        reverse("sandbox:order", args=[order.pk]),
    ]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_page_opens_and_escapes(filled: Desk, client: Client, language: str) -> None:
    """Ids and statuses are whatever a stranger uploaded."""
    services.add_fault(kind="refuse_row", contains=EVIL)
    for page in pages():
        response = client.get(page, headers={"Accept-Language": language})
        assert response.status_code == 200, page
        html = response.content.decode()
        assert f'<html lang="{language}">' in html
        assert "<script" not in html.lower(), page
        assert "<b>goal" not in html, page
        outside = [address for address in Addresses(html).found if not address.startswith(("/", "?"))]
        assert not outside, (page, outside)


def test_an_order_shows_its_type_history_visit_and_goals(filled: Desk, client: Client) -> None:
    filled.send("D-2,2026-03-01,,17,,,CANCELLED,,,,", now=filled.now)
    html = client.get(reverse("sandbox:order", args=[filled.order("D-2").pk])).content.decode()
    for text in ("Cancelled", "CRM: Order created", "CRM: Order canceled", "deal_won", "5000.5 RUB", "7 RUB"):
        assert text in html
    assert html.count("badge paid") == 1
    assert "The creation time differs" in html


def test_a_refused_upload_shows_its_errors_and_its_file(filled: Desk, client: Client) -> None:
    refused = SandboxUploading.objects.get(status="REFUSED")
    html = client.get(reverse("sandbox:upload", args=[refused.uuid])).content.decode()
    assert "create_date_time" in html
    assert "REFUSED" in html
    download = client.get(reverse("sandbox:upload_file", args=[refused.uuid]))
    assert b"".join(download.streaming_content).splitlines()[1] == b"D-3,2026-02-30,,17,,,PAID,,,,"
    assert download.headers["Content-Disposition"] == f'attachment; filename="{refused.uuid}.csv"'
    refused.body.storage.delete(refused.body.name)
    assert client.get(reverse("sandbox:upload_file", args=[refused.uuid])).status_code == 404


def test_the_counter_sums_up_its_goals(filled: Desk, client: Client) -> None:
    html = client.get(reverse("sandbox:counter", args=[NUMBER])).content.decode()
    assert "CRM: Order paid" in html
    assert "5000.5 RUB" in html


def test_faults_are_set_and_removed_on_the_panel(filled: Desk, client: Client) -> None:
    page = reverse("sandbox:faults")
    form = {
        "kind": "server_error",
        "count": "3",
        "counter": str(NUMBER),
        "status": "502",
        "seconds": "9",
        "endpoint": "",
    }
    assert client.post(page, form).status_code == 302
    fault = SandboxFault.objects.get()
    assert (fault.kind, fault.remaining, fault.counter, fault.parameters) == (
        "server_error",
        3,
        filled.counter,
        {"status": 502},
    )
    refused = client.post(page, {"kind": "refuse_row", "count": "1"})
    assert "needs either order_id or contains" in refused.content.decode()
    assert client.post(page, {"kind": "refuse_row", "until_removed": "on", "order_id": "D-1"}).status_code == 302
    assert SandboxFault.objects.get(kind="refuse_row").remaining is None
    client.post(reverse("sandbox:remove_fault", args=[fault.pk]))
    assert [left.kind for left in SandboxFault.objects.all()] == ["refuse_row"]


def test_switches_are_moved_on_the_panel(db: None, client: Client) -> None:
    client.post(reverse("sandbox:switch"), {"name": "unknown_status", "value": "refuse"})
    assert values()["unknown_status"] == "refuse"
    client.post(reverse("sandbox:switch"), {"name": "unknown_status", "value": "perhaps"})
    assert values()["unknown_status"] == "refuse"


def test_forms_are_guarded_against_other_sites(db: None) -> None:
    guarded = Client(enforce_csrf_checks=True)
    for page in (reverse("sandbox:faults"), reverse("sandbox:switch"), reverse("sandbox:remove_fault", args=[1])):
        assert guarded.post(page, {"kind": "failed"}).status_code == 403


@pytest.mark.parametrize("name", ["start", "uploads", "orders", "visits"])
def test_lists_are_paged_and_their_queries_do_not_grow(desk: Desk, client: Client, name: str) -> None:
    page = reverse("sandbox:start") if name == "start" else reverse(f"sandbox:{name}", args=[NUMBER])

    def fill(start: int, count: int) -> None:
        for number in range(start, start + count):
            desk.visit(client_id=str(number))
            desk.send(f"D-{number},2026-03-10 11:59:00,,{number},,,PAID,1,,,")
            services.create_counter(metrica_id=100 + number)

    def queries() -> int:
        client.get(page)
        with CaptureQueriesContext(connection) as captured:
            html = client.get(page).content.decode()
        assert html.count("<tr>") <= 60
        return len(captured)

    fill(1, 3)
    few = queries()
    fill(10, 60)
    assert queries() == few
    assert "page=2" in client.get(page).content.decode()


@pytest.mark.parametrize("page", ["counters/1/", "counters/99999999999999999999/", "visits/1/", "orders/nonsense/"])
def test_what_is_not_there_is_404(db: None, client: Client, page: str) -> None:
    assert client.get(f"/sandbox/{page}").status_code == 404
