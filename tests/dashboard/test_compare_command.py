"""`compare`: the table on the command line, done here and now, with an exit status that a script can trust."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.counters.services import disconnect_account
from apps.dashboard.comparison import turns
from apps.dashboard.models import Comparison
from tests.dashboard.conftest import Loop
from tests.factories import make_counter
from tests.metrica.servers import envelope

pytestmark = pytest.mark.django_db(transaction=True)


def compare(*arguments: str) -> tuple[int, str, str]:
    """(exit status, what it printed, what it complained of)."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("compare", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_it_prints_days_sums_goals_and_the_share(loop: Loop) -> None:
    loop.push("A-1", "new", "won", revenue="5000.50", cost="3000")
    loop.push("A-2", "new", client_ids=[], emails=["a@mail.example"])
    loop.deliver()
    loop.metrica.set(
        loop.day(3), visits=5, cdpOrdersAllOrders=1, cdpOrdersPayed=1, cdpOrdersRUBRevenue=5000.5,
        cdpOrdersRUBProfit=2000.5, cdp_order_paid=1, deal=1,
    )  # fmt: skip
    status, out, err = compare("--agency", "north", "--counter", str(loop.counter.metrica_id), "--days", "5")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1].isdigit() or line[:3] == "sum"}
    assert [lines[loop.day(ago).isoformat()][0] for ago in range(5)] == ["0/0", "0/0", "2/0", "0/1", "0/0"]
    assert lines["sum"] == ["2/1", "1/0", "1/1", "0/0", "0/0", "0/0", "5000.50/5000.50", "2000.50/2000.50"]
    assert "  goal cdp_order_paid: 1/1" in out
    assert "  goal deal: 1/1" in out
    assert "Matched: 50% (1 of 2 orders; 0 too late, 1 without ClientID, 0 of the last two hours)." in out
    assert not any("compare" in message.func() for message in OrmQ.objects.all())  # no worker is needed
    entry = AuditEntry.objects.get(action="comparison.requested")
    assert (entry.source, entry.details["days"]) == ("command", 5)


def test_without_a_counter_all_of_the_agency_are_compared(loop: Loop, place: Any) -> None:
    make_counter(account=loop.counter.account, name="Another")
    status, out, _err = compare("--agency", "north")
    assert status == 0
    assert "North shop" in out and "Another" in out and "Mine shop" not in out
    assert out.count("No delivered orders that Metrica could match.") == 2
    assert Comparison.objects.exclude(read_at=None).count() == 2


def test_what_stops_it_is_said_and_the_others_are_compared(loop: Loop) -> None:
    other = make_counter(agency=loop.counter.agency, name="A broken one")
    assert other.account is not None
    disconnect_account(account=other.account, reason="x")
    status, out, err = compare("--agency", "north")
    assert status == 1
    assert "no Metrica account that is connected" in err
    assert "No delivered orders" in out


def test_a_passing_fault_says_when_it_goes_on(loop: Loop, settings: Any) -> None:
    settings.UPLOAD_RETRY_SECONDS = 3600
    loop.metrica.refusals = [(503, envelope("backend_error", code=503, message="down"))] * 9
    status, _out, err = compare("--agency", "north")
    assert status == 1
    assert "It goes on by itself at" in err
    assert len(loop.metrica.queries) == 1


def test_it_waits_for_a_worker_that_has_it(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    Comparison.objects.create(counter=loop.counter, state="queued")
    assert turns.claim(loop.counter.pk) is not None
    waited: list[float] = []

    def worker_dies(seconds: float) -> None:
        waited.append(seconds)
        Comparison.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    monkeypatch.setattr("apps.dashboard.management.commands.compare.time.sleep", worker_dies)
    assert compare("--agency", "north")[0] == 0
    assert len(waited) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--agency", "nobody"], "Agency 'nobody' has no counter."),
        (["--agency", "north", "--counter", "1"], "Agency 'north' has no counter 1."),
        (["--agency", "north", "--days", "0"], "--days is 0, but must be from 1 to 366."),
    ],
)
def test_bad_arguments_are_said(loop: Loop, arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why.replace(".", r"\.")):
        compare(*arguments)
