"""An agency's first day in a real browser, once in each language: from the first login to a colleague who sees one
counter. Nothing is made up: web and worker processes, the sandbox over HTTP, a mail server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from django.utils import translation
from playwright.sync_api import Locator, Page, TimeoutError

from project.processes import free_port
from tests.alerts.conftest import PostOffice, part
from tests.browser import chromium
from tests.browser.conftest import need_chromium
from tests.browser.pages import is_too_wide
from tests.e2e.conftest import Installation, database_url, installed, wait_for
from tests.factories import PASSWORD

__all__ = ["database_url"]

pytestmark = [pytest.mark.browser, pytest.mark.processes]

APP, SECRET = "goalpost-app", "goalpost-app-secret"
LATENCY = 4
"""Seconds that the sandbox takes for an upload, so that the page can be seen to follow."""

HEADER = "Номер;Дата;Этап;Дата статуса;Телефон;Сумма"
STATUSES = [("Новая", "IN_PROGRESS", ""), ("Оплачено", "PAID", "deal_won")]


@pytest.fixture(scope="module")
def post_office() -> Iterator[PostOffice]:
    office = PostOffice(port=free_port())
    controller = Controller(office, hostname="127.0.0.1", port=office.port)
    controller.start()
    yield office
    controller.stop()


@pytest.fixture(scope="module")
def installation(
    database_url: str,
    post_office: PostOffice,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    need_chromium()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "SITE_URL": url,
        "EMAIL_URL": f"smtp://127.0.0.1:{post_office.port}",
        "METRICA_URL": f"{url}/sandbox",
        "YANDEX_OAUTH_URL": f"{url}/sandbox",
        "YANDEX_LOGIN_URL": f"{url}/sandbox/info",
        "YANDEX_CLIENT_ID": APP,
        "YANDEX_CLIENT_SECRET": SECRET,
        "OWNER_PASSWORD": PASSWORD,
    }
    with installed(database_url, tmp_path_factory.mktemp("installation"), port=port, **settings) as running:
        callback = f"{url}/admin/counters/metricaaccount/yandex/callback/"
        running.control("apps", client_id=APP, client_secret=SECRET, name="Goalpost", redirect_uris=[callback])
        yield running


@dataclass
class Walk:
    """The owner's way, in one language. `say`: a text of the pages as that language has it."""

    session: chromium.Session
    installation: Installation
    language: str
    counter: int
    other: int
    began: datetime = field(default_factory=lambda: datetime.now(ZoneInfo("Europe/Moscow")) - timedelta(days=2))

    @property
    def page(self) -> Page:
        return self.session.page

    @property
    def login(self) -> str:
        return f"metrica-{self.language}"

    @property
    def owner(self) -> str:
        return f"owner@{self.language}.example"

    @property
    def agency(self) -> str:
        return f"Agency {self.language}"

    @property
    def dialog(self) -> Locator:
        return self.page.locator("#modal-content #dialog")

    def say(self, text: str, **values: Any) -> str:
        with translation.override(self.language):
            return translation.gettext(text) % values if values else translation.gettext(text)

    def count(self, one: str, many: str, n: int, name: str = "n") -> str:
        with translation.override(self.language):
            return translation.ngettext(one, many, n) % {name: n}

    def reads(self, text: str, *, seconds: float = 30) -> None:
        try:
            self.page.get_by_text(text).first.wait_for(timeout=seconds * 1000)
        except TimeoutError:
            shown = self.page.locator("body").inner_text()
            raise AssertionError(f"“{text}” is not on {self.page.url}, but:\n{shown}") from None

    def press(self, text: str, *, role: Any = "link", within: Any = None, exact: bool = False) -> None:
        (within or self.page).get_by_role(role, name=self.say(text), exact=exact).first.click()

    def open_first(self, path: str) -> str:
        """Of a list; gives its address."""
        self.session.go(path)
        link = self.page.locator("#result_list tbody a").first
        address = str(link.get_attribute("href")).split("?")[0]
        link.click()
        self.page.wait_for_load_state("networkidle")
        return address

    def tile(self, name: str) -> Locator:
        return self.page.locator(".gp-tile", has_text=self.say(name)).locator(".gp-tile__value")

    def rows(self, *rows: str) -> bytes:
        """Of a CRM's export; DAY and LATER stand for two days ago and the hour after."""
        day, later = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (self.began, self.began + timedelta(hours=1)))
        text = "\n".join([HEADER, *rows, ""]).replace("DAY", day).replace("LATER", later)
        return text.encode("cp1251")

    def bring(self, name: str, content: bytes) -> None:
        self.page.set_input_files("[name=file]", {"name": name, "mimeType": "text/csv", "buffer": content})
        self.press("Upload and look", role="button")


