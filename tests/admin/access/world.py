"""The agency that is full of things, and the people who come to look at it."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.db import models
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies.invitations import invite, send_again
from apps.agencies.models import Invitation, Membership, Role, SavedFilter, User
from apps.agencies.services import change_member, password_link
from apps.alerts.models import Alert
from apps.alerts.services import rules_of, save_channel
from apps.api.models import ReceivedUpload
from apps.counters.models import Counter, MetricaAccount
from apps.dashboard.models import Comparison
from apps.hooks.services import create_endpoint
from apps.imports import services as imports
from apps.imports.tasks import take_in
from apps.orders.models import Order
from apps.receivers import accepting
from apps.receivers.models import Post
from apps.receivers.services import create_receiver
from apps.reports import services as reports
from apps.uploads.models import Heartbeat, Upload, UploadJob
from tests.admin.conftest import Place, make_place
from tests.factories import SYSTEM, make_counter, make_key, make_member, make_staff, make_user

MARK = "Quokka"  # stands in nothing else
NO_ANSWER = "http://127.0.0.1:61234"
YOURS = 60_000_001


def fill(place: Place) -> Place:
    """One of everything, all of it at the one counter where it has a counter."""
    mark, agency, counter = place.mark, place.agency, place.counter
    MetricaAccount.objects.filter(pk=place.account.pk).update(base_url=NO_ANSWER)  # nobody is called for real
    place.account.refresh_from_db()
    make_key(agency, name=f"{mark} key")
    invite(actor=SYSTEM, agency=agency, email=f"new@{mark.lower()}.example", role="analyst")
    create_endpoint(
        agency=agency,
        name=f"{mark} webhook",
        url=f"{NO_ANSWER}/{mark}",
        events=["order.held"],
        counters=[counter],
    )
    receiver, _secret = create_receiver(counter=counter, name=f"{mark} receiver", kind="generic")
    body = {"id": f"{mark}-posted"}
    accepting.keep(receiver, body=str(body).encode(), content_type="application/json", document=body)
    Post.objects.filter(receiver=receiver).update(state="held", error_code="no_mapping")
    order = place.push(f"{mark}-1", "new", client_uniq_id=f"{mark}-client", client_name=f"{mark} person")
    place.push(f"{mark}-2", f"{mark} unknown status")
    job = place.job(order=order)
    refused = place.push(f"{mark}-3", "won", emails=[f"{mark.lower()}-3@mail.example"])
    upload = Upload.objects.get(job=job)
    refused.changes.update(
        delivery="rejected", reject_code="invalid_uploading", reject_message=f"{mark} no", upload_id=upload.pk
    )
    UploadJob.objects.filter(pk=job.pk).update(rejected=1)
    rows = f"id,create_date_time,order_status\n{mark}-4,never,new\n"
    file = imports.receive(counter=counter, name=f"{mark}.csv", content=io.BytesIO(rows.encode()))
    imports.start(job=file)
    take_in(str(file.pk))
    place.push(f"{mark}-5", "new")  # waits, so that a dry run has a file to show
    by_hand = place.push(f"{mark}-6", "new")
    _press(place.owner, f"/admin/orders/order/{by_hand.pk}/hold/")  # a request of a person stands in the log
    Comparison.objects.create(counter=counter, read_at=timezone.now(), matched=0.5)
    rules_of(agency)
    reader = f"reader@{mark.lower()}.example"
    reports.create_link(counter=counter, name=f"{mark} client", days=30, weekly=True, emails=[reader])
    reports.change_look(look=reports.look_of(agency), shown_name=f"{mark} looks", colour="#123456")
    save_channel(agency=agency, name=f"{mark} duty", addresses=[f"duty@{mark}.example"])
    facts = {"reasons": {"unmapped_status": {"count": 1, "oldest": None}}}
    about = {"counter": counter, "subject": f"counter {counter.pk}", "label": str(counter)}
    Alert.objects.create(agency=agency, cause="holds_waiting", severity="warning", facts=facts, **about)
    by_script = {"kind": "simple_orders", "format": "CSV", "state": "FAILED", "filename": f"{mark}.csv"}
    ReceivedUpload.objects.create(counter=counter, received_by=f"key {mark} key", **by_script)
    Heartbeat.objects.get_or_create(name=f"worker {mark} 1")
    for model in admin.site._registry:
        save_for_all(place, model)
    return place


def save_for_all(place: Place, model: type[models.Model]) -> None:
    """A filter of the model's list that the owner has saved for the whole agency."""
    SavedFilter.objects.create(
        agency=place.agency,
        user=place.owner,
        list_name=f"{model._meta.app_label}_{model._meta.model_name}",
        name=f"{place.mark} filter",
        query=f"q={place.mark}",
        shared=True,
    )


