"""A counter whose Metrica is the sandbox, over real HTTP."""

from typing import Any

import pytest

from apps.counters.models import Counter
from apps.sandbox.models import SandboxCounter
from tests.goals.metrica import counter_of, known_to_sandbox


@pytest.fixture
def at_metrica(transactional_db: None) -> SandboxCounter:
    """The counter as the sandbox has it, and its owner's."""
    return known_to_sandbox()


@pytest.fixture
def counter(at_metrica: SandboxCounter, live_server: Any) -> Counter:
    """The same counter here."""
    return counter_of(at_metrica, live_server.url)