@pytest.fixture(params=["en", "ru"])
def walk(request: pytest.FixtureRequest, installation: Installation) -> Iterator[Walk]:
    language = request.param
    counter, other = next(installation.numbers), next(installation.numbers)
    with chromium.session(installation.processes.url, locale=language) as session:
        walk = Walk(session, installation, language, counter, other)
        for number, name in ((counter, "Окна"), (other, "Двери")):
            installation.control("counters", metrica_id=number, name=name, owner_login=walk.login, goals=["deal_won"])
        visit = (walk.began - timedelta(minutes=10)).isoformat()
        installation.control("visits", counter=counter, started_at=visit, phones=["+7 903 123-45-67"])
        path = installation.directory / f"{language}.toml"
        path.write_text(
            f"""
[[agencies]]
slug = "{language}"
name = "{walk.agency}"
  [[agencies.people]]
  email = "{walk.owner}"
  role = "owner"
  password_env = "OWNER_PASSWORD"
"""
        )
        installation.processes.manage("provision", str(path))
        yield walk
        assert session.complaints == []
        assert session.strangers == []


def test_the_whole_way(walk: Walk, post_office: PostOffice):
    logs_in_for_the_first_time(walk)
    connects_the_account(walk)
    imports_counters(walk)
    maps_statuses(walk)
    imports_a_file_with_errors(walk)
    fixes_what_is_held(walk)
    uploads_and_watches(walk)
    finds_an_order_by_a_badly_written_phone(walk)
    reads_its_timeline(walk)
    link = invites_a_manager_to_one_counter(walk, post_office)
    the_manager_sees_only_it(walk, link)


def logs_in_for_the_first_time(walk: Walk) -> None:
    walk.session.log_in(walk.owner, PASSWORD)
    assert walk.page.locator("html").get_attribute("lang") == walk.language
    walk.page.get_by_role("heading", name=walk.say("First steps")).wait_for()
    assert is_too_wide(walk.session) == ""


def connects_the_account(walk: Walk) -> None:
    walk.page.locator("section[aria-labelledby=first-steps] li a").first.click()
    walk.press("Continue", role="button")
    walk.press("Go to Yandex")
    walk.page.locator("#login").select_option(walk.login)
    walk.press("Give access", role="button")
    walk.reads(walk.say("%(login)s is connected.", login=walk.login))


def imports_counters(walk: Walk) -> None:
    walk.press("Import counters")
    for number in (walk.counter, walk.other):
        walk.page.locator(f"#counter-{number}").check()
    walk.press("Add the picked counters", role="button")
    one = "%(count)s counter was added with its time zone and goals. Now say what its CRM statuses mean."
    many = "%(count)s counters were added with their time zones and goals. Now say what their CRM statuses mean."
    walk.reads(walk.count(one, many, 2, "count"))


def maps_statuses(walk: Walk) -> None:
    page = walk.page
    walk.open_first(f"/admin/counters/counter/?q={walk.counter}")
    for at, (status, order_type, goals) in enumerate(STATUSES):
        page.locator("#statuses-group .add-row").click()
        page.fill(f"[name=statuses-{at}-crm_status]", status)
        page.select_option(f"[name=statuses-{at}-type]", order_type)
        page.fill(f"[name=statuses-{at}-goal_action_ids]", goals)
        page.keyboard.press("Escape")
    row = page.locator("#statuses-group tr.form-row", has=page.locator("[name=statuses-1-crm_status]"))
    wanted = [walk.say("CRM: Order created"), walk.say("CRM: Order paid"), "deal_won"]
    assert row.locator("[data-forecast]").inner_text().split("\n") == wanted
    page.locator("[name=_save]").click()
    page.wait_for_load_state("networkidle")
    walk.open_first(f"/admin/counters/counter/?q={walk.counter}")
    kept = [page.locator(f"[name=statuses-{at}-type]").input_value() for at in range(2)]
    assert kept == [order_type for _status, order_type, _goals in STATUSES]


