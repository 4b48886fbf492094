"""`make screenshots`: pictures of the main pages in both languages, on a desk and on a phone, from a running demo, into
docs/screenshots, with the page that shows them.

Without --url it starts a demo of its own and ends it afterwards. Exit status 1 where a page does not fit a phone.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from io import BytesIO
from typing import Any

from PIL import Image

from project.demo.__main__ import DIRECTORY as DEMO
from project.demo.__main__ import PASSWORD
from project.processes import BASE_DIR, free_port
from tests.browser import chromium, demo_work, pages
from tests.browser.pages import PAGES, PHONE, Scene, View
from tests.hooks.receiver import Receiver

DIRECTORY = BASE_DIR / "docs" / "screenshots"
SHEET = DIRECTORY / "README.md"
LANGUAGES = {"en": "English", "ru": "Russian"}
DESK = 1280
WIDTHS = {"": DESK, ".phone": PHONE}
LEAST_HEIGHT = {DESK: 720, PHONE: 844}
MOST_HEIGHT = {DESK: 1600, PHONE: 1700}
OWNER, SHOP, STAFF = "owner@north.example", "owner@south.example", "staff@goalpost.example"


@contextlib.contextmanager
def demo(*, seconds: float = 300) -> Iterator[str]:
    """A demo on a free port; its address once it answers at all that was pushed into it."""
    port = free_port(8000)
    command = [sys.executable, "-m", "project.demo", "--port", str(port), "--orders", "300"]
    # Alerts are looked for every few seconds, so that nobody waits for one.
    hurry = {**os.environ, "TICK_SECONDS": "10", "ALERT_LOOK_SECONDS": "10"}
    process = subprocess.Popen(command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True, env=hurry)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="")
            if line.startswith("Ctrl-C"):
                break
        else:
            raise SystemExit("The demo ended too early; its words above say why.")
        hire_staff()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=seconds)


def hire_staff() -> None:
    """One of the platform's own people in the demo, who has none."""
    database = f"sqlite:///{DEMO / 'goalpost.sqlite3'}"
    given = {"DEBUG": "on", "ENV_FILE": os.devnull, "DATABASE_URL": database, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--email", STAFF]
    subprocess.run(command, cwd=BASE_DIR, env={**os.environ, **given}, check=True)


def answers(url: str) -> bool:
    with contextlib.suppress(urllib.error.URLError, TimeoutError):
        return urllib.request.urlopen(f"{url}/admin/login/", timeout=10).status == 200
    return False


def contact_sheet() -> str:
    """The page that shows the pictures."""
    lines = [
        "# What it looks like",
        "",
        "Pictures of a demo, which `make screenshots` starts and ends by itself: each page in English and in Russian,",
        f"on a desk ({DESK} px) and on a phone ({PHONE} px). It fails where a page has to be pushed sideways there.",
        '`make screenshots ARGS="--only home order"` takes some of them.',
        "",
    ]
    for name, view in PAGES.items():
        lines += [f"## {view.title}", ""]
        for ending, share in (("", 49), (".phone", 24)):
            lines += [
                f'<img src="{name}.{language}{ending}.webp" width="{share}%" alt="{view.title}, {called}">'
                for language, called in LANGUAGES.items()
            ]
        lines.append("")
    return "\n".join(lines)


def shoot(session: chromium.Session, name: str, view: View, width: int) -> int:
    """The page, as high as it is, or the part of it that is meant; gives the picture's size in bytes."""
    page = session.page
    least = LEAST_HEIGHT[width]
    page.set_viewport_size({"width": width, "height": least})
    page.wait_for_timeout(300)
    height = int(page.evaluate("Math.ceil((document.querySelector('#page') || document.documentElement).scrollHeight)"))
    if not page.locator("#modal-content #dialog").is_visible():
        page.set_viewport_size({"width": width, "height": min(max(height, least), MOST_HEIGHT[width])})
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(400)
    picture = page.locator(view.part).screenshot() if view.part else page.screenshot()
    path = DIRECTORY / f"{name}.webp"
    Image.open(BytesIO(picture)).convert("RGB").save(path, "WEBP", quality=70, method=6)
    page.set_viewport_size({"width": DESK, "height": LEAST_HEIGHT[DESK]})
    return path.stat().st_size


@contextlib.contextmanager
def visit(url: str, email: str, password: str) -> Iterator[chromium.Session]:
    """Of who has this e-mail; of nobody where there is none."""
    with chromium.session(url, width=DESK, height=LEAST_HEIGHT[DESK], locale="en") as session:
        if email:
            session.log_in(email, password)
        else:
            session.go("/admin/login/")
        yield session
        if session.complaints or session.strangers:
            raise SystemExit(f"The pages complained: {session.complaints} {session.strangers}")


def compare(session: chromium.Session) -> None:
    """Ask for the shop's comparison with Metrica's reports and wait until it is there."""
    pages.of_counter(session, "40000003")
    session.go(session.page.url.removeprefix(session.base_url).replace("/change/", "/compare-orders/"))
    session.page.locator("#dialog [type=submit], .gp-form [type=submit]").first.click()
    session.page.locator("table").first.wait_for(timeout=60_000)


def take_pages(session: chromium.Session, scene: Scene, who: str, wanted: Collection[str]) -> list[str]:
    """The pages of this person; gives those that do not fit a phone."""
    too_wide = []
    start = "/admin/login/" if who == "nobody" else "/admin/"
    for language in LANGUAGES:
        session.go(start)
        session.speak(language)
        for name, view in pages.of(who, wanted):
            view.open(session, scene)
            sizes = []
            for ending, width in WIDTHS.items():
                session.page.set_viewport_size({"width": width, "height": LEAST_HEIGHT[width]})
                if width == PHONE and (told := pages.is_too_wide(session)):
                    too_wide.append(f"{name}.{language}: {told}")
                sizes.append(shoot(session, f"{name}.{language}{ending}", view, width) // 1000)
            pages.close_window(session)
            print(f"{name}.{language}: {sizes[0]} and {sizes[1]} kB", flush=True)
    session.go(start)
    session.speak("en")
    return too_wide


def take(*, url: str, password: str, people: dict[str, str], wanted: Collection[str]) -> list[str]:
    """`people`: e-mails by who they are."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    too_wide: list[str] = []
    with visit(url, people["owner"], password) as session, Receiver() as receiver:
        scene = demo_work.make(session, receiver.url)
        too_wide += take_pages(session, scene, "owner", wanted)
    for who in ("nobody", "shop", "staff"):
        if (who != "nobody" and not people[who]) or not list(pages.of(who, wanted)):
            continue
        with visit(url, people.get(who, ""), password) as session:
            if who == "shop":
                compare(session)
            too_wide += take_pages(session, scene, who, wanted)
    SHEET.write_text(contact_sheet(), "utf-8")
    return too_wide


def forget_old_ones() -> None:
    """Pictures of pages that are taken no longer."""
    kept = {f"{name}.{language}{ending}.webp" for name in PAGES for language in LANGUAGES for ending in WIDTHS}
    for path in DIRECTORY.iterdir():
        if path.suffix in (".png", ".webp") and path.name not in kept:
            path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="of a running demo; left out: one is started")
    parser.add_argument("--email", default=OWNER)
    parser.add_argument("--password", default=PASSWORD)
    parser.add_argument("--staff", default="", help="e-mail of platform staff of a running demo; left out: not shown")
    parser.add_argument("--only", nargs="+", default=list(PAGES), choices=list(PAGES), metavar="PAGE")
    arguments = parser.parse_args()
    if not chromium.executable():
        raise SystemExit("Chromium was not found: set CHROMIUM, or install it (Debian: apt install chromium).")
    if arguments.url and not answers(arguments.url):
        raise SystemExit(f"Nothing answers at {arguments.url}. Start `make demo`, or leave --url out.")
    people = {"owner": arguments.email, "shop": SHOP, "staff": arguments.staff if arguments.url else STAFF}
    started: Any = contextlib.nullcontext(arguments.url) if arguments.url else demo()
    with started as url:
        too_wide = take(url=url, password=arguments.password, people=people, wanted=arguments.only)
    if arguments.only == list(PAGES):
        forget_old_ones()
    if too_wide:
        raise SystemExit("These pages do not fit a phone:\n" + "\n".join(too_wide))


if __name__ == "__main__":
    main()
