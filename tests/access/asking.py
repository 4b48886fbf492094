"""Real requests of every caller, each of which is undone."""

import json
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

from django.core.cache import cache
from django.test import Client as Browser
from django.utils import timezone

from apps.agencies.models import ApiKey
from apps.agencies.services import revoke_api_key
from tests.access.letters import CALLERS, KEYS, METHODS, NOBODY, Line, letter_of
from tests.access.routes import Route
from tests.admin.access.asking import undone
from tests.admin.access.table import ADDRESSES
from tests.admin.access.world import YOURS, World, asked
from tests.api.test_permissions import TABLE as BODIES
from tests.factories import SYSTEM, make_key

SCHEMES = {"/cdp/": "OAuth"}
"""How a key is said, where it is not `Bearer`."""


class Callers:
    """The keys and the people of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        agency = world.place.agency
        soon = timezone.now() + timedelta(hours=1)
        self._keys = {
            "other": make_key(world.elsewhere.agency, name="access other")[1],
            "read": make_key(agency, name="access read", scopes=["read"])[1],
            "write": make_key(agency, name="access write", scopes=["write"])[1],
            "limited": make_key(agency, name="access limited", counter_ids=[YOURS])[1],
            "expired": make_key(agency, name="access expired", expires_at=soon)[1],
            "away": make_key(agency, name="access away", networks=["192.0.2.0/24"])[1],
        }
        ApiKey.objects.filter(name="access expired").update(expires_at=timezone.now() - timedelta(seconds=1))
        revoked, self._keys["revoked"] = make_key(agency, name="access revoked")
        revoke_api_key(actor=SYSTEM, key=revoked)
        self._browsers: dict[str, tuple[Browser, dict[str, str]]] = {}
        for caller in CALLERS:
            browser = Browser(raise_request_exception=False)
            if caller not in (NOBODY, *KEYS):
                user = world.people[caller]
                assert user is not None
                browser.force_login(user)
            self._browsers[caller] = browser, {key: morsel.value for key, morsel in browser.cookies.items()}

    def line_of(self, route: Route) -> Line:
        """What each of them meets there."""
        url = route.address(self._world)
        cache.clear()  # limits of how often one may ask are another matter
        return Line(
            route.route,
            {
                method: "".join(self._met(caller, method, url, self._sent(route, method)) for caller in CALLERS)
                for method in METHODS
            },
        )

    def _met(self, caller: str, method: str, url: str, sent: dict[str, Any]) -> str:
        browser, cookies = self._browsers[caller]
        browser.cookies = SimpleCookie(cookies)
        headers = {}
        if caller in KEYS:
            scheme = next((scheme for start, scheme in SCHEMES.items() if url.startswith(start)), "Bearer")
            headers["Authorization"] = f"{scheme} {self._keys[caller]}"
        with undone():
            answer: Any = getattr(browser, method.lower())(url, headers=headers, **sent)
            if answer.streaming:
                b"".join(answer.streaming_content)  # a cursor that is open outlasts no rollback
        return letter_of(answer)

    def _sent(self, route: Route, method: str) -> dict[str, Any]:
        """What makes sense there: of the tables of pages and of the API, where they know it."""
        if route.page is not None:
            line = ADDRESSES[route.page.key]
            if method == "GET":
                return {"data": asked(line.query, self._world) or {}}
            return {"data": asked(line.data, self._world) or {}} if method == "POST" else {}
        body = (BODIES.get((route.name, method)) or ({},))[0]
        if method == "GET":
            return {}
        return {"data": b"" if body is None else json.dumps(body).encode(), "content_type": "application/json"}
