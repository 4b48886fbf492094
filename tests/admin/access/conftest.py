"""The world of the table."""

from types import SimpleNamespace

import pytest

from apps.agencies import invitation_mail
from apps.alerts.channels import mail
from apps.hooks import door
from tests.admin.access.world import World, make_world


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    # What is done is undone, so it is done inside a transaction, in which neither letters nor requests leave otherwise.
    for module in (mail, invitation_mail):
        monkeypatch.setattr(module, "database", SimpleNamespace(in_atomic_block=False))
    monkeypatch.setattr(door, "connection", SimpleNamespace(in_atomic_block=False))
    return make_world()
