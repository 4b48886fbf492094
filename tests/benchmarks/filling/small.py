"""What there is little of: agencies, people and whom they invited, accounts, counters with mapping and goals, keys,
channels, webhooks; and what each counter has to do."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from apps.agencies.key_models import ApiKeyDay
from apps.agencies.keys import hash_of, prefix_of
from apps.agencies.models import Agency, ApiKey, Invitation, Membership, Role, SavedFilter, SignIn, User
from apps.alerts.models import AlertMute, AlertRules, Channel
from apps.counters.encryption import encrypt
from apps.counters.models import AccountState, AttributeEntity, Counter, CustomAttribute, MetricaAccount, Mode, Product
from apps.dashboard.models import Comparison, CounterNumbers, RollUp
from apps.goals.models import AgreedStatus, Goal, MappingVersion, StatusMapping, StepState
from apps.goals.statuses import StatusRow
from apps.hooks.models import SUBSCRIBABLE, Endpoint
from apps.imports.models import RememberedColumns
from apps.orders import numbers
from apps.orders.models import HoldReview
from apps.receivers.models import Kind, Post, PostState, Receiver
from apps.reports.models import AgencyLook, Recipient, ReportLink
from apps.uploads.models import Heartbeat, WorkDone
from tests.benchmarks.filling.shares import Sizes

STAFF = "staff@platform.example"
PASSWORD = "correct horse battery"
ZONES = ("Europe/Moscow", "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Novosibirsk", "Europe/Kaliningrad")
MAPPED = {
    "Новый лид": ("IN_PROGRESS", []),
    "В работе": ("IN_PROGRESS", []),
    "Замер назначен": ("OTHER", ["measuring"]),
    "Предоплата": ("PAID", ["prepaid"]),
    "Запись в филиал №1": ("OTHER", ["zapis1", "vse_zapisi"]),
    "Сделка закрыта": ("PAID", ["deal_won"]),
    "Отказ": ("CANCELLED", []),
}
GOALS = ("good_lead", "measuring", "prepaid", "zapis1", "vse_zapisi", "deal_won")
COUNTERS_BEGIN = 60_000_000


def owner_of(agency: int) -> str:
    """The login of an agency's owner; agencies are numbered from 1, the biggest first."""
    return f"owner@agency{agency}.example"


def limited_of(agency: int) -> str:
    """The login of a manager who is limited to three of the agency's counters, its first one among them."""
    return f"manager4@agency{agency}.example"


def key_of(agency: int) -> str:
    """The text of an agency's API key."""
    return f"gp_bench{agency:07d}_{'k' * 43}"


@dataclass(frozen=True, slots=True)
class Made:
    """Primary keys of the counters, in the order of `Sizes`, and of those that are paused or wait for weeks."""

    counters: list[int]
    paused: list[int]
    waiting: list[int]


@transaction.atomic
def make(*, sizes: Sizes, seed: int, until: datetime) -> Made:
    dice = random.Random(seed)
    began = until - timedelta(days=730)
    agencies = Agency.objects.bulk_create(
        Agency(slug=f"agency-{number}", name=f"Agency {number:03d}", created_at=began)
        for number in range(1, len(sizes.counters_of) + 1)
    )
    _people(agencies, began)
    accounts = MetricaAccount.objects.bulk_create(
        MetricaAccount(
            agency=agency,
            login=f"agency{number}-login{which}",
            token_encrypted="made-up",
            state=AccountState.CONNECTED,
            token_expires_at=until + timedelta(days=dice.randrange(2, 360)),
            last_ok_at=until - timedelta(minutes=dice.randrange(600)),
            reading_ok_at=began,
            last_upload_ok_at=until - timedelta(hours=dice.randrange(1, 90)),
            created_at=began,
        )
        for number, agency in enumerate(agencies, start=1)
        for which in range(1, 3 if sizes.counters_of[number - 1] > 5 else 2)
    )
    counters = _counters(agencies, accounts, sizes, dice, until)
    _meanings(counters, until)
    _limits(agencies, counters)
    _reports(agencies, counters, until)
    _receivers(counters, until)
    AlertRules.objects.bulk_create(AlertRules(agency=agency, looked_at=until) for agency in agencies)
    WorkDone.objects.bulk_create(WorkDone(agency=agency, weight=1.0) for agency in agencies)
    Channel.objects.bulk_create(
        Channel(agency=agency, name=name, addresses=[f"duty@{agency.slug}.example"], urgent_only=urgent)
        for agency in agencies
        for name, urgent in (("Everything", False), ("Duty", True))
    )
    Endpoint.objects.bulk_create(
        Endpoint(
            agency=agency,
            name="crm",
            url=f"https://crm.{agency.slug}.example/hook",
            events=[kind.value for kind in SUBSCRIBABLE],
            secret_encrypted="made-up",
            last_ok_at=until,
            last_tried_at=until,
        )
        for agency in agencies
    )
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, at=until) for name in ("tick", "queue", "worker host1 101", "worker host2 102")]
    )
    keys = [counter.pk for counter in counters]
    return Made(
        counters=keys,
        paused=[counter.pk for counter in counters if counter.paused_at],
        waiting=[counter.pk for counter in counters[1:] if counter.schedule == "manual"],
    )


