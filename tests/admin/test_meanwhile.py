"""Two people at one counter's page: nobody undoes what the other has done, and nobody loses what they wrote."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser
from django.urls import reverse

from apps.audit import trace
from apps.counters import services
from apps.goals import services as goals
from apps.goals.admin_pages.laying_over import lay_over
from apps.goals.models import MappingVersion, StatusMapping
from apps.goals.statuses import StatusRow
from tests.admin.conftest import Place
from tests.admin.pages import form_data, words

pytestmark = pytest.mark.django_db


def page(place: Place) -> str:
    return reverse("admin:counters_counter_change", args=[place.counter.pk])


def mapping(place: Place) -> dict[str, tuple[str, list[str]]]:
    rows = StatusMapping.objects.filter(counter=place.counter).order_by("position", "pk")
    return {row.crm_status: (row.type, row.goal_action_ids) for row in rows}


@pytest.fixture
def colleague(place: Place) -> Any:
    """Does something under the manager's name."""
    from apps.agencies.actor import Actor

    def go(deed: Any) -> None:
        with trace.traced(actor=Actor(kind="person", label=place.manager.email, id="1"), source="web"):
            deed()

    return go


# ---- settings ----


def test_what_one_did_not_touch_stays_as_another_set_it(place: Place, browser: Browser, colleague: Any):
    data = form_data(browser, page(place), site="new.example")
    colleague(lambda: services.update_counter(counter=place.counter, name="Theirs", hash_identifiers=True))
    assert browser.post(page(place), data).status_code == 302
    place.counter.refresh_from_db()
    assert (place.counter.name, place.counter.site) == ("Theirs", "new.example")
    assert place.counter.hash_identifiers is True


def test_what_both_changed_is_looked_at_again_and_then_saved(place: Place, browser: Browser, colleague: Any):
    data = form_data(browser, page(place), name="Mine", currency="EUR")
    colleague(lambda: services.update_counter(counter=place.counter, name="Theirs"))
    refused = browser.post(page(place), data)
    form = refused.context["adminform"].form
    assert list(form.errors) == ["name"]
    told = str(form.errors["name"])
    assert place.manager.email in told and "it is “Theirs” now" in told
    assert (form["name"].value(), form["currency"].value()) == ("Mine", "EUR"), "nothing that was typed is lost"
    place.counter.refresh_from_db()
    assert (place.counter.name, place.counter.currency) == ("Theirs", "RUB")
    again = {**data, "initial-name": form.data["initial-name"]}
    assert again["initial-name"] == "Theirs"
    assert browser.post(page(place), again).status_code == 302
    place.counter.refresh_from_db()
    assert (place.counter.name, place.counter.currency) == ("Mine", "EUR")


def test_the_same_change_by_both_is_no_quarrel(place: Place, browser: Browser, colleague: Any):
    data = form_data(browser, page(place), name="Same")
    colleague(lambda: services.update_counter(counter=place.counter, name="Same"))
    assert browser.post(page(place), data).status_code == 302


def test_a_box_is_unticked(place: Place, browser: Browser):
    services.update_counter(counter=place.counter, hash_identifiers=True)
    data = form_data(browser, page(place))
    assert data.pop("hash_identifiers")
    assert browser.post(page(place), data).status_code == 302
    place.counter.refresh_from_db()
    assert place.counter.hash_identifiers is False


def test_the_page_brings_back_what_it_showed(place: Place, browser: Browser):
    text = browser.get(page(place)).content.decode()
    assert 'name="initial-name" value="Mine shop"' in text
    assert 'name="statuses-version" value="2"' in text


# ---- the mapping ----


def test_a_mapping_that_was_not_touched_undoes_nothing(place: Place, browser: Browser, colleague: Any):
    data = form_data(browser, page(place), name="Renamed")
    colleague(lambda: goals.set_status(counter=place.counter, crm_status="new", type="CANCELLED"))
    colleague(lambda: goals.set_status(counter=place.counter, crm_status="fresh", type="PAID"))
    colleague(lambda: goals.remove_status(counter=place.counter, crm_status="won"))
    versions = MappingVersion.objects.count()
    assert browser.post(page(place), data).status_code == 302
    assert mapping(place) == {"new": ("CANCELLED", []), "fresh": ("PAID", [])}
    assert MappingVersion.objects.count() == versions
    place.counter.refresh_from_db()
    assert place.counter.name == "Renamed"