def imports_a_file_with_errors(walk: Walk) -> None:
    page = walk.page
    content = walk.rows(
        "K-1;DAY;Новая;DAY;+7 903 123-45-67;5000",
        "K-1;DAY;Оплачено;LATER;+7 903 123-45-67;5000",
        "K-2;DAY;Новая;DAY;+7 903 765-43-21;1200",
        "K-2;DAY;Оплачено;LATER;+7 903 765-43-21;1200",
        "K-3;DAY;Новая;DAY;+7 903 111-22-33;x",
        "K-4;never;Новая;DAY;+7 903 222-33-44;700",
        "K-5;DAY;Думает;DAY;+7 903 333-44-55;900",
        "K-6;DAY;Новая;DAY;;800",
    )
    walk.press("Import a file")
    walk.bring("Выгрузка.csv", content)
    walk.reads(walk.count("%(n)s would be rejected", "%(n)s would be rejected", 2))
    assert page.locator("tr.gp-import__bad").count() == page.locator("td.gp-import__wrong").count() == 2
    assert page.locator("td", has_text="79031234567").count() == 2
    page.locator("button[name=start]").click()
    walk.reads(walk.say("Some rows rejected"))
    with page.expect_download() as download:
        walk.press("Download the report")
    report = download.value.path().read_bytes().decode("utf-8-sig")
    assert [line.split(";")[2] for line in report.splitlines()[1:]] == ["money_format", "date_format"]
    corrected = report.replace(";x", ";600").replace(";never;", f";{walk.began:%Y-%m-%d};")
    walk.press("Import the corrected report")
    walk.bring("Выгрузка.errors.csv", corrected.encode())
    walk.reads(walk.say("none would be rejected"))
    page.locator("button[name=start]").click()
    page.locator(".gp-tile").get_by_text(walk.say("All rows taken in")).wait_for()
    assert walk.tile("New orders").inner_text() == "2"


def fixes_what_is_held(walk: Walk) -> None:
    page = walk.page
    walk.press("Holds")
    walk.press("Map", exact=True)
    walk.dialog.locator("[name=type]").select_option("IN_PROGRESS")
    walk.press("Save and release", role="button", within=walk.dialog)
    walk.reads(
        walk.say("The status “%(status)s” is mapped. The orders that it held are being released.", status="Думает")
    )
    walk.press("Holds")
    walk.press("Add an identifier")
    walk.dialog.locator("[name=emails]").fill("k-6@mail.example")
    walk.press("Save and release", role="button", within=walk.dialog)
    walk.reads(walk.say("The identifiers are kept, and what waited for them is released."))

    def nothing_is_held() -> bool:
        walk.session.go("/admin/orders/heldchange/")
        return page.get_by_text(walk.say("Nothing is held")).count() > 0

    wait_for(nothing_is_held, what="the release of what was held")


def uploads_and_watches(walk: Walk) -> None:
    page = walk.page
    slow = {"kind": "latency", "endpoint": "upload", "counter": walk.counter, "count": None, "seconds": LATENCY}
    walk.installation.control("faults", **slow)
    walk.open_first(f"/admin/counters/counter/?q={walk.counter}")
    walk.press("Upload now")
    walk.reads(walk.count("%(count)s status change", "%(count)s status changes", 9, "count"))
    walk.press("Upload now", role="button", within=walk.dialog)
    walk.reads(walk.say("The upload is on its way. This page follows it."))
    page.evaluate("window.stays = true")
    # Six orders; three of them have a second change (one got its identifier), which goes once the first has passed.
    walk.tile("Delivered").filter(has_text=re.compile("^6$")).wait_for()
    page.locator(".gp-tile").get_by_text(walk.say("Running")).wait_for()
    assert page.evaluate("window.stays"), "the page was loaded anew"
    page.locator(".gp-tile").get_by_text(walk.say("Succeeded")).wait_for()
    assert walk.tile("Delivered").inner_text() == "9"
    page.get_by_role("link", name=walk.say("Upload once more")).wait_for()


def finds_an_order_by_a_badly_written_phone(walk: Walk) -> None:
    walk.press("Orders", exact=True)
    walk.page.fill("#searchbar", "8 (903) 123 45 67")
    walk.page.keyboard.press("Enter")
    walk.page.wait_for_url("**/admin/orders/order/?*q=*")
    walk.page.wait_for_load_state("networkidle")
    assert walk.page.locator("#result_list tbody tr.data-row").count() == 1
    walk.page.get_by_role("link", name="K-1").click()


