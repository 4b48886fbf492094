"""Bitrix24 end to end: its post over real HTTP, the portal read through the guarded door, the order's timeline."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from apps.orders.models import Source, StatusChange
from apps.receivers.models import Post
from tests.receivers.conftest import FORM, Way, later, work
from tests.receivers.crm import Crm, sample

UPDATE, ADD = sample("bitrix24_deal_update.form"), sample("bitrix24_deal_add.form")


def other(body: bytes, **parts: str) -> bytes:
    """The sample with other values: `ts`, `ID`, `event`, `token`, `domain`."""
    names = {
        "ts": r"(?<=&ts=)[^&]*",
        "ID": r"(?<=FIELDS%5D%5BID%5D=)[^&]*",
        "event": r"(?<=^event=)[^&]*",
        "token": r"(?<=application_token%5D=)[^&]*",
        "domain": r"(?<=auth%5Bdomain%5D=)[^&]*",
    }
    text = body.decode()
    for name, value in parts.items():
        text = re.sub(names[name], quote(value), text)
    return text.encode()


def test_a_deal_comes_to_the_timeline(bitrix: Way, portal: Crm) -> None:
    bitrix.map(client_ids="deal.UF_CRM_1721244482250")
    answer = bitrix.send(UPDATE)
    assert answer.status_code == 200 and answer.json()["accepted"] is True
    post = bitrix.last()
    assert (post.state, str(post.pk)) == ("waiting", answer.json()["post"])
    assert portal.asked == []  # nothing was asked before the answer
    work()
    order = bitrix.order("759")
    change = StatusChange.objects.get(order=order)
    assert bitrix.timeline("759") == [("Записан на приём", "24.11 12:30:00")]
    assert (change.source, change.received_by) == (Source.WEBHOOK, "receiver CRM 1")
    assert change.request_id == answer.headers["X-Request-ID"]
    assert (change.revenue, change.currency) == (48000, "RUB")
    assert order.client is not None and (order.client.uniq_id, order.client.name) == ("84", "Анна Зайцева")
    assert order.identifiers == {
        "client_ids": ["1700000000123456789"],
        "emails": ["anna@zaitseva.example", "petr@zaitsev.example"],
        "phones": ["79030001122", "74950001122"],
    }
    post = bitrix.last()
    assert (post.state, post.created, post.error_code) == ("done", 1, "")
    assert post.results[0]["change"] == str(change.pk)


def test_the_keys_of_the_portal_are_kept_nowhere(bitrix: Way, portal: Crm, caplog: pytest.LogCaptureFixture) -> None:
    from apps.audit.models import AuditEntry
    from apps.receivers.working import body_of

    with caplog.at_level("DEBUG"):
        bitrix.send(UPDATE)
        portal.answer = lambda asked: (
            401,
            {"error": "INVALID_CREDENTIALS", "error_description": "Invalid credentials"},
        )
        work()
    post = bitrix.last()
    kept = body_of(post)
    assert '"ID":"759"' in kept
    for secret in ("invented-access", "invented-refresh", "51856fefc120afa4b628cc82d3935cce"):
        assert secret not in kept
    told = " ".join(
        [*(record.getMessage() for record in caplog.records), post.error_detail, str(post.results)]
        + [str([entry.before, entry.after, entry.details]) for entry in AuditEntry.objects.all()]
    )
    for secret in ("invented-secret", bitrix.secret, "51856fefc120afa4b628cc82d3935cce"):
        assert secret not in told
    raw = Post.objects.values_list("body_encrypted", "documents_encrypted").get(pk=post.pk)
    assert "759" not in str(raw)[:40] and "event" not in str(raw)


def test_another_application_token_is_a_404_that_people_see(bitrix: Way, portal: Crm) -> None:
    for body in (other(UPDATE, token="another"), other(UPDATE, token=""), b"event=ONCRMDEALUPDATE", b"{}", b"[1]"):
        assert bitrix.send(body).status_code == 404
    assert bitrix.posts() == []
    bitrix.receiver.refresh_from_db()
    assert (bitrix.receiver.refused, bitrix.receiver.refused_for) == (5, "bad_token")


def test_a_later_read_of_the_same_stage_takes_the_time_of_the_change(bitrix: Way, portal: Crm) -> None:
    """R3: what is new about an order that has its status already is true since the CRM changed it, so that an amount
    that goes there and back is heard each time."""
    deal = portal.answers["crm.deal.get"]["result"]
    bitrix.send(UPDATE)
    work()
    for at, amount in (("13:00:00", "51000.00"), ("13:10:00", "48000.00"), ("13:20:00", "51000.00")):
        deal.update(OPPORTUNITY=amount, DATE_MODIFY=f"2026-11-24T{at}+03:00")
        bitrix.send(other(UPDATE, ts=at.replace(":", "")))
        work()
    changes = StatusChange.objects.filter(order=bitrix.order("759")).in_timeline_order()
    assert [int(change.revenue or 0) for change in changes] == [48000, 51000, 48000, 51000]
    assert [when for _status, when in bitrix.timeline("759")][1:] == [
        "24.11 13:00:00",
        "24.11 13:10:00",
        "24.11 13:20:00",
    ]


def test_posts_that_tell_of_the_same_state_make_one_change(bitrix: Way, portal: Crm) -> None:
    bitrix.send(ADD)
    bitrix.send(UPDATE)  # while the first one waits, it stands for both
    assert [(post.repeats, post.state) for post in bitrix.posts()] == [(1, "waiting")]
    work()
    bitrix.send(UPDATE)  # after it was read, it may tell of a state of its own
    work()
    assert [(post.state, post.created, post.unchanged) for post in bitrix.posts()] == [("done", 1, 0), ("done", 0, 1)]
    assert len(bitrix.timeline("759")) == 1


def test_a_stale_read_that_is_taken_in_late_finds_its_place(bitrix: Way, portal: Crm) -> None:
    """R4: whichever of two reads is committed first, the newer state is the order's."""
    deal = portal.answers["crm.deal.get"]["result"]
    deal.update(STAGE_ID="C4:WON", MOVED_TIME="2026-11-24T15:00:00+03:00", DATE_MODIFY="2026-11-24T15:00:00+03:00")
    bitrix.send(UPDATE)
    work()
    deal.update(STAGE_ID="C4:NEW", MOVED_TIME="2026-11-24T10:00:00+03:00", DATE_MODIFY="2026-11-24T10:00:00+03:00")
    bitrix.send(other(UPDATE, ts="1"))
    work()
    assert bitrix.order("759").order_status == "Сделка успешна"
    assert bitrix.timeline("759") == [("Новая заявка", "24.11 10:00:00"), ("Сделка успешна", "24.11 15:00:00")]