def _people(agencies: list[Agency], began: datetime) -> None:
    staff = User(email=STAFF, name="Staff", is_superuser=True, created_at=began)
    staff.set_password(PASSWORD)
    # One hash for all: to make five hundred takes minutes.
    people = [staff]
    for number in range(1, len(agencies) + 1):
        names = [
            owner_of(number),
            *(f"{role}{n}@agency{number}.example" for role in ("manager", "analyst") for n in range(5)),
        ]
        people += [User(email=email, name=email.split("@")[0].title(), password=staff.password) for email in names]
    made = {user.email: user for user in User.objects.bulk_create(people)}
    Membership.objects.bulk_create(
        Membership(agency=agencies[int(email.split("@agency")[1].split(".")[0]) - 1], user=user, role=_role(email))
        for email, user in made.items()
        if email != STAFF
    )
    for number, agency in enumerate(agencies, start=1):
        ApiKey.objects.create(
            agency=agency,
            name="crm",
            prefix=prefix_of(key_of(number)),
            secret_hash=hash_of(key_of(number)),
            scopes=["read", "write"],
        )

    Invitation.objects.bulk_create(
        Invitation(
            agency=agency,
            email=f"guest{place}@agency{number}.example",
            secret_hash=hash_of(f"{number} {place}"),
            invited_by=owner_of(number),
            created_at=began + timedelta(days=30 * place),
            expires_at=began + timedelta(days=30 * place + 7),
            mailed_at=began + timedelta(days=30 * place),
            accepted_at=began + timedelta(days=30 * place + 1) if place % 3 == 0 else None,
            withdrawn_at=began + timedelta(days=30 * place + 2) if place % 3 == 1 else None,
        )
        for number, agency in enumerate(agencies, start=1)
        for place in range(24)
    )
    ApiKey.objects.bulk_create(
        ApiKey(
            agency=agency,
            name=f"old {place}",
            prefix=f"gp_o{number:05d}{place:05d}",
            secret_hash=hash_of(f"old {number} {place}"),
            scopes=["read"],
            revoked_at=began + timedelta(days=40 * place + 30),
        )
        for number, agency in enumerate(agencies, start=1)
        for place in range(8)
    )
    today = timezone.localdate()
    ApiKeyDay.objects.bulk_create(
        ApiKeyDay(key=key, day=today - timedelta(days=back), requests=40_000, rows_accepted=200_000, rows_refused=12)
        for key in ApiKey.objects.filter(name="crm")
        for back in range(400)
    )
    SavedFilter.objects.bulk_create(
        SavedFilter(
            agency=agency, user=made[owner_of(number)], list_name=name, name=query, query=query, shared=place == 0
        )
        for number, agency in enumerate(agencies, start=1)
        for name in ("orders_order", "audit_auditentry")
        for place, query in enumerate(("q=D-1", "q=D-2", "q=D-3"))
    )
    SignIn.objects.bulk_create(
        SignIn(user=user, session_key=f"made-up-{user.pk}-{place}", agent=f"Firefox {place}, Linux")
        for user in made.values()
        for place in range(3)
    )


