"""Keys are changed on a running installation, web and worker one after the other, while orders come in.

Nothing is lost.

ENCRYPTION_KEYS: a new key in front, all rewritten, the old one out. SECRET_KEY: the old one among its fallbacks.
"""

import json
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.e2e.conftest import Installation, installed, wait_for

pytestmark = pytest.mark.processes

FIRST, SECOND = (Fernet.generate_key().decode() for _key in range(2))
SECRETS = [secrets.token_urlsafe(50) for _key in range(2)]

_PREPARE = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django_otp.plugins.otp_totp.models import TOTPDevice
from apps.agencies.models import Agency, Membership, User
from apps.counters.models import Counter
from apps.hooks.services import create_endpoint
from apps.reports.services import create_link, secret_of
agency = Agency.objects.get(slug="north")
user = User.objects.create_user("owner@north.example", "a long password")
Membership.objects.create(agency=agency, user=user, role="owner")
device = TOTPDevice.objects.create(user=user, confirmed=False)
endpoint = create_endpoint(agency=agency, name="crm", url="https://crm.example/", events=["order.held"])
link = create_link(counter=Counter.objects.get(), name="report", days=30)
session = SessionStore()
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print("##" + json.dumps({"session": session.session_key, "totp": device.key, "report": secret_of(link)}))
"""

_READ = """
import json
from django_otp.plugins.otp_totp.models import TOTPDevice
from apps.clients import contacts
from apps.counters.encryption import decrypt
from apps.counters.models import Counter, MetricaAccount
from apps.hooks.models import Endpoint
from apps.orders.models import Order
from apps.reports.models import ReportLink
from apps.reports.services import secret_of
counter = Counter.objects.get()
found = contacts.who_told(counters=[counter.pk], digests=contacts.meant("+7 (903) 000-00-07"))
print("##" + json.dumps({
    "token": decrypt(MetricaAccount.objects.get().token_encrypted),
    "totp": TOTPDevice.objects.get().key,
    "webhook": len(decrypt(Endpoint.objects.get().secret_encrypted)) > 20,
    "report": secret_of(ReportLink.objects.get()),
    "phones": {one.order_id: one.identifiers["phones"] for one in Order.objects.all()},
    "found": [Order.objects.get(pk=key).order_id for key, _client in found],
}))
"""


class Crm:
    """Pushes an order again and again, and goes on with it where the web server does not answer."""

    def __init__(self, place: Installation, counter: int) -> None:
        self.place, self.counter = place, counter
        self.sent: dict[str, str] = {}
        self.last = ""  # what was answered, for whoever wonders
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Crm":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.5):
            phone = f"7903{number:07}"
            if self._pushed(f"D-{number}", phone):
                self.sent[f"D-{number}"] = phone
                number += 1

    def _pushed(self, order_id: str, phone: str) -> bool:
        began = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        row = {"id": order_id, "create_date_time": began, "order_status": "PAID", "phones": [phone]}
        try:
            url = f"/api/v1/counters/{self.counter}/orders/"
            answer = self.place.http.post(url, json=row, timeout=10)
        except httpx.HTTPError as error:
            self.last = repr(error)
            return False
        self.last = answer.text
        return answer.status_code == 200


@pytest.fixture
def place(database_url: str, tmp_path: Any) -> Iterator[Installation]:
    given = {"ENCRYPTION_KEYS": FIRST, "SECRET_KEY": SECRETS[0], "ENCRYPT_IDENTIFIERS": "on"}
    with installed(database_url, tmp_path, **given) as running:
        yield running


def test_keys_are_changed_beside_running_work(place: Installation) -> None:
    counter = place.counter()
    prepared = asked(place, _PREPARE)
    with Crm(place, counter) as crm:
        try:
            wait_for(lambda: len(crm.sent) > 10, seconds=240, what="ten orders")
        except AssertionError as error:
            raise AssertionError(f"{error}: {crm.last}\n{place.processes.log('web')[-3000:]}") from None
        place.upload(counter)
        came = wait_for(lambda: arrived(place, counter), seconds=240, what="the first at Metrica")

        change(place, ENCRYPTION_KEYS=f"{SECOND},{FIRST}")
        said = place.processes.manage("rotate_keys", "--batch", "7")
        assert "may be taken out" in said.stdout
        change(place, ENCRYPTION_KEYS=SECOND)
        place.upload(counter)
        wait_for(
            lambda: len(arrived(place, counter)) > len(came), seconds=240, what="more at Metrica, under the new key"
        )

        # Messages that wait in the queue, and the session of whoever is logged in, are signed with SECRET_KEY.
        place.processes.stop(place.worker)
        waiting = place.upload(counter)
        change(place, SECRET_KEY=SECRETS[1], SECRET_KEY_FALLBACKS=SECRETS[0])
        so_far = len(crm.sent)
        wait_for(lambda: len(crm.sent) > so_far + 3, seconds=240, what="further orders")
    place.finished(waiting, seconds=240)
    place.finished(place.upload(counter), seconds=240)

    read = asked(place, _READ)
    assert (read["token"], read["totp"], read["report"]) == (
        "sandbox-token-for-tests",
        prepared["totp"],
        prepared["report"],
    )
    assert read["webhook"]
    assert read["phones"] == {order_id: [phone] for order_id, phone in crm.sent.items()}
    assert read["found"] == ["D-7"]
    assert arrived(place, counter) == dict.fromkeys(crm.sent, "PAID")
    page = httpx.get(f"{place.processes.url}/admin/", cookies={"session": prepared["session"]})
    assert page.status_code == 200, "who is logged in stays so"
    assert place.processes.manage("rotate_keys", "--check").returncode == 0


def arrived(place: Installation, counter: int) -> dict[str, str]:
    return {order["id"]: order["order_status"] for order in place.seen("orders", counter=counter)["orders"]}


def change(place: Installation, **settings: str) -> None:
    """Web and worker are restarted one after the other, as on an installation of several machines."""
    place.processes.environment |= settings
    place.processes.stop(place.web)
    place.restart_web()
    place.processes.stop(place.worker)
    place.restart_worker()


def asked(place: Installation, code: str) -> Any:
    done = place.processes.manage("shell", "-c", code, check=False)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("##")]
    return json.loads(line[2:])
