"""The world of the table."""

from types import SimpleNamespace

import pytest

from apps.agencies import invitation_mail
from apps.alerts.channels import mail
from apps.hooks import door
from tests.admin.access.world import World, make_world


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    # What is done here is undone, so it is done in a transaction, from which no letter and no request leaves otherwise.
    for module in (mail, invitation_mail):
        monkeypatch.setattr(module, "database", SimpleNamespace(in_atomic_block=False))
    monkeypatch.setattr(door, "connection", SimpleNamespace(in_atomic_block=False))
    return make_world()