def _reports(agencies: list[Agency], counters: list[Counter], until: datetime) -> None:
    """Two clients of each counter read one; every third link is withdrawn."""
    AgencyLook.objects.bulk_create(AgencyLook(agency=agency, shown_name=agency.name) for agency in agencies)
    links = ReportLink.objects.bulk_create(
        ReportLink(
            counter=counter,
            name=f"Client {place}",
            secret_hash=hash_of(f"report {counter.pk} {place}"),
            secret_encrypted=encrypt(f"report {counter.pk} {place}"),
            expires_at=until + timedelta(days=90),
            withdrawn_at=until if (counter.pk + place) % 3 == 0 else None,
            weekly=place == 0,
            letter_at=until + timedelta(days=7) if place == 0 else None,
        )
        for counter in counters
        for place in range(2)
    )
    Recipient.objects.bulk_create(
        Recipient(link=link, email=f"reader{link.pk}@shop.example", last_sent_on=until.date())
        for link in links
        if link.weekly
    )


def _receivers(counters: list[Counter], until: datetime) -> None:
    """One of each counter; of some hundred posts each, every tenth needs a person."""
    receivers = Receiver.objects.bulk_create(
        Receiver(
            counter=counter,
            name="crm",
            kind=Kind.GENERIC,
            public_id=f"made-up-{counter.pk}"[:16],
            secret_hash=hash_of(f"receiver {counter.pk}"),
            mapping={"fields": {"id": "id", "order_status": "status", "create_date_time": "created"}},
        )
        for counter in counters
    )
    body = encrypt('{"id":"D-1","status":"PAID","created":"2026-11-24 10:00"}')
    Post.objects.bulk_create(
        (
            Post(
                receiver=receiver,
                received_at=until - timedelta(minutes=number),
                request_id=f"post-{receiver.pk}-{number}",
                bytes=58,
                body_encrypted=body,
                digest=hash_of(f"{receiver.pk} {number}"),
                state=PostState.HELD if number % 10 == 0 else PostState.DONE,
                error_code="rows_rejected" if number % 10 == 0 else "",
                attempts=1,
                created=number % 10 != 0,
                rejected=number % 10 == 0,
            )
            for receiver in receivers
            for number in range(200)
        ),
        batch_size=1000,
    )


