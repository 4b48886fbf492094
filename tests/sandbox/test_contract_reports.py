"""Reports over real HTTP: numbers from the sandbox's own visits, orders and goals; bad requests with their codes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.sandbox import services
from apps.sandbox.models import SandboxGoal
from tests.sandbox.conftest import MOSCOW, NUMBER, TOKEN, Api, Desk, error_of, local

CDP = "ym:s:cdpOrders"


def moscow(days_ago: int, hour: int, minute: int = 0) -> datetime:
    day = timezone.now().astimezone(MOSCOW).date() - timedelta(days=days_ago)
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=MOSCOW)


def day(days_ago: int) -> str:
    return moscow(days_ago, 12).date().isoformat()


def goal_id(identifier: str) -> int:
    return SandboxGoal.objects.get(counter__metrica_id=NUMBER, identifier=identifier).pk


@pytest.fixture
def week(api: Api, desk: Desk) -> Desk:
    """A visit of 17 three days ago; yesterday at half past midnight one of 18, then 17 again, then a stranger."""
    services.set_switch(name="report_delay", value="none")
    desk.now = timezone.now()
    for started_at, client in (
        (moscow(3, 12), "17"),
        (moscow(1, 0, 30), "18"),
        (moscow(1, 3), "17"),
        (moscow(1, 4), ""),
    ):
        services.add_visit(counter=desk.counter, started_at=started_at, client_id=client)
    desk.send(
        f"D-1,{local(moscow(3, 13))},,17,,,PAID,5000,3200,deal_won:70,",
        f"D-2,{local(moscow(1, 1))},,18,,,IN_PROGRESS,900,,,",
        f"D-3,{local(moscow(1, 5))},,17,,,PAID,100,,,USD",
        f"D-4,{local(moscow(1, 5))},,17,,,SPAM,100,,,",
        f"D-5,{local(moscow(1, 5))},,17,,,CANCELLED,100,,,",
        f"D-6,{local(moscow(1, 5))},,17,,,good_lead,1000,250,,",
        f"D-7,{local(moscow(1, 5))},,99,,,PAID,7777,,,",
    )
    return desk


def report(api: Api, *metrics: str, dimensions: str = "", ids: str = str(NUMBER), **more: Any) -> dict[str, Any]:
    query = {"ids": ids, "metrics": ",".join(metrics), "dimensions": dimensions, **more}
    response = api.client.get(f"{api.base}/stat/v1/data", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def totals(api: Api, *metrics: str, **more: Any) -> list[float | None]:
    return report(api, *metrics, **more)["totals"]


def test_the_shape_of_the_answer(api: Api, week: Desk) -> None:
    """stat/data page: query, data[{dimensions, metrics}], total_rows, totals, min, max, sampled …"""
    body = report(api, "ym:s:visits", "ym:s:users", dimensions="ym:s:date", sort="ym:s:date")
    assert body["data"] == [
        {"dimensions": [{"name": day(3)}], "metrics": [1.0, 1.0]},
        {"dimensions": [{"name": day(1)}], "metrics": [3.0, 3.0]},
    ]
    # 17 came on both days and is one user; the stranger is one of their own.
    assert (body["totals"], body["min"], body["max"]) == ([4.0, 3.0], [1.0, 1.0], [3.0, 3.0])
    assert (body["total_rows"], body["total_rows_rounded"]) == (2, False)
    assert (body["sampled"], body["sample_share"], body["sample_size"], body["sample_space"]) == (False, 1.0, 4, 4)
    assert (body["contains_sensitive_data"], body["data_lag"]) == (False, 0)
    expected = {
        "ids": [NUMBER],
        "dimensions": ["ym:s:date"],
        "metrics": ["ym:s:visits", "ym:s:users"],
        "sort": ["ym:s:date"],
        "date1": day(6),
        "date2": day(0),
        "limit": 100,
        "offset": 1,
        "attribution": "LastSign",
        "currency": "RUB",
    }
    assert body["query"] | expected == body["query"]


def test_orders_by_type_and_their_money(api: Api, week: Desk) -> None:
    """stat/data: matched orders; all without spam; revenue of paid ones; conversions are percentages."""
    counts = ("AllOrders", "InProgress", "Payed", "Spam", "Cancelled", "Other")
    assert totals(api, *(f"{CDP}{name}" for name in counts)) == [5, 1, 2, 1, 1, 1]
    money = totals(api, f"{CDP}RUBRevenue", f"{CDP}RUBProfit", f"{CDP}RUBAverageCheque", f"{CDP}USDRevenue")
    assert money == [5000, 1800, 5000, 100]
    assert totals(api, f"{CDP}ConversionIntoOrder", f"{CDP}ConversionIntoPayment") == [125.0, 40.0]


def test_orders_stand_on_the_day_of_their_visit(api: Api, week: Desk) -> None:
    """stat/data: the metrics are of visits. Half past midnight in Moscow is the day before in Greenwich."""
    body = report(api, f"{CDP}AllOrders", f"{CDP}Spam", dimensions="ym:s:date", sort="ym:s:date")
    assert [(row["dimensions"][0]["name"], row["metrics"]) for row in body["data"]] == [
        (day(3), [1.0, 0.0]),
        (day(1), [4.0, 1.0]),
    ]
    greenwich = report(api, f"{CDP}AllOrders", dimensions="ym:s:date", sort="ym:s:date", timezone="+00:00")
    early = moscow(1, 0, 30).astimezone(UTC).date().isoformat()
    assert early == day(2)
    assert [row["dimensions"][0]["name"] for row in greenwich["data"]] == [day(3), early, day(1)]


def test_goals(api: Api, week: Desk) -> None:
    """stat/data: ym:s:goal<goal_id>reaches, visits, users, conversionRate, converted<currency>Revenue."""
    paid, deal, lead = (goal_id(name) for name in ("cdp_order_paid", "deal_won", "good_lead"))
    names = ("reaches", "visits", "users", "conversionRate", "convertedRUBRevenue", "convertedUSDRevenue")
    assert totals(api, *(f"ym:s:goal{paid}{name}" for name in names)) == [2, 2, 1, 50, 1800, 100]
    assert totals(api, *(f"ym:s:goal{deal}{name}" for name in names)) == [1, 1, 1, 25, 70, 0]
    assert totals(api, f"ym:s:goal{lead}reaches", f"ym:s:goal{lead}convertedRUBRevenue") == [1, 750]
    created = goal_id("cdp_order_in_progress")
    body = report(api, f"ym:s:goal{created}reaches", f"ym:s:goal{paid}visits", dimensions="ym:s:date", sort="ym:s:date")
    assert [row["metrics"] for row in body["data"]] == [[1.0, 1.0], [2.0, 1.0]]


def test_goal_and_currency_as_parameters(api: Api, week: Desk) -> None:
    """stat/data: goal id in place of <goal_id> or as query parameter; the query comes back with them filled in."""
    paid = goal_id("cdp_order_paid")
    body = report(api, "ym:s:goal<goal_id>reaches", f"{CDP}<currency>Revenue", goal_id=str(paid), currency="USD")
    assert body["totals"] == [2.0, 100.0]
    assert body["query"]["metrics"] == [f"ym:s:goal{paid}reaches", f"{CDP}USDRevenue"]
    assert totals(api, f"{CDP}<currency>Revenue") == [5000.0]


def test_reaches_stay_while_orders_follow_their_status(api: Api, week: Desk) -> None:
    """contacts: reports of orders follow the current status, goal reaches do not."""
    week.send(f"D-1,{local(moscow(3, 13))},,17,,,CANCELLED,5000,3200,,")
    paid = goal_id("cdp_order_paid")
    assert totals(api, f"{CDP}Payed", f"{CDP}Cancelled", f"{CDP}RUBRevenue") == [1, 2, 0]
    assert totals(api, f"ym:s:goal{paid}reaches") == [2]


def test_rows_of_zeros_are_left_out(api: Api, week: Desk) -> None:
    """stat/data: rows with zero metrics are omitted; add ym:s:visits to get every day (on which there were visits)."""
    assert [row["dimensions"][0]["name"] for row in report(api, f"{CDP}Spam", dimensions="ym:s:date")["data"]] == [
        day(1)
    ]
    both = report(api, f"{CDP}Spam", "ym:s:visits", dimensions="ym:s:date", sort="ym:s:date")
    assert [row["metrics"] for row in both["data"]] == [[0.0, 1.0], [1.0, 3.0]]
    nothing = report(api, f"{CDP}Spam", date1=day(6), date2=day(5), dimensions="ym:s:date")
    assert (nothing["data"], nothing["total_rows"], nothing["totals"], nothing["min"]) == ([], 0, [0.0], [None])


PERIODS: list[tuple[dict[str, str], float, str]] = [
    ({}, 4, "stat/data: from 6daysAgo to today"),
    ({"date1": "3daysAgo", "date2": "3daysAgo"}, 1, "stat/data: NdaysAgo"),
    ({"date1": "yesterday", "date2": "yesterday"}, 3, "stat/data: yesterday"),
    ({"date1": "today"}, 0, "stat/data: today"),
    ({"date1": "2020-10-26"}, 4, "stat/data: YYYY-MM-DD"),
    ({"date2": "2daysAgo"}, 1, "stat/data: date2 is included"),
]


def test_periods(api: Api, week: Desk, subtests: pytest.Subtests) -> None:
    for query, visits, fact in PERIODS:
        with subtests.test(fact=fact):
            assert totals(api, "ym:s:visits", **query) == [visits]


def test_filters_by_day(api: Api, week: Desk, subtests: pytest.Subtests) -> None:
    filters = {
        f"ym:s:date=='{day(1)}'": 3,
        f"ym:s:date!='{day(1)}'": 1,
        f"ym:s:date>='{day(3)}' AND ym:s:date<'{day(1)}'": 1,
        f"ym:s:date=={day(3)}": 1,
        f"ym:s:date>'{day(1)}'": 0,
    }
    for text, visits in filters.items():
        with subtests.test(filter=text):
            assert totals(api, "ym:s:visits", filters=text) == [visits]


def test_sorting_and_paging(api: Api, week: Desk) -> None:
    """stat/data: limit 100 by default, offset from 1; descending with a minus; by the first metric without `sort`."""

    def days(**more: str) -> list[str]:
        rows = report(api, "ym:s:visits", dimensions="ym:s:date", **more)["data"]
        return [row["dimensions"][0]["name"] for row in rows]

    assert days() == [day(1), day(3)]
    assert days(sort="ym:s:visits") == [day(3), day(1)]
    assert days(sort="-ym:s:date") == [day(1), day(3)]
    assert days(limit="1", offset="2") == [day(3)]
    assert report(api, "ym:s:visits", dimensions="ym:s:date", limit="0")["total_rows"] == 2


def test_several_counters_each_by_its_own_clock(api: Api, week: Desk) -> None:
    east = services.create_counter(metrica_id=7, time_zone_name="Asia/Vladivostok", owner_login="north-metrica")
    services.add_visit(counter=east, started_at=moscow(1, 20), client_id="17")  # the small hours of today there
    body = report(api, "ym:s:visits", dimensions="ym:s:date", sort="ym:s:date", ids=f"{NUMBER},7")
    assert {row["dimensions"][0]["name"]: row["metrics"] for row in body["data"]} == {
        day(3): [1.0],
        day(1): [3.0],
        day(0): [1.0],
    }
    assert body["query"]["ids"] == [NUMBER, 7]


def test_the_preset_of_orders_by_source(api: Api, week: Desk) -> None:
    """preset_cdp_orders: its dimensions and metrics. Visits here come without a source, which is direct traffic."""
    response = api.report(f"ids={NUMBER}&preset=orders_sources")
    body = response.json()
    assert body["query"]["preset"] == "orders_sources"
    assert len(body["query"]["metrics"]) == 7
    (row,) = body["data"]
    assert [dimension["name"] for dimension in row["dimensions"]] == ["Direct traffic", None]
    assert row["metrics"] == [4.0, 5.0, 125.0, 2.0, 40.0, 5000.0, 5000.0]


def test_the_delay_of_two_hours(api: Api, week: Desk) -> None:
    """contacts: data shows in reports within two hours after upload: until then as it stood before."""
    paid = goal_id("cdp_order_paid")
    wanted = (f"{CDP}Payed", f"{CDP}AllOrders", f"ym:s:goal{paid}reaches")
    services.set_switch(name="report_delay", value="two_hours")
    body = report(api, "ym:s:visits", *wanted)
    assert (body["totals"], body["data_lag"]) == ([4.0, 0.0, 0.0, 0.0], 7200)
    three_hours_ago = timezone.now() - timedelta(hours=3)
    week.send(f"E-1,{local(moscow(3, 13))},,17,,,PAID,40,,,", now=three_hours_ago)
    assert totals(api, *wanted, f"{CDP}RUBRevenue") == [1, 1, 1, 40]
    week.send(f"E-1,{local(moscow(3, 13))},,17,,,CANCELLED,50,,,")
    assert totals(api, *wanted, f"{CDP}RUBRevenue") == [1, 1, 1, 40], "the change of just now does not show"
    services.set_switch(name="report_delay", value="none")
    assert totals(api, f"{CDP}Payed", f"{CDP}Cancelled") == [2, 2]


def test_a_goal_counts_only_what_came_after_it(api: Api, week: Desk) -> None:
    """goals: a goal counts only events after its creation; earlier ones are lost."""
    services.set_switch(name="unknown_goal", value="count")
    order = f"E-1,{local(moscow(3, 13))},,17,,,PAID,40,,late,"
    week.send(order)
    late = services.add_goal(counter=week.counter, identifier="late").pk
    assert totals(api, f"ym:s:goal{late}reaches") == [0]
    week.send(order, now=timezone.now())
    assert totals(api, f"ym:s:goal{late}reaches") == [1], "the event came again after the goal"
    services.set_switch(name="young_goal", value="order")
    assert totals(api, f"ym:s:goal{late}reaches") == [0], "the order itself is older than the goal"
    old = services.add_goal(counter=week.counter, identifier="old", created_at=moscow(4, 0)).pk
    week.send(f"E-2,{local(moscow(3, 13))},,17,,,PAID,40,,old,")
    assert totals(api, f"ym:s:goal{old}reaches") == [1]


# (query, error, code in the message, the fact)
BAD: list[tuple[str, tuple[int, str], str, str]] = [
    ("metrics=ym:s:visits", (400, "missing_parameter"), "", "stat/data: ids*"),
    ("ids=&metrics=ym:s:visits", (400, "invalid_parameter"), "", "stat/data: ids*"),
    ("ids=x&metrics=ym:s:visits", (400, "invalid_parameter"), "", "stat/data: ids are int32"),
    (
        f"ids={','.join(map(str, range(1, 502)))}&metrics=ym:s:visits",
        (400, "invalid_parameter"),
        "",
        "stat/data: 500 counters",
    ),
    ("ids=404&metrics=ym:s:visits", (404, "not_found"), "", "no such counter"),
    ("ids=7&metrics=ym:s:visits", (403, "access_denied"), "", "somebody else's counter"),
    (f"ids={NUMBER},7&metrics=ym:s:visits", (403, "access_denied"), "", "somebody else's counter among one's own"),
    ("", (400, "missing_parameter"), "", "stat/data: metrics*"),
    ("metrics=", (400, "invalid_parameter"), "", "stat/data: metrics*"),
    ("metrics=ym:s:foo", (400, "invalid_parameter"), "4002", "stat/data: 4002 unknown metric"),
    ("metrics=ym:s:pageviews", (400, "invalid_parameter"), "4002", "a metric that the sandbox has no data for"),
    ("metrics=ym:s:cdpOrdersXXXRevenue", (400, "invalid_parameter"), "4002", "stat/data: <currency>"),
    ("metrics=ym:s:goal<goal_id>reaches", (400, "invalid_parameter"), "4002", "stat/data: <goal_id> without goal_id"),
    ("metrics=ym:s:goal999999reaches", (400, "invalid_parameter"), "4002", "no such goal"),
    (f"metrics={','.join(['ym:s:visits'] * 21)}", (400, "invalid_parameter"), "4015", "stat/data: 20 metrics, 4015"),
    (
        f"metrics=ym:s:visits&dimensions={','.join(['ym:s:date'] * 11)}",
        (400, "invalid_parameter"),
        "4016",
        "stat/data: 10 dimensions",
    ),
    ("metrics=ym:s:visits,ym:pv:pageviews", (400, "invalid_parameter"), "4011", "stat/data: 4011 incompatible sets"),
    (
        "metrics=ym:s:visits&dimensions=ym:pv:date",
        (400, "invalid_parameter"),
        "4011",
        "stat/data: 4011 incompatible sets",
    ),
    ("metrics=ym:s:visits&dimensions=ym:s:browser", (400, "invalid_parameter"), "4001", "an unknown dimension"),
    ("metrics=ym:s:visits&date1=2026-02-30", (400, "invalid_parameter"), "4018", "stat/data: YYYY-MM-DD"),
    ("metrics=ym:s:visits&date1=tomorrow", (400, "invalid_parameter"), "4018", "stat/data: today, yesterday, ndaysAgo"),
    ("metrics=ym:s:visits&date1=99999daysAgo", (400, "invalid_parameter"), "4018", "date: not before 1970"),
    (
        "metrics=ym:s:visits&date1=today&date2=yesterday",
        (400, "invalid_parameter"),
        "4005",
        "stat/data: date1 to date2",
    ),
    ("metrics=ym:s:visits&limit=100001", (400, "invalid_parameter"), "4013", "stat/data: limit up to 100,000"),
    ("metrics=ym:s:visits&limit=-1", (400, "invalid_parameter"), "4013", "stat/data: min value 0"),
    ("metrics=ym:s:visits&offset=0", (400, "invalid_parameter"), "4018", "stat/data: min value 1"),
    ("metrics=ym:s:visits&sort=ym:s:users", (400, "invalid_parameter"), "4018", "stat/data: a column of the report"),
    ("metrics=ym:s:visits&timezone=Moscow", (400, "invalid_parameter"), "4018", "stat/data: ±hh:mm"),
    ("metrics=ym:s:visits&attribution=best", (400, "invalid_parameter"), "", "stat/param: attribution"),
    ("metrics=ym:s:visits&filters=ym:s:browser=='1'", (400, "invalid_parameter"), "4003", "filters: the day only"),
    ("metrics=ym:s:visits&filters=ym:s:date=='2026-02-30'", (400, "invalid_parameter"), "4003", "no such day"),
    (
        f"metrics=ym:s:visits&filters={'x' * 5001 * 2}",
        (400, "invalid_parameter"),
        "4022",
        "stat/data: 10,000",
    ),
    (
        "metrics=ym:s:visits&filters=" + quote(" AND ".join(["ym:s:date>'2020-01-01'"] * 21)),
        (400, "invalid_parameter"),
        "4021",
        "stat/data: 20 filters",
    ),
    ("preset=sources_expenses_and_roi", (400, "invalid_parameter"), "", "stat/data: the sandbox has no expenses"),
]


# Of these the query is whole; to the others the own counter is added.
_IDS = {fact for query, _error, _code, fact in BAD if "ids=" in query} | {"stat/data: ids*"}


def test_bad_queries(api: Api, subtests: pytest.Subtests) -> None:
    services.create_counter(metrica_id=7, owner_login="south", token="y0_south")
    for query, error, code, fact in BAD:
        with subtests.test(fact=fact, query=query[:60]):
            response = api.report(query if fact in _IDS else _own(query))
            assert error_of(response) == error
            message = response.json()["message"]
            assert message.endswith(f"error code: {code}") if code else "error code" not in message


def _own(query: str) -> str:
    return f"ids={NUMBER}&{query}"


def test_the_message_of_too_many_metrics_as_seen_live(api: Api) -> None:
    message = api.report(_own(f"metrics={','.join(['ym:s:visits'] * 36)}")).json()["message"]
    assert message == "Exceeded number of metrics in request, value: 36, limit: 20, error code: 4015"


def test_addresses(api: Api) -> None:
    assert error_of(api.client.post(f"{api.base}/stat/v1/data")) == (404, "not_found")
    assert error_of(api.client.get(f"{api.base}/stat/v1/data/bytime")) == (404, "not_found")
    query = _own("metrics=ym:s:visits")
    assert error_of(httpx.get(f"{api.base}/stat/v1/data?{query}")) == (401, "unauthorized")


def test_the_number_of_queries_does_not_grow(week: Desk, client: Client) -> None:
    paid = goal_id("cdp_order_paid")
    query = {
        "ids": str(NUMBER),
        "metrics": f"ym:s:visits,{CDP}Payed,ym:s:goal{paid}reaches",
        "dimensions": "ym:s:date",
        "date1": "30daysAgo",
    }

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get("/sandbox/stat/v1/data", query, headers={"Authorization": f"OAuth {TOKEN}"})
        assert answer.status_code == 200
        return len(captured)

    few = queries()
    for number in range(20):
        services.add_visit(counter=week.counter, started_at=moscow(number + 2, 3), client_id=str(number + 100))
        week.send(f"M-{number},{local(moscow(number + 2, 4))},,{number + 100},,,PAID,1,,,")
    assert queries() == few


def test_today_is_the_counters_today(api: Api) -> None:
    """quotas: and stat/data: days are counted on the counter's clock."""
    body = report(api, "ym:s:visits", date1="today")
    assert body["query"]["date1"] == timezone.now().astimezone(MOSCOW).date().isoformat()
    assert date.fromisoformat(body["query"]["date2"]) == date.fromisoformat(body["query"]["date1"])
