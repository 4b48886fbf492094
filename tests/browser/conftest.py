"""A real browser before a real server."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.admin.conftest import Place, make_place
from tests.browser import chromium


def need_chromium() -> None:
    """Skips the test where there is none; in CI that is a failure."""
    if not chromium.executable():
        reason = "Chromium was not found: set CHROMIUM, or install it (Debian: apt install chromium)."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def place(transactional_db: None) -> Place:
    return make_place("Mine")


@pytest.fixture
def browser_session(live_server: Any, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[chromium.Session]:
    need_chromium()
    # Playwright runs a loop of its own in this thread; the test's few queries beside it hurt nobody.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with chromium.session(live_server.url, locale="en") as session:
        yield session
