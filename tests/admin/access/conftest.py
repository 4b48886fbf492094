"""The world of the table."""

import pytest

from tests.admin.access.world import World, make_world


@pytest.fixture
def world(db: None) -> World:
    return make_world()
