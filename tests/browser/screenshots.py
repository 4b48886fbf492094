"""`make screenshots`: pictures of the main pages in both languages, from a running demo, into docs/screenshots.

Without --url it starts a demo of its own and ends it afterwards.
"""

import argparse
import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from project.processes import BASE_DIR, free_port
from tests.browser import chromium

DIRECTORY = BASE_DIR / "docs" / "screenshots"
LANGUAGES = ("en", "ru")
WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 1280, 720, 1600
BIGGEST = 200_000
HELD = [
    {"id": "K-2002", "status": "Думает", "email": "vera@mail.example"},
    {"id": "K-2003", "status": "Новый лид", "email": ""},
]


@contextlib.contextmanager
def demo(*, seconds: float = 300) -> Iterator[str]:
    """A demo on a free port; its address once it answers at all that was pushed into it."""
    port = free_port(8000)
    command = [sys.executable, "-m", "project.demo", "--port", str(port), "--orders", "300"]
    process = subprocess.Popen(command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="")
            if line.startswith("Ctrl-C"):
                break
        else:
            raise SystemExit("The demo ended too early; its words above say why.")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=seconds)


def answers(url: str) -> bool:
    with contextlib.suppress(urllib.error.URLError, TimeoutError):
        return urllib.request.urlopen(f"{url}/admin/login/", timeout=10).status == 200
    return False


def shoot(session: chromium.Session, name: str) -> Path:
    """The whole page, as high as it is; small enough for a README. A window that was opened for it is closed again."""
    page = session.page
    height = int(page.evaluate("Math.ceil((document.querySelector('#page') || document.documentElement).scrollHeight)"))
    page.set_viewport_size({"width": WIDTH, "height": min(max(height, LEAST_HEIGHT), MOST_HEIGHT)})
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(400)
    picture = page.screenshot()
    page.set_viewport_size({"width": WIDTH, "height": LEAST_HEIGHT})
    if len(picture) > BIGGEST:
        buffer = BytesIO()
        colours = Image.open(BytesIO(picture)).convert("RGB").quantize(colors=192, dither=Image.Dither.NONE)
        colours.save(buffer, "PNG", optimize=True)
        picture = buffer.getvalue()
    path = DIRECTORY / f"{name}.png"
    path.write_bytes(picture)
    if opener := page.opener():
        page.close()
        session.page = opener
    return path


def home(session: chromium.Session) -> None:
    session.go("/admin/")


def counter(session: chromium.Session) -> None:
    session.go("/admin/counters/counter/?q=40000002")
    session.page.locator("#result_list tbody a").first.click()
    session.page.wait_for_load_state("networkidle")


def order(session: chromium.Session) -> None:
    session.go("/admin/orders/order/?q=K-2001")
    session.page.locator("#result_list tbody a").first.click()
    session.page.wait_for_load_state("networkidle")


def upload(session: chromium.Session) -> None:
    """Of the order's newest status: the link stands in its timeline."""
    order(session)
    session.page.locator(".gp-step__foot a").first.click()
    session.page.wait_for_load_state("networkidle")
    session.page.locator(".gp-file summary").first.click()


def holds(session: chromium.Session) -> None:
    session.go("/admin/orders/heldchange/")


def history(session: chromium.Session) -> None:
    """Of the mapping: its newest version."""
    session.go("/admin/goals/mappingversion/")
    session.page.locator("#result_list tbody a").first.click()
    session.page.wait_for_load_state("networkidle")


def simulation(session: chromium.Session) -> None:
    """What would change if a paid visit were cancelled instead; the draft is not saved."""
    counter(session)
    page = session.page
    types = page.locator("select[name^=statuses-][name$=-type]")
    paid = next(index for index in range(types.count()) if types.nth(index).input_value() == "PAID")
    types.nth(paid).select_option("CANCELLED")
    with page.expect_popup() as opened:
        page.locator("button[formaction*=simulate]").click()
    opened.value.wait_for_load_state("networkidle")
    session.page = opened.value