def test_names_of_stages_are_asked_for_once(bitrix: Way, portal: Crm) -> None:
    for deal in ("759", "760", "761"):
        portal.answers[f"crm.deal.get:{deal}"] = {"result": {**portal.answers["crm.deal.get"]["result"], "ID": deal}}
        bitrix.send(other(UPDATE, ID=deal))
    work()
    assert portal.methods.count("crm.status.list") == 1
    portal.answers["crm.deal.get:762"] = {
        "result": {**portal.answers["crm.deal.get"]["result"], "ID": "762", "STAGE_ID": "C4:UC_NEW"}
    }
    bitrix.send(other(UPDATE, ID="762"))
    work()
    assert portal.methods.count("crm.status.list") == 2  # one that is not known is asked for at once
    assert bitrix.order("762").order_status == "C4:UC_NEW"  # and goes by its code where it has no name


def test_a_contact_that_was_deleted_keeps_no_deal_out(bitrix: Way, portal: Crm) -> None:
    del portal.answers["crm.contact.get:84"]
    bitrix.send(UPDATE)
    work()
    assert bitrix.last().state == "done"
    assert bitrix.order("759").identifiers == {"emails": ["petr@zaitsev.example"]}


def test_a_company_speaks_for_a_deal_without_contacts(bitrix: Way, portal: Crm) -> None:
    portal.answers["crm.deal.contact.items.get"] = {"result": []}
    portal.answers["crm.deal.get"]["result"]["COMPANY_ID"] = "12"
    bitrix.send(UPDATE)
    work()
    assert bitrix.order("759").identifiers == {"phones": ["74950009988"]}