def _limits(agencies: list[Agency], counters: list[Counter]) -> None:
    mine: dict[int, list[Counter]] = {}
    for counter in counters:
        mine.setdefault(counter.agency_id, []).append(counter)
    for number, agency in enumerate(agencies, start=1):
        own = mine[agency.pk]
        chosen = {own[0].metrica_id, own[len(own) // 2].metrica_id, own[-1].metrica_id}
        Membership.objects.filter(agency=agency, user__email=limited_of(number)).update(counter_ids=sorted(chosen))
    AlertMute.objects.bulk_create(
        AlertMute(
            agency=agency,
            cause="holds_waiting",
            subject=f"counter {mine[agency.pk][0].pk}",
            until=timezone.now() + timedelta(days=5),
        )
        for agency in agencies
    )


def _role(email: str) -> str:
    return next(role.value for role in Role if email.startswith(role.value))


def _counters(
    agencies: list[Agency], accounts: list[MetricaAccount], sizes: Sizes, dice: random.Random, until: datetime
) -> list[Counter]:
    logins: dict[int, list[MetricaAccount]] = {}
    for account in accounts:
        logins.setdefault(account.agency_id, []).append(account)
    made: list[Counter] = []
    for agency, number in zip(agencies, sizes.counters_of, strict=True):
        for _each in range(number):
            index = len(made)
            odd = dice.random() if index else 1.0
            made.append(
                Counter(
                    agency=agency,
                    account=dice.choice(logins[agency.pk]),
                    metrica_id=COUNTERS_BEGIN + index,
                    name=f"Site {index:03d}",
                    site=f"site{index}.example",
                    time_zone=dice.choice(ZONES),
                    mode=Mode.DETAILED if index % 20 == 7 else Mode.SIMPLE,
                    schedule="manual" if index and odd < 0.05 else dice.choice(["as they come", "1h", "daily 03:00"]),
                    paused_at=until - timedelta(days=5) if 0.05 <= odd < 0.08 else None,
                    pause_reason="The site is being rebuilt" if 0.05 <= odd < 0.08 else "",
                    next_upload_at=until + timedelta(hours=1),
                    last_passed_at=until - timedelta(minutes=dice.randrange(3000)),
                )
            )
    return Counter.objects.bulk_create(made)


def _meanings(counters: list[Counter], until: datetime) -> None:
    statuses = [
        StatusMapping(
            counter=counter,
            crm_status=status,
            name=status,
            type=order_type,
            metrica_id=f"status_{position}",
            goal_action_ids=goals,
            position=position,
            updated_at=until,
        )
        for counter in counters
        for position, (status, (order_type, goals)) in enumerate(MAPPED.items())
    ]
    StatusMapping.objects.bulk_create(statuses)
    Goal.objects.bulk_create(
        Goal(
            counter=counter,
            identifier=name,
            name=name.title(),
            metrica_goal_id=place,
            condition="exact",
            synced_at=until,
        )
        for counter in counters
        for place, name in enumerate(GOALS, start=counter.pk * 100)
    )
    mapping = [StatusRow.of(row).to_json() for row in statuses[: len(MAPPED)]]
    MappingVersion.objects.bulk_create(
        MappingVersion(
            counter=counter,
            number=number,
            at=until - timedelta(days=200 * (4 - number)),
            by=f"owner@{counter.agency.slug}.example",
            source="web",
            mapping=mapping[: 4 + number],
            difference=[],
        )
        for counter in counters
        for number in range(1, 4)
    )
    AgreedStatus.objects.bulk_create(
        AgreedStatus(counter=row.counter, metrica_id=row.metrica_id, name=row.name, type=row.type)
        for row in statuses
        if row.counter.is_detailed
    )
    detailed = [counter for counter in counters if counter.is_detailed]
    CustomAttribute.objects.bulk_create(
        CustomAttribute(counter=counter, entity=AttributeEntity.CONTACT, name=name, humanized=name.title())
        for counter in detailed
        for name in ("city", "manager")
    )
    Product.objects.bulk_create(
        Product(counter=counter, name=f"sku-{number}", humanized=f"Product {number}")
        for counter in detailed
        for number in range(40)
    )
    Comparison.objects.bulk_create(
        Comparison(counter=counter, due_at=until, read_at=until, added_up_to=until, matched=0.7, matched_before=0.72)
        for counter in counters
    )
    HoldReview.objects.bulk_create(HoldReview(counter=counter, revision=counter.revision) for counter in counters)
    StepState.objects.bulk_create(
        StepState(counter=counter, looked_at=until, goals_read_at=until) for counter in counters
    )
    RememberedColumns.objects.bulk_create(
        RememberedColumns(counter=counter, delimiter=",", columns={"id": "id", "order_status": "order_status"})
        for counter in counters
    )


def count_work(*, until: datetime) -> None:
    """What the roll-up would find, once all rows and their indexes are there; the days' numbers are made up."""
    counters = list(Counter.objects.order_by("pk"))
    RollUp.objects.get_or_create(pk=1)
    for start in range(0, len(counters), 50):
        some = {counter.pk: counter for counter in counters[start : start + 50]}
        CounterNumbers.objects.bulk_create(
            CounterNumbers(
                counter=some[pk],
                waiting=work.waiting,
                oldest=work.oldest,
                held=work.held,
                held_by_reason=work.held_by_reason,
                rejected=work.rejected,
                closing=work.closing,
                work_at=until,
                basis=f"{some[pk].time_zone} {some[pk].currency}",
                counted_to=until,
                days_at=until,
                recount_at=until + timedelta(days=1),
                recounted_at=until,
            )
            for pk, work in numbers.whole_work_of(some).items()
        )
