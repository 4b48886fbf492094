"""One request id from the way in to the log entry and back out."""

import getpass
import uuid
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from apps.agencies.actor import Actor
from apps.agencies.models import Role, User
from apps.audit import trace
from apps.audit.commands import TracedCommand
from apps.audit.middleware import RequestIdMiddleware, TraceMiddleware, address_of
from apps.audit.models import AuditEntry
from apps.audit.services import record
from tests.factories import make_agency, make_member

pytestmark = pytest.mark.django_db

DATA = {"email": "anna@north.example", "role": "manager"}


@pytest.fixture
def owner(client: Client) -> User:
    user = make_member(make_agency("north"), Role.OWNER, "owner@north.example")
    client.force_login(user)
    return user


def test_the_callers_id_is_in_the_entry_and_in_the_answer(client: Client, owner: User):
    answer = client.post("/admin/agencies/invitation/add/", DATA, headers={"X-Request-ID": "crm-42_a"})
    entry = AuditEntry.objects.get(action="invitation.sent")
    assert answer.headers["X-Request-ID"] == entry.request_id == "crm-42_a"
    assert (entry.source, entry.actor_label, entry.ip) == ("web", owner.email, "127.0.0.1")


@pytest.mark.parametrize("wanted", ["", "x" * 65, "two words", "line\nbreak", "имя", "<script>", "a;b"])
def test_an_id_that_is_none_is_replaced(rf: RequestFactory, wanted: str):
    answer = RequestIdMiddleware(lambda request: HttpResponse())(rf.get("/", HTTP_X_REQUEST_ID=wanted))
    assert uuid.UUID(answer.headers["X-Request-ID"]).version == 7


def test_requests_do_not_share_an_id(client: Client):
    one, two = (client.get("/admin/login/").headers["X-Request-ID"] for _ in range(2))
    assert one != two


@pytest.mark.parametrize(
    ("path", "source"), [("/api/v1/orders/", "api"), ("/cdp/api/v1/x", "api"), ("/admin/", "web"), ("/apiary/", "web")]
)
def test_the_source_is_told_by_the_path(rf: RequestFactory, path: str, source: str):
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(trace.current())
        return HttpResponse()

    TraceMiddleware(view)(rf.get(path))
    assert (seen[0].source, seen[0].actor.kind) == (source, "nobody")


def test_an_actor_named_on_the_way_does_not_outlive_the_request(rf: RequestFactory):
    def view(request: HttpRequest) -> HttpResponse:
        trace.set_actor(Actor("key", "key crm"))
        assert trace.current().actor.label == "key crm"
        return HttpResponse()

    TraceMiddleware(view)(rf.get("/api/v1/"))
    assert trace.current().actor.kind == "system"


def test_content_that_is_streamed_is_traced_as_well(rf: RequestFactory):
    def view(request: HttpRequest) -> StreamingHttpResponse:
        def rows() -> Iterator[bytes]:
            for _ in range(2):
                yield record(action="row", agency=None).request_id.encode()

        trace.set_actor(Actor("key", "key crm"))
        return StreamingHttpResponse(rows())

    answer = RequestIdMiddleware(TraceMiddleware(view))(rf.get("/api/v1/", HTTP_X_REQUEST_ID="r-9"))
    assert answer.headers["X-Request-ID"] == "r-9"
    assert list(answer) == [b"r-9", b"r-9"]
    assert set(AuditEntry.objects.values_list("source", "actor_label")) == {("api", "key crm")}
    assert trace.current().source == "worker"


def test_the_trace_ends_though_the_view_fails(rf: RequestFactory):
    def view(request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        TraceMiddleware(view)(rf.get("/"))
    assert trace.current().source == "worker"


def test_log_lines_carry_the_same_id(client: Client, caplog: pytest.LogCaptureFixture):
    given = client.get("/nowhere/", headers={"X-Request-ID": "crm-43"}).headers["X-Request-ID"]
    made = client.get("/nowhere/").headers["X-Request-ID"]
    lines = [line.msg for line in caplog.records if isinstance(line.msg, dict) and line.msg.get("code") == 404]
    assert [line["request_id"] for line in lines] == [given, made] == ["crm-43", made]


@pytest.mark.parametrize(
    ("behind_proxy", "meta", "address"),
    [
        (False, {"REMOTE_ADDR": "192.0.2.1"}, "192.0.2.1"),
        (False, {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "10.0.0.1"}, "192.0.2.1"),
        (True, {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 192.0.2.1"}, "192.0.2.1"),
        (True, {"REMOTE_ADDR": "10.0.0.9"}, "10.0.0.9"),
        (True, {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "rubbish"}, None),
        (False, {"REMOTE_ADDR": "2001:db8::1"}, "2001:db8::1"),
        (False, {"REMOTE_ADDR": ""}, None),
    ],
)
def test_the_callers_address(rf: RequestFactory, settings, behind_proxy: bool, meta: dict, address: str | None):
    settings.BEHIND_PROXY = behind_proxy
    assert address_of(rf.get("/", **meta)) == address


def test_a_command_is_traced_to_itself_and_to_who_started_it():
    class Command(TracedCommand):
        def handle(self, *args: object, **options: object) -> None:
            record(action="one", agency=None)
            record(action="two", agency=None)

    Command.__module__ = "apps.audit.management.commands.do_things"
    call_command(Command())
    one, two = AuditEntry.objects.order_by("id")
    assert one.request_id == two.request_id
    assert (one.source, one.actor_kind) == ("command", "system")
    assert one.actor_label == f"command do_things by {getpass.getuser()}"
