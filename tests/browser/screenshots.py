"""`make screenshots`: pictures of the main pages in both languages, from a running demo, into docs/screenshots.

Without --url it starts a demo of its own and ends it afterwards.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from project.demo.__main__ import DIRECTORY as DEMO
from project.demo.__main__ import PASSWORD
from project.processes import BASE_DIR, free_port
from tests.browser import chromium
from tests.hooks.receiver import Receiver

DIRECTORY = BASE_DIR / "docs" / "screenshots"
LANGUAGES = ("en", "ru")
WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 1280, 720, 1600
BIGGEST = 200_000
STAFF = "staff@goalpost.example"
CLINICS, WINDOWS = "Dental clinics (40000002)", "Windows and balconies (40000001)"
HELD = [
    {"id": "K-2002", "status": "Думает", "email": "vera@mail.example"},
    {"id": "K-2003", "status": "Новый лид", "email": ""},
]
REFUSED = "@refused.example"
REJECTED = [
    {"id": f"W-300{number}", "status": status, "email": f"{name}{REFUSED}"}
    for number, (status, name) in enumerate(
        [
            ("Новая сделка", "anna"),
            ("Качественный лид", "boris"),
            ("Оплачено", "vera"),
            ("Новая сделка", "gleb"),
            ("Оплачено", "dina"),
        ]
    )
]


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


def rejected(session: chromium.Session) -> None:
    session.go("/admin/orders/rejectedchange/")


def alerts(session: chromium.Session) -> None:
    session.go("/admin/alerts/alert/")


def webhook(session: chromium.Session) -> None:
    """The page of one, with the log of its messages."""
    session.go("/admin/hooks/endpoint/")
    session.page.locator("#result_list tbody a").first.click()
    session.page.wait_for_load_state("networkidle")


def workers(session: chromium.Session) -> None:
    session.go("/admin/uploads/heartbeat/")


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
    "rejected": rejected,
    "alerts": alerts,
    "webhook": webhook,
    "history": history,
    "simulation": simulation,
    "connect": connect,
    "sandbox": sandbox,
}
SHOP = "owner@south.example"
PAGES_OF_THE_SHOP: dict[str, Callable[[chromium.Session], None]] = {"comparison": comparison}
PAGES_OF_STAFF: dict[str, Callable[[chromium.Session], None]] = {"workers": workers}


def write_orders(session: chromium.Session, counter: str, orders: list[dict[str, str]]) -> None:
    """By hand, one after the other."""
    page = session.page
    for order in orders:
        session.go("/admin/orders/order/add/")
        page.locator("[name=counter]").select_option(label=counter)
        page.fill("[name=id]", order["id"])
        page.fill("[name=create_date_time]", time.strftime("%Y-%m-%dT00:05:00"))
        page.fill("[name=order_status]", order["status"])
        page.fill("[name=emails]", order["email"])
        page.fill("[name=revenue]", "9900")
        page.click(".gp-form [type=submit]")
        page.wait_for_load_state("networkidle")


def has_rows(session: chromium.Session, path: str) -> bool:
    session.go(path)
    return session.page.locator("#result_list tbody").count() > 0


def wait_for_rows(session: chromium.Session, path: str, *, seconds: float = 400) -> None:
    until = time.monotonic() + seconds
    while not has_rows(session, path):
        if time.monotonic() > until:
            raise SystemExit(f"{path} is still empty.")
        time.sleep(2)


def make_work(session: chromium.Session, receiver: str) -> None:
    """What lists of work have to show: a webhook, orders that need a person, rows that Metrica refused and the alert
    about them. `receiver`: the webhook's address."""
    page = session.page
    if not has_rows(session, "/admin/hooks/endpoint/"):
        session.go("/admin/hooks/endpoint/add/")
        page.fill("[name=name]", "CRM")
        page.fill("[name=url]", receiver)
        page.click("[name=_save]")
        page.wait_for_load_state("networkidle")
    if not has_rows(session, "/admin/orders/heldchange/"):
        write_orders(session, CLINICS, HELD)
    if not has_rows(session, "/admin/orders/rejectedchange/"):
        fault = {"kind": "refuse_row", "counter": 40000001, "count": None, "contains": REFUSED, "location": False}
        page.request.post(f"{session.base_url}/sandbox/control/faults", data=fault)
        write_orders(session, WINDOWS, REJECTED)
    wait_for_rows(session, "/admin/alerts/alert/")


def take(*, url: str, email: str, password: str, staff: str) -> None:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with visit(url, email, password) as session, Receiver() as receiver:
        make_work(session, receiver.url)
        take_pages(session, PAGES)
    with visit(url, SHOP, password) as session:
        compare(session)
        take_pages(session, PAGES_OF_THE_SHOP)
    if staff:
        with visit(url, staff, password) as session:
            take_pages(session, PAGES_OF_STAFF)


@contextlib.contextmanager
def visit(url: str, email: str, password: str) -> Iterator[chromium.Session]:
    with chromium.session(url, width=WIDTH, height=LEAST_HEIGHT, locale="en") as session:
        session.log_in(email, password)
        yield session


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
    parser.add_argument("--password", default=PASSWORD)
    parser.add_argument("--staff", default="", help="e-mail of platform staff of a running demo; left out: not shown")
    arguments = parser.parse_args()
    if not chromium.executable():
        raise SystemExit("Chromium was not found: set CHROMIUM, or install it (Debian: apt install chromium).")
    if arguments.url and not answers(arguments.url):
        raise SystemExit(f"Nothing answers at {arguments.url}. Start `make demo`, or leave --url out.")
    staff = arguments.staff if arguments.url else STAFF
    with contextlib.nullcontext(arguments.url) if arguments.url else demo() as url:
        take(url=url, email=arguments.email, password=arguments.password, staff=staff)


if __name__ == "__main__":
    main()
