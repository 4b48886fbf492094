"""`provision`: makes what a file says, changes only what differs, and names everything that is wrong at once."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.agencies.models import Agency, ApiKey, Membership, User
from apps.agencies.services import rotate_api_key
from apps.audit.models import AuditEntry
from apps.counters.encryption import decrypt
from apps.counters.models import Counter, MetricaAccount
from apps.counters.services import Consent, connect_account, disconnect_account
from apps.goals.models import Goal, StatusMapping
from apps.hooks.models import Endpoint
from tests.factories import SYSTEM, opened

FILE = """
[[agencies]]
slug = "north"
name = "North Agency"

  [[agencies.people]]
  email = "owner@north.example"
  role = "owner"
  password_env = "OWNER_PASSWORD"

  [[agencies.api_keys]]
  name = "crm"
  secret_env = "CRM_KEY"
  scopes = ["read", "write"]

  [[agencies.accounts]]
  login = "north-metrica"
  token_env = "METRICA_TOKEN"
  base_url = "http://127.0.0.1:9000"

  [[agencies.counters]]
  metrica_id = 40000001
  account = "north-metrica"
  name = "Dental clinics"
  time_zone = "Europe/Moscow"
  schedule = "5m"

    [[agencies.counters.statuses]]
    crm_status = "Запись в филиал №1"
    metrica_id = "zapis1"
    type = "OTHER"
    goals = ["zapis1", "vse_zapisi"]