def connect(session: chromium.Session) -> None:
    session.go("/admin/counters/metricaaccount/yandex/")


def comparison(session: chromium.Session) -> None:
    session.go("/admin/dashboard/comparison/")
    session.page.locator("#result_list tbody a").first.click()
    session.page.wait_for_load_state("networkidle")


def sandbox(session: chromium.Session) -> None:
    session.go("/sandbox/counters/40000002/")


PAGES: dict[str, Callable[[chromium.Session], None]] = {
    "home": home,
    "counter": counter,
    "order": order,
    "upload": upload,
    "holds": holds,
    "history": history,
    "simulation": simulation,
    "connect": connect,
    "sandbox": sandbox,
}
SHOP = "owner@south.example"
PAGES_OF_THE_SHOP: dict[str, Callable[[chromium.Session], None]] = {"comparison": comparison}


def push_holds(session: chromium.Session) -> None:
    """Two orders that need a person, written by hand, so that the work list has something to show."""
    page = session.page
    for held in HELD:
        session.go("/admin/orders/order/add/")
        page.locator("[name=counter]").select_option(label="Dental clinics (40000002)")
        page.fill("[name=id]", held["id"])
        page.fill("[name=create_date_time]", time.strftime("%Y-%m-%dT00:05:00"))
        page.fill("[name=order_status]", held["status"])
        page.fill("[name=emails]", held["email"])
        page.fill("[name=revenue]", "9900")
        page.click(".gp-form [type=submit]")
        page.wait_for_load_state("networkidle")


def take(*, url: str, email: str, password: str) -> None:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with chromium.session(url, width=WIDTH, height=LEAST_HEIGHT, locale="en") as session:
        session.log_in(email, password)
        session.go("/admin/orders/heldchange/")
        if not session.page.locator("#result_list tbody").count():
            push_holds(session)
        take_pages(session, PAGES)
    with chromium.session(url, width=WIDTH, height=LEAST_HEIGHT, locale="en") as session:
        session.log_in(SHOP, password)
        compare(session)
        take_pages(session, PAGES_OF_THE_SHOP)


def compare(session: chromium.Session) -> None:
    """Ask for the shop's comparison with Metrica's reports and wait until it is there."""
    session.go("/admin/counters/counter/?q=40000003")
    session.page.locator("#result_list tbody a").first.click()
    session.page.wait_for_load_state("networkidle")
    session.go(session.page.url.removeprefix(session.base_url).replace("/change/", "/compare-orders/"))
    session.page.locator("#dialog [type=submit], .gp-form [type=submit]").first.click()
    session.page.locator("table").first.wait_for(timeout=60_000)


def take_pages(session: chromium.Session, pages: dict[str, Callable[[chromium.Session], None]]) -> None:
    for language in LANGUAGES:
        session.go("/admin/")
        session.speak(language)
        for name, open_page in pages.items():
            open_page(session)
            path = shoot(session, f"{name}.{language}")
            print(f"{path.relative_to(BASE_DIR)}  {path.stat().st_size // 1000} kB")
    session.go("/admin/")
    session.speak("en")
    if session.complaints or session.strangers:
        raise SystemExit(f"The pages complained: {session.complaints} {session.strangers}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="of a running demo; left out: one is started")
    parser.add_argument("--email", default="owner@north.example")
    parser.add_argument("--password", default="goalpost-demo")
    arguments = parser.parse_args()
    if not chromium.executable():
        raise SystemExit("Chromium was not found: set CHROMIUM, or install it (Debian: apt install chromium).")
    if arguments.url and not answers(arguments.url):
        raise SystemExit(f"Nothing answers at {arguments.url}. Start `make demo`, or leave --url out.")
    with contextlib.nullcontext(arguments.url) if arguments.url else demo() as url:
        take(url=url, email=arguments.email, password=arguments.password)


if __name__ == "__main__":
    main()
