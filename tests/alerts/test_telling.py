"""People are told once when it begins, daily while it lasts, once when it is over; what fails goes again; quiet hours
are kept."""

import json
from datetime import time, timedelta
from typing import Any
from unittest.mock import ANY

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import OrmQ

from apps.agencies.models import Role
from apps.agencies.services import change_member
from apps.alerts import looking, news, services, telling, tick
from apps.alerts.channels import telegram as telegram_channel
from apps.alerts.models import Alert, AlertDelivery, Channel, DeliveryState, Stage, Told
from apps.counters.models import Counter
from apps.counters.turns import TurnLost
from apps.goals.services import set_status
from apps.hooks import signing
from apps.orders import holds
from apps.uploads import heartbeats, tasks
from tests.alerts.conftest import SITE, PostOffice, Telegram, Watch, part
from tests.factories import SYSTEM, make_counter, make_membership, make_user
from tests.hooks.receiver import Receiver
from tests.uploads.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def mend(shop: Shop) -> None:
    set_status(counter=shop.counter, crm_status="unheard of", type="IN_PROGRESS")
    holds.review(Counter.objects.select_related("account").get(pk=shop.counter.pk))


def again(channel: Channel) -> Channel:
    """As if the wait for the next attempt were over."""
    Channel.objects.filter(pk=channel.pk).update(not_before=None)
    channel.refresh_from_db()
    return channel


def quiet_now(**ends: int) -> dict[str, time]:
    """Quiet hours on Moscow's clock that hold this moment."""
    local = timezone.now().astimezone(Channel(time_zone="Europe/Moscow").zone)
    begin, end = local - timedelta(hours=1), local + timedelta(hours=1)
    return {"quiet_from": begin.time().replace(microsecond=0), "quiet_to": end.time().replace(microsecond=0)}


# ---- from the beginning to the end, by the tick alone ----