"""
SECRETS = {
    "OWNER_PASSWORD": "correct horse battery",
    "CRM_KEY": "a-key-from-the-crm-0123456789",
    "METRICA_TOKEN": "y0_token",
    "NEW": "another-secret-of-the-crm-0123",
}


@pytest.fixture
def provision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def run(text: str = FILE, *arguments: str) -> list[str]:
        path = tmp_path / "agencies.toml"
        path.write_text(text, "utf-8")
        capsys.readouterr()
        call_command("provision", str(path), *arguments)
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.django_db
def test_it_makes_everything_that_the_file_says(provision):
    lines = provision()
    assert [line[0] for line in lines] == ["+"] * 6
    counter = Counter.objects.get(agency__slug="north", metrica_id=40000001)
    assert (counter.name, counter.time_zone, counter.schedule, counter.mode) == (
        *("Dental clinics", "Europe/Moscow", "5m", "simple"),
    )
    assert counter.next_upload_at is not None
    assert decrypt(counter.account.token_encrypted) == "y0_token"
    assert "y0_token" not in counter.account.token_encrypted
    assert StatusMapping.objects.get(counter=counter).goal_action_ids == ["zapis1", "vse_zapisi"]
    assert set(Goal.objects.values_list("identifier", flat=True)) == {"zapis1", "vse_zapisi"}
    assert Membership.objects.get(agency__slug="north").role == "owner"
    assert User.objects.get().check_password("correct horse battery")
    assert opened("a-key-from-the-crm-0123456789").name == "crm"


@pytest.mark.django_db
def test_run_again_it_changes_nothing_and_leaves_no_trace(provision):
    provision()
    traces = AuditEntry.objects.count()
    assert provision() == ["Nothing differs."]
    assert AuditEntry.objects.count() == traces


@pytest.mark.django_db
def test_it_prints_and_changes_only_what_differs(provision):
    provision()
    changed = FILE.replace('schedule = "5m"', 'schedule = "daily 3:00"').replace(
        'role = "owner"', 'role = "owner"\n  name = "Anna"'
    )
    changed = changed.replace('goals = ["zapis1", "vse_zapisi"]', 'goals = ["zapis1"]').replace("North Agency", "North")
    assert provision(changed) == [
        "~ agency north: name 'North Agency' → 'North'",
        "~ north: counter 40000001: schedule 5m → daily 03:00",
        "~ north: counter 40000001: 1 statuses set, 0 removed",
    ]


@pytest.mark.django_db
def test_dry_run_prints_the_same_and_changes_nothing(provision):
    lines = provision(FILE, "--dry-run")
    assert len(lines) == 7 and lines[-1] == "Dry run: nothing was changed."
    assert not Agency.objects.exists() and not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_a_key_without_a_secret_is_made_up_and_printed_once(provision):
    lines = provision(FILE.replace('  secret_env = "CRM_KEY"\n', ""))
    [shown] = [line.split(": ")[1] for line in lines if "shown this once" in line]
    assert opened(shown) == ApiKey.objects.get()
    assert provision(FILE.replace('  secret_env = "CRM_KEY"\n', "")) == ["Nothing differs."]


@pytest.mark.django_db
def test_another_secret_replaces_the_key(provision, monkeypatch):
    provision()
    monkeypatch.setenv("CRM_KEY", "another-key-of-the-crm-987654")
    assert provision() == ["~ north: API key crm: replaced"]
    assert opened(SECRETS["CRM_KEY"]) is None
    assert opened("another-key-of-the-crm-987654") is not None


@pytest.mark.django_db
def test_a_key_that_was_rotated_since_keeps_its_new_secret(provision, monkeypatch):
    provision()
    old = ApiKey.objects.get()
    new, text = rotate_api_key(actor=SYSTEM, key=old, overlap=timedelta(days=1))
    third, last = rotate_api_key(actor=SYSTEM, key=new, overlap=timedelta(0))
    assert provision() == ["Nothing differs."]
    assert opened(last) == third
    # What the file narrows is narrow for all that still opens; and it is so when an older state left them wide.
    narrow = FILE.replace('secret_env = "CRM_KEY"', 'secret_env = "CRM_KEY"\n  networks = ["192.0.2.0/24"]')
    assert provision(narrow) == ["~ north: API key crm: networks anywhere → 192.0.2.0/24"]
    assert opened(SECRETS["CRM_KEY"], address="127.0.0.1") is None
    assert opened(SECRETS["CRM_KEY"], address="192.0.2.1") == old
    ApiKey.objects.filter(pk=old.pk).update(networks=None)
    assert provision(narrow) == ["~ north: API key crm: networks of an older secret → 192.0.2.0/24"]
    assert provision(narrow) == ["Nothing differs."]
    assert opened(SECRETS["CRM_KEY"], address="127.0.0.1") is None
    with pytest.raises(CommandError, match="Set a new secret"):
        provision(FILE.replace('["read", "write"]', '["read"]'))
    monkeypatch.setenv("CRM_KEY", SECRETS["NEW"])
    assert provision() == ["~ north: API key crm: replaced"]
    assert [bool(opened(one)) for one in (SECRETS["CRM_KEY"], text, last, SECRETS["NEW"])] == [False] * 3 + [True]


@pytest.mark.django_db
def test_a_new_token_connects_the_account_anew(provision, monkeypatch):
    provision()
    revision = Counter.objects.get().revision
    monkeypatch.setenv("METRICA_TOKEN", "y0_new")
    assert provision() == ["~ north: account north-metrica: connected"]
    assert decrypt(MetricaAccount.objects.get().token_encrypted) == "y0_new"
    assert Counter.objects.get().revision > revision  # what the old token held is looked at again


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("metrica_id = 40000001", ""), "counters[0]: `metrica_id` is missing"),
        (("metrica_id = 40000001", 'metrica_id = "x"'), "`metrica_id` must be of type int, not str"),
        (('schedule = "5m"', 'schedule = "soon"'), "“soon” is no schedule"),
        (('time_zone = "Europe/Moscow"', 'time_zone = "Moscow"'), "Write an IANA name"),
        (('role = "owner"', 'role = "boss"'), "`role` must be owner, manager or analyst"),
        (('type = "OTHER"', 'type = "other"'), "Choose one of: IN_PROGRESS"),
        (('goals = ["zapis1", "vse_zapisi"]', "goals = []"), "name at least one goal"),
        (('account = "north-metrica"', 'account = "south"'), "names the unknown account `south`"),
        (('slug = "north"', 'slug = "north"\ntenant = 1'), "unknown key `tenant`"),
        (('"METRICA_TOKEN"', '"NOT_SET"'), "the environment variable NOT_SET (`token_env`) is not set"),
        (("[[agencies]]", "[[agencies"), "no valid TOML"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_half_done(provision, change, sentence):
    with pytest.raises(CommandError) as caught:
        provision(FILE.replace(*change))
    assert sentence in str(caught.value)
    assert not Agency.objects.exists()


DETAILED = (
    FILE.replace('schedule = "5m"', 'schedule = "5m"\n  mode = "detailed"')
    + """
    [[agencies.counters.attributes]]
    entity = "CONTACT"
    name = "age"
    type = "numeric"

    [[agencies.counters.products]]
    name = "implant"
    humanized = "Implant"
