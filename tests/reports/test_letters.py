"""The weekly letter, over real SMTP: told once, to each by themselves, again after a fault, stopped by one click."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client as Browser
from django.utils import timezone

from apps.reports import services, tasks
from apps.reports.letters import sending, tick, writing
from apps.reports.models import Recipient, ReportLink
from apps.reports.weeks import told_by
from tests.admin.pages import words
from tests.alerts.conftest import SITE, PostOffice, part
from tests.reports.conftest import Client, entries, messages

pytestmark = pytest.mark.django_db(transaction=True)

ANNA, BORIS = "anna@shop.example", "boris@shop.example"


def be_due(link: ReportLink, *, ago: timedelta = timedelta(seconds=1)) -> None:
    ReportLink.objects.filter(pk=link.pk).update(letter_at=timezone.now() - ago)


def work(link: ReportLink) -> int:
    """The ticks that come, and the worker that is told."""
    tick.on_tick(now=timezone.now())
    return sending.send_due(link.pk)


def again(link: ReportLink) -> int:
    """As if the wait for the next attempt were over."""
    Recipient.objects.filter(link=link).update(not_before=None)
    return sending.send_due(link.pk)


def anna() -> Recipient:
    return Recipient.objects.get(email=ANNA)


# ---- what it says ----


def test_everybody_gets_a_letter_of_their_own(filled: Client, post_office: PostOffice):
    services.change_look(look=services.look_of(filled.counter.agency), shown_name="Яркое агентство", colour="#0a7d33")
    link = filled.link(emails=[ANNA, BORIS])
    be_due(link)
    assert work(link) == 2
    assert [str(letter["To"]) for letter in post_office.letters] == [ANNA, BORIS]
    letter = post_office.letters[0]
    assert str(letter["From"]) == "Яркое агентство <goalpost@localhost>"
    assert str(letter["Subject"]).strip().startswith("Windows & balconies: orders of ")
    assert letter["Auto-Submitted"] == "auto-generated"
    text, html = part(letter, "plain"), part(letter, "html")
    for told in ("Orders created: 4", "Orders paid: 2", "Revenue, RUB: 5,000\u00a0₽", "Matched by Metrica: 50%"):
        assert told in text
    assert "- Deal is won (Paid): 2" in text
    assert "- The deal: 2" in text
    assert "#0a7d33" in html
    assert BORIS not in letter.as_string()
    (page,) = set(re.findall(r"https://goalpost.example(/report/(?!letters)[\w-]+/\?\S+)", text))
    assert "Orders created 4" in words(Browser().get(page))
    assert f"from={filled.shop.day(7)}" in page
    assert f"to={filled.shop.day(1)}" in page
    recipient = anna()
    assert (recipient.due_for, recipient.last_sent_on) == (None, filled.shop.day(1))
    assert {entry.details["email"] for entry in entries("report.letter_sent")} == {ANNA, BORIS}


def test_it_speaks_its_own_language_and_an_empty_week_says_so(client_of: Client, post_office: PostOffice):
    link = client_of.link(emails=[ANNA], letter_language="ru", language="en")
    be_due(link)
    assert work(link) == 1
    assert 'lang="ru"' in part(post_office.last(), "html")
    english = client_of.link(emails=[BORIS])
    be_due(english)
    assert work(english) == 1
    assert "No order was created and nothing was delivered" in post_office.text()


# ---- once ----


def test_two_ticks_and_two_workers_send_one_letter(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    be_due(link)
    now = timezone.now()
    tick.on_tick(now=now)
    tick.on_tick(now=now)
    assert messages() == [(link.pk,)]
    assert [sending.send_due(link.pk), sending.send_due(link.pk)] == [1, 0]
    tick.on_tick(now=now + timedelta(minutes=1))
    assert sending.send_due(link.pk) == 0
    assert len(post_office.letters) == 1


def test_ticks_and_workers_at_the_same_moment_send_one_letter(filled: Client, post_office: PostOffice):
    """Each in a thread with a connection of its own, as processes have them."""
    link = filled.link(emails=[ANNA, BORIS])
    be_due(link)
    gate = threading.Barrier(4)

    def one() -> None:
        try:
            gate.wait(10)
            tick.begin_weeks(timezone.now())
            gate.wait(10)
            sending.send_due(link.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(str(letter["To"]) for letter in post_office.letters) == [ANNA, BORIS]


def test_a_stale_look_at_a_due_link_begins_nothing(client_of: Client):
    link = client_of.link(emails=[ANNA])
    be_due(link)
    stale = ReportLink.objects.select_related("counter__agency").get()
    now = timezone.now()
    assert tick.begin_weeks(now) == 1
    assert not tick._begin_week(stale, now)


def test_the_tick_command_and_the_queue_do_it(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    be_due(link)
    call_command("tick")
    (message,) = messages()
    tasks.send_letters(*message)
    assert len(post_office.letters) == 1
    (sent,) = entries("report.letter_sent")
    assert sent.actor_kind == "system"


def test_the_next_week_is_told_by_the_next_letter(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    be_due(link, ago=timedelta(days=22))  # nobody was there for weeks
    assert work(link) == 1
    link.refresh_from_db()
    assert link.letter_at is not None
    assert link.letter_at > timezone.now()
    assert anna().last_sent_on == told_by(timezone.now() - timedelta(days=1), link.counter)
    be_due(link)
    assert work(link) == 1
    be_due(link)
    assert work(link) == 0, "this week was told"
    assert len(post_office.letters) == 2


# ---- faults ----


def test_a_worker_that_is_killed_before_the_letter_left_has_it_sent_after_the_wait(
    filled: Client, post_office: PostOffice, monkeypatch: pytest.MonkeyPatch
):
    link = filled.link(emails=[ANNA])
    be_due(link)
    tick.begin_weeks(timezone.now())

    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sending.mail, "post", killed)
    with pytest.raises(KeyboardInterrupt):
        sending.send_due(link.pk)
    monkeypatch.undo()
    assert sending.send_due(link.pk) == 0, "as long as the attempt may still be under way"
    assert anna().sending_since is not None
    assert again(link) == 1
    assert len(post_office.letters) == 1


def test_a_worker_that_is_killed_after_the_letter_left_has_it_sent_twice_under_one_id(
    filled: Client, post_office: PostOffice, monkeypatch: pytest.MonkeyPatch
):
    """Rather a second letter than none: nobody knows whether the first one left."""
    link = filled.link(emails=[ANNA])
    be_due(link)
    tick.begin_weeks(timezone.now())

    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sending, "_sent", killed)
    with pytest.raises(KeyboardInterrupt):
        sending.send_due(link.pk)
    monkeypatch.undo()
    assert again(link) == 1
    first, second = post_office.letters
    assert first["Message-ID"] == second["Message-ID"]
    assert again(link) == 0


def test_a_worker_thought_dead_writes_nothing_over_its_successor(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    be_due(link)
    tick.begin_weeks(timezone.now())
    slow = anna()
    assert slow.due_for is not None
    assert sending._begin(slow, slow.due_for)
    assert again(link) == 1
    sending._failed(slow, slow.due_for, sending.NotSent("late", "late"))
    assert anna().error_code == ""
    assert anna().due_for is None


def test_what_fails_is_shown_and_goes_again_until_it_is_given_up(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    be_due(link)
    post_office.closed = "451 come later"
    assert work(link) == 0
    recipient = anna()
    assert (recipient.error_code, recipient.attempts) == ("mail_refused", 1)
    assert "451" in recipient.error_message
    assert recipient.not_before is not None
    assert recipient.not_before > timezone.now()
    assert sending.send_due(link.pk) == 0
    post_office.closed = ""
    assert again(link) == 1
    assert anna().error_message == ""
    be_due(link)
    Recipient.objects.update(last_sent_on=filled.shop.day(8))
    post_office.closed = "451 come later"
    work(link)
    for _attempt in range(sending.MOST_ATTEMPTS - 1):
        again(link)
    recipient = anna()
    assert (recipient.due_for, recipient.attempts) == (None, sending.MOST_ATTEMPTS)
    assert recipient.error_message, "and it stays to be read"


def test_a_recipient_that_is_refused_for_good_keeps_nobody_else_from_it(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA, BORIS])
    be_due(link)
    post_office.refuse = {ANNA: "550 no such mailbox"}
    assert work(link) == 1
    assert (anna().due_for, anna().error_code) == (None, "mail_recipients")
    assert [str(letter["To"]) for letter in post_office.letters] == [BORIS]


def test_without_a_mail_server_the_page_says_so(filled: Client, settings: Any):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    link = filled.link(emails=[ANNA])
    be_due(link)
    assert work(link) == 0
    assert anna().error_code == "not_set_up"


def test_something_unforeseen_with_one_letter_is_written_down(
    filled: Client, post_office: PostOffice, monkeypatch: pytest.MonkeyPatch
):
    link = filled.link(emails=[ANNA])
    be_due(link)
    monkeypatch.setattr(writing, "write", lambda link, week: 1 / 0)
    assert work(link) == 0
    assert (anna().error_code, anna().error_message) == ("internal_error", "ZeroDivisionError")


# ---- no letters ----


def test_no_letter_leaves_from_a_closed_link(filled: Client, post_office: PostOffice):
    withdrawn, expired, between, idle = (filled.link(emails=[ANNA]) for _number in range(4))
    for link in (withdrawn, expired, between):
        be_due(link)
    tick.begin_weeks(timezone.now())
    services.withdraw(link=withdrawn)
    ReportLink.objects.filter(pk__in=[expired.pk, between.pk]).update(expires_at=timezone.now())
    be_due(expired)
    tick.begin_weeks(timezone.now())
    for link in (withdrawn, expired, between):
        sending.send_due(link.pk)
    filled.counter.agency.is_active = False
    filled.counter.agency.save()
    be_due(idle)
    work(idle)
    assert not post_office.letters
    expired.refresh_from_db()
    assert expired.letter_at is None, "until somebody prolongs it"
    assert services.prolong(link=expired, days=30).letter_at is not None


def test_the_letter_is_stopped_by_one_click_without_a_login(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA, BORIS])
    be_due(link)
    work(link)
    letter = post_office.letters[0]
    stop = str(letter["List-Unsubscribe"]).strip(" <>")
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert stop in part(letter, "plain")
    assert stop in part(letter, "html")
    path = stop.removeprefix(SITE)
    browser = Browser(enforce_csrf_checks=True)
    assert "Stop the letters?" in browser.get(path).content.decode()
    assert anna().unsubscribed_at is None, "programs look at links"
    answer = browser.post(path, {"List-Unsubscribe": "One-Click"})
    assert "You get no more letters" in answer.content.decode()
    assert not answer.cookies
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    be_due(link)
    Recipient.objects.update(last_sent_on=None)
    assert work(link) == 1
    assert str(post_office.last()["To"]) == BORIS
    browser.post(path, {"again": "1"})
    assert anna().unsubscribed_at is None
    for wrong in (path[:-2] + "/", path.replace(":", "1:"), "/report/letters/1/", "/report/letters/x:y/"):
        assert browser.post(wrong).status_code == 404


def test_who_stops_while_the_letter_waits_gets_none(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    be_due(link)
    tick.begin_weeks(timezone.now())
    services.stop_letters(recipient=Recipient.objects.select_related("link__counter").get())
    assert sending.send_due(link.pk) == 0


def test_asked_for_by_a_person_it_goes_once_more(filled: Client, post_office: PostOffice):
    link = filled.link(emails=[ANNA])
    assert services.ask_for_letters(link=link) == 1
    assert sending.send_due(link.pk) == 1
    assert services.ask_for_letters(link=link) == 1
    recipient = anna()
    assert recipient.due_for is not None
    assert sending._begin(recipient, recipient.due_for)
    assert services.ask_for_letters(link=link) == 0, "it is just leaving"


def test_sending_costs_the_same_numbers_once_for_all(
    filled: Client, post_office: PostOffice, django_assert_max_num_queries: Any
):
    link = filled.link(emails=[f"reader{number}@shop.example" for number in range(10)])
    be_due(link)
    tick.begin_weeks(timezone.now())
    # A few for each recipient (the attempt, what came of it, the log), and the report read once.
    with django_assert_max_num_queries(12 + 10 * (8 if connection.vendor == "postgresql" else 6)):
        assert sending.send_due(link.pk) == 10
