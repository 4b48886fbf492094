"""What the pages of a demo have to show besides what it brings: orders that need a person, files with errors, an upload
on its way, an invitation. All of it is done on the pages, in English, as a person would."""

import csv
import io
import re
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from project.demo.story import NEW_LOGIN
from tests.browser.chromium import Session
from tests.browser.pages import Scene, first_of, follow, of_counter

CLINICS, WINDOWS = "Dental clinics (40000002)", "Windows and balconies (40000001)"
MOVING, FRESH = "40000011", "40000012"
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
HEADER = ("Номер", "Дата", "Этап", "Дата статуса", "Имя", "Телефон", "Сумма")
YESTERDAY = datetime.now(ZoneInfo("Europe/Moscow")) - timedelta(days=1)
MOVES = [(status, hour) for status, hour in (("Новая", 0), ("Оплачено", 3))]
PEOPLE = ("Анна", "Борис", "Вера", "Глеб", "Дина", "Егор")


def export(*rows: tuple[str, ...]) -> bytes:
    """A file as a CRM writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";").writerows([HEADER, *rows])
    return text.getvalue().encode("cp1251")


def row(order: str, status: str, name: str, phone: str, revenue: str, *, hour: int = 0) -> tuple[str, ...]:
    day = f"{YESTERDAY:%Y-%m-%d %H:%M:%S}"
    return order, day, status, f"{YESTERDAY + timedelta(hours=hour):%Y-%m-%d %H:%M:%S}", name, phone, revenue


def has_rows(session: Session, path: str) -> bool:
    session.go(path)
    return session.page.locator("#result_list tbody").count() > 0


def wait_for_rows(session: Session, path: str, *, seconds: float = 400) -> None:
    until = time.monotonic() + seconds
    while not has_rows(session, path):
        if time.monotonic() > until:
            raise SystemExit(f"{path} is still empty.")
        time.sleep(2)


def make(session: Session, receiver: str) -> Scene:
    """Done once, however often it is asked for; only somebody more is invited each time. `receiver`: a webhook's
    address."""
    if not has_rows(session, "/admin/hooks/endpoint/"):
        fill_in(session, "/admin/hooks/endpoint/add/", name="CRM", url=receiver)
    if not has_rows(session, "/admin/alerts/channel/"):
        fill_in(session, "/admin/alerts/channel/add/", name="On duty", addresses="duty@north.example")
    if not has_rows(session, "/admin/orders/heldchange/"):
        write_orders(session, CLINICS, HELD)
    if not has_rows(session, "/admin/orders/rejectedchange/"):
        fault = {"kind": "refuse_row", "counter": 40000001, "count": None, "contains": REFUSED, "location": False}
        session.page.request.post(f"{session.base_url}/sandbox/control/faults", data=fault)
        write_orders(session, WINDOWS, REJECTED)
    if not has_rows(session, "/admin/imports/importjob/"):
        bring_files(session)
    if not has_rows(session, "/admin/receivers/receiver/"):
        bring_posts(session)
    if not has_rows(session, f"/admin/counters/counter/?q={MOVING}"):
        connect(session)
        set_in_motion(session)
    joining = invite(session)
    wait_for_rows(session, "/admin/alerts/alert/")
    return Scene(counter="40000002", order="K-2001", login=NEW_LOGIN, fresh=FRESH, moving=MOVING, joining=joining)


def fill_in(session: Session, path: str, **fields: str) -> None:
    session.go(path)
    for name, value in fields.items():
        session.page.fill(f"[name={name}]", value)
    session.page.click("[name=_save]")
    session.page.wait_for_load_state("networkidle")


def write_orders(session: Session, counter: str, orders: list[dict[str, str]]) -> None:
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


def bring_posts(session: Session) -> None:
    """A CRM's receiver, to which it posts a deal with all that is needed and one without a status; then its fields."""
    page = session.page
    session.go("/admin/receivers/receiver/add/")
    page.locator("[name=counter]").select_option(label=CLINICS)
    page.fill("[name=name]", "Shop")
    page.locator("[name=kind]").select_option("generic")
    page.click("[name=_save]")
    page.wait_for_load_state("networkidle")
    address = page.locator("#shown-once").inner_text().strip()
    for number, status in (("P-1", "new_lead"), ("P-2", "")):
        order = {"number": number, "createdAt": time.strftime("%Y-%m-%d 00:05"), "status": status}
        customer = {"email": "anna@mail.example", "phones": [{"number": "+7 903 123-45-67"}]}
        page.request.post(address, data={"order": {**order, "customer": customer, "total": "9900"}})
    first_of(session, "/admin/receivers/receiver/")
    follow(session, "a[href$='/mapping/']")
    paths = {
        "id": "order.number",
        "create_date_time": "order.createdAt",
        "order_status": "order.status",
        "emails": "order.customer.email",
        "phones": "order.customer.phones[*].number",
        "revenue": "order.total",
    }
    for name, path in paths.items():
        page.fill(f"[name={name}]", path)
    page.click("button[name=save]")
    page.wait_for_load_state("networkidle")
    session.go(page.url.removeprefix(session.base_url).replace("/change/", "/again/"))
    page.click(".gp-form [type=submit]")
    wait_for_rows(session, "/admin/receivers/post/?state__exact=held")


