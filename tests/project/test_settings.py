"""A setting that cannot be used stops the start with a sentence that says what to write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOW = "from django.conf import settings as s; print(s.YANDEX_OAUTH_URL, s.YANDEX_SCOPES, s.YANDEX_OPTIONAL_SCOPES)"


def start(show: str = SHOW, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {
        name: value for name, value in os.environ.items() if not name.startswith(("YANDEX_", "DJANGO_", "OUTGOING_"))
    }
    fixed = {"DEBUG": "on", "ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "project.settings"}
    return subprocess.run(
        [sys.executable, "-c", show],
        cwd=ROOT,
        env={**given, **fixed, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"YANDEX_OAUTH_URL": "oauth.yandex.ru"}, "YANDEX_OAUTH_URL must be an address like https://oauth.yandex.ru"),
        ({"YANDEX_OAUTH_URL": "https://me:secret@oauth.example"}, "YANDEX_OAUTH_URL must be an address"),
        ({"YANDEX_LOGIN_URL": "https://login.example/info?format=json"}, "YANDEX_LOGIN_URL must be an address"),
        ({"YANDEX_LOGIN_URL": "https://login.example:port"}, "YANDEX_LOGIN_URL must be an address"),
        ({"YANDEX_CLIENT_ID": "app"}, "belong together"),
        ({"YANDEX_CLIENT_SECRET": "secret"}, "belong together"),
        ({"YANDEX_SCOPES": "metrika:everything"}, "YANDEX_SCOPES does not know 'metrika:everything'"),
        ({"QUEUE": "rabbit"}, "QUEUE does not know 'rabbit'. Write one of: database, redis."),
        ({"QUEUE": "redis"}, "QUEUE=redis needs REDIS_URL, for example redis://127.0.0.1:6379/0."),
        ({"QUEUE": "redis", "REDIS_URL": "10.0.0.1:6379"}, "REDIS_URL must be an address like redis://"),
        ({"OUTGOING_ALLOWED_NETWORKS": "10.0.0.0/8, inner"}, "OUTGOING_ALLOWED_NETWORKS must be networks with commas"),
        ({"API_REQUESTS_PER_MINUTE": "-1"}, "API_REQUESTS_PER_MINUTE must be 0 or more, got -1."),
        ({"IDEMPOTENCY_HOURS": "0"}, "IDEMPOTENCY_HOURS must be 1 or more, got 0."),
        ({"YANDEX_OPTIONAL_SCOPES": "write"}, "It takes: metrika:expenses, metrika:offline_data"),
    ],
)
def test_a_bad_setting_stops_the_start(environment: dict[str, str], said: str):
    done = start(**environment)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert said in last
    assert "secret" not in last.replace("YANDEX_CLIENT_SECRET", "")


def test_what_is_left_out_has_its_default():
    done = start()
    assert done.stdout.split("\n")[0] == (
        "https://oauth.yandex.ru ['metrika:read', 'metrika:offline_data'] ['metrika:write']"
    ), done.stderr


def test_lists_take_spaces_and_commas():
    done = start(YANDEX_SCOPES="metrika:read, metrika:write", YANDEX_OPTIONAL_SCOPES="", YANDEX_OAUTH_URL="http://x/y/")
    assert done.stdout.split("\n")[0] == "http://x/y ['metrika:read', 'metrika:write'] []", done.stderr


def test_outgoing_requests_reach_no_private_network_unless_it_is_named():
    show = "from django.conf import settings as s; print(*s.OUTGOING_ALLOWED_NETWORKS, s.OUTGOING_PLAIN_HTTP)"
    production = {"DEBUG": "off", "SECRET_KEY": "k" * 50, "ENCRYPTION_KEYS": "A" * 43 + "="}
    assert start(show=show, **production).stdout.split("\n")[0] == "False"
    named = start(show=show, OUTGOING_ALLOWED_NETWORKS="10.20.0.0/16, fd12::/16", **production)
    assert named.stdout.split("\n")[0] == "10.20.0.0/16 fd12::/16 False"
