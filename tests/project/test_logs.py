"""What stands in the log."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from project import logs

SECRET = "Xq7-secret-in-the-address-Zk2"


def _line(record: logging.LogRecord) -> str:
    options = dict(logs.config(debug=False)["formatters"]["line"])
    options.pop("()")
    return structlog.stdlib.ProcessorFormatter(**options).format(record)


def _keys_by_themselves(patterns: Any = None) -> Iterator[str]:
    """Addresses outside the admin that carry a secret."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver) and pattern.app_name not in ("admin", "sandbox"):
            yield from _keys_by_themselves(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            names = pattern.pattern.converters
            if any("secret" in name or "token" in name for name in names):
                open_ones = {name: SECRET if "secret" in name or "token" in name else "MQ" for name in names}
                yield reverse(pattern.name, kwargs=open_ones)


def test_there_are_such_addresses() -> None:
    assert len(list(_keys_by_themselves())) >= 4


@pytest.mark.django_db
@pytest.mark.parametrize("address", list(_keys_by_themselves()))
def test_an_address_that_is_a_key_is_not_written_down(
    client: Client, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    with caplog.at_level(logging.INFO):
        client.get(address)
        logging.getLogger("django.request").warning("Not Found: %s", address)
    lines = [_line(record) for record in caplog.records]
    told = [line for line in lines if "Not Found" in line]
    assert told
    assert not any(SECRET in line for line in told)


def test_other_addresses_stay_as_they_are() -> None:
    event = {"event": "Not Found: /admin/orders/order/42/change/", "request": "GET /reports/17/"}
    assert logs.hide_secrets(None, "warning", dict(event)) == event


PERSONAL = ("anna@mail.example", "79031234567", "o'brien")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/nothing/?search=anna@mail.example",
        "/admin/nothing/1/change/?_changelist_filters=q%3D%2B79031234567",
        "/api/v1/nothing/?search=o'brien&email=anna@mail.example",
        "/nothing?q=anna@mail.example?/79031234567",
    ],
)
def test_what_was_searched_for_is_not_written_down(
    client: Client, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    with caplog.at_level(logging.INFO):
        client.get(address)
        logging.getLogger("django.request").warning("Not Found: %s", address)
        structlog.get_logger("django_structlog").warning("request_finished", request=f"GET {address}", code=404)
    lines = [_line(record) for record in caplog.records]
    place = address.split("?")[0]
    assert sum(place in line for line in lines) >= 2
    assert not [line for line in lines for known in PERSONAL if known in line]


def test_questions_stay_as_they_are() -> None:
    event = {"event": "Who asks for /reports/17/? Nobody, or a/b? c?", "url": "/reports/17/?"}
    assert logs.hide_secrets(None, "warning", dict(event)) == event


def test_what_leaves_for_sentry_is_masked_as_the_log_is() -> None:
    sent: list[str] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(json.dumps([item.get_event() for item in envelope.items], ensure_ascii=False))

    place = f"/in/abc/{SECRET}/"
    scope_headers = {"HTTP_X_SECRET": SECRET, "HTTP_USER_AGENT": "CRM/1", "HTTP_REFERER": f"http://testserver{place}"}
    request = RequestFactory().post(f"{place}?q={PERSONAL[0]}", **scope_headers)
    with sentry_sdk.isolation_scope() as scope:
        # Without the integrations that would go on watching this process after the test.
        few: dict[str, Any] = {"default_integrations": False, "auto_enabling_integrations": False}
        few["integrations"] = [LoggingIntegration()]
        scope.set_client(sentry_sdk.Client("https://key@sentry.example/1", transport=Kept, **few, **logs.SENTRY))
        scope.add_breadcrumb(category="httplib", data={"url": f"https://p.bitrix24.ru/rest/1/{SECRET}/x.json"})
        scope.add_breadcrumb(category="httplib", data={"url": "https://shop.example/", "http.query": f"key={SECRET}"})
        scope.add_breadcrumb(message=f"GET https://api.telegram.org/bot123:{SECRET}/sendMessage")

        def with_request(event: Any, hint: Any) -> Any:
            # As the integration with Django writes it.
            told = {"url": request.build_absolute_uri(), "query_string": request.META["QUERY_STRING"]}
            return event | {"request": {**told, "method": "POST", "headers": dict(request.headers)}}

        scope.add_event_processor(with_request)
        try:
            raise ValueError(f"no answer from {place}?q={PERSONAL[0]}")
        except ValueError:
            logging.getLogger("django.request").exception("broke: %s", place, extra={"request": request})
            sentry_sdk.capture_exception()
        sentry_sdk.flush()
    told = "".join(sent)
    assert "no answer from /in/abc/…" in told
    assert SECRET not in told
    assert PERSONAL[0] not in told
    assert "CRM/1" in told