def reads_its_timeline(walk: Walk) -> None:
    page = walk.page
    walk.reads(walk.say("Delivered: Metrica has the current state of this order."))
    assert page.locator(".gp-step").count() == page.locator(".gp-step--delivered").count() == 2
    reached = page.locator(".gp-step").first.locator(".gp-chip--reached").all_inner_texts()
    for goal in (walk.say("CRM: Order created"), walk.say("CRM: Order paid"), "deal_won"):
        assert any(goal in text for text in reached), reached
    (bought,) = [one for one in walk.installation.seen("orders", counter=walk.counter)["orders"] if one["id"] == "K-1"]
    assert {reach["goal"] for reach in bought["reaches"]} == {"cdp_order_in_progress", "cdp_order_paid", "deal_won"}
    page.get_by_role("link", name=f"{walk.say('Upload')}: {walk.say('Passed')}").first.click()
    page.get_by_text(walk.say("Request and answer")).first.click()
    walk.reads('"api_validation_status": "PASSED"')


def invites_a_manager_to_one_counter(walk: Walk, post_office: PostOffice) -> str:
    """The link of the letter. The counter that is not theirs gets an order first."""
    page = walk.page
    walk.session.go("/admin/orders/order/add/")
    page.locator("[name=counter]").select_option(label=f"Двери ({walk.other})")
    for name, value in (("id", "B-1"), ("order_status", "Новая"), ("emails", "b-1@mail.example")):
        page.fill(f"[name={name}]", value)
    page.fill("[name=create_date_time]", f"{walk.began:%Y-%m-%dT%H:%M:%S}")
    page.locator(".gp-form [type=submit]").click()
    walk.reads(walk.say("The order is taken in."))
    walk.press("People", exact=True)
    walk.press("Invite a person")
    page.fill("[name=email]", f"manager@{walk.language}.example")
    page.select_option("[name=role]", "manager")
    page.locator("[name=reach][value=these]").check()
    page.locator(f"[name=counter_ids][value='{walk.counter}']").check()
    walk.press("Invite", role="button", exact=True)
    walk.reads(walk.say("The invitation is on its way to %(email)s.", email=f"manager@{walk.language}.example"))
    letter = post_office.last()
    assert letter["To"] == f"manager@{walk.language}.example"
    assert letter["Subject"] == walk.say("You are invited to %(agency)s in Goalpost", agency=walk.agency)
    found = re.search(r"http\S+/invitation/\S+", part(letter, "plain"))
    assert found is not None, part(letter, "plain")
    return found[0]


def the_manager_sees_only_it(walk: Walk, link: str) -> None:
    foreign = [
        walk.open_first(path) for path in (f"/admin/counters/counter/?q={walk.other}", "/admin/orders/order/?q=B-1")
    ]
    theirs = walk.session.somebody_else(locale=walk.language)
    page = theirs.page
    page.goto(link)
    page.fill("[name=name]", "Мария")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=again]", PASSWORD)
    page.locator("#joining-form [type=submit]").click()
    page.get_by_text(walk.say("Welcome to %(agency)s.", agency=walk.agency)).wait_for()
    theirs.log_out()
    theirs.log_in(f"manager@{walk.language}.example", PASSWORD)
    assert page.locator("html").get_attribute("lang") == walk.language
    assert page.locator(".gp-board--wide tbody tr").count() == 1
    for path in ("/admin/", "/admin/counters/counter/", "/admin/orders/order/", "/admin/orders/heldchange/"):
        theirs.go(path)
        assert str(walk.other) not in page.content(), path
        assert "B-1" not in page.locator("#main").inner_text(), path
    theirs.go("/admin/orders/order/?q=K-1")
    assert page.locator("#result_list tbody tr.data-row").count() == 1
    theirs.go("/admin/orders/order/?q=B-1")
    page.get_by_text(walk.say("Nothing matches")).wait_for()
    for address in foreign:
        assert page.request.get(f"{theirs.base_url}{address}").status == 404, address
        assert walk.page.request.get(f"{theirs.base_url}{address}").status == 200, address
    for path in ("/admin/agencies/membership/", "/admin/counters/metricaaccount/"):
        assert page.request.get(f"{theirs.base_url}{path}").status in (403, 404), path
