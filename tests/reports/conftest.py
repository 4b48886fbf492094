"""An agency whose client reads a report: orders of recognisable people, delivered and counted; and a post office."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from apps.audit.models import AuditEntry
from apps.counters.models import Counter
from apps.dashboard.models import DayFigures, Side
from apps.goals.models import Goal, StatusMapping
from apps.reports import services
from apps.reports.models import ReportLink
from tests.admin.conftest import browser, login, other, place
from tests.alerts.conftest import PostOffice, post_office
from tests.dashboard.conftest import Loop, map_statuses, roll_up
from tests.factories import make_account, make_agency, make_counter

__all__ = ["PostOffice", "browser", "login", "other", "place", "post_office"]

PEOPLE = {
    "client_name": "Ferdinand Quackenbush",
    "emails": ["quackenbush@mail.example"],
    "phones": ["+79031234567"],
    "client_ids": ["1700000000123456789"],
    "client_uniq_id": "CLIENT-QX-77",
}
"""Of every order. None of it may ever be read in a report."""

PERSONAL = (
    *("Ferdinand", "Quackenbush", "quackenbush", "9031234567", "1700000000123456789", "CLIENT-QX-77"),
    "ORDER-SECRET",
)


@dataclass
class Client:
    """The client's counter, with a way to fill it."""

    shop: Loop

    @property
    def counter(self) -> Counter:
        return self.shop.counter

    def link(self, **fields: Any) -> ReportLink:
        """A link for thirty days. `emails` makes it weekly."""
        given: dict[str, Any] = {"name": "Quietly, for Anna", "days": 30, "language": "en"}
        if "emails" in fields:
            given["weekly"] = True
        return services.create_link(counter=self.counter, **{**given, **fields})

    def url(self, link: ReportLink) -> str:
        return f"/report/{services.secret_of(link)}/"

    def fill(self) -> None:
        """Four orders of the last days and one of long ago; three of them paid, one in dollars."""
        for number, (statuses, ago, more) in enumerate(
            [
                (("new", "won"), 2, {"revenue": "5000", "cost": "3200.50"}),
                (("new", "won"), 3, {"revenue": "100", "currency": "USD"}),
                (("new", "lead"), 3, {}),
                (("new",), 4, {}),
                (("new", "won"), 60, {"revenue": "77000"}),
            ]
        ):
            self.shop.push(f"ORDER-SECRET-{number}", *statuses, ago=ago, **{**PEOPLE, **more})
        self.shop.deliver(at=timezone.now() - timedelta(days=1))
        roll_up(turns=2)
        for ago in (2, 3, 4):
            of_day = {"counter": self.counter, "day": self.shop.day(ago)}
            DayFigures.objects.create(side=Side.OURS, bindable=2, orders=2, **of_day)
            DayFigures.objects.create(side=Side.METRICA, orders=1, **of_day)


@pytest.fixture
def client_of() -> Client:
    agency = make_agency("north", "North Agency")
    counter = make_counter(account=make_account(agency), name="Windows & balconies", site="windows.example")
    map_statuses(counter)
    StatusMapping.objects.filter(counter=counter, crm_status="won").update(name="Deal is won")
    Goal.objects.filter(counter=counter, identifier="deal").update(name="The deal")
    return Client(Loop(counter, cast(Any, None)))


@pytest.fixture
def filled(client_of: Client) -> Client:
    client_of.fill()
    return client_of


def messages() -> list[tuple[int, ...]]:
    """What the workers were told of letters: the links' primary keys."""
    told = [one.task for one in OrmQ.objects.all()]
    return [message["args"] for message in told if message["func"] == "apps.reports.tasks.send_letters"]


def entries(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))