def _press(user: User, url: str) -> None:
    browser = Browser()
    browser.force_login(user)
    assert browser.post(url, {}).status_code == 302, url


@dataclass
class World:
    """`place` is full; `elsewhere` is another agency; `yours` is the counter of `place` that is not full, and all that
    who is limited to it may know. `invitation` and `first_password` are what stands in links that were sent."""

    place: Place
    elsewhere: Place
    yours: Counter
    people: dict[str, User | None]
    invitation: str
    first_password: tuple[str, str]

    @property
    def marks(self) -> dict[str, tuple[str, ...]]:
        """Words, in small letters, that somebody must not read; of everybody else nothing is hidden."""
        foreign = (MARK.lower(), "full of things")
        return {**dict.fromkeys(("anonymous", "no_agency", "outsider"), foreign), "outside": foreign[:1]}

    def hides_from(self, person: str) -> tuple[str, ...]:
        return self.marks.get(person, ())


def make_world() -> World:
    elsewhere, place = make_place("Zeta"), make_place(MARK)
    place.agency.name = "Full of things"  # who is limited to a counter knows the agency's name
    place.agency.save()
    fill(place)
    _invitation, secret = send_again(actor=SYSTEM, invitation=Invitation.objects.get(agency=place.agency))
    yours = make_counter(place.agency, name="Yours", metrica_id=YOURS)
    MetricaAccount.objects.update(base_url=NO_ANSWER)
    place.push("Y-1", "unheard of", counter=yours, emails=["y@mail.example"])
    people: dict[str, User | None] = {
        "anonymous": None,
        "no_agency": make_user("nobody@nowhere.example"),
        "outsider": elsewhere.owner,
        "owner": place.owner,
        "manager": place.manager,
        "analyst": place.analyst,
        "inside": limited(place, place.counter.metrica_id, "inside@limited.example").user,
        "outside": limited(place, YOURS, "outside@limited.example").user,
        "staff": make_staff("staff@platform.example"),
    }
    # A link is spent by logging in, so it is that of somebody who does not.
    member = make_member(place.agency, Role.ANALYST, f"late@{MARK.lower()}.example").memberships.get()
    uid, token = urlsplit(password_link(actor=SYSTEM, member=member)).path.strip("/").split("/")[-2:]
    return World(place, elsewhere, yours, people, secret, (uid, token))


def limited(place: Place, counter: int, email: str, role: str = Role.MANAGER) -> Membership:
    member = Membership.objects.get(user=make_member(place.agency, role, email))
    return change_member(actor=SYSTEM, member=member, role=role, counter_ids=[counter])


def grow(place: Place) -> None:
    """More of all that a page could count."""
    mark = place.mark
    for number in range(7):
        place.push(f"{mark}-more-{number}", "new", client_uniq_id=f"{mark}-client-{number}")
        place.push(f"{mark}-held-{number}", f"{mark} unknown {number}")
        bad: Order = place.push(f"{mark}-bad-{number}", "won", revenue="77777")
        bad.changes.update(delivery="rejected", reject_code="invalid_uploading", reject_message=f"{mark} no")
        place.job(order=place.push(f"{mark}-sent-{number}", "won", revenue="77777"))
        make_key(place.agency, name=f"{mark} key {number}")
        make_member(place.agency, Role.ANALYST, f"more{number}@{mark.lower()}.example")
    make_counter(place.agency, name=f"{mark} second shop")
    Comparison.objects.filter(counter=place.counter).update(matched=0.25)


def asked(value: Any, subject: Any) -> Any:
    """A value of the table: as it stands, or made of the world."""
    make: Callable[[Any], Any] | None = value if callable(value) else None
    return make(subject) if make else value