def test_what_was_written_is_laid_over_what_another_did(place: Place, browser: Browser, colleague: Any):
    data = form_data(browser, page(place), **{"statuses-1-name": "Paid in full"})
    data |= {"statuses-TOTAL_FORMS": 3, "statuses-2-crm_status": "mine", "statuses-2-type": "SPAM"}
    data["statuses-2-position"] = 2
    colleague(lambda: goals.set_status(counter=place.counter, crm_status="new", type="CANCELLED"))
    colleague(lambda: goals.set_status(counter=place.counter, crm_status="theirs", type="PAID"))
    refused = browser.post(page(place), data)
    assert refused.status_code == 200
    text = words(refused)
    assert f"{place.manager.email} changed the mapping at" in text
    assert "Changed meanwhile: new, theirs." in text
    [inline] = [one for one in refused.context["inline_admin_formsets"] if one.formset.prefix == "statuses"]
    shown = [(form["crm_status"].value(), form["name"].value(), form["type"].value()) for form in inline.formset.forms]
    assert shown == [
        *[("new", "", "CANCELLED"), ("won", "Paid in full", "PAID"), ("theirs", "", "PAID"), ("mine", None, "SPAM")]
    ]
    assert mapping(place)["new"] == ("CANCELLED", [])
    assert "mine" not in mapping(place)
    again = {**inline.formset.data.dict(), inline.formset.version_name: inline.formset.shown_version}
    assert browser.post(page(place), again).status_code == 302
    assert list(mapping(place)) == ["new", "won", "theirs", "mine"]
    assert mapping(place)["new"] == ("CANCELLED", [])
    assert StatusMapping.objects.get(counter=place.counter, crm_status="won").name == "Paid in full"


def test_a_change_in_the_very_moment_of_saving_is_refused(place: Place):
    seen = MappingVersion.objects.filter(counter=place.counter).order_by("-number").first()
    assert seen is not None
    goals.set_status(counter=place.counter, crm_status="new", type="CANCELLED")
    put = {"crm_status": "won", "type": "SPAM"}
    with pytest.raises(ValidationError, match="this very moment"):
        goals.change_statuses(counter=place.counter, put=[put], upon=seen.number)
    goals.change_statuses(counter=place.counter, put=[put], upon=seen.number + 1)
    assert mapping(place)["won"][0] == "SPAM"


def test_a_draft_of_an_older_mapping_can_still_be_tried(place: Place, browser: Browser, colleague: Any):
    place.push("A-1", "new")
    data = form_data(browser, page(place), **{"statuses-0-type": "SPAM"})
    colleague(lambda: goals.set_status(counter=place.counter, crm_status="won", type="CANCELLED"))
    answer = browser.post(reverse("admin:counters_counter_simulate", args=[place.counter.pk]), data)
    assert answer.status_code == 200
    assert "has mistakes" not in words(answer)


class TestLayingOver:
    """What is posted, over what stands."""

    @pytest.fixture
    def seen(self, place: Place) -> dict[str, StatusRow]:
        return {row.crm_status: StatusRow.of(row) for row in StatusMapping.objects.filter(counter=place.counter)}

    def over(self, place: Place, data: dict[str, Any], seen: dict[str, StatusRow]) -> Any:
        now = list(StatusMapping.objects.filter(counter=place.counter))
        return lay_over({key: str(value) for key, value in data.items()}, prefix="statuses", seen=seen, now=now)

    def test_a_row_that_is_gone_and_was_not_touched_is_gone(self, place: Place, browser: Browser, seen: Any):
        data = form_data(browser, page(place))
        goals.remove_status(counter=place.counter, crm_status="new")
        laid = self.over(place, data, seen)
        assert (laid.wrote, laid.theirs) == (False, ["new"])
        assert (laid.data["statuses-TOTAL_FORMS"], laid.data["statuses-0-crm_status"]) == ("1", "won")
        assert "statuses-1-crm_status" not in laid.data

    def test_a_row_that_is_gone_and_was_written_to_comes_anew(self, place: Place, browser: Browser, seen: Any):
        data = form_data(browser, page(place), **{"statuses-0-type": "SPAM"})
        goals.remove_status(counter=place.counter, crm_status="new")
        laid = self.over(place, data, seen)
        assert laid.wrote
        assert (laid.data["statuses-INITIAL_FORMS"], laid.data["statuses-TOTAL_FORMS"]) == ("1", "2")
        assert (laid.data["statuses-1-crm_status"], laid.data["statuses-1-type"]) == ("new", "SPAM")
        assert "statuses-1-id" not in laid.data

    def test_a_row_to_be_taken_out_stays_so_marked(self, place: Place, browser: Browser, seen: Any):
        data = form_data(browser, page(place), **{"statuses-1-DELETE": "on"})
        goals.set_status(counter=place.counter, crm_status="new", type="SPAM")
        laid = self.over(place, data, seen)
        assert laid.wrote
        assert laid.data["statuses-1-DELETE"] == "on"
        assert laid.data["statuses-0-type"] == "SPAM"

    def test_what_both_added_is_one_row(self, place: Place, browser: Browser, seen: Any):
        data = form_data(browser, page(place))
        data |= {"statuses-TOTAL_FORMS": 3, "statuses-2-crm_status": "both", "statuses-2-type": "SPAM"}
        goals.set_status(counter=place.counter, crm_status="both", type="PAID")
        laid = self.over(place, data, seen)
        assert laid.data["statuses-TOTAL_FORMS"] == "3"
        assert (laid.data["statuses-2-crm_status"], laid.data["statuses-2-type"]) == ("both", "SPAM")
        assert laid.data["statuses-2-id"]

    def test_nonsense_in_place_of_numbers_is_nothing(self, place: Place, seen: Any):
        laid = self.over(place, {"statuses-TOTAL_FORMS": "many", "statuses-0-crm_status": "x"}, seen)
        assert not laid.wrote
