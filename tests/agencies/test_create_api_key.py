"""`create_api_key` prints a key once, on stdout alone."""

from datetime import datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.agencies.keys import admit
from apps.agencies.models import ApiKey
from apps.audit.models import AuditEntry
from tests.factories import make_agency

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_api_key", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_key_and_nothing_else_is_on_stdout():
    make_agency("north")
    out, err = run("--agency", "north", "--name", "crm", "--scope", "read", "write", "--counter", "7", "8")
    key = admit(out.strip(), address=None)
    assert key is not None
    assert out.count("\n") == 1
    assert out.strip() not in err
    assert (key.agency.slug, key.name, key.scopes, key.counter_ids) == ("north", "crm", ["read", "write"], [7, 8])
    assert key.expires_at is None


def test_it_is_written_down_as_done_by_the_command():
    make_agency("north")
    run("--agency", "north", "--name", "crm", "--scope", "read")
    entry = AuditEntry.objects.get(action="api_key.created")
    assert entry.source == "command"
    assert entry.actor_label.startswith("command create_api_key by ")


def test_a_date_is_the_keys_last_day(settings):
    settings.TIME_ZONE = "Europe/Moscow"
    make_agency("north")
    run("--agency", "north", "--name", "crm", "--scope", "read", "--expires", "2099-01-31")
    assert ApiKey.objects.get().expires_at == datetime(2099, 2, 1, tzinfo=ZoneInfo("Europe/Moscow"))
    run("--agency", "north", "--name", "shop", "--scope", "read", "--expires", "2099-01-31T10:00:00+00:00")
    assert ApiKey.objects.get(name="shop").expires_at == datetime(2099, 1, 31, 10, tzinfo=ZoneInfo("UTC"))


def test_a_key_that_expires_today_works_today():
    make_agency("north")
    today = timezone.localdate().isoformat()
    out, _ = run("--agency", "north", "--name", "crm", "--scope", "read", "--expires", today)
    assert admit(out.strip(), address=None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--agency": ["nowhere"]}, "There is no agency 'nowhere'. There are: north."),
        ({"--counter": ["0"]}, "--counter: "),
        ({"--name": [" "]}, "--name: "),
        ({"--expires": ["2020-01-01"]}, "--expires: "),
        ({"--expires": ["2020-02-30"]}, "a date that does not exist"),
        ({"--expires": ["soon"]}, "is no date"),
        ({"--scope": ["everything"]}, "invalid choice"),
        ({"--counter": ["seven"]}, "invalid int value"),
    ],
)
def test_arguments_that_do_not_fit_make_nothing_and_say_so(changes: dict[str, list[str]], sentence: str):
    make_agency("north")
    options = {"--agency": ["north"], "--name": ["crm"], "--scope": ["read"]} | changes
    with pytest.raises(CommandError, match=sentence) as refusal:
        run(*(word for option, values in options.items() for word in (option, *values)))
    assert refusal.value.returncode in (1, 2)
    assert not ApiKey.objects.exists()


def test_names_in_use_are_refused():
    make_agency("north")
    words = ("--agency", "north", "--name", "crm", "--scope", "read")
    run(*words)
    with pytest.raises(CommandError) as refusal:
        run(*words)
    assert refusal.value.returncode == 2
    assert ApiKey.objects.filter(created_at__gt=timezone.now() - timedelta(hours=1)).count() == 1
