"""The main pages and how one gets to each: for pictures of a demo, and for looks at each page in a test's own place."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.browser.chromium import Session

PHONE: Final = 390
"""How wide a phone is. No page may have to be pushed sideways on one."""


@dataclass(frozen=True, slots=True)
class Scene:
    """By what the pages are found: numbers of counters, the id of an order."""

    counter: str  # the one whose page and mapping are shown
    order: str
    login: str  # of a Metrica account with counters to import
    fresh: str  # a counter that is not set up yet
    moving: str  # a counter whose upload is on its way, and that has more to send
    joining: str = ""  # the path of an invitation's link


@dataclass(frozen=True, slots=True)
class View:
    """One page. `who`: owner, shop (the owner of another agency), staff, or nobody, who is not logged in. `part`: what
    of the page is meant, where it is not all."""

    title: str
    open: Callable[[Session, Scene], None]
    who: str = "owner"
    part: str = ""


def first_of(session: Session, path: str) -> None:
    """The page of what stands first in a list."""
    session.go(path)
    follow(session, "#result_list tbody a")


def follow(session: Session, selector: str) -> None:
    """As the link says, without pressing it: on a phone it may be under something else."""
    link = session.page.locator(selector).first.get_attribute("href")
    assert link is not None, f"{selector} leads nowhere"
    session.go(link)


def at(path: str) -> Callable[[Session, Scene], None]:
    return lambda session, scene: session.go(path)


def first(path: str) -> Callable[[Session, Scene], None]:
    return lambda session, scene: first_of(session, path)


def fields(session: Session, scene: Scene) -> None:
    first_of(session, "/admin/receivers/receiver/")
    follow(session, "a[href$='/mapping/']")


def of_counter(session: Session, number: str) -> None:
    first_of(session, f"/admin/counters/counter/?q={number}")


def counter(session: Session, scene: Scene) -> None:
    of_counter(session, scene.counter)


def setup(session: Session, scene: Scene) -> None:
    of_counter(session, scene.fresh)


def offered(session: Session, scene: Scene) -> None:
    """Counters of an account that can be imported."""
    first_of(session, f"/admin/counters/metricaaccount/?q={scene.login}")
    session.go(session.page.url.removeprefix(session.base_url).replace("/change/", "/import/"))


def order(session: Session, scene: Scene) -> None:
    first_of(session, f"/admin/orders/order/?q={scene.order}")


def sent_row(session: Session, scene: Scene) -> None:
    order(session, scene)
    follow(session, ".gp-step__foot a[href*='/sent/']")


def client(session: Session, scene: Scene) -> None:
    order(session, scene)
    follow(session, "aside a[href*='/clients/client/']")


def upload(session: Session, scene: Scene) -> None:
    """Of the order's newest status: the link stands in its timeline. The request and the answer are opened."""
    order(session, scene)
    follow(session, ".gp-step__foot a")
    session.page.locator(".gp-file summary").first.click()


def progress(session: Session, scene: Scene) -> None:
    of_counter(session, scene.moving)
    follow(session, "section[aria-labelledby=recent-jobs] tbody a")


def dry_run(session: Session, scene: Scene) -> None:
    of_counter(session, scene.moving)
    follow(session, "#recent-jobs a[href*='/dry-run/']")


def fix(session: Session, scene: Scene) -> None:
    """The question that a fix asks, over the list of what is held."""
    session.go("/admin/orders/heldchange/")
    session.page.locator("a[hx-get*='/map/']").first.click()
    session.page.locator("#modal-content #dialog").wait_for()


def simulation(session: Session, scene: Scene) -> None:
    """What would change if a paid visit were cancelled instead; the draft is not saved. It opens in a window of its
    own."""
    counter(session, scene)
    page = session.page
    types = page.locator("select[name^=statuses-][name$=-type]")
    paid = next(index for index in range(types.count()) if types.nth(index).input_value() == "PAID")
    types.nth(paid).select_option("CANCELLED")
    with page.expect_popup() as opened:
        page.locator("button[formaction*=simulate]").click()
    opened.value.wait_for_load_state("networkidle")
    session.page = opened.value


def verified(session: Session, scene: Scene) -> None:
    session.go("/admin/audit/auditentry/verify/")
    session.page.locator("#verify form:has(a) button").click()
    session.page.locator("#verify .gp-note").first.wait_for()
    session.page.wait_for_load_state("networkidle")


def sandbox(session: Session, scene: Scene) -> None:
    session.go(f"/sandbox/counters/{scene.counter}/")


def joining(session: Session, scene: Scene) -> None:
    session.go(scene.joining)


