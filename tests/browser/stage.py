"""An agency with something on each of the main pages (see `pages`), for a server that runs within the test."""

import io
import json
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.agencies.invitation_mail import path_of
from apps.agencies.invitations import invite
from apps.alerts.models import Alert
from apps.alerts.services import rules_of, save_channel
from apps.audit import chain
from apps.counters.services import connect_account
from apps.dashboard.models import Comparison
from apps.hooks.services import create_endpoint
from apps.imports import services as imports
from apps.imports.tasks import take_in
from apps.receivers import accepting
from apps.receivers.services import create_receiver, map_fields
from apps.receivers.working import work_next
from apps.sandbox import services as sandbox
from apps.uploads.models import JobState, Trigger, UploadJob
from apps.uploads.runner import run_job
from apps.uploads.services import request_upload
from tests.admin.conftest import Place
from tests.browser.pages import Scene
from tests.factories import SYSTEM, make_counter, make_key
from tests.goals.metrica import TOKEN, known_to_sandbox

FRESH, MOVING, OFFERED = 60_000_001, 60_000_002, 60_000_003


def build(place: Place, url: str) -> Scene:
    """`url`: of the server, whose sandbox is the agency's Metrica."""
    counter, account = place.counter, place.account
    known_to_sandbox(counter.metrica_id)
    sandbox.create_counter(metrica_id=OFFERED, name="Yoga studio", site="yoga.example", owner_login="goals")
    connect_account(agency=place.agency, login=account.login, token=TOKEN, base_url=f"{url}/sandbox")
    make_key(place.agency, name="crm")
    create_endpoint(agency=place.agency, name="CRM", url="https://crm.example/hook", events=["order.held"])
    _invitation, secret = invite(actor=SYSTEM, agency=place.agency, email="new@mine.example", role="analyst")
    orders(place)
    files(place)
    posts(place)
    scripts(place)
    make_counter(place.agency, account=account, name="Fresh", metrica_id=FRESH, time_zone="")
    moving = make_counter(place.agency, account=account, name="Moving", metrica_id=MOVING)
    UploadJob.objects.create(
        counter=moving,
        trigger=Trigger.PERSON,
        state=JobState.RUNNING,
        requested_by=place.owner.email,
        started_at=timezone.now(),
        changes=4,
        delivered=2,
    )
    Comparison.objects.create(counter=counter, read_at=timezone.now(), matched=0.5, matched_before=0.8)
    alerts(place)
    chain.seal()
    return Scene(
        counter=str(counter.metrica_id),
        order="D-1001",
        login=account.login,
        fresh=str(FRESH),
        moving=str(MOVING),
        joining=path_of(secret),
    )


def orders(place: Place) -> None:
    """One delivered for good, one rejected, two held for different reasons, one that waits."""
    person = {"client_uniq_id": "P-15", "client_name": "Anna", "phones": ["+7 903 123-45-67"]}
    place.push("D-1001", "new", "won", revenue="12400", cost="7000", **person)
    run_job(request_upload(counter=place.counter, trigger=Trigger.PERSON).pk)
    place.push("D-1002", "Думает")
    place.push("D-1003", "new", emails=[])
    rejected = place.push("D-1004", "won", emails=["d-1004@mail.example"])
    rejected.changes.update(delivery="rejected", reject_code="invalid_uploading", reject_message="Row 1: no e-mail")
    place.push("D-1005", "won", revenue="900")


def files(place: Place) -> None:
    """One taken in with a row that was wrong, one that is only looked at."""
    rows = f"id,create_date_time,order_status,revenue\nI-1,never,new,5\nI-2,{place.began:%Y-%m-%d},new,9\n"
    for name in ("orders.csv", "more.csv"):
        job = imports.receive(counter=place.counter, name=name, content=io.BytesIO(rows.encode()))
        if name == "orders.csv":
            imports.start(job=job)
            take_in(str(job.pk))


def posts(place: Place) -> None:
    """One that was taken in, one of which an order was not."""
    receiver, _secret = create_receiver(counter=place.counter, name="Shop", kind="generic")
    kept = {"fields": {"id": "order.number", "create_date_time": "order.createdAt", "order_status": "order.status"}}
    receiver = map_fields(receiver=receiver, kept=kept)
    for number, status in (("P-1", "won"), ("P-2", "")):
        came = {"order": {"number": number, "createdAt": f"{place.began:%Y-%m-%d %H:%M}", "status": status}}
        body = json.dumps(came).encode()
        accepting.keep(receiver, body=body, content_type="application/json", document=came)
        work_next(receiver.pk)


def scripts(place: Place) -> None:
    """One file that was taken in, and one that was refused."""
    _key, text = make_key(place.agency, name="script")
    head, row = "id,create_date_time,client_ids,order_status", "S-1,{},1700000000222333444,PAID"
    for name, when in (("deals.csv", f"{place.began:%Y-%m-%d %H:%M:%S}"), ("without-dates.csv", "")):
        Client().post(
            f"/cdp/api/v1/counter/{place.counter.metrica_id}/data/simple_orders?merge_mode=SAVE",
            {"file": SimpleUploadedFile(name, f"{head}\n{row.format(when)}".encode())},
            headers={"authorization": f"OAuth {text}"},
        )


def alerts(place: Place) -> None:
    rules_of(place.agency)
    save_channel(agency=place.agency, name="On duty", addresses=["duty@mine.example"])
    Alert.objects.create(
        agency=place.agency,
        cause="holds_waiting",
        severity="warning",
        facts={"reasons": {"unmapped_status": {"count": 1, "oldest": None}}},
        counter=place.counter,
        subject=f"counter {place.counter.pk}",
        label=str(place.counter),
        opened_at=timezone.now() - timedelta(hours=2),
    )
