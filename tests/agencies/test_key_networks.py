"""A key is good from its networks alone, and nobody can say that they call from elsewhere than they do."""

import pytest
from django.test import RequestFactory

from apps.agencies.callers import address_of
from apps.agencies.key_models import Shut
from apps.agencies.keys import KeyRefused, admit
from apps.agencies.networks import checked_networks, is_within
from apps.audit.models import AuditEntry
from project.env import networks as networks_setting
from tests.api.conftest import Caller
from tests.factories import make_key


@pytest.mark.parametrize(
    ("address", "networks", "within"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.3.7", ["192.0.2.0/24"], False),
        ("192.0.3.7", ["192.0.2.0/24", "192.0.3.7/32"], True),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["::/0"], False),
        ("fe80::1%eth0", ["fe80::/10"], True),
        (None, ["0.0.0.0/0", "::/0"], False),
        ("nowhere", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_which_address_lies_within(address: str | None, networks: list[str], within: bool):
    assert is_within(address, networks) is within


def test_networks_are_kept_written_one_way():
    given = ["192.0.2.7", "192.0.2.9/24", " 2001:DB8::1/32 ", "::ffff:10.0.0.0/104", "192.0.2.1/24"]
    assert checked_networks(given) == ["192.0.2.7/32", "192.0.2.0/24", "2001:db8::/32", "10.0.0.0/8"]
    assert checked_networks(None) is None


@pytest.mark.django_db
def test_a_key_opens_from_its_networks_alone():
    _key, text = make_key(networks=["192.0.2.0/24", "2001:db8::/32"])
    for address in ("192.0.2.1", "2001:db8:1::1"):
        admit(text, address=address)
    for address in ("192.0.3.1", "::1", "", None):
        with pytest.raises(KeyRefused) as refusal:
            admit(text, address=address)
        assert refusal.value.why is Shut.OUTSIDE


@pytest.mark.django_db
def test_the_caller_learns_what_to_do_and_the_owner_that_it_happened():
    key, text = make_key(networks=["192.0.2.0/24"])
    caller = Caller(text)
    for _time in range(3):
        answer = caller.get("counters/")
    assert (answer.status, answer.body["code"]) == (403, "wrong_network")
    assert "127.0.0.1" in answer.body["detail"]
    assert "networks" in answer.body["next_step"]
    key.refresh_from_db()
    assert (key.turned_away_from, key.turned_away_why, key.last_used_at) == ("127.0.0.1", "outside", None)
    entry = AuditEntry.objects.get(action="api_key.turned_away")  # once an hour, not thrice
    assert (entry.agency_id, entry.ip, entry.after) == (
        key.agency_id,
        "127.0.0.1",
        {"why": "outside", "address": "127.0.0.1"},
    )


@pytest.mark.django_db
def test_it_is_the_same_notion_of_the_address_as_the_log_has(settings):
    _key, text = make_key(networks=["192.0.2.0/24"])
    inside = {"REMOTE_ADDR": "192.0.2.9"}
    assert Caller(text, client=Caller(text).client.__class__(**inside)).get("counters/").status == 200
    # Nobody in between: what the caller writes of it counts for nothing.
    assert Caller(text).get("counters/", **{"X-Forwarded-For": "192.0.2.9"}).status == 403
    settings.BEHIND_PROXY = True
    assert Caller(text).get("counters/", **{"X-Forwarded-For": "192.0.2.9"}).status == 200
    # The caller wrote the first; the proxy appended from where it was really called.
    assert Caller(text).get("counters/", **{"X-Forwarded-For": "192.0.2.9, 203.0.113.5"}).status == 403


@pytest.mark.parametrize(
    ("near", "said", "trusted", "found"),
    [
        ("203.0.113.5", "192.0.2.9", "10.0.0.0/8", "203.0.113.5"),  # not by way of our proxies: not believed
        ("10.0.0.1", "192.0.2.9", "10.0.0.0/8", "192.0.2.9"),
        ("10.0.0.1", "192.0.2.9, 10.0.0.7", "10.0.0.0/8", "192.0.2.9"),  # two proxies of ours in a row
        ("10.0.0.1", "192.0.2.9, 203.0.113.5, 10.0.0.7", "10.0.0.0/8", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.9, 10.0.0.7", "10.0.0.0/8", "10.0.0.1"),  # all are ours
        ("", "192.0.2.9", "10.0.0.0/8", "192.0.2.9"),  # by a socket file
        ("10.0.0.1", "192.0.2.9:4711", "10.0.0.0/8", "192.0.2.9"),
        ("10.0.0.1", "[2001:db8::9]:4711", "10.0.0.0/8", "2001:db8::9"),
        ("10.0.0.1", "192.0.2.9, <script>", "10.0.0.0/8", None),
        ("10.0.0.1", "192.0.2.9, ", "", None),
        ("10.0.0.1", "::ffff:192.0.2.9", "", "192.0.2.9"),
        ("10.0.0.1", "", "", "10.0.0.1"),
    ],
)
def test_the_address_behind_proxies(settings, monkeypatch, near: str, said: str, trusted: str, found: str | None):
    monkeypatch.setenv("TRUSTED_PROXIES", trusted)
    settings.BEHIND_PROXY, settings.TRUSTED_PROXIES = True, networks_setting("TRUSTED_PROXIES")
    more = {"HTTP_X_FORWARDED_FOR": said} if said else {}
    assert address_of(RequestFactory().get("/", REMOTE_ADDR=near, **more)) == found