PAGES: dict[str, View] = {
    "login": View("Logging in", at("/admin/login/"), who="nobody"),
    "home": View("Home", at("/admin/")),
    "orders": View("Orders", at("/admin/orders/order/")),
    "order": View("An order's timeline", order),
    "sent": View("The row as it was sent, and the answer", sent_row),
    "add": View("An order by hand", at("/admin/orders/order/add/")),
    "clients": View("Clients", at("/admin/clients/client/")),
    "client": View("A client", client),
    "holds": View("Holds", at("/admin/orders/heldchange/")),
    "fix": View("A hold is fixed where it is read", fix),
    "rejected": View("Rejected: why, and corrected here", at("/admin/orders/rejectedchange/")),
    "imports": View("Imports of files", at("/admin/imports/importjob/")),
    "import": View("An import with what to correct", first("/admin/imports/importjob/?state__exact=partly_failed")),
    "preview": View("A file as it would be stored", first("/admin/imports/importjob/?state__exact=draft")),
    "bring": View("Bringing a file", at("/admin/imports/importjob/add/")),
    "receiver": View("A receiver of a CRM's posts", first("/admin/receivers/receiver/")),
    "fields": View("Fields mapped on what a CRM posted", fields),
    "posts": View("What CRMs posted", at("/admin/receivers/post/")),
    "post": View("A post that needs a person", first("/admin/receivers/post/?state__exact=held")),
    "scripts": View("What scripts written for Metrica uploaded", at("/admin/api/receivedupload/")),
    "script": View("A file of a script that was refused", first("/admin/api/receivedupload/?state__exact=FAILED")),
    "uploads": View("Upload jobs", at("/admin/uploads/uploadjob/")),
    "upload": View("An upload job", upload),
    "progress": View("An upload on its way", progress),
    "dry-run": View("A dry run", dry_run),
    "counters": View("Counters", at("/admin/counters/counter/")),
    "counter": View("A counter", counter),
    "setup": View("What a new counter still needs", setup),
    "mapping": View("The status mapping", counter, part="#statuses-group"),
    "simulation": View("What a changed mapping would change", simulation),
    "history": View("History of the mapping", first("/admin/goals/mappingversion/")),
    "goals": View("Goals", at("/admin/goals/goal/")),
    "account": View("A Metrica account", first("/admin/counters/metricaaccount/")),
    "connect": View("Connecting a Yandex login", at("/admin/counters/metricaaccount/yandex/")),
    "offered": View("Counters of a login, to be picked", offered),
    "calls": View("Calls to Metrica", at("/admin/counters/apicall/")),
    "call": View("A call to Metrica", first("/admin/counters/apicall/")),
    "comparison": View("Delivered beside Metrica's reports", first("/admin/dashboard/comparison/"), who="shop"),
    "alerts": View("Alerts", at("/admin/alerts/alert/")),
    "alert": View("An alert", first("/admin/alerts/alert/")),
    "channel": View("A channel of alerts", first("/admin/alerts/channel/")),
    "rules": View("When there is an alert", at("/admin/alerts/alertrules/")),
    "webhook": View("A webhook and what it was told", first("/admin/hooks/endpoint/")),
    "people": View("People", at("/admin/agencies/membership/")),
    "invite": View("Asking somebody in", at("/admin/agencies/invitation/add/")),
    "join": View("Accepting an invitation", joining, who="nobody"),
    "keys": View("API keys", at("/admin/agencies/apikey/")),
    "profile": View("One's own settings and sessions", at("/admin/profile/")),
    "second-step": View("A second step of logging in", at("/admin/profile/second-step/")),
    "audit": View("The audit log", at("/admin/audit/auditentry/")),
    "entry": View("Before and after", first("/admin/audit/auditentry/")),
    "verify": View("The log is verified", verified),
    "workers": View("Workers", at("/admin/uploads/heartbeat/"), who="staff"),
    "sandbox": View("The sandbox: a counter", sandbox),
}


def of(who: str, names: Iterable[str] = PAGES) -> Iterator[tuple[str, View]]:
    """The pages that this person opens."""
    return ((name, PAGES[name]) for name in names if PAGES[name].who == who)


def is_too_wide(session: Session) -> str:
    """Empty where the page fits the window; else by what it sticks out, and how far."""
    return str(
        session.page.evaluate(
            """() => {
                const room = document.documentElement.clientWidth, whole = document.documentElement.scrollWidth;
                if (whole <= room) return "";
                const clipped = (node) => {
                    for (let one = node.parentElement; one; one = one.parentElement)
                        if (getComputedStyle(one).overflowX !== "visible") return true;
                    return false;
                };
                const out = [...document.body.querySelectorAll("*")].filter(
                    (node) => node.getBoundingClientRect().right > room + 1 && !clipped(node));
                const named = out.slice(-1).map((node) => node.outerHTML.slice(0, 160)).join("");
                return `${whole} px of ${room}: ${named}`;
            }"""
        )
    )


def close_window(session: Session) -> None:
    """Back to the window from which this one was opened, if it was."""
    if opener := session.page.opener():
        session.page.close()
        session.page = opener
