"""The mapping's editor: history, what waits there for a person, a draft tried out, both sides compared."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.counters.models import Counter, MetricaAccount, Mode
from apps.counters.services import connect_account
from apps.goals import status_sync
from apps.goals.models import Goal, MappingVersion, StatusMapping, StepState
from apps.goals.services import set_status
from apps.orders.models import Order
from tests.admin.conftest import Place
from tests.admin.pages import errors, form_data, messages, words
from tests.goals.metrica import TOKEN, Statuses, known_to_sandbox

pytestmark = pytest.mark.django_db


def page(counter: Counter) -> str:
    return reverse("admin:counters_counter_change", args=[counter.pk])


def act(counter: Counter, name: str) -> str:
    return reverse(f"admin:counters_counter_{name}", args=[counter.pk])


def version(counter: Counter, number: int) -> MappingVersion:
    return MappingVersion.objects.get(counter=counter, number=number)


class TestHistory:
    def test_a_save_of_several_rows_is_one_version(self, place: Place, browser: Browser):
        data = form_data(browser, page(place.counter))
        data |= {"statuses-0-type": "SPAM", "statuses-1-crm_status": "closed", "statuses-1-name": "Deal"}
        assert browser.post(page(place.counter), data).status_code == 302
        last = MappingVersion.objects.filter(counter=place.counter).latest("number")
        assert last.number == 3  # the place makes two
        assert last.by == place.owner.email
        assert {(line["crm_status"], line["kind"]) for line in last.difference} == {
            ("new", "changed"),
            ("closed", "added"),
            ("won", "removed"),
        }

    def test_the_list_tells_who_changed_what(self, place: Place, browser: Browser, django_assert_num_queries: Any):
        data = form_data(browser, page(place.counter)) | {"statuses-0-type": "SPAM"}
        browser.post(page(place.counter), data)
        url = f"{reverse('admin:goals_mappingversion_changelist')}?counter__id__exact={place.counter.pk}"
        assert url.replace("&", "&amp;") in browser.get(page(place.counter)).content.decode()
        text = words(browser.get(url))
        assert place.owner.email in text
        assert "new changed" in text
        with django_assert_num_queries(6):
            browser.get(url)
        for kind in ("PAID", "CANCELLED", "SPAM"):
            set_status(counter=place.counter, crm_status="new", type=kind)
        with django_assert_num_queries(6):
            browser.get(url)

    def test_a_version_shows_all_of_it_and_goes_back(self, place: Place, browser: Browser):
        set_status(counter=place.counter, crm_status="won", type="SPAM", goal_action_ids=["other"])
        url = reverse("admin:goals_mappingversion_change", args=[version(place.counter, 2).pk])
        text = words(browser.get(url))
        assert "won changed Order type Spam Paid Goals other goal_Mine" in text
        assert "Go back to this version" in text
        back = reverse("admin:goals_mappingversion_restore", args=[version(place.counter, 2).pk])
        assert "1 difference" in words(browser.get(back))
        answer = browser.post(back, follow=True)
        assert "as it was in version 2" in messages(answer)
        assert StatusMapping.objects.get(counter=place.counter, crm_status="won").type == "PAID"
        last = MappingVersion.objects.filter(counter=place.counter).latest("number")
        assert (last.number, last.restores, last.by) == (4, 2, place.owner.email)
        # What is the present mapping already cannot be gone back to.
        assert "Go back to this version" not in words(browser.get(url))

    def test_an_id_in_use_says_so_at_its_field(self, place: Place, browser: Browser):
        Counter.objects.filter(pk=place.counter.pk).update(mode=Mode.DETAILED)
        data = form_data(browser, page(place.counter)) | {"statuses-0-metrica_id": "won", "statuses-1-metrica_id": "x"}
        assert browser.post(page(place.counter), data).status_code == 302
        data = form_data(browser, page(place.counter)) | {"statuses-0-metrica_id": "x"}
        answer = browser.post(page(place.counter), data)
        assert answer.status_code == 200
        assert "x" in words(answer)


class TestUnknownStatuses:
    def test_they_are_listed_with_counts_and_a_likely_type(self, place: Place, browser: Browser):
        assert "Unknown statuses" not in words(browser.get(page(place.counter)))
        place.push("A-1", "Новая заявка")
        place.push("A-2", "Новая заявка")
        place.push("A-3", "Отказ <b>клиента</b>")
        answer = browser.get(page(place.counter))
        text = words(answer)
        assert "Новая заявка 2 just now In progress Add to the mapping" in text
        assert "Отказ <b>клиента</b> 1 just now Cancelled" in text
        assert not StatusMapping.objects.filter(crm_status__startswith="Нов").exists()
        assert "<b>клиента" not in answer.content.decode()

    def test_adding_one_is_prefilled_and_confirmed_by_a_person(self, place: Place, browser: Browser):
        place.push("A-1", "Новая заявка")
        url = act(place.counter, "map")
        form = browser.get(f"{url}?status={quote('Новая заявка')}").context["form"]
        assert (form["crm_status"].value(), form["type"].value()) == ("Новая заявка", "IN_PROGRESS")
        data = {"crm_status": "Новая заявка", "type": "PAID", "goal_action_ids": "lead", "name": ""}
        answer = browser.post(url, data, follow=True)
        assert "is mapped" in messages(answer)
        added = StatusMapping.objects.get(crm_status="Новая заявка")
        assert (added.type, added.goal_action_ids, added.metrica_id) == ("PAID", ["lead"], "novaya_zayavka")
        known = browser.get(f"{url}?status=won").context["form"]
        assert known["goal_action_ids"].value() == "goal_Mine"

    def test_an_analyst_reads_them_and_has_no_button(self, place: Place, login: Any):
        place.push("A-1", "Новая заявка")
        text = words(login(place.analyst).get(page(place.counter)))
        assert "Новая заявка 1" in text
        assert "Add to the mapping" not in text
        assert "What would change?" not in text


class TestSimulation:
    def test_a_draft_is_tried_and_nothing_is_saved(self, place: Place, browser: Browser):
        for number in range(3):
            place.push(f"A-{number}", "new", "won", revenue="5000", cost="1000")
        before = list(StatusMapping.objects.values())
        data = form_data(browser, page(place.counter)) | {"statuses-1-type": "CANCELLED"}
        answer = browser.post(act(place.counter, "simulate"), data)
        text = words(answer)
        assert "Orders replayed 3" in text
        assert "Goals would differ" in text
        effects = {effect.goal: effect for effect in answer.context["done"].effects}
        assert effects["cdp_order_paid"].gained == -3
        assert effects["cdp_order_cancelled"].gained == 3
        assert effects["goal_Mine"].gained == 0
        assert "CRM: Order paid Metrica's own 3 0 -3 12,000 ₽ 0 ₽ -12,000 ₽" in text
        assert list(StatusMapping.objects.values()) == before
        assert not AuditEntry.objects.filter(action="status.changed").exists()

    def test_rows_added_renamed_and_deleted_count_too(self, place: Place, browser: Browser):
        place.push("A-1", "new", "won")
        place.push("A-2", "fresh")
        data = form_data(browser, page(place.counter))
        data |= {
            "statuses-TOTAL_FORMS": "3",
            "statuses-0-crm_status": "renamed",
            "statuses-1-DELETE": "on",
            "statuses-2-crm_status": "fresh",
            "statuses-2-type": "OTHER",
            "statuses-2-goal_action_ids": "brand_new",
            "statuses-2-position": "2",
            "days": "7",
        }
        answer = browser.post(act(place.counter, "simulate"), data)
        effects = {effect.goal: effect.gained for effect in answer.context["done"].effects}
        assert effects == {"cdp_order_in_progress": -1, "cdp_order_paid": -1, "goal_Mine": -1, "brand_new": 1}
        assert answer.context["done"].held == {"fresh": (1, 0), "new": (0, 1), "won": (0, 1)}
        # The draft travels on, so that another period can be asked for.
        again = re.findall(
            r'<input type="hidden" name="(statuses-2-crm_status)" value="fresh">', answer.content.decode()
        )
        assert again
        assert answer.context["days"] == 7

    def test_a_draft_with_mistakes_says_what_to_do(self, place: Place, browser: Browser):
        data = form_data(browser, page(place.counter)) | {"statuses-0-type": "OTHER"}
        answer = browser.post(act(place.counter, "simulate"), data)
        assert "has mistakes" in errors(answer)

    def test_without_a_draft_it_says_where_to_begin(self, place: Place, browser: Browser):
        assert "press “What would change?” there" in words(browser.get(act(place.counter, "simulate")))
        assert "has mistakes" in errors(browser.post(act(place.counter, "simulate"), {}))


class TestLateGoals:
    def test_a_goal_younger_than_its_orders_is_told(self, place: Place, browser: Browser):
        place.push("A-1", "won")
        place.push("A-2", "won")
        assert "Goals count from their creation on" not in words(browser.get(page(place.counter)))
        Goal.objects.filter(identifier="goal_Mine").update(appeared_at=timezone.now() - timedelta(hours=1))
        text = words(browser.get(page(place.counter)))
        assert re.search(r"goal_Mine , at Metrica since .* 2 orders were created before", text)

    def test_orders_that_came_after_it_or_reach_another_goal_are_none(self, place: Place, browser: Browser):
        place.push("A-1", "won")
        place.push("A-2", "new")
        Goal.objects.filter(identifier="goal_Mine").update(appeared_at=timezone.now() - timedelta(days=3))
        assert "Goals count from their creation on" not in words(browser.get(page(place.counter)))
        Goal.objects.filter(identifier="goal_Mine").update(appeared_at=timezone.now() - timedelta(days=1))
        assert "1 order was created before" in words(browser.get(page(place.counter)))
        # Long ago, nothing of it matters any more.
        Goal.objects.filter(identifier="goal_Mine").update(appeared_at=timezone.now() - timedelta(days=30))
        Order.objects.update(create_date_time=timezone.now() - timedelta(days=40))
        assert "Goals count from their creation on" not in words(browser.get(page(place.counter)))


@pytest.mark.django_db(transaction=True)
class TestComparison:
    @pytest.fixture
    def metrica(self, place: Place, live_server: Any) -> Statuses:
        """The place's counter, in step with the sandbox."""
        at_metrica = known_to_sandbox(place.counter.metrica_id)
        login = place.account.login
        connect_account(agency=place.agency, login=login, token=TOKEN, base_url=f"{live_server.url}/sandbox")
        Counter.objects.filter(pk=place.counter.pk).update(mode=Mode.DETAILED)
        place.counter = Counter.objects.select_related("account").get(pk=place.counter.pk)
        status_sync.ensure_in_step(counter=place.counter)
        return Statuses(at_metrica)

    def drift(self, place: Place, metrica: Statuses) -> None:
        """Somebody changes a status at Metrica, and the next delivery finds it."""
        metrica.put("won", "SPAM", "Won", "theirs")
        state = StepState.objects.filter(counter=place.counter)
        state.update(looked_at=timezone.now() - timedelta(hours=2))
        with pytest.raises(status_sync.StatusesOutOfStep):
            status_sync.ensure_in_step(counter=place.counter)

    def choices(self, browser: Browser, counter: Counter, **chosen: str) -> dict[str, str]:
        """What the browser would send from the comparison, with a choice by status."""
        form = browser.get(act(counter, "compare")).context["form"]
        data = {"seen": form["seen"].value()}
        for block in form.blocks():
            data[block["field"].html_name] = chosen.get(block["line"].metrica_id, block["field"].value())
        return data

    def test_a_change_at_metrica_is_shown_line_by_line(self, place: Place, browser: Browser, metrica: Statuses):
        self.drift(place, metrica)
        calls = metrica.calls()
        assert "Nothing leaves until you choose which side is right: won" in words(browser.get(page(place.counter)))
        assert metrica.calls() == calls  # the page itself asks nobody
        text = words(browser.get(act(place.counter, "compare")))
        assert "won Somebody changed it at Metrica." in text
        assert "Order type Paid Spam Name won Won Goals goal_Mine theirs" in text

    def test_ours_overwrites_and_both_versions_are_in_the_log(self, place: Place, browser: Browser, metrica: Statuses):
        self.drift(place, metrica)
        data = self.choices(browser, place.counter, won="ours")
        answer = browser.post(act(place.counter, "compare"), data, follow=True)
        assert "are in step" in messages(answer)
        assert metrica["won"]["type"] == "PAID"
        entry = AuditEntry.objects.filter(action="statuses.pushed_to_metrica").latest("id")
        assert (entry.before["won"]["type"], entry.after["won"]["type"]) == ("SPAM", "PAID")
        assert entry.actor_label == place.owner.email
        assert "Nothing leaves until" not in words(browser.get(page(place.counter)))

    def test_theirs_is_taken_and_both_versions_are_in_the_log(self, place: Place, browser: Browser, metrica: Statuses):
        self.drift(place, metrica)
        data = self.choices(browser, place.counter, won="theirs")
        assert "are in step" in messages(browser.post(act(place.counter, "compare"), data, follow=True))
        row = StatusMapping.objects.get(counter=place.counter, metrica_id="won")
        assert (row.crm_status, row.type, row.name, row.goal_action_ids) == ("won", "SPAM", "Won", ["theirs"])
        entry = AuditEntry.objects.get(action="statuses.taken_from_metrica")
        assert (entry.before["won"]["type"], entry.after["won"]["type"]) == ("PAID", "SPAM")

    def test_deciding_later_changes_nothing(self, place: Place, browser: Browser, metrica: Statuses):
        self.drift(place, metrica)
        answer = browser.post(act(place.counter, "compare"), self.choices(browser, place.counter), follow=True)
        assert "1 status still differs" in messages(answer)
        assert metrica["won"]["type"] == "SPAM"
        assert StatusMapping.objects.get(counter=place.counter, metrica_id="won").type == "PAID"

    def test_what_changed_since_it_was_shown_is_shown_again(self, place: Place, browser: Browser, metrica: Statuses):
        self.drift(place, metrica)
        data = self.choices(browser, place.counter, won="ours")
        metrica.put("won", "CANCELLED")
        answer = browser.post(act(place.counter, "compare"), data)
        assert "are others now" in errors(answer)
        assert metrica["won"]["type"] == "CANCELLED"

    def test_a_forged_comparison_is_not_believed(self, place: Place, browser: Browser, metrica: Statuses):
        answer = browser.post(act(place.counter, "compare"), {"seen": "x:y:z", "line0": "ours"})
        assert "cannot be read any more" in errors(answer)

    def test_when_metrica_does_not_answer_the_question_says_so(self, place: Place, browser: Browser, metrica: Statuses):
        MetricaAccount.objects.filter(pk=place.account.pk).update(base_url="http://127.0.0.1:1")
        text = words(browser.get(act(place.counter, "compare")))
        assert "No connection" in text or "connection" in text.lower()

    def test_in_simple_mode_there_is_nothing_to_compare(self, place: Place, browser: Browser):
        assert "Compare statuses" not in words(browser.get(page(place.counter)))
        answer = browser.get(act(place.counter, "compare"), follow=True)
        assert "cannot be done any more" in messages(answer)