def test_the_tick_tells_and_the_end_is_told_once(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    watch.channel()
    alert = trouble()
    call_command("tick")  # no worker takes messages here, so the tick tells by itself
    (letter,) = post_office.letters
    assert letter["To"] == "duty@north.example"
    assert letter["Subject"] == f"[Goalpost] Status changes are held: {shop.counter}"
    text = post_office.text()
    assert "The status is not mapped: 1" in text
    assert "Say what this status means" in text
    assert f"{SITE}/admin/orders/heldchange/?counter__id__exact={shop.counter.pk}&reason=unmapped_status" in text
    html = part(letter, "html")
    assert f'href="{SITE}/admin/orders/heldchange/' in html
    call_command("tick")
    assert len(post_office.letters) == 1
    mend(shop)
    looking.look(watch.rules, now=timezone.now())
    call_command("tick")
    assert post_office.last()["Subject"].startswith("[Goalpost] Resolved: Status changes are held")
    assert "From " in post_office.text()
    call_command("tick")
    assert len(post_office.letters) == 2
    alert.refresh_from_db()
    assert Told.objects.get(alert=alert).stage == Stage.OVER


def test_where_workers_live_the_queue_carries_it(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    channel = watch.channel()
    trouble()
    heartbeats.beat(heartbeats.QUEUE)
    watch.look()
    now = timezone.now()
    assert (tick.bring_up(now), tick.bring_up(now)) == (1, 0)
    assert [row.func() for row in OrmQ.objects.all()].count("apps.alerts.tasks.tell") == 1
    assert not post_office.letters
    heartbeats.beat(heartbeats.QUEUE)
    assert tick.bring_up(now + timedelta(minutes=5, seconds=-1)) == 0
    Channel.objects.update(enqueued_at=now - timedelta(minutes=6))  # that message was lost
    assert tick.bring_up(now) == 1
    from apps.alerts.tasks import tell

    tell(channel.pk)
    tell(channel.pk)  # doubled without harm
    assert len(post_office.letters) == 1


def test_a_reminder_comes_after_a_day_and_not_before(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    channel = watch.channel()
    trouble()
    assert watch.tell(channel)
    Told.objects.update(at=timezone.now() - timedelta(hours=23))
    assert not watch.tell(channel)
    Told.objects.update(at=timezone.now() - timedelta(hours=25))
    assert watch.tell(channel)
    assert post_office.last()["Subject"].startswith("[Goalpost] Still so: ")
    assert not watch.tell(channel)
    assert len(post_office.letters) == 2


def test_what_grows_urgent_is_told_at_once(shop: Shop, watch: Watch, post_office: PostOffice):
    from apps.counters.services import connect_account

    channel = watch.channel()
    account = shop.counter.account
    assert account is not None
    ends = timezone.now() + timedelta(days=10)
    connect_account(agency=watch.agency, login=account.login, token="t", base_url=account.base_url, expires_at=ends)
    watch.look()
    assert watch.tell(channel)
    watch.look(later=timedelta(days=8))
    assert watch.tell(channel)
    assert "[Urgent]" in post_office.text()
    assert not watch.tell(channel)


def test_several_causes_are_one_message(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    channel = watch.channel()
    heartbeats.beat("worker red 7")
    trouble()
    watch.look(later=timedelta(minutes=11))
    assert watch.tell(channel)
    (letter,) = post_office.letters
    assert letter["Subject"] == "[Goalpost] North Agency: 2 new alerts"
    text = post_office.text()
    assert text.index("A worker is silent") < text.index("Status changes are held"), "urgent ones stand first"
    (delivery,) = AlertDelivery.objects.all()
    assert (delivery.state, len(delivery.items), delivery.attempts) == (DeliveryState.SENT, 2, 1)


def test_one_cause_at_many_orders_is_one_alert(shop: Shop, watch: Watch, post_office: PostOffice):
    channel = watch.channel()
    watch.set(held_count=1)
    shop.push_many((f"T-{number}" for number in range(30)), "unheard of")
    watch.look()
    watch.look()
    assert Alert.objects.count() == 1
    assert watch.tell(channel)
    assert "The status is not mapped: 30" in post_office.text()


def test_a_long_list_ends_with_a_number(shop: Shop, watch: Watch, telegram: Telegram, post_office: PostOffice):
    by_mail = watch.channel()
    by_telegram = watch.channel(name="Chat", kind="telegram", chat_id="-100200300")
    watch.set(held_count=1)
    for number in range(30):
        counter = make_counter(account=shop.counter.account, name=f"Counter with a rather long name {number}")
        Shop(counter, shop.site).push("H-1", "unheard of")
    watch.look()
    assert watch.tell(by_mail)
    assert watch.tell(by_telegram)
    assert f"And 5 alerts more. {SITE}/admin/alerts/alert/" in post_office.text()
    said = telegram.said[0]["text"]
    shown = said.count("<b>")
    assert 3 < shown < 25
    assert f"And {30 - shown} alerts more." in said
    assert len(said) <= 4096
    assert Told.objects.count() == 60, "the rest count as told"


# ---- quiet hours ----


def test_quiet_hours_are_kept_and_what_is_still_true_comes_at_their_end(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    channel = watch.channel(**quiet_now())
    trouble()
    assert not watch.tell(channel)
    services.save_channel(agency=watch.agency, channel=channel, quiet_from=None, quiet_to=None)
    assert watch.tell(channel)
    assert len(post_office.letters) == 1


def test_what_was_over_by_then_is_never_told(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    channel = watch.channel(**quiet_now())
    trouble()
    watch.tell(channel)
    mend(shop)
    watch.look()
    services.save_channel(agency=watch.agency, channel=channel, quiet_from=None, quiet_to=None)
    assert not watch.tell(channel)
    assert not post_office.letters


@pytest.mark.parametrize("breaks", [True, False])
def test_urgent_alerts_break_through_if_so_chosen(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice, breaks: bool
):
    channel = watch.channel(urgent_breaks_quiet=breaks, **quiet_now())
    trouble()  # a warning
    heartbeats.beat("worker red 7")
    watch.look(later=timedelta(minutes=11))
    assert watch.tell(channel) is breaks
    if breaks:
        assert "A worker is silent" in post_office.text()
        assert "Status changes are held" not in post_office.text()


@pytest.mark.parametrize(
    ("begin", "end", "clock", "quiet"),
    [
        ("22:00", "08:00", "23:30", True),
        ("22:00", "08:00", "07:59", True),
        ("22:00", "08:00", "08:00", False),
        ("13:00", "14:00", "13:00", True),
        ("13:00", "14:00", "14:30", False),
        ("13:00", "13:00", "13:00", False),
    ],
)
def test_quiet_hours_are_of_the_channels_clock(begin: str, end: str, clock: str, quiet: bool):
    channel = Channel(
        time_zone="Asia/Yekaterinburg", quiet_from=time.fromisoformat(begin), quiet_to=time.fromisoformat(end)
    )
    at = timezone.datetime.combine(  # type: ignore[attr-defined]
        timezone.now().date(), time.fromisoformat(clock), channel.zone
    )
    assert channel.is_quiet(at.astimezone(timezone.get_default_timezone())) is quiet


# ---- what a channel wants ----


def test_a_channel_gets_what_it_asked_for(shop: Shop, watch: Watch, trouble: Any):
    alert = trouble()
    other = make_counter(account=shop.counter.account, name="Other")

    def wants(name: str, **fields: Any) -> bool:
        channel = watch.channel(name, **fields)
        return bool(news.of(channel, rules=watch.rules, now=timezone.now()))

    assert wants("all")
    assert wants("this cause", causes=["holds_waiting"])
    assert not wants("another cause", causes=["queue_old"])
    assert not wants("urgent", urgent_only=True)
    assert wants("this counter", counters=[shop.counter])
    assert not wants("another counter", counters=[other])
    services.mute(alert=alert, until=timezone.now() + timedelta(days=1))
    assert not wants("muted")
    services.unmute(alert=alert)
    assert wants("heard again")


def test_an_account_is_the_business_of_its_counters(shop: Shop, watch: Watch):
    elsewhere = make_counter(watch.agency, name="Elsewhere")
    of_account = Alert(agency=watch.agency, account=shop.counter.account, cause="account_refused", severity="urgent")
    assert news.wants(watch.channel("a", counters=[shop.counter]), of_account)
    assert not news.wants(watch.channel("b", counters=[elsewhere]), of_account)
    assert news.wants(watch.channel("c", counters=[elsewhere]), Alert(cause="worker_silent", severity="urgent"))


def test_a_message_speaks_the_channels_language_on_its_clock(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    channel = watch.channel(language="ru", time_zone="Asia/Vladivostok")
    trouble()
    assert watch.tell(channel)
    assert "Asia/Vladivostok" in post_office.text()
    local = Alert.objects.get().opened_at.astimezone(channel.zone)
    assert f"{local:%H:%M}" in post_office.text()
    months = ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
    assert months[local.month - 1] in post_office.text().lower()


# ---- by mail ----


def test_members_get_it_for_as_long_as_they_are_members(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    anna = make_membership(watch.agency, make_user("anna@north.example"))
    boris = make_membership(watch.agency, make_user("boris@north.example"))
    channel = watch.channel(members=[anna, boris], addresses=["duty@north.example", "anna@north.example"])
    trouble()
    assert watch.tell(channel)
    to = [letter["To"] for letter in post_office.letters]
    assert to == ["anna@north.example", "boris@north.example", "duty@north.example"]
    boris.delete()
    mend(shop)
    watch.look()
    assert watch.tell(channel)
    assert [letter["To"] for letter in post_office.letters[3:]] == ["anna@north.example", "duty@north.example"]


def limited_to(agency: Any, counter: Counter, email: str = "anna@north.example") -> Any:
    member = make_membership(agency, make_user(email), Role.MANAGER)
    return change_member(actor=SYSTEM, member=member, role=Role.MANAGER, counter_ids=[counter.metrica_id])


def held_at(counter: Counter) -> Alert:
    about = {"counter": counter, "subject": f"counter {counter.pk}", "label": str(counter)}
    facts = {"reasons": {"unmapped_status": {"count": 1, "oldest": None}}}
    return Alert.objects.create(agency=counter.agency, cause="holds_waiting", severity="warning", facts=facts, **about)


@pytest.mark.parametrize("chosen", [False, True], ids=["all counters", "only theirs"])
def test_who_is_limited_to_counters_is_mailed_of_these_alone(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice, chosen: bool
):
    """As on the pages: nothing of another counter, of an account, of the agency's workers, not even a number."""
    theirs = make_counter(watch.agency, name="Theirs")
    anna = limited_to(watch.agency, theirs)
    owner = make_membership(watch.agency, make_user("owner@north.example"))
    channel = watch.channel(members=[anna, owner], counters=[theirs] if chosen else [])
    heartbeats.beat("worker red 7")
    trouble()
    watch.look(later=timedelta(minutes=11))
    held_at(theirs)
    assert watch.tell(channel)
    letters = {letter["To"]: letter for letter in post_office.letters}
    assert letters["owner@north.example"]["Subject"] == f"[Goalpost] North Agency: {2 if chosen else 3} new alerts"
    mine = letters["anna@north.example"]
    assert mine["Subject"] == f"[Goalpost] Status changes are held: {theirs}"
    for kind in ("plain", "html"):
        text = part(mine, kind)
        assert str(theirs.metrica_id) in text
        assert str(shop.counter.metrica_id) not in text
        assert "worker" not in text.lower()
        assert f"/alerts/channel/{channel.pk}/" not in text, "the channel's page is closed to them"


def test_of_what_nobody_there_may_read_no_mail_is_made(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    theirs = make_counter(watch.agency, name="Theirs")
    channel = watch.channel(members=[limited_to(watch.agency, theirs)])
    trouble()
    assert not watch.tell(channel)
    assert not AlertDelivery.objects.exists()
    held_at(theirs)
    assert watch.tell(channel)
    (letter,) = post_office.letters
    assert letter["To"] == "anna@north.example"
    assert not watch.tell(channel)


def test_who_is_limited_and_was_put_off_gets_their_own_mail_later(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    theirs = make_counter(watch.agency, name="Theirs")
    anna, boris = limited_to(watch.agency, theirs), limited_to(watch.agency, theirs, "boris@north.example")
    channel = watch.channel(members=[anna, boris], addresses=["duty@north.example"])
    trouble()
    held_at(theirs)
    post_office.refuse = {one.user.email: "451 come back later" for one in (anna, boris)}
    assert watch.tell(channel)
    assert len(post_office.letters) == 1
    post_office.refuse = {}
    boris.delete()
    assert telling.tell(again(channel).pk)
    assert [letter["To"] for letter in post_office.letters[1:]] == ["anna@north.example"]
    assert str(theirs.metrica_id) in post_office.text()
    assert str(shop.counter.metrica_id) not in post_office.text()


def test_a_refused_address_is_named_and_the_others_get_it(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    post_office.refuse = {"gone@north.example": "550 no such person"}
    channel = watch.channel(addresses=["gone@north.example", "duty@north.example"], members=[])
    trouble()
    assert watch.tell(channel)
    assert [letter["To"] for letter in post_office.letters] == ["duty@north.example"]
    channel.refresh_from_db()
    assert "gone@north.example: 550 no such person" in channel.error_message
    assert (channel.failures, channel.due) == (0, False)


@pytest.mark.parametrize("said", ["552 mailbox full", "451 not now"])
def test_a_mail_that_one_address_does_not_take_keeps_no_other_from_its_own(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice, said: str
):
    """Many servers take the recipient and refuse the mail itself."""
    post_office.refuse_mail = {"full@north.example": said}
    channel = watch.channel(addresses=["full@north.example", "duty@north.example"], members=[])
    trouble()
    assert watch.tell(channel)
    assert [letter["To"] for letter in post_office.letters] == ["duty@north.example"]
    channel.refresh_from_db()
    assert "full@north.example" in channel.error_message
    assert channel.due is said.startswith("4"), "who is put off gets it later"


def test_a_name_in_two_lines_keeps_no_mail_from_leaving(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    """Names come from Metrica, and a mail's head takes one line."""
    Counter.objects.filter(pk=shop.counter.pk).update(name="Best shop\nBcc: all@north.example")
    channel = watch.channel()
    trouble()
    assert watch.tell(channel)
    assert "Best shop Bcc: all@north.example" in post_office.last()["Subject"]
    assert post_office.last()["Bcc"] is None


def test_who_is_put_off_gets_it_later_and_the_others_not_twice(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    post_office.refuse = {"grey@north.example": "451 come back later"}
    channel = watch.channel(addresses=["grey@north.example", "duty@north.example"], members=[])
    trouble()
    assert watch.tell(channel)
    channel.refresh_from_db()
    assert channel.due
    assert channel.not_before is not None
    (delivery,) = AlertDelivery.objects.all()
    assert (delivery.state, delivery.left) == (DeliveryState.WAITING, ["grey@north.example"])
    post_office.refuse = {}
    assert telling.tell(again(channel).pk)
    assert [letter["To"] for letter in post_office.letters] == ["duty@north.example", "grey@north.example"]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.left) == (DeliveryState.SENT, 2, [])


def test_a_mail_server_that_is_away_is_tried_again_with_growing_waits(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice, settings: Any
):
    settings.EMAIL_PORT = 9  # nobody listens there
    channel = watch.channel()
    trouble()
    assert not watch.tell(channel)
    channel.refresh_from_db()
    assert (channel.failures, channel.error_code, channel.due) == (1, "mail_unreachable", True)
    assert channel.not_before is not None
    assert channel.not_before > timezone.now()
    assert not telling.tell(channel.pk), "not before its time"
    first = (channel.not_before - channel.failed_at).total_seconds()
    assert not telling.tell(again(channel).pk)
    channel.refresh_from_db()
    assert channel.failures == 2
    second = (channel.not_before - channel.failed_at).total_seconds()
    assert settings.ALERT_RETRY_SECONDS * 0.7 < first < second < settings.ALERT_RETRY_SECONDS * 2.5
    settings.EMAIL_PORT = post_office.port
    assert telling.tell(again(channel).pk)
    (delivery,) = AlertDelivery.objects.all()
    assert (delivery.state, delivery.attempts) == (DeliveryState.SENT, 3)
    channel.refresh_from_db()
    assert (channel.failures, channel.error_message, channel.due) == (0, "", False)


def test_a_message_that_waited_says_what_is_true_by_then(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    post_office.closed = "451 out of order"
    channel = watch.channel()
    trouble()
    assert not watch.tell(channel)
    heartbeats.beat("worker red 7")
    watch.look(later=timedelta(minutes=11))
    post_office.closed = ""
    assert telling.tell(again(channel).pk)
    assert post_office.last()["Subject"] == "[Goalpost] North Agency: 2 new alerts"
    states = list(AlertDelivery.objects.order_by("pk").values_list("state", flat=True))
    assert states == [DeliveryState.REPLACED, DeliveryState.SENT]


def test_what_is_over_before_it_could_be_sent_is_not_sent(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice
):
    post_office.closed = "451 out of order"
    channel = watch.channel()
    trouble()
    watch.tell(channel)
    mend(shop)
    watch.look()
    post_office.closed = ""
    assert not telling.tell(again(channel).pk)
    assert not post_office.letters
    channel.refresh_from_db()
    assert not channel.due


def test_a_worker_that_died_while_sending_leaves_the_message_to_the_next(
    shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice, monkeypatch: pytest.MonkeyPatch
):
    channel = watch.channel()
    trouble()
    looking.mark_channels(watch.rules, now=timezone.now())
    from apps.alerts import channels

    class Killed(BaseException):
        pass

    def die(*_a: Any, **_k: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(channels, "send", die)
        with pytest.raises(Killed):
            telling.tell(channel.pk)
    (delivery,) = AlertDelivery.objects.all()
    assert (delivery.state, delivery.attempts) == (DeliveryState.SENDING, 1), "committed before anything left"
    assert not telling.tell(channel.pk), "its lease lasts"
    Channel.objects.update(lease_until=timezone.now())
    assert telling.tell(channel.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.SENT, 2)


def test_a_worker_thought_dead_writes_nothing(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    channel = watch.channel()
    trouble()
    looking.mark_channels(watch.rules, now=timezone.now())
    first = telling.claim(channel.pk)
    assert first is not None
    Channel.objects.update(lease_until=timezone.now())
    assert telling.claim(channel.pk) is not None
    with pytest.raises(TurnLost):
        first.write(due=False)


# ---- by Telegram ----


def test_a_chat_is_found_by_its_code_and_gets_alerts(shop: Shop, watch: Watch, trouble: Any, telegram: Telegram):
    channel = watch.channel(kind="telegram")
    trouble()
    assert not watch.tell(channel)
    channel.refresh_from_db()
    assert channel.error_code == "not_set_up"
    code = telegram_channel.code_of(channel)
    telegram.hears(-1, "Somebody else", "/start goalpost-0123456789ab")
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError, match="has not seen the code"):
        services.find_chat(channel=channel)
    telegram.hears(-100777, "Night duty", f"/start {code}")
    assert services.find_chat(channel=channel) == "Night duty"
    assert telling.tell(again(channel).pk)
    (said,) = telegram.said
    assert said["chat_id"] == "-100777"
    assert said["parse_mode"] == "HTML"
    assert "<b>Warning: Status changes are held</b>" in said["text"] or "Status changes are held</b>" in said["text"]
    assert f'<a href="{SITE}/admin/orders/heldchange/' in said["text"]


def test_telegrams_wish_to_wait_is_kept(shop: Shop, watch: Watch, trouble: Any, telegram: Telegram):
    channel = watch.channel(kind="telegram", chat_id="77")
    trouble()
    telegram.refusal = (429, {"description": "Too Many Requests", "parameters": {"retry_after": 1800}})
    assert not watch.tell(channel)
    channel.refresh_from_db()
    assert channel.not_before is not None
    assert channel.not_before >= timezone.now() + timedelta(seconds=1790)
    telegram.refusal = (429, {"description": "Too Many Requests", "parameters": {"retry_after": 10**15}})
    assert not telling.tell(again(channel).pk)
    channel.refresh_from_db()
    assert timedelta(hours=5) < channel.not_before - timezone.now() < timedelta(hours=7), "within reason"


@pytest.mark.parametrize(
    ("status", "description", "code"),
    [
        (403, "Forbidden: bot was blocked by the user", "telegram_forbidden"),
        (400, "Bad Request: chat not found", "telegram_refused"),
        (401, "Unauthorized", "telegram_token"),
    ],
)
def test_telegrams_refusals_are_told_without_the_bots_token(
    shop: Shop, watch: Watch, trouble: Any, telegram: Telegram, status: int, description: str, code: str
):
    channel = watch.channel(kind="telegram", chat_id="77")
    trouble()
    telegram.refusal = (status, {"description": description})
    assert not watch.tell(channel)
    channel.refresh_from_db()
    assert channel.error_code == code
    assert "bot-secret" not in channel.error_message


def test_what_people_wrote_cannot_break_the_message(shop: Shop, watch: Watch, telegram: Telegram):
    from apps.counters.services import update_counter

    update_counter(counter=shop.counter, name="<b>Best & only</b>")
    channel = watch.channel(kind="telegram", chat_id="77")
    watch.set(held_count=1)
    shop.push("T-1", "unheard of")
    watch.look()
    assert watch.tell(channel)
    assert "&lt;b&gt;Best &amp; only&lt;/b&gt;" in telegram.said[0]["text"]


# ---- by webhook ----


def test_a_program_gets_signed_json(shop: Shop, watch: Watch, trouble: Any, receiver: Receiver):
    channel, secret = services.save_channel(
        agency=watch.agency, kind="webhook", name="Pager", url=receiver.url, time_zone="UTC"
    )
    alert = trouble()
    assert watch.tell(channel)
    (came,) = receiver.came
    stamp = int(came.headers[signing.HEADER.lower()].split(",")[0].removeprefix("t="))
    assert came.headers[signing.HEADER.lower()] == signing.sign(body=came.body, secrets=[secret], at=stamp)
    body = json.loads(came.body)
    assert (body["type"], body["agency"]) == ("alerts", watch.agency.slug)
    assert body["alerts"] == [
        {
            "id": str(alert.pk),
            "stage": "opened",
            "cause": "holds_waiting",
            "severity": "warning",
            "title": "Status changes are held",
            "about": str(shop.counter),
            "counter": shop.counter.metrica_id,
            "account": None,
            "sentence": ANY,
            "next_step": ANY,
            "url": f"{SITE}/admin/orders/heldchange/?counter__id__exact={shop.counter.pk}&reason=unmapped_status",
            "facts": alert.facts,
            "opened_at": alert.opened_at.isoformat(),
            "closed_at": None,
        }
    ]
    assert secret not in Channel.objects.get(pk=channel.pk).secret_encrypted


def test_a_receiver_that_refuses_is_tried_again(shop: Shop, watch: Watch, trouble: Any, receiver: Receiver):
    channel = watch.channel(kind="webhook", url=receiver.url)
    trouble()
    receiver.answer = lambda _request: (503, {}, b"busy")
    assert not watch.tell(channel)
    channel.refresh_from_db()
    assert channel.error_message == "The receiver answered 503: busy"
    receiver.answer = lambda _request: (429, {"Retry-After": "1800"}, b"slowly")
    assert not telling.tell(again(channel).pk)
    channel.refresh_from_db()
    assert timedelta(seconds=1790) < channel.not_before - timezone.now() <= timedelta(seconds=1800)
    receiver.answer = lambda _request: 204
    assert telling.tell(again(channel).pk)


def test_an_address_of_the_inner_network_is_not_called(watch: Watch, settings: Any, receiver: Receiver):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    delivery = telling.send_test(watch.channel(kind="webhook", url=receiver.url))
    assert delivery.state == DeliveryState.FAILED
    assert "private network" in delivery.error_message
    assert not receiver.came


# ---- the Test button's work ----


def test_a_test_arrives_whatever_the_hour(watch: Watch, post_office: PostOffice):
    channel = watch.channel(**quiet_now())
    delivery = telling.send_test(channel)
    assert (delivery.state, delivery.is_test) == (DeliveryState.SENT, True)
    assert "nothing is wrong" in post_office.text()


def test_a_test_that_fails_says_why(watch: Watch, telegram: Telegram):
    telegram.refusal = (403, {"description": "Forbidden: bot was kicked"})
    delivery = telling.send_test(watch.channel(kind="telegram", chat_id="77"))
    assert delivery.state == DeliveryState.FAILED
    assert "Forbidden: bot was kicked" in delivery.error_message


def test_a_test_that_arrives_lets_waiting_news_go(shop: Shop, watch: Watch, trouble: Any, post_office: PostOffice):
    post_office.closed = "451 out of order"
    channel = watch.channel()
    trouble()
    watch.tell(channel)
    post_office.closed = ""
    telling.send_test(channel)
    assert telling.tell(channel.pk)
    assert len(post_office.letters) == 2


def test_one_agencys_trouble_is_not_told_to_another(
    make_shop: Any, watch: Watch, trouble: Any, post_office: PostOffice
):
    other = Watch(make_shop().counter.agency)
    foreign = other.channel(addresses=["other@south.example"], members=[])
    trouble()
    other.look()
    assert not other.tell(foreign)
    tasks.tick()
    assert all(letter["To"] != "other@south.example" for letter in post_office.letters)
