"""The log speaks in words: every action that is recorded anywhere has a name, and pages show no codes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.encoding import force_str

from apps.agencies.models import Agency
from apps.alerts.services import CHANNEL_FIELDS
from apps.audit import naming
from apps.audit.services import record
from apps.counters.services import ACCOUNT_FIELDS, COUNTER_FIELDS
from apps.goals.statuses import STATUS_FIELDS
from tests.factories import make_agency, make_counter, make_member

pytestmark = pytest.mark.django_db

LOG = "/admin/audit/auditentry/"
APPS = Path(__file__).parents[2] / "apps"
COMMANDS = APPS.parent / "project/management"
CODE = re.compile(r"[a-z_]+\.[a-z_]+")
RECORDERS = {"record", "tell", "_tell", "_tell_of", "_record", "_together", "_tell_agencies"}
"""Whatever writes an entry, or hands an action on to what does."""


def codes_in(node: ast.AST) -> Iterator[str]:
    """Of a text, and of both sides of a choice."""
    if isinstance(node, ast.IfExp):
        yield from codes_in(node.body)
        yield from codes_in(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
        yield node.value


def recorded() -> dict[str, str]:
    """Actions in calls of the recorders, and those that a variable `action` or `ACTION` holds: {code: file}."""
    found: dict[str, str] = {}
    for path in sorted([*APPS.rglob("*.py"), *COMMANDS.rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text())):
            parts: list[ast.expr] = []
            if isinstance(node, ast.Call):
                if getattr(node.func, "id", getattr(node.func, "attr", "")) in RECORDERS:
                    parts = [*node.args, *(word.value for word in node.keywords if word.arg == "action")]
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(getattr(target, "id", "").lower() == "action" for target in targets):
                    parts = [node.value]
            found |= {code: path.name for part in parts for code in codes_in(part)}
    return found


def test_every_action_that_is_recorded_has_a_name() -> None:
    codes = recorded()
    assert {"change.retried", "metrica.unreachable", "goals.read_from_metrica", "audit.verified"} <= set(codes)
    assert not {code: name for code, name in codes.items() if code not in naming.ACTIONS}


def test_every_name_is_of_an_action_that_is_recorded() -> None:
    assert set(naming.ACTIONS) - set(recorded()) == {"audit.exported"}, "and of one that old entries have"


def test_no_two_actions_are_called_alike() -> None:
    names = [force_str(name) for name in naming.ACTIONS.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("object_type", "fields"),
    [
        ("counters.counter", COUNTER_FIELDS),
        ("counters.metricaaccount", ACCOUNT_FIELDS),
        ("goals.statusmapping", STATUS_FIELDS),
        ("alerts.channel", CHANNEL_FIELDS),
        ("agencies.membership", ("email", "role", "counter_ids")),
        ("agencies.apikey", ("name", "prefix", "scopes", "counter_ids", "expires_at", "revoked_at")),
        ("hooks.endpoint", ("name", "url", "events", "counters", "active")),
    ],
)
def test_fields_have_names(object_type: str, fields: tuple[str, ...]) -> None:
    for name in fields:
        shown = force_str(naming.field_name(object_type, name))
        assert shown, name
        assert "_" not in shown, name


def test_an_object_type_goes_by_what_the_model_is_called() -> None:
    assert force_str(naming.type_name("counters.counter")) == "counter"
    assert naming.type_name("old.model") == "old.model"
    assert naming.type_name("nonsense") == "nonsense"
    assert naming.type_name("") == ""
    assert ("orders.order", "order") in naming.types()


@pytest.fixture
def north(client: Client) -> Agency:
    agency = make_agency("north", "North Agency")
    client.force_login(make_member(agency))
    return agency


def test_pages_show_words_and_keep_the_codes_on_hover(client: Client, north: Agency) -> None:
    entry = record(
        action="counter.changed",
        agency=north,
        obj=make_counter(north),
        before={"hash_identifiers": False, "mode": "simple"},
        after={"hash_identifiers": True, "mode": "detailed"},
        details={"clients_due_again": 3},
    )
    listed = client.get(LOG).content.decode()
    assert '<span title="counter.changed">Counter&#x27;s settings changed</span>' in listed
    page = client.get(f"{LOG}{entry.pk}/change/").content.decode()
    for shown in ("Counter&#x27;s settings changed", "clients to be sent again", "Simple", "Detailed", "yes", "no"):
        assert f">{shown}<" in page, shown
    assert ">hash_identifiers<" not in page
    assert 'title="hash_identifiers"' in page


def test_actions_and_types_are_chosen_from_lists(client: Client, north: Agency) -> None:
    for action in ("member.added", "invitation.sent", "invitation.sent_again"):
        record(action=action, agency=north)

    def listed(query: str) -> list[str]:
        return [entry.action for entry in client.get(LOG + query).context["cl"].result_list]

    text = client.get(LOG).content.decode()
    assert '<option value="member.added">Person added</option>' in text
    assert '<option value="counters.counter">counter</option>' in text
    assert listed("?action=invitation.sent") == ["invitation.sent"], "a whole code is that one alone"
    assert listed("?action=invitation.") == ["invitation.sent_again", "invitation.sent"]
    assert '<option value="member." selected>member.</option>' in client.get(LOG + "?action=member.").content.decode()


def test_the_export_has_codes_and_words(client: Client, north: Agency) -> None:
    record(action="member.added", agency=north)
    answer: Any = client.get(f"{LOG}export.csv?action=member.added")
    text = b"".join(answer.streaming_content).decode()
    assert "Action,Action in words" in text
    assert "member.added,Person added" in text
