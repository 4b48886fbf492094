"""docs/webhooks.md shows messages as they are sent, a recipe that works, and the numbers that are kept."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.hooks import door, payloads, sending, waits
from apps.hooks.models import SUBSCRIBABLE, EventType
from apps.hooks.services import BOTH_SECRETS
from apps.hooks.signing import sign
from project.provisioning.document import load
from tests.hooks.conftest import Hook, send
from tests.uploads.conftest import Shop

PAGE = (Path(__file__).parent.parent.parent / "docs" / "webhooks.md").read_text("utf-8")
EXAMPLES = {kind: json.loads(text) for kind, text in re.findall(r"```json ([\w.]+)\n(.*?)```", PAGE, re.S)}


def code(language: str) -> str:
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return str(text)


def shape(value: Any) -> Any:
    """Names and kinds of values, without the values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "a value"


def test_there_is_an_example_and_a_line_for_each_kind_of_event() -> None:
    assert set(EXAMPLES) == set(EventType.values)
    for kind in EventType.values:
        assert EXAMPLES[kind]["type"] == kind
        [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |")]
        assert set(re.findall(r"`(\w+)`", line.split("|")[3])) - {"delivered_at"} == set(EXAMPLES[kind]["data"])


def test_messages_look_like_the_examples(shop: Shop, hook: Hook) -> None:
    shop.push("D-1", "a1")
    shop.push("D-2", "a1")
    shop.push("D-3", "nobody mapped this")
    shop.fault("refuse_row", order_id="D-2", count=None)
    shop.upload()
    send()
    sending.send_test(hook.endpoint)
    by_kind = {message["type"]: message for message in hook.messages()}
    assert set(by_kind) == set(EXAMPLES)
    for kind, message in by_kind.items():
        assert shape(message) == shape(EXAMPLES[kind]), kind
        assert list(message) == list(EXAMPLES[kind])
    held = by_kind["order.held"]["data"]
    assert {name: held[name] for name in ("reason", "message", "next_step")} == {
        name: EXAMPLES["order.held"]["data"][name] for name in ("reason", "message", "next_step")
    }


@pytest.fixture
def checks() -> Callable[[str, bytes, str], bool]:
    found: dict[str, Any] = {}
    exec(code("python"), found)
    return found["is_from_goalpost"]


def test_the_recipe_knows_ours_from_others(shop: Shop, hook: Hook, checks: Callable[[str, bytes, str], bool]) -> None:
    shop.push("D-1", "nobody mapped this")
    send()
    [came] = hook.receiver.came
    header = came.headers["goalpost-signature"]
    assert checks(header, came.body, hook.secret)
    assert not checks(header, came.body + b" ", hook.secret)
    assert not checks(header, came.body, "whsec_another")
    old = int(time.time()) - 301
    assert not checks(sign(body=came.body, secrets=[hook.secret], at=old), came.body, hook.secret)
    assert not checks(header.replace("t=", "t=1"), came.body, hook.secret)
    for nonsense in ("", "t=,v1=", "v1=ab", "t=1764165600", "t=x,v1=é", ","):
        assert not checks(nonsense, came.body, hook.secret)
    both = sign(body=came.body, secrets=["new", hook.secret])
    assert checks(both, came.body, hook.secret) and checks(both, came.body, "new")


ASK = {
    "node": ("-e", "js", "console.log(isFromGoalpost({header}, Buffer.from({body}), {secret}))"),
    "php": ("-r", "php", "echo is_from_goalpost({header}, {body}, {secret}) ? 'true' : 'false';"),
}


def test_the_recipes_in_other_languages_agree(checks: Callable[[str, bytes, str], bool]) -> None:
    """Those whose language is installed here are run."""
    body = '{"a":"é"}'
    header = sign(body=body.encode(), secrets=["other", "whsec_x"])
    for secret, right in (("whsec_x", True), ("whsec_y", False)):
        assert checks(header, body.encode(), secret) is right
        values = {"header": json.dumps(header), "body": f"'{body}'", "secret": json.dumps(secret)}
        for program, (option, language, question) in ASK.items():
            if shutil.which(program):
                script = code(language) + "\n" + question.format(**values)
                done = subprocess.run([program, option, script], capture_output=True, text=True, timeout=30, check=True)
                assert done.stdout.strip() == str(right).lower(), program


def test_numbers_are_those_of_the_code() -> None:
    assert f"up to **{payloads.MOST_CHANGES}** status changes" in PAGE
    assert "two `v1` for a day" in PAGE and BOTH_SECRETS.days == 1
    assert "first 4 KB" in PAGE and door.MAX_ANSWER_BYTES == 4096
    assert "up to 6 hours" in PAGE and waits.LONGEST == 6 * 3600
    assert "After **3 days**" in PAGE and settings.WEBHOOK_GIVE_UP_HOURS == 72
    for name in ("TIMEOUT_SECONDS", "RETRY_SECONDS", "GIVE_UP_HOURS", "KEPT_DAYS"):
        assert f"`WEBHOOK_{name}` ({getattr(settings, f'WEBHOOK_{name}'):g}" in PAGE
    assert "within ten seconds" in PAGE and settings.WEBHOOK_TIMEOUT_SECONDS == 10


def test_headers_are_all_named(shop: Shop, hook: Hook) -> None:
    shop.push("D-1", "nobody mapped this")
    send()
    sent = {name for name in hook.receiver.came[0].headers if name.startswith("goalpost-")}
    assert sent == {name.lower() for name in re.findall(r"^\| `(Goalpost-[\w-]+)` \|", PAGE, re.M)}


def test_the_example_of_a_provision_file_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "agencies.toml"
    path.write_text('[[agencies]]\nslug = "north"\n' + code("toml"), "utf-8")
    [agency] = load(path, environment={"NORTH_WEBHOOK_SECRET": "whsec_from_the_environment"})
    [webhook] = agency.webhooks
    assert (webhook.name, webhook.counters) == ("crm", (40000001,))
    assert set(webhook.events or ()) < {kind.value for kind in SUBSCRIBABLE}
