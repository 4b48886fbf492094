"""The pages of alerts, channels and rules: what they show, who may do what, and that an agency sees itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client as Browser
from django.utils import timezone
from django.utils.html import escape

from apps.agencies.services import change_member
from apps.alerts import looking, services
from apps.alerts.causes import CAUSES
from apps.alerts.channels import telegram as telegram_channel
from apps.alerts.messages import advice_of, page_of, sentence_of
from apps.alerts.models import Alert, AlertDelivery, AlertMute, AlertRules, Channel
from apps.audit.models import AuditEntry
from apps.counters.encryption import decrypt
from apps.hooks.models import Endpoint
from apps.hooks.services import create_endpoint
from apps.receivers.services import create_receiver
from apps.uploads import heartbeats
from tests.admin.conftest import Place, browser, login, other, place
from tests.admin.pages import errors, form_data, messages, words
from tests.alerts.conftest import PostOffice, Telegram, Watch, post_office, receiver, telegram
from tests.factories import SYSTEM
from tests.hooks.receiver import Receiver

__all__ = ["browser", "login", "other", "place", "post_office", "receiver", "telegram"]

pytestmark = pytest.mark.django_db(transaction=True)

ALERTS = "/admin/alerts/alert/"
CHANNELS = "/admin/alerts/channel/"
RULES = "/admin/alerts/alertrules/"


@pytest.fixture
def alert(place: Place) -> Alert:
    watch = Watch(place.agency)
    watch.set(held_count=1)
    place.push("A-1", "unheard of")
    return watch.look()["holds_waiting"]


def add(browser: Browser, kind: str, **fields: Any) -> Any:
    page = f"{CHANNELS}add/?kind={kind}"
    return browser.post(page, {**form_data(browser, page, name="Duty"), **fields})


def test_the_list_of_channels_costs_the_same_with_limited_members(
    place: Place, browser: Browser, django_assert_num_queries: Any, django_assert_max_num_queries: Any
):
    member = place.manager.memberships.get()
    change_member(actor=SYSTEM, member=member, role="manager", counter_ids=[place.counter.metrica_id])
    services.save_channel(agency=place.agency, name="One", members=[member], counters=[place.counter])
    browser.get(CHANNELS)
    with django_assert_max_num_queries(30) as asked:
        assert place.manager.email in words(browser.get(CHANNELS))
    for number in range(6):
        services.save_channel(agency=place.agency, name=f"More {number}", members=[member], counters=[place.counter])
    with django_assert_num_queries(len(asked)):
        browser.get(CHANNELS)


# ---- home and the list ----


def test_home_shows_open_alerts_on_top(place: Place, browser: Browser, alert: Alert):
    text = words(browser.get("/admin/"))
    assert "Alerts All alerts Status changes are held" in text
    assert "The status is not mapped: 1" in text
    assert text.index("Alerts All alerts") < text.index("Counters problems on top")
    services.mute(alert=alert, until=timezone.now() + timedelta(days=1))
    assert "All alerts" not in words(browser.get("/admin/"))


def test_home_of_another_agency_shows_nothing_of_it(other: Place, login: Any, alert: Alert):
    assert "Status changes are held" not in words(login(other.owner).get("/admin/"))


def test_home_tells_of_an_account_once(place: Place, browser: Browser):
    from apps.counters.services import disconnect_account

    disconnect_account(account=place.account, reason="Metrica refused the token")
    alerts = Watch(place.agency).look()
    assert "account_refused" in alerts
    answer = browser.get("/admin/")
    assert [warning["account"] for warning in answer.context["warnings"]] == [place.account.pk]
    assert not answer.context["alerts"]


def test_the_list_has_open_ones_and_a_history(place: Place, browser: Browser, alert: Alert):
    listed = words(browser.get(ALERTS))
    assert "Status changes are held" in listed
    assert "Nobody is told of alerts yet" in listed
    heartbeats.beat("worker red 7")
    looking.look(services.rules_of(place.agency), now=timezone.now() + timedelta(minutes=20))
    Watch(place.agency).look()
    assert [one.cause for one in browser.get(ALERTS).context["cl"].result_list] == ["holds_waiting"]
    history = browser.get(f"{ALERTS}?state=closed")
    assert [one.cause for one in history.context["cl"].result_list] == ["worker_silent"]
    assert "Over" in words(history)


def test_the_list_costs_the_same_for_many(place: Place, browser: Browser, django_assert_num_queries: Any):
    def make(number: int) -> None:
        Alert.objects.create(
            agency=place.agency, cause="worker_silent", subject=f"machine {number}", severity="urgent",
            facts={"seen": timezone.now().isoformat()},
        )  # fmt: skip

    make(0)
    with django_assert_num_queries(9):
        browser.get(ALERTS)
    for number in range(1, 20):
        make(number)
    with django_assert_num_queries(9):
        browser.get(ALERTS)


def test_an_alert_says_what_to_do_and_whom_it_was_told(
    place: Place, browser: Browser, alert: Alert, post_office: PostOffice
):
    watch = Watch(place.agency)
    channel = watch.channel()
    page = browser.get(f"{ALERTS}{alert.pk}/change/")
    assert "Nobody yet" in words(page)
    assert f"/admin/orders/heldchange/?counter__id__exact={place.counter.pk}&amp;reason=unmapped_status" in (
        page.content.decode()
    )
    assert watch.tell(channel)
    assert "Duty New" in words(browser.get(f"{ALERTS}{alert.pk}/change/"))


FACTS: dict[str, Callable[[Place], dict[str, Any]]] = {
    "account_refused": lambda place: {"why": "Metrica refused the token."},
    "token_expiring": lambda place: {"ends": NOON, "over": False},
    "renewal_failing": lambda place: {"code": "invalid_grant", "said": "no", "again": None},
    "metrica_unreachable": lambda place: {"host": "api-metrica.yandex.net", "since": NOON, "code": "timeout"},
    "quota_low": lambda place: {"used": 4900, "limit": 5000, "left": 100, "resets": NOON},
    "counter_failing": lambda place: {"jobs": 3, "code": "server_error", "job": str(place.job().pk)},
    "queue_old": lambda place: {"oldest": NOON, "schedule": "1h"},
    "worker_silent": lambda place: {"seen": NOON},
    "holds_waiting": lambda place: {"reasons": {"unmapped_status": {"count": 3, "oldest": NOON}}},
    "rejected_share": lambda place: {"rejected": 6, "rows": 15, "percent": 40},
    "binding_window": lambda place: {"orders": 2, "held": 0, "closes": NOON},
    "update_window": lambda place: {"orders": 2, "held": 1, "closes": NOON},
    "match_dropped": lambda place: {"orders": 30, "fell": {"client_id": {"now": 50, "before": 100}}},
    "webhook_disabled": lambda place: {"endpoint": webhook(place).pk, "at": NOON, "why": "gone"},
    "receiver_held": lambda place: {"receiver": crm(place).pk, "held": 3, "since": NOON, "refused_for": ""},
}
NOON = "2026-11-26T09:00:00+00:00"


def webhook(place: Place) -> Endpoint:
    return create_endpoint(agency=place.agency, name="CRM", url="https://crm.example/", events=["order.held"])[0]


def crm(place: Place) -> Any:
    return create_receiver(counter=place.counter, name="CRM", kind="generic")[0]


@pytest.mark.parametrize("cause", CAUSES)
def test_every_alert_leads_to_a_page_that_opens(place: Place, login: Any, cause: str):
    """In the list, in its own page and in messages; also where it is about no account."""
    about: list[dict[str, Any]] = [{"counter": place.counter}]
    if cause in ("account_refused", "token_expiring", "renewal_failing", "metrica_unreachable", "quota_low"):
        about = [{"account": place.account}]
    if cause == "metrica_unreachable":
        about.append({})
    for number, what in enumerate(about):
        alert = Alert.objects.create(
            agency=place.agency,
            cause=cause,
            subject=f"{number}",
            severity="urgent",
            facts=FACTS[cause](place),
            **what,
        )
        manager = login(place.manager)
        assert sentence_of(alert)
        assert advice_of(alert)
        assert manager.get(page_of(alert)).status_code == 200, page_of(alert)
        shown = escape(page_of(alert))
        for where in (ALERTS, f"{ALERTS}{alert.pk}/change/"):
            assert f'href="{shown}"' in manager.get(where).content.decode()


# ---- muting ----


def test_a_manager_mutes_until_a_day(place: Place, login: Any, alert: Alert):
    manager = login(place.manager)
    day = timezone.localdate() + timedelta(days=3)
    answer = manager.post(f"{ALERTS}{alert.pk}/mute/", {"until": day.isoformat()}, follow=True)
    assert "Muted" in messages(answer)
    mute = AlertMute.objects.get()
    assert (mute.cause, mute.subject, mute.muted_by) == (
        "holds_waiting",
        f"counter {place.counter.pk}",
        place.manager.email,
    )
    assert timezone.localtime(mute.until).date() == day
    assert AuditEntry.objects.filter(action="alert.muted").exists()
    assert "Muted until" in words(manager.get(f"{ALERTS}{alert.pk}/change/"))
    manager.post(f"{ALERTS}{alert.pk}/unmute/")
    assert not AlertMute.objects.exists()


def test_a_day_that_is_over_and_an_analyst_are_refused(place: Place, login: Any, alert: Alert):
    past = {"until": timezone.localdate().isoformat()}
    assert "ahead" in errors(login(place.manager).post(f"{ALERTS}{alert.pk}/mute/", past))
    assert login(place.analyst).post(f"{ALERTS}{alert.pk}/mute/", {"until": "2999-01-01"}).status_code == 403
    assert not AlertMute.objects.exists()


# ---- rules ----


def test_rules_are_changed_on_one_page(place: Place, login: Any):
    manager = login(place.manager)
    page = manager.get(RULES)
    url = page.headers["Location"]
    data = form_data(manager, url, held_count="7", watched=["holds_waiting", "queue_old"])
    assert "Saved" in messages(manager.post(url, data, follow=True))
    rules = AlertRules.objects.get(agency=place.agency)
    assert rules.held_count == 7
    assert "worker_silent" in rules.off
    assert not {"holds_waiting", "queue_old"} & set(rules.off)
    entry = AuditEntry.objects.get(action="alert_rules.changed")
    assert entry.after["held_count"] == 7
    assert manager.post(url, {**data, "held_count": "0"}).status_code == 200
    rules.refresh_from_db()
    assert rules.held_count == 7
    assert login(place.analyst).post(url, data).status_code == 403


# ---- channels ----


def test_a_channel_by_mail(place: Place, browser: Browser, post_office: PostOffice):
    people = [str(member.pk) for member in place.agency.memberships.order_by("user__email")[:2]]
    answer = add(browser, "email", members=people, addresses="duty@north.example\nboss@north.example")
    channel = Channel.objects.get()
    assert answer.headers["Location"] == f"{CHANNELS}{channel.pk}/change/"
    assert channel.addresses == ["duty@north.example", "boss@north.example"]
    assert channel.members.count() == 2
    page = browser.get(answer.headers["Location"])
    assert sorted(map(str, page.context["adminform"].form["members"].value())) == sorted(people)
    tested = browser.post(f"{CHANNELS}{channel.pk}/test/", follow=True)
    assert "sent and accepted" in messages(tested)
    assert {letter["To"] for letter in post_office.letters} == {
        "analyst@mine.example", "manager@mine.example", "duty@north.example", "boss@north.example",
    }  # fmt: skip
    assert "Test of the channel" in words(browser.get(f"{CHANNELS}{channel.pk}/change/"))
    entry = AuditEntry.objects.get(action="alert_channel.created")
    assert entry.after["members"] == ["analyst@mine.example", "manager@mine.example"]


def test_a_test_that_fails_says_why_and_it_stays_in_the_log(place: Place, browser: Browser, post_office: PostOffice):
    post_office.refuse = {"duty@north.example": "550 unknown"}
    add(browser, "email", addresses="duty@north.example")
    channel = Channel.objects.get()
    answer = browser.post(f"{CHANNELS}{channel.pk}/test/", follow=True)
    assert "550 unknown" in messages(answer)
    assert AlertDelivery.objects.get().state == "failed"


def test_what_does_not_arrive_is_shown_with_its_next_attempt(
    place: Place, browser: Browser, alert: Alert, post_office: PostOffice
):
    watch = Watch(place.agency)
    channel = watch.channel()
    post_office.closed = "451 out of order"
    assert not watch.tell(channel)
    text = words(browser.get(f"{CHANNELS}{channel.pk}/change/"))
    assert "Last error: The mail server said: 451 out of order" in text
    assert "Next attempt:" in text
    assert "Does not arrive" in words(browser.get(CHANNELS))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"addresses": "nobody"}, "no e-mail addresses"),
        ({"quiet_from": "22:00"}, "both ends"),
        ({"time_zone": "Mars/Olympus"}, "Unknown time zone"),
        ({"name": ""}, "required"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(place: Place, browser: Browser, fields: Any, said: str):
    url = f"{CHANNELS}add/?kind=email"
    answer = browser.post(url, form_data(browser, url, **{"name": "Duty", **fields}))
    assert said in " ".join(str(error) for error in answer.context["errors"])
    assert not Channel.objects.exists()


def test_a_webhooks_secret_is_shown_once(place: Place, browser: Browser, receiver: Receiver):
    answer = add(browser, "webhook", url=receiver.url)
    channel = Channel.objects.get()
    secret = decrypt(channel.secret_encrypted)
    assert secret in answer.content.decode()
    assert secret not in browser.get(f"{CHANNELS}{channel.pk}/change/").content.decode()
    renewed = browser.post(f"{CHANNELS}{channel.pk}/new-secret/").content.decode()
    assert secret not in renewed
    assert decrypt(Channel.objects.get().secret_encrypted) in renewed
    assert not [
        entry for entry in AuditEntry.objects.all() if "whsec_" in str((entry.before, entry.after, entry.details))
    ]


def test_an_address_that_leads_nowhere_good_is_refused_at_its_field(
    browser: Browser, settings: Any, receiver: Receiver
):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    answer = add(browser, "webhook", url=receiver.url)
    assert "leads into a private network" in str(answer.context["adminform"].form.errors["url"])
    assert not Channel.objects.exists()


def test_what_stands_after_the_question_mark_is_shown_to_owners_alone(
    place: Place, browser: Browser, login: Any, receiver: Receiver
):
    add(browser, "webhook", url=f"{receiver.url}?key=hush")
    channel = Channel.objects.get()
    page = f"{CHANNELS}{channel.pk}/change/"
    assert channel.url.endswith("?key=hush")
    assert "?key=hush" in browser.get(page).content.decode()
    browser.post(page, {**form_data(browser, page), "url": f"{receiver.url}?key=hush2"})
    assert AuditEntry.objects.filter(action="alert_channel.changed").count() == 1, "told, though not what"
    for reader in (login(place.manager), login(place.analyst)):
        for where in (page, CHANNELS):
            text = reader.get(where).content.decode()
            assert "hush" not in text
            assert f"{receiver.url}?…" in text
    browser.post(f"{CHANNELS}{channel.pk}/delete/", {"post": "yes"})
    assert not Channel.objects.exists()
    assert "hush" not in str(list(AuditEntry.objects.values()))


def test_the_page_shows_how_the_chat_is_found(place: Place, browser: Browser, telegram: Telegram):
    add(browser, "telegram")
    channel = Channel.objects.get()
    page = browser.get(f"{CHANNELS}{channel.pk}/change/")
    code = telegram_channel.code_of(channel)
    assert "@goalpost_duty_bot" in words(page)
    assert f"/start {code}" in words(page)
    assert "has not seen the code" in errors(browser.post(f"{CHANNELS}{channel.pk}/find-chat/"))
    telegram.hears(-100777, "Night duty", f"/start@goalpost_duty_bot {code}")
    found = browser.post(f"{CHANNELS}{channel.pk}/find-chat/", follow=True)
    assert "Night duty" in messages(found)
    assert "sent and accepted" in messages(browser.post(f"{CHANNELS}{channel.pk}/test/", follow=True))
    assert telegram.said[0]["chat_id"] == "-100777"


def test_who_may_do_what_with_channels(place: Place, login: Any, post_office: PostOffice):
    channel = Watch(place.agency).channel()
    page = f"{CHANNELS}{channel.pk}/change/"
    for person in (place.manager, place.analyst):
        there = login(person)
        assert there.get(page).status_code == 200
        assert there.post(page, {"name": "Mine now"}).status_code == 403
        assert there.get(f"{CHANNELS}add/").status_code == 403
    assert login(place.manager).post(f"{CHANNELS}{channel.pk}/test/").status_code == 302
    assert login(place.analyst).post(f"{CHANNELS}{channel.pk}/test/").status_code == 403
    assert len(post_office.letters) == 1


def test_people_and_counters_of_another_agency_are_not_taken(place: Place, other: Place, browser: Browser):
    url = f"{CHANNELS}add/?kind=email"
    assert other.mark not in browser.get(url).content.decode()
    stranger = other.agency.memberships.first()
    assert stranger is not None
    data = form_data(browser, url, name="Duty", addresses="a@b.example")
    for foreign in ({"members": [stranger.pk]}, {"counters": [other.counter.pk]}):
        answer = browser.post(url, {**data, **foreign})
        assert set(answer.context["adminform"].form.errors) == set(foreign)
    assert not Channel.objects.exists()
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError, match="another agency"):
        Watch(place.agency).channel(members=[stranger])


def test_a_channel_is_changed_and_deleted(place: Place, browser: Browser):
    channel = Watch(place.agency).channel()
    url = f"{CHANNELS}{channel.pk}/change/"
    browser.post(url, form_data(browser, url, name="Night duty", quiet_from="22:00", quiet_to="08:00"))
    channel.refresh_from_db()
    assert (channel.name, str(channel.quiet_from), channel.addresses) == (
        "Night duty",
        "22:00:00",
        ["duty@north.example"],
    )
    assert AuditEntry.objects.get(action="alert_channel.changed").after["name"] == "Night duty"
    browser.post(f"{CHANNELS}{channel.pk}/delete/", {"post": "yes"})
    assert not Channel.objects.exists()
    assert AuditEntry.objects.filter(action="alert_channel.deleted").exists()


# ---- the address of the installation ----


def test_a_check_says_what_to_write_where_messages_would_lack_their_links(place: Place, settings: Any):
    settings.SITE_URL = ""
    assert not [one for one in run_checks(databases=["default"]) if one.id == "alerts.W001"]
    Watch(place.agency).channel()
    (warning,) = [one for one in run_checks(databases=["default"]) if one.id == "alerts.W001"]
    assert "SITE_URL=https://" in str(warning.hint)
    settings.SITE_URL = "https://goalpost.example"
    assert not [one for one in run_checks(databases=["default"]) if one.id == "alerts.W001"]
