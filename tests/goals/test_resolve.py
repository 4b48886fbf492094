"""What a CRM status means: mapping, then Metrica's four, then a goal's identifier; and what it will reach."""

import time
from decimal import Decimal

import pytest

from apps.counters.models import Counter, Mode
from apps.goals.goal_services import store_goals
from apps.goals.models import StatusMapping
from apps.goals.resolve import Meaning, Resolver, forecast
from apps.goals.services import set_status
from apps.metrica.answers import GoalInfo
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import OrderType
from tests.factories import make_counter


def resolver(*mappings: StatusMapping, mode: str = Mode.SIMPLE, goals: tuple[str, ...] = ()) -> Resolver:
    return Resolver(mode=mode, mappings=mappings, goal_ids=frozenset(goals))


def mapping(crm_status: str, type: OrderType, *goals: str, metrica_id: str = "") -> StatusMapping:
    return StatusMapping(
        counter=Counter(), crm_status=crm_status, type=type, goal_action_ids=list(goals), metrica_id=metrica_id
    )


def test_simple_mode_sends_the_type_and_for_other_its_first_goal():
    known = resolver(
        mapping("Оплата услуг", OrderType.PAID, "oplaty_2_filial"),
        mapping("Запись в филиал №1", OrderType.OTHER, "zapis1", "vse_zapisi"),
    )
    paid, booked = known.meaning("Оплата услуг"), known.meaning("Запись в филиал №1")
    assert paid and (paid.wire_status, paid.wire_goals) == ("PAID", ("oplaty_2_filial",))
    assert booked and (booked.wire_status, booked.wire_goals) == ("zapis1", ("vse_zapisi",))
    assert booked.type == OrderType.OTHER


def test_detailed_mode_sends_the_status_of_metrica():
    known = resolver(
        mapping("Запись в филиал №1", OrderType.OTHER, "zapis1", "vse_zapisi", metrica_id="zapis1"), mode=Mode.DETAILED
    )
    meaning = known.meaning("Запись в филиал №1")
    assert meaning and (meaning.wire_status, meaning.wire_goals) == ("zapis1", ())


@pytest.mark.parametrize("status", ["IN_PROGRESS", "PAID", "CANCELLED", "SPAM"])
def test_metricas_own_statuses_need_no_mapping_but_a_mapping_wins(status):
    assert resolver().meaning(status) == Meaning(status, OrderType(status), (), status, (), "default")
    assert resolver(mapping(status, OrderType.OTHER, "goal")).meaning(status).type == OrderType.OTHER


def test_a_goals_identifier_is_a_status_of_type_other():
    meaning = resolver(goals=("good_lead",)).meaning("good_lead")
    assert meaning and (meaning.type, meaning.wire_status) == (OrderType.OTHER, "good_lead")


def test_what_cannot_go_has_its_reason():
    known = resolver(mapping("Встреча", OrderType.OTHER), mapping("Новый", OrderType.IN_PROGRESS))
    assert known.problem("Новый") == ""
    assert known.problem("Встреча") == "status_without_goal"
    assert known.problem("новый") == "unmapped_status"  # exactly as the CRM writes it
    assert known.problem("OTHER") == "unmapped_status"


def test_a_meaning_survives_its_journey_through_json():
    meaning = resolver(mapping("Х", OrderType.OTHER, "a", "b")).meaning("Х")
    assert meaning and Meaning.from_json("Х", meaning.to_json()) == meaning


def test_the_forecast_names_every_goal_with_its_income():
    meaning = resolver(mapping("Оплата", OrderType.PAID, "branch")).meaning("Оплата")
    assert meaning
    extra = [GoalPrice("deal_won", Decimal(5000))]
    reaches = forecast(meaning, extra_goals=extra, revenue=Decimal(5000), cost=Decimal(3200))
    assert {(reach.goal, reach.income) for reach in reaches} == {
        ("cdp_order_in_progress", Decimal(1800)),
        ("cdp_order_paid", Decimal(1800)),
        ("branch", Decimal(1800)),
        ("deal_won", Decimal(5000)),
    }


@pytest.mark.django_db
class TestKeptByRevision:
    def test_what_has_not_changed_is_not_read_again(self, django_assert_num_queries):
        counter = make_counter()
        set_status(counter=counter, crm_status="won", type="PAID")
        counter.refresh_from_db()
        with django_assert_num_queries(2):
            assert Resolver.of_revision(counter).problem("won") == ""
        with django_assert_num_queries(0):
            assert Resolver.of_revision(counter).problem("lost") == "unmapped_status"

    def test_a_mapping_and_a_goal_that_are_new_are_known_at_once(self):
        counter = make_counter()
        assert Resolver.of_revision(counter).problem("won") == "unmapped_status"
        set_status(counter=Counter.objects.get(), crm_status="won", type="PAID")
        assert Resolver.of_revision(Counter.objects.get()).meaning("won").type == OrderType.PAID
        store_goals(counter=counter, goals=[GoalInfo(1, "Call", "action", "call", "exact", None, False, {})])
        assert Resolver.of_revision(Counter.objects.get()).meaning("call").source == "goal"

    def test_another_mode_of_the_same_revision_is_another_meaning(self):
        counter = make_counter()
        set_status(counter=counter, crm_status="won", type="PAID", metrica_id="deal_won")
        counter.refresh_from_db()
        assert Resolver.of_revision(counter).meaning("won").wire_status == "PAID"
        counter.mode = Mode.DETAILED
        assert Resolver.of_revision(counter).meaning("won").wire_status == "deal_won"

    def test_what_was_put_back_is_seen_after_a_minute(self, monkeypatch):
        counter = make_counter()
        set_status(counter=counter, crm_status="won", type="PAID")
        counter.refresh_from_db()
        assert Resolver.of_revision(counter).problem("won") == ""
        StatusMapping.objects.all().delete()  # as a backup would: the revision is the same
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + 61)
        assert Resolver.of_revision(counter).problem("won") == "unmapped_status"

    def test_statuses_without_number_take_no_memory_without_bounds(self, monkeypatch):
        monkeypatch.setattr("apps.goals.resolve._MOST_STATUSES", 10)
        known = resolver(mapping("won", OrderType.PAID))
        assert [known.problem(f"made up {n}") for n in range(100)] == ["unmapped_status"] * 100
        assert len(known._known) <= 10 and known.problem("won") == ""
