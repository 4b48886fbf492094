"""A counter whose Metrica is the sandbox, over real HTTP."""

from typing import Any

import pytest

from apps.counters.models import Counter
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxCounter
from tests.factories import make_account, make_counter

TOKEN = "y0_goals"


@pytest.fixture
def at_metrica(live_server: Any, transactional_db: None) -> SandboxCounter:
    """The counter as the sandbox has it, and its owner's."""
    sandbox.set_limit(name="requests_by_ip", value=None)
    return sandbox.create_counter(metrica_id=40000001, name="Shop", owner_login="goals", token=TOKEN)


@pytest.fixture
def counter(at_metrica: SandboxCounter, live_server: Any) -> Counter:
    """The same counter here."""
    account = make_account(token=TOKEN, base_url=f"{live_server.url}/sandbox")
    return make_counter(account=account, metrica_id=at_metrica.metrica_id)
