"""What a CRM status means: mapping, then Metrica's four, then a goal's identifier; and what it will reach."""

from decimal import Decimal

import pytest

from apps.counters.models import Counter, Mode
from apps.goals.models import StatusMapping
from apps.goals.resolve import Meaning, Resolver, forecast
from apps.metrica.rules import GoalPrice
from apps.metrica.vocabulary import OrderType


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
