"""`doctor` says of each part how it stands and what comes next, and by its status whether anything is bad."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.counters.models import Counter
from apps.goals import sync
from apps.goals.services import set_status
from apps.orders.intake import accept_all
from apps.uploads import heartbeats
from tests.factories import make_agency
from tests.goals.metrica import counter_of, known_to_sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def counter(live_server: Any) -> Counter:
    return counter_of(known_to_sandbox(), live_server.url)


def run(*arguments: str) -> tuple[int, dict[str, str]]:
    """Exit status, and what is said: of which part, with the mark before it."""
    out, status = StringIO(), 0
    try:
        call_command("doctor", *arguments, stdout=out)
    except CommandError as error:
        status = error.returncode
    lines = [line.partition("  ") for line in out.getvalue().splitlines()]
    found = dict(text.strip().split(": ", 1) for _mark, _space, text in lines)
    marks = {text.strip().split(": ", 1)[0]: mark.strip() for mark, _space, text in lines}
    return status, {subject: f"{marks[subject]} {said}" for subject, said in found.items()}


def test_of_what_is_well_it_says_so_and_ends_well(counter: Counter, settings: Any) -> None:
    settings.DEBUG = True  # in production the checks for that are among the lines
    heartbeats.beat(heartbeats.QUEUE)
    set_status(counter=counter, crm_status="won", type="PAID")
    row = {"id": "A-1", "create_date_time": "2026-11-01 10:00", "order_status": "won", "client_ids": ["123456789012"]}
    assert not accept_all(counter=counter, rows=[row], source="api", actor_label="crm").rejected
    sync.refresh(counter=counter)
    Counter.objects.update(last_passed_at=counter.created_at)
    status, said = run()
    assert status == 0, said
    slug = counter.agency.slug
    assert said["settings"].startswith("ok good")
    assert said["database"] == said["migrations"] == said["queue"] == said["storage"] == "ok ok"
    assert said[f"{slug}, account {counter.account}"].startswith("ok Reading works")
    assert said[f"{slug}, counter {counter.metrica_id}, Time zone"] == "ok Europe/Moscow"
    assert said[f"{slug}, counter {counter.metrica_id}, Schedule"].startswith("note Uploads start only when")
    assert said[f"{slug}, counter {counter.metrica_id}, Advanced matching"].startswith("note It is off at Metrica")


def test_each_thing_that_is_missing_is_a_line_with_its_next_step(counter: Counter) -> None:
    Counter.objects.update(time_zone="")
    status, said = run("--agency", counter.agency.slug, "--offline")
    assert status == 1
    assert said["settings"].startswith("BAD "), "the tests' settings are not fit for production"
    assert said["queue"].startswith("BAD No worker has ever given a sign of life. Start one")
    prefix = f"{counter.agency.slug}, counter {counter.metrica_id}"
    assert said[f"{prefix}, Time zone"] == "BAD It is unknown, so no time can be sent. Read it from Metrica."
    assert said[f"{prefix}, Status mapping"].startswith("BAD No CRM status is mapped")
    assert said[f"{prefix}, Orders of the CRM"].startswith("BAD Not one has come in yet.")
    assert said[f"{prefix}, First upload"].startswith("BAD Metrica has not taken any upload yet.")


def test_a_token_that_metrica_refuses_is_told(counter: Counter) -> None:
    from apps.counters.services import connect_account

    account = counter.account
    assert account is not None
    connect_account(agency=account.agency, login=account.login, token="y0_wrong", base_url=account.base_url)
    status, said = run("--agency", counter.agency.slug)
    assert status == 1
    assert said[f"{counter.agency.slug}, account {account}"].startswith("BAD ")
    assert "token" in said[f"{counter.agency.slug}, account {account}"]


def test_an_agency_that_is_not_there(counter: Counter) -> None:
    with pytest.raises(CommandError, match="There is no active agency 'nobody'") as caught:
        call_command("doctor", "--agency", "nobody", "--offline", stdout=StringIO())
    assert caught.value.returncode == 2


def test_other_agencies_are_left_out_where_one_is_named(counter: Counter) -> None:
    other = make_agency()
    _status, said = run("--agency", other.slug, "--offline")
    assert not any(subject.startswith(counter.agency.slug) for subject in said)
