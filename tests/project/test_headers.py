"""What each kind of answer says to browsers: pages, files, the API, redirects, errors."""

import io
from typing import Any

import pytest
from django.test import Client
from django.test.utils import override_settings
from django.urls import path

from apps.imports import services as imports
from project import urls
from project.headers import ALWAYS
from tests.admin.conftest import make_place
from tests.api.conftest import Caller
from tests.factories import make_key

pytestmark = pytest.mark.django_db


def fails(_request: Any) -> Any:
    raise RuntimeError("on purpose")


urlpatterns = [*urls.urlpatterns, path("fails/", fails), path("api/fails/", fails)]
handler500 = urls.handler500


def policy_of(answer: Any) -> dict[str, str]:
    text = answer.headers["Content-Security-Policy"]
    return dict(part.strip().partition(" ")[::2] for part in text.split(";"))


def check(answer: Any, *, kind: str) -> None:
    for name, value in ALWAYS.items():
        expected = "no-referrer" if name == "Referrer-Policy" and kind == "report" else value
        assert answer.headers[name] == expected, (kind, name)
    policy = policy_of(answer)
    assert policy["frame-ancestors"] == "'none'"
    if kind == "data":
        assert policy == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    elif kind == "admin":
        assert policy["script-src"] == "'self' 'unsafe-eval'"
    else:
        assert "unsafe-eval" not in str(policy)
        assert "unsafe-inline" not in policy.get("script-src", "")
        assert policy.get("script-src", policy["default-src"]) in ("'self'", "'none'")


@override_settings(
    ROOT_URLCONF=__name__,
    DEBUG=False,
    ALLOWED_HOSTS=["testserver"],
    WHITENOISE_USE_FINDERS=True,
    WHITENOISE_AUTOREFRESH=True,
)
def test_every_kind_of_answer():
    place = make_place("Quokka")
    place.push("D-1", "new")
    key = make_key(place.agency)[1]
    owner, nobody = Client(raise_request_exception=False), Client(raise_request_exception=False)
    owner.force_login(place.owner)
    rows = "id,create_date_time,order_status\nD-2,never,new\n"
    job = imports.receive(counter=place.counter, name="rows.csv", content=io.BytesIO(rows.encode()))
    for kind, status, ask in (
        ("admin", 200, lambda: owner.get("/admin/")),
        ("admin", 200, lambda: owner.get("/admin/orders/order/")),
        ("admin", 404, lambda: owner.get("/admin/nowhere/")),
        ("admin", 403, lambda: Client(enforce_csrf_checks=True).post("/admin/login/")),
        ("admin", 200, lambda: nobody.get("/admin/login/")),
        ("page", 404, lambda: nobody.get("/nowhere/")),
        ("admin", 404, lambda: nobody.get("/invitation/none/")),
        ("report", 404, lambda: nobody.get("/report/none/")),
        ("page", 500, lambda: nobody.get("/fails/")),
        ("page", 400, lambda: nobody.get("/", headers={"Host": "evil.example"})),
        ("page", 302, lambda: nobody.get("/")),
        ("page", 200, lambda: nobody.get("/api/v1/docs/")),
        ("data", 200, lambda: owner.get("/admin/orders/order/export.csv")),
        ("data", 200, lambda: owner.get("/admin/orders/order/export.xlsx")),
        ("data", 200, lambda: owner.get("/admin/jsi18n/")),
        ("admin", 404, lambda: owner.get(f"/admin/imports/importjob/{job.pk}/errors.csv")),
        ("data", 200, lambda: nobody.get("/api/v1/schema/")),
        ("data", 401, lambda: nobody.get("/api/v1/counters/")),
        ("data", 200, lambda: Caller(key).client.get("/api/v1/counters/", headers={"Authorization": f"Bearer {key}"})),
        ("data", 404, lambda: nobody.get("/api/v1/nowhere/")),
        ("data", 500, lambda: nobody.get("/api/fails/")),
        ("data", 200, lambda: nobody.get("/healthz")),
        ("data", 200, lambda: nobody.get("/static/goalpost/goalpost.css")),
    ):
        answer = ask()
        assert answer.status_code == status, (answer.request["PATH_INFO"], answer.status_code)
        check(answer, kind=kind)


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31536000, SECURE_HSTS_INCLUDE_SUBDOMAINS=True)
def test_unencrypted_is_led_to_encrypted_and_stays_there():
    led = Client().get("/admin/login/")
    assert (led.status_code, led.url) == (301, "https://testserver/admin/login/")  # type: ignore[attr-defined]
    check(led, kind="admin")
    page = Client().get("/admin/login/", secure=True)
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
