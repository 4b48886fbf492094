"""A client that nobody of this project wrote, tapi-yandex-metrika, works here as it is: only its host is another."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from tapi2 import generate_wrapper_from_adapter
from tapi_yandex_metrika import exceptions
from tapi_yandex_metrika.tapi_yandex_metrika import (
    YandexMetrikaManagementClientAdapter,
    YandexMetrikaStatsClientAdapter,
)

from apps.sandbox import services
from tests.sandbox.conftest import NUMBER, TOKEN, Api, Desk, local


@pytest.fixture
def host(api: Api) -> Iterator[str]:
    logging.getLogger("tapi_yandex_metrika").setLevel(logging.ERROR)
    services.set_switch(name="report_delay", value="none")
    yield f"{api.base}/"


def client_of(adapter: type, host: str, token: str = TOKEN):
    """The package's own client; the address of the host is all that is replaced."""
    hosted = type("Hosted", (adapter,), {"get_api_root": lambda self, api_params, resource_name: host})
    wrapper = generate_wrapper_from_adapter(hosted)
    return wrapper(access_token=token, default_url_params={"counterId": NUMBER})


def test_it_lists_counters_and_goals(host: str) -> None:
    client = client_of(YandexMetrikaManagementClientAdapter, host)
    counters = client.counters().get(params={"field": "goals", "sort": "Name"})
    assert [counter["id"] for counter in counters.data["counters"]] == [NUMBER]
    assert counters.data["counters"][0]["name"] == "Dental clinics"
    assert client.counter().get().data["counter"]["time_zone_name"] == "Europe/Moscow"
    goals = client.goals().get().data["goals"]
    assert [goal["conditions"][0]["url"] for goal in goals][:2] == ["deal_won", "branch_2"]


def test_it_makes_edits_and_deletes_a_goal(host: str) -> None:
    client = client_of(YandexMetrikaManagementClientAdapter, host)
    body = {"name": "Lead", "type": "action", "conditions": [{"type": "exact", "url": "lead"}], "is_favorite": 1}
    goal = client.goals().post(data={"goal": body}).data["goal"]
    assert goal | body == goal
    renamed = client.goal(goalId=goal["id"]).put(data={"goal": goal | {"name": "Good lead"}}).data["goal"]
    assert client.goal(goalId=goal["id"]).get().data["goal"] == renamed == goal | {"name": "Good lead"}
    assert client.goal(goalId=goal["id"]).delete().data == {"success": True}
    assert client.grants().get().data == {"grants": []}


def test_it_reads_a_report_page_by_page(host: str, desk: Desk) -> None:
    desk.now = timezone.now()
    first = desk.now - timedelta(days=3)
    for days in range(3):
        started_at = first + timedelta(days=days)
        services.add_visit(counter=desk.counter, started_at=started_at, client_id="17")
        desk.send(f"D-{days},{local(started_at + timedelta(minutes=1))},,17,,,PAID,{100 + days},,,")
    days = [local(first + timedelta(days=number))[:10] for number in range(3)]
    client = client_of(YandexMetrikaStatsClientAdapter, host)
    report = client.stats().get(
        params={
            "ids": NUMBER,
            "metrics": "ym:s:visits,ym:s:cdpOrdersRUBRevenue",
            "dimensions": "ym:s:date",
            "sort": "ym:s:date",
            "limit": 1,
        }
    )
    assert report.columns == ["ym:s:date", "ym:s:visits", "ym:s:cdpOrdersRUBRevenue"]
    assert report().to_values() == [[days[0], 1.0, 100.0]]
    assert list(report().iter_values()) == [[days[number], 1.0, 100.0 + number] for number in range(3)]
    assert next(report().iter_dicts())["ym:s:cdpOrdersRUBRevenue"] == 100.0


def test_it_knows_the_errors_by_their_names(host: str) -> None:
    with pytest.raises(exceptions.YandexMetrikaTokenError) as token:
        client_of(YandexMetrikaManagementClientAdapter, host, token="stale").counters().get()
    assert (token.value.code, token.value.errors[0]["error_type"]) == (403, "invalid_token")
    client = client_of(YandexMetrikaStatsClientAdapter, host)
    with pytest.raises(exceptions.YandexMetrikaClientError) as metric:
        client.stats().get(params={"ids": NUMBER, "metrics": "ym:s:foo"})
    assert (metric.value.code, metric.value.message[-4:]) == (400, "4002")
    services.set_limit(name="requests_by_uid", value=0)
    with pytest.raises(exceptions.YandexMetrikaLimitError) as limit:
        client.stats().get(params={"ids": NUMBER, "metrics": "ym:s:visits"})
    assert limit.value.errors[0]["error_type"] == "quota_requests_by_uid"
