"""Asking as each of the people: what they meet, what they read, and whether anything was changed by it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.db import connection, transaction
from django.test import Client as Browser

from apps.agencies.models import SignIn
from tests.admin.access.who import Meets
from tests.admin.access.world import World
from tests.admin.pages import text_of

_STATUSES = {403: Meets.FORBIDDEN, 404: Meets.NOT_THERE, 405: Meets.NO_METHOD}
_LETS_IN = {200, 301, 302}
_COME_AND_GO = {"django_session", SignIn._meta.db_table}


class Visitor:
    """One of the people, in a browser in which they are logged in for good, whatever pages do to their session."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self._hidden = name, world.hides_from(name)
        self._browser, user = Browser(), world.people[name]
        if user is not None:
            self._browser.force_login(user)
        self._cookies = {key: morsel.value for key, morsel in self._browser.cookies.items()}

    def ask(self, method: str, url: str, data: Any = None) -> "Answer":
        self._browser.cookies = SimpleCookie(self._cookies)
        ask = self._browser.get if method == "GET" else self._browser.post
        return Answer(
            ask(url, data or {}),
            self._hidden,
            asked=[url, *(f"{name}={value}" for name, value in (data or {}).items())],
        )

    @property
    def sign_in(self) -> SignIn:
        """Of this browser."""
        return SignIn.objects.get(session_key=self._cookies[settings.SESSION_COOKIE_NAME])

    @property
    def is_logged_in(self) -> bool:
        return "_auth_user_id" in self._browser.session


class Answer:
    def __init__(self, answer: Any, hidden: tuple[str, ...], *, asked: Sequence[str]) -> None:
        self.raw = answer
        self.text = text_of(answer)
        # What is told in a cookie or in the address that it leads to is told as well; what was asked is only repeated.
        said = unescape(unquote(unquote("\n".join([self.text, *answer.headers.values(), str(answer.cookies)])))).lower()
        for words in asked:
            said = said.replace(unquote(words).lower(), "")
        self.leaks = [word for word in hidden if word in said]

    @property
    def met(self) -> Meets | str:
        status, leads_to = self.raw.status_code, self.raw.headers.get("Location", "")
        if status in _LETS_IN and leads_to.startswith("/admin/login/"):
            return Meets.LOGIN
        if status == 200 and "Ask the owner of your agency" in self.text:
            return Meets.NO_AGENCY
        return Meets.OK if status in _LETS_IN else _STATUSES.get(status, str(status))

    @property
    def listed(self) -> list[Any]:
        """Keys of the rows of a list."""
        return [row.pk for row in self.raw.context["cl"].result_list]


@contextmanager
def undone() -> Iterator[None]:
    """What happens here is forgotten at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def everything() -> dict[str, str]:
    """A digest of each table, the log of what was done among them; but of sessions, which come and go."""
    quote, digests = connection.ops.quote_name, {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table not in _COME_AND_GO:
                cursor.execute(f"SELECT * FROM {quote(table)}")
                rows = "\n".join(sorted(map(repr, cursor.fetchall())))
                digests[table] = hashlib.sha256(rows.encode()).hexdigest()
    return digests


def changed(before: dict[str, str]) -> list[str]:
    """Tables that are not as they were."""
    return [table for table, digest in everything().items() if before[table] != digest]
