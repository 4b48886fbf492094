"""What a web process does before its first request."""

import gc

import pytest

from project.warm_up import warm_up


@pytest.fixture(autouse=True)
def _thawed() -> object:
    yield
    gc.unfreeze()


def test_what_is_there_for_good_is_not_looked_at_again() -> None:
    before = len(gc.get_objects())
    warm_up()
    assert gc.get_freeze_count() > 50_000
    assert len(gc.get_objects()) < before / 10


def test_the_web_process_does_so() -> None:
    import importlib

    import project.wsgi

    gc.unfreeze()
    importlib.reload(project.wsgi)
    assert gc.get_freeze_count() > 50_000
