"""A new secret for a key: both open for a while, then the old one dies by itself; and what is revoked is so at once."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.agencies import services
from apps.agencies.access import actor_for_user
from apps.agencies.models import ApiKey, Role
from apps.audit.models import AuditEntry
from tests.agencies.test_pages import shown_once
from tests.factories import SYSTEM, make_agency, make_key, make_member, opened

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
KEYS = "/admin/agencies/apikey/"


def later(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + passed)


def test_both_open_until_the_old_one_dies_by_itself(monkeypatch):
    old, old_text = make_key(name="crm", scopes=["write"], counter_ids=[7], networks=["192.0.2.0/24"])
    new, new_text = services.rotate_api_key(actor=SYSTEM, key=old, overlap=DAY)
    where = {"address": "192.0.2.1"}
    assert opened(old_text, **where) == old
    assert opened(new_text, **where) == new
    assert opened(new_text, address="192.0.3.1") is None
    for name in ("agency_id", "name", "scopes", "counter_ids", "networks"):
        assert getattr(new, name) == getattr(old, name), name
    assert new.expires_at is None
    later(monkeypatch, DAY)
    assert opened(old_text, **where) is None
    assert opened(new_text, **where) == new


def test_without_an_overlap_the_old_one_is_dead_at_once():
    old, old_text = make_key()
    _new, new_text = services.rotate_api_key(actor=SYSTEM, key=old, overlap=timedelta(0))
    assert opened(old_text) is None
    assert opened(new_text)


def test_an_overlap_makes_no_key_live_longer(monkeypatch):
    end = timezone.now() + timedelta(hours=1)
    old, _text = make_key(expires_at=end)
    services.rotate_api_key(actor=SYSTEM, key=old, overlap=DAY)
    assert ApiKey.objects.get(pk=old.pk).expires_at == end


def test_a_name_has_one_secret_to_be_replaced():
    old, _text = make_key(name="crm")
    new, _text = services.rotate_api_key(actor=SYSTEM, key=old, overlap=DAY)
    with pytest.raises(ValidationError, match="replaced already"):
        services.rotate_api_key(actor=SYSTEM, key=old, overlap=DAY)
    third, _text = services.rotate_api_key(actor=SYSTEM, key=new, overlap=DAY)
    assert list(ApiKey.objects.current()) == [third]
    with pytest.raises(ValidationError, match="of this name"):
        make_key(old.agency, name="crm")
    services.revoke_api_key(actor=SYSTEM, key=third)
    with pytest.raises(ValidationError, match="revoked"):
        services.rotate_api_key(actor=SYSTEM, key=third, overlap=DAY)


def test_revoking_a_key_revokes_those_that_it_took_the_place_of():
    first, first_text = make_key(name="crm")
    second, second_text = services.rotate_api_key(actor=SYSTEM, key=first, overlap=DAY)
    third, third_text = services.rotate_api_key(actor=SYSTEM, key=second, overlap=timedelta(0))
    _other, other_text = make_key(first.agency, name="shop")
    assert [one.pk for one in services.revoke_api_key(actor=SYSTEM, key=third)] == [first.pk]
    assert [opened(text) for text in (first_text, second_text, third_text)] == [None] * 3
    assert opened(other_text)
    told = AuditEntry.objects.filter(action="api_key.revoked").values_list("object_id", flat=True)
    assert set(told) == {str(first.pk), str(third.pk)}
    # Of a replaced one as well; its successor goes on.
    first, first_text = make_key(first.agency, name="crm")
    second, second_text = services.rotate_api_key(actor=SYSTEM, key=first, overlap=DAY)
    third, third_text = services.rotate_api_key(actor=SYSTEM, key=second, overlap=DAY)
    services.revoke_api_key(actor=SYSTEM, key=second)
    assert [bool(opened(text)) for text in (first_text, second_text, third_text)] == [False, False, True]


def test_limits_hold_for_those_that_it_took_the_place_of():
    first, first_text = make_key(name="crm")
    second, second_text = services.rotate_api_key(actor=SYSTEM, key=first, overlap=DAY)
    end = timezone.now() + timedelta(hours=1)
    services.change_api_key(actor=SYSTEM, key=second, networks=["192.0.2.0/24"], expires_at=end)
    for text in (first_text, second_text):
        assert opened(text, address="127.0.0.1") is None
        assert opened(text, address="192.0.2.7")
    assert ApiKey.objects.get(pk=first.pk).expires_at == end
    services.change_api_key(actor=SYSTEM, key=second, networks=None, expires_at=None)
    assert ApiKey.objects.get(pk=first.pk).expires_at == end  # none lives longer by it
    assert AuditEntry.objects.filter(action="api_key.changed", object_id=str(first.pk)).count() == 2


@pytest.mark.parametrize("overlap", [timedelta(days=31), timedelta(seconds=-1)])
def test_overlaps_that_make_no_sense(overlap: timedelta):
    key, _text = make_key()
    with pytest.raises(ValidationError) as refusal:
        services.rotate_api_key(actor=SYSTEM, key=key, overlap=overlap)
    assert list(refusal.value.message_dict) == ["overlap"]
    assert ApiKey.objects.count() == 1


def test_only_an_owner_rotates_and_limits():
    key, _text = make_key()
    for actor in (
        actor_for_user(make_member(key.agency, Role.MANAGER)),
        actor_for_user(make_member(make_agency(), Role.OWNER)),
    ):
        with pytest.raises(PermissionDenied):
            services.rotate_api_key(actor=actor, key=key, overlap=DAY)
        with pytest.raises(PermissionDenied):
            services.change_api_key(actor=actor, key=key, networks=None, expires_at=None)


def test_it_is_in_the_log_without_any_secret():
    old, old_text = make_key(name="crm")
    _new, new_text = services.rotate_api_key(actor=SYSTEM, key=old, overlap=DAY)
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {"api_key.rotated", "api_key.created"}
    told = str(list(AuditEntry.objects.values()))
    assert old_text not in told
    assert new_text.split("_", 2)[2] not in told


def test_the_page_shows_the_new_secret_once_and_both_keys(client: Client):
    key, old_text = make_key(name="crm")
    client.force_login(make_member(key.agency, Role.OWNER))
    url = f"{KEYS}{key.pk}/rotate/"
    assert "goes on for" in client.get(url).content.decode()
    assert ApiKey.objects.count() == 1
    assert "valid" in client.post(url, {"overlap": "5"}).content.decode()
    answer = client.post(url, {"overlap": "24", "expires_at_0": "", "expires_at_1": ""})
    assert "no-store" in answer.headers["Cache-Control"]
    text = shown_once(answer)
    new = opened(text)
    assert new is not None
    assert opened(old_text) == key
    page = client.get(KEYS).content.decode()
    assert re.search(f"{key.prefix}.*Replaced, goes on", page, re.DOTALL)
    assert new.prefix in page
    assert text not in page
    assert new.prefix in client.get(f"{KEYS}{key.pk}/change/").content.decode()  # the one leads to the other
    assert key.prefix in client.get(f"{KEYS}{new.pk}/change/").content.decode()
    assert client.get(url).status_code == 302
    told = client.post(f"{KEYS}{new.pk}/revoke/", {"_form_submitted": "on"}, follow=True).content.decode()
    assert f"revoked as well: {key.prefix}…" in told
    assert opened(old_text) is None


def test_an_owner_limits_a_key_anew_on_its_page(client: Client):
    key, text = make_key(name="crm")
    client.force_login(make_member(key.agency, Role.OWNER))
    url = f"{KEYS}{key.pk}/change/"
    end = {"expires_at_0": "", "expires_at_1": ""}
    refused = client.post(url, {"networks": "here", **end})
    assert "is no network" in refused.content.decode()
    assert client.post(url, {"networks": "192.0.2.9/24, 2001:db8::1", **end}).status_code == 302
    key.refresh_from_db()
    assert key.networks == ["192.0.2.0/24", "2001:db8::1/128"]
    assert "192.0.2.0/24, 2001:db8::1/128" in client.get(url).content.decode()
    assert opened(text, address="127.0.0.1") is None
    assert AuditEntry.objects.get(action="api_key.changed").after["networks"] == key.networks
    assert client.post(url, {"networks": "", **end}).status_code == 302
    assert opened(text, address="127.0.0.1") == key
    services.revoke_api_key(actor=SYSTEM, key=key)
    client.post(url, {"networks": "10.0.0.0/8", **end})
    assert ApiKey.objects.get(pk=key.pk).networks is None


def test_the_command_prints_the_new_secret_and_nothing_else():
    key, old_text = make_key(make_agency("north"), name="crm")
    out, err = StringIO(), StringIO()
    call_command("rotate_api_key", "--agency", "north", "--name", "crm", "--overlap", "2", stdout=out, stderr=err)
    new = opened(out.getvalue().strip())
    assert new is not None
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().strip() not in err.getvalue()
    assert opened(old_text) == key
    left = ApiKey.objects.get(pk=key.pk).expires_at - timezone.now()
    assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)
    for words, said in (
        (["--agency", "south", "--name", "crm"], "There is no agency"),
        (["--agency", "north", "--name", "shop"], "There are: crm."),
        (["--agency", "north", "--name", "crm", "--overlap", "9999"], "--overlap: "),
    ):
        with pytest.raises(CommandError, match=said) as refusal:
            call_command("rotate_api_key", *words)
        assert refusal.value.returncode == 2


ASK = """
import django, sys
django.setup()
from tests.factories import opened
for line in sys.stdin:
    print(opened(line.strip()) is not None, flush=True)
"""


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_what_is_revoked_here_opens_nothing_in_another_process():
    name = connection.settings_dict["NAME"]
    server = os.environ.get("TEST_DATABASE_URL", "").rpartition("/")[0]
    url = f"{server}/{name}" if connection.vendor == "postgresql" else f"sqlite:///{name}"
    environment = {**os.environ, "DATABASE_URL": url, "DEBUG": "on", "ENV_FILE": os.devnull}
    environment["DJANGO_SETTINGS_MODULE"] = "project.settings"
    key, text = make_key()
    with subprocess.Popen(
        [sys.executable, "-c", ASK], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def opens() -> bool:
            other.stdin.write(f"{text}\n")
            other.stdin.flush()
            return other.stdout.readline().strip() == "True"

        assert [opens(), opens()] == [True, True]
        services.revoke_api_key(actor=SYSTEM, key=key)
        assert not opens()
        other.stdin.close()