@pytest.mark.parametrize(
    ("status", "content", "state", "code"),
    [
        (503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}, "failed", "crm_silent"),
        (429, {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}, "failed", "crm_silent"),
        (502, b"<html>", "failed", "crm_silent"),
        (200, b"<html>", "failed", "crm_answer"),
        (200, {"time": {}}, "failed", "crm_answer"),
        (
            401,
            {"error": "INVALID_CREDENTIALS", "error_description": "Invalid request credentials"},
            "held",
            "crm_token",
        ),
        (403, {"error": "insufficient_scope", "error_description": "Higher privileges"}, "held", "crm_refused"),
        (404, {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found"}, "held", "crm_refused"),
        (302, b"", "held", "crm_moved"),
        (400, {"error": "", "error_description": "Not found"}, "ignored", "deal_gone"),
    ],
)
def test_what_the_portal_answers(bitrix: Way, portal: Crm, status: int, content: Any, state: str, code: str) -> None:
    bitrix.send(UPDATE)
    portal.answer = lambda asked: (status, content)
    work()
    post = bitrix.last()
    assert (post.state, post.error_code) == (state, code)
    assert (post.not_before is not None) == (state == "failed")
    portal.answer = None
    if state == "failed":
        work()
        assert bitrix.last().state == "failed"  # not before its time
        later()
        work()
        assert (bitrix.last().state, bitrix.last().attempts) == ("done", 2)


def test_a_portal_that_is_silent_for_days_is_for_a_person(bitrix: Way, portal: Crm) -> None:
    bitrix.send(UPDATE)
    portal.answer = lambda asked: (502, b"")
    work()
    Post.objects.update(failing_since=timezone.now() - timedelta(hours=73))
    later()
    work()
    assert (bitrix.last().state, bitrix.last().error_code) == ("held", "crm_unreachable")


def test_a_portal_in_a_private_network_is_not_called(bitrix: Way, portal: Crm, settings: Any) -> None:
    settings.OUTGOING_ALLOWED_NETWORKS = []
    bitrix.send(UPDATE)
    work()
    assert (bitrix.last().state, bitrix.last().error_code) == ("held", "bad_crm_address")
    assert portal.asked == []


def test_what_is_no_deal_is_nothing_to_take_in(bitrix: Way, portal: Crm) -> None:
    for number, event in enumerate(("ONCRMLEADADD", "ONCRMDEALDELETE", "ONTASKADD")):
        assert bitrix.send(other(UPDATE, event=event, ts=str(number))).status_code == 200
    work()
    assert {(post.state, post.error_code) for post in bitrix.posts()} == {("ignored", "other_event")}
    assert portal.asked == []


def test_without_its_side_the_posts_wait_for_a_person(make_way: Any, portal: Crm) -> None:
    way = make_way("bitrix24")
    way.send(UPDATE)
    work()
    assert (way.last().state, way.last().error_code) == ("held", "not_set_up")
    from apps.receivers import services

    way.change(crm_url=f"{portal.address}/rest/1/abc/crm.deal.get.json")
    assert services.masked_url(way.receiver) == f"{portal.address}/rest/…"
    assert services.process_held_again(receiver=way.receiver) == 1
    work()
    assert way.last().state == "done"
    assert portal.asked[0].path == "/rest/1/abc/crm.deal.get.json"


def test_a_post_of_another_portal_reads_no_deal(make_way: Any, settings: Any) -> None:
    way = make_way("bitrix24", crm_url="https://south.bitrix24.ru/rest/1/abc/")
    way.send(UPDATE, content_type=FORM)
    work()
    assert (way.last().state, way.last().error_code) == ("held", "other_portal")
    assert way.last().error_detail == "north-clinics.bitrix24.ru"