"""
)


@pytest.mark.django_db
def test_the_detailed_mode_with_what_it_declares(provision):
    provision(DETAILED)
    counter = Counter.objects.get()
    assert counter.mode == "detailed"
    assert list(counter.attributes.values_list("entity", "name", "type")) == [("CONTACT", "age", "numeric")]
    assert list(counter.products.values_list("name", "humanized")) == [("implant", "Implant")]
    assert provision(DETAILED) == ["Nothing differs."]


@pytest.mark.django_db
def test_a_counter_is_switched_as_on_its_page(provision):
    provision()
    lines = provision(DETAILED)
    assert "~ north: counter 40000001: mode simple → detailed" in lines
    assert AuditEntry.objects.filter(action="counter.mode_switched").count() == 1
    assert Counter.objects.get().mode == "detailed"


def test_an_account_that_was_connected_by_oauth_keeps_its_tokens(provision, db: None):
    """The file's token is older, and nobody renews it."""
    provision()
    account = MetricaAccount.objects.get()
    consent = Consent("refresh", ("metrika:read",), "north-metrica")
    connect_account(agency=account.agency, login=account.login, token="y0_newer", consent=consent)
    assert provision() == ["Nothing differs."]
    assert decrypt(MetricaAccount.objects.get().token_encrypted) == "y0_newer"
    disconnect_account(account=MetricaAccount.objects.get(), reason="x", forget_token=True)
    assert any("connected" in line for line in provision())
    assert decrypt(MetricaAccount.objects.get().token_encrypted) == "y0_token"


WEBHOOK = """
  [[agencies.webhooks]]
  name = "crm"
  url = "https://crm.example/hook"
  secret_env = "CRM_KEY"
  events = ["order.held"]
  counters = [40000001]
"""


@pytest.mark.django_db
def test_webhooks_are_made_and_changed_as_the_file_says(provision):
    assert "+ north: webhook crm" in provision(FILE + WEBHOOK)
    endpoint = Endpoint.objects.get()
    assert decrypt(endpoint.secret_encrypted) == SECRETS["CRM_KEY"]
    assert (endpoint.url, endpoint.events) == ("https://crm.example/hook", ["order.held"])
    assert [counter.metrica_id for counter in endpoint.counters.all()] == [40000001]
    assert provision(FILE + WEBHOOK) == ["Nothing differs."]
    changed = WEBHOOK.replace("/hook", "/other").replace("  counters = [40000001]\n", "").replace("CRM_KEY", "NEW")
    assert provision(FILE + changed) == [
        "~ north: webhook crm: address https://crm.example/hook → https://crm.example/other",
        "~ north: webhook crm: counters [40000001] → all",
        "~ north: webhook crm: secret changed",
    ]


@pytest.mark.django_db
def test_a_webhook_without_a_secret_gets_one_that_is_printed_once(provision):
    lines = provision(FILE + WEBHOOK.replace('  secret_env = "CRM_KEY"\n', ""))
    [shown] = [line.rpartition(" ")[2] for line in lines if "whsec_" in line]
    assert decrypt(Endpoint.objects.get().secret_encrypted) == shown


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("https://", "ftp://"), "north: webhook crm: url: Only web addresses are called."),
        (("order.held", "order.eaten"), "north: webhook crm: events: Choose one or more of"),
        (("[40000001]", "[7]"), "north: webhook crm: unknown counters 7."),
    ],
)
def test_a_webhook_that_cannot_be_is_named(provision, change, said):
    with pytest.raises(CommandError, match=said):
        provision(FILE + WEBHOOK.replace(*change))
    assert not Agency.objects.exists()