def bring(session: Session, counter: str, name: str, content: bytes, *, start: bool) -> None:
    page = session.page
    session.go("/admin/imports/importjob/add/")
    page.locator("[name=counter]").select_option(label=counter)
    page.set_input_files("[name=file]", {"name": name, "mimeType": "text/csv", "buffer": content})
    page.click(".gp-form [type=submit]")
    page.locator("button[name=start]").wait_for()
    if start:
        page.click("button[name=start]")
        page.wait_for_load_state("networkidle")
        if page.locator("#asks").count():  # the counter sends by itself
            page.click("button[name=start]")
        ended = page.locator(".gp-tile").get_by_text(re.compile("Some rows rejected|All rows taken in"))
        ended.first.wait_for(timeout=60_000)


def bring_files(session: Session) -> None:
    rows = [
        row("W-4001", "Новая сделка", "Анна", "8 (903) 123-45-67", "54000"),
        row("W-4002", "Оплачено", "Борис", "+7 916 765 43 21", "38 500"),
        row("W-4003", "Думает", "Вера", "89261112233", "21000"),
        row("W-4004", "Оплачено", "Глеб", "8 926 444-55-66", "сорок тысяч"),
        ("W-4005", "вчера", "Новая сделка", "", "Дина", "8 903 777 88 99", "17000"),
        row("W-4006", "Качественный лид", "Егор", "8 903 777", "29900"),
    ]
    bring(session, WINDOWS, "Сделки за ноябрь.csv", export(*rows), start=True)
    bring(session, WINDOWS, "Сделки, черновик.csv", export(*rows), start=False)


def connect(session: Session) -> None:
    """A login whose counters are imported."""
    page = session.page
    session.go("/admin/counters/metricaaccount/yandex/")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Go to Yandex").click()
    page.locator("#login").select_option(NEW_LOGIN)
    page.get_by_role("button", name="Give access").click()
    page.get_by_role("link", name="Import counters").first.click()
    for number in (MOVING, FRESH):
        page.locator(f"#counter-{number}").check()
    page.get_by_role("button", name="Add the picked counters").click()
    page.wait_for_load_state("networkidle")


def set_in_motion(session: Session) -> None:
    """A counter whose second wave waits for an hour, so that its upload stays on its way."""
    page = session.page
    of_counter(session, MOVING)
    for at, (status, order_type) in enumerate((("Новая", "IN_PROGRESS"), ("Оплачено", "PAID"))):
        page.locator("#statuses-group .add-row").click()
        page.fill(f"[name=statuses-{at}-crm_status]", status)
        page.select_option(f"[name=statuses-{at}-type]", order_type)
    page.fill("[name=wave_pause_seconds]", "3600")
    page.click("[name=_save]")
    page.wait_for_load_state("networkidle")
    rows = [
        row(f"C-{100 + at}", status, name, f"8 903 200-10-{10 + at}", "2400", hour=hour)
        for at, name in enumerate(PEOPLE)
        for status, hour in MOVES[: 2 if at < 4 else 1]
    ]
    bring(session, f"Coffee roastery ({MOVING})", "Кофе.csv", export(*rows), start=True)
    of_counter(session, MOVING)
    page.get_by_role("link", name="Upload now").first.click()
    page.locator("#modal-content #dialog [type=submit]").click()
    page.locator(".gp-tile--good").wait_for(timeout=60_000)


def invite(session: Session) -> str:
    """The path of the link, which the page shows once where no mail is set up."""
    page = session.page
    session.go("/admin/agencies/invitation/add/")
    page.fill("[name=email]", f"colleague-{time.strftime('%H%M%S')}@north.example")
    page.select_option("[name=role]", "analyst")
    page.click(".gp-form [type=submit]")
    return page.locator("#shown-once").inner_text().strip().removeprefix(session.base_url)
