"""One real Chromium for tests and pictures. What its console says is kept: a page that breaks its CSP says so there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)


def executable() -> str:
    """The path of Chromium, or an empty text."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or ""


@dataclass
class Session:
    """A page with what went wrong on it, and every address outside of ours that it asked for."""

    page: Page
    base_url: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        answer = self.page.goto(f"{self.base_url}{path}")
        assert answer is not None and answer.status < 400, f"{path}: {answer and answer.status}"
        self.page.wait_for_load_state("networkidle")

    def log_in(self, email: str, password: str) -> None:
        self.go("/admin/login/")
        self.page.fill("[name=username]", email)
        self.page.fill("[name=password]", password)
        self.page.click("form [type=submit]")
        self.page.wait_for_url("**/admin/")
        self.page.wait_for_load_state("networkidle")

    def log_out(self) -> None:
        """By forgetting who one was: the page may be any."""
        self.page.context.clear_cookies()

    def somebody_else(self, **options: Any) -> "Session":
        """A browser of another person beside this one: it shares no cookie with it, and its complaints are of both."""
        browser = self.page.context.browser
        assert browser is not None
        return _watched(browser.new_context(**options), self.base_url, self.complaints, self.strangers)

    def choose_theme(self, name: str) -> None:
        """light or dark, as the menu of the person does; pages of the sandbox have one theme alone."""
        self.page.evaluate("(name) => window.Alpine && Alpine.$data(document.documentElement).switchTheme(name)", name)

    def speak(self, language: str) -> None:
        """Choose a language as the menu of the person does."""
        self.page.evaluate(
            """async (language) => {
                const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
                const body = new URLSearchParams({language, csrfmiddlewaretoken: token});
                await fetch("/i18n/setlang/", {method: "POST", body});
            }""",
            language,
        )
        self.page.reload()
        self.page.wait_for_load_state("networkidle")


@contextmanager
def session(base_url: str, *, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Session]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            viewport: Any = {"width": width, "height": height}
            yield _watched(browser.new_context(viewport=viewport, **options), base_url, [], [])
        finally:
            browser.close()


def _watched(context: BrowserContext, base_url: str, complaints: list[str], strangers: list[str]) -> Session:
    page = context.new_page()
    open_session = Session(page, base_url, complaints, strangers)
    page.on("console", lambda one: _note(open_session, one))
    page.on("pageerror", lambda error: open_session.complaints.append(str(error)))
    page.on("request", lambda request: _watch(open_session, request.url))
    return open_session


def _note(open_session: Session, message: Any) -> None:
    if message.type in ("error", "warning"):
        open_session.complaints.append(message.text)


def _watch(open_session: Session, url: str) -> None:
    if not url.startswith((open_session.base_url, "data:", "blob:", "about:")):
        open_session.strangers.append(url)
