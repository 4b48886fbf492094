"""docs/sandbox.md names every switch with its values in their order, every limit, fault, kind of call and address."""

import re
from pathlib import Path

from apps.sandbox.limits import LIMITS
from apps.sandbox.models import Endpoint, FaultKind
from apps.sandbox.switches import SWITCHES
from apps.sandbox.urls import urlpatterns

PAGE = (Path(__file__).parent.parent.parent / "docs" / "sandbox.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]


def test_switches_with_their_defaults() -> None:
    told = {}
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        if len(cells) == 3 and (name := cells[0].strip("| `")) in SWITCHES:
            told[name] = re.findall(r"`([^`]+)`", cells[1])
    assert told == {name: list(switch.values) for name, switch in SWITCHES.items()}


def test_limits_with_their_numbers() -> None:
    for limit in LIMITS.values():
        (row,) = [row for row in ROWS if row.startswith(f"| `{limit.name}` |")]
        assert row.split(" | ")[1].startswith(f"{limit.default:,} ")


def test_faults_and_kinds_of_calls() -> None:
    for name in (*FaultKind.values, *Endpoint.values):
        assert f"`{name}`" in PAGE, name


def test_addresses() -> None:
    for pattern in urlpatterns:
        route = str(pattern.pattern)
        if route.startswith("control/"):
            assert f"`{route}`" in PAGE, route
        elif route.startswith(("cdp/", "management/", "stat/")):
            full = "/" + route.replace("<str:counter_id>", "{id}").replace("<str:goal_id>", "{goalId}")
            assert full in PAGE or f"…/{full.rpartition('{id}/')[2]}" in PAGE, route
