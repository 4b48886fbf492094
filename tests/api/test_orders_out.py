"""Orders read back: lists by the page with fixed queries, one order with its window, timeline and goals."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.goals.resolve import Resolver
from apps.goals.services import set_status
from apps.orders import delivery
from apps.orders.models import Delivery, Order, StatusChange
from apps.uploads.models import JobState, Upload, UploadJob

PATH = "counters/40000001/orders/"
BEGAN = (datetime.now(UTC) - timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)


def at(hours):
    return (BEGAN + timedelta(hours=hours)).isoformat()


def order(number, **fields):
    row = {"id": f"D-{number}", "create_date_time": at(0), "order_status": "PAID", "client_ids": ["17000000001"]}
    return {**row, **fields}


@pytest.fixture
def ids(api):
    """The ids that a list with this query gives."""

    def go(query=""):
        answer = api.get(f"{PATH}?{query}")
        assert answer.status == 200, answer.body
        return [row["id"] for row in answer.body["results"]]

    return go


def send(counter, *statuses):
    """As the uploader does: a file that carried the changes with these statuses passed."""
    changes = StatusChange.objects.filter(counter=counter, order_status__in=statuses, delivery=Delivery.WAITING)
    resolver = Resolver.for_counter(counter)
    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.SUCCEEDED)
    mapping = {status: resolver.meaning(status).to_json() for status in statuses}
    upload = Upload.objects.create(job=job, wave=1, mapping=mapping)
    ids = list(changes.values_list("pk", flat=True))
    assert delivery.claim(change_ids=ids, upload_id=upload.pk) == set(ids)
    delivery.settle_delivered(upload_id=upload.pk, at=timezone.now())
    return upload


def test_an_order_is_read_back_as_it_was_written(api, counter):
    sent = order(
        1,
        client_uniq_id="C-77",
        client_name="Anna",
        emails=["anna@example.com"],
        revenue="5000.00",
        cost="3200.5",
        currency="USD",
        goals=[{"goal_action_id": "deal_won", "price": "5000"}],
        products={"sku-1": 2},
        attributes={"branch": "north"},
    )
    api.post(PATH, sent)
    [row] = api.get(PATH).body["results"]
    assert {name: row[name] for name in sent if name != "create_date_time"} == {
        **{name: value for name, value in sent.items() if name != "create_date_time"},
        "cost": "3200.50",
    }
    assert row["create_date_time"] == BEGAN.astimezone(counter.zone).isoformat()  # on the counter's clock
    assert (row["type"], row["delivery"], row["hold"], row["changes"]) == ("PAID", "waiting", None, 1)
    assert api.post(PATH, {key: row[key] for key in sent}).body["unchanged"] == 1


def test_pages_are_complete_and_cost_the_same(api, counter):
    api.post(PATH, [order(n, client_uniq_id=f"C-{n}", order_status="Новый лид") for n in range(25)])
    seen, path, costs = [], PATH + "?limit=10", set()
    while path:
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(path)
        costs.add(len(queries))
        seen += [row["id"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
        api.post(PATH, order(100 + len(seen)))  # what comes meanwhile moves no page
    newest_first = Order.objects.filter(order_id__in=[f"D-{n}" for n in range(25)]).order_by("-pk")
    assert seen == list(newest_first.values_list("order_id", flat=True)) and len(seen) == 25
    # The key, the counter, its mapping, its goals, the orders with clients and present states.
    assert costs == {5}
    assert not any("COUNT(" in query["sql"].upper() for query in queries)


def test_filters(api, counter, ids):
    set_status(counter=counter, crm_status="Новый лид", type="IN_PROGRESS")
    set_status(counter=counter, crm_status="Запись", type="OTHER", goal_action_ids=["zapis1"])
    rows = [
        order(1, order_status="Новый лид", create_date_time=at(0), client_uniq_id="C-1"),
        order(2, order_status="Запись", create_date_time=at(1), emails=["anna@example.com"]),
        order(3, order_status="PAID", create_date_time=at(2), client_ids=[]),
        order(4, order_status="unheard of", create_date_time=at(3), phones=["+7 903 123-45-67"]),
        order(5, order_status="zapis1", create_date_time=at(4), client_uniq_id="C-1"),
    ]
    api.post(PATH, rows)
    assert ids() == ["D-5", "D-4", "D-3", "D-2", "D-1"]
    assert ids("status=PAID") == ["D-3"]
    assert ids("type=OTHER") == ["D-5", "D-2"]
    assert ids("type=IN_PROGRESS") == ["D-1"]
    assert ids("type=SPAM") == []
    assert ids("delivery=held") == ["D-4", "D-3"]
    assert ids("hold=unmapped_status") == ["D-4"]
    assert ids("delivery=held&hold=no_identifiers") == ["D-3"]
    assert ids("delivery=waiting&type=OTHER") == ["D-5", "D-2"]
    assert ids(f"created_after={quote(at(2))}") == ["D-5", "D-4", "D-3"]
    assert ids(f"created_after={at(2)}") == ["D-5", "D-4", "D-3"]  # the plus sign became a space
    assert ids(f"created_before={quote(at(1))}") == ["D-1"]
    assert ids(f"created_after={quote(at(1))}&created_before={quote(at(3))}") == ["D-3", "D-2"]
    assert ids("client=C-1") == ["D-5", "D-1"]
    assert ids("client=C-2") == []
    assert ids("search=D-4") == ["D-4"]
    assert ids("search=anna%40example.com") == ["D-2"]
    assert ids("search=nobody") == []


def test_sent_now_is_found_where_the_open_files_are(api, counter, ids):
    api.post(PATH, [order(1), order(2)])
    job = UploadJob.objects.create(counter=counter, trigger="api", state=JobState.RUNNING)
    upload = Upload.objects.create(job=job, wave=1, state="sending")
    delivery.claim(change_ids=[StatusChange.objects.get(order__order_id="D-1").pk], upload_id=upload.pk)
    assert ids("delivery=sending") == ["D-1"]
    assert ids("delivery=superseded") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created_after=2000-01-01", ["D-4", "D-2", "D-0", "D-3", "D-1"]),
        ("updated_after=2000-01-01", ["D-0", "D-1", "D-2", "D-3", "D-4"]),
    ],
)
def test_lists_by_time_come_by_pages_too(api, counter, query, expected):
    for number in range(5):  # two of them created at the same time
        api.post(PATH, order(number, create_date_time=at(10 + number // 2 if number % 2 == 0 else 1)))
    seen, path = [], f"{PATH}?{query}&limit=2"
    while path:
        answer = api.get(path)
        seen += [row["id"] for row in answer.body["results"]]
        path = (answer.body["next"] or "").partition("/api/v1/")[2]
    assert seen == expected


def test_a_cursor_of_another_list_is_refused(api, counter):
    api.post(PATH, [order(1), order(2)])
    cursor = api.get(PATH + "?limit=1").body["next"].partition("cursor=")[2].partition("&")[0]
    assert api.get(f"{PATH}?created_after=2000-01-01&cursor={cursor}").codes == {"bad_cursor"}
    assert api.get(f"holds/?cursor={cursor}").codes == {"bad_cursor"}


def test_naive_times_in_filters_are_the_counters(api, counter, ids):
    local = BEGAN.astimezone(counter.zone)
    api.post(PATH, order(1, create_date_time=local.strftime("%Y-%m-%d %H:%M:%S")))
    assert ids(f"created_after={local:%Y-%m-%d %H:%M:%S}") == ["D-1"]
    assert ids(f"created_before={local:%Y-%m-%d %H:%M:%S}") == []


def test_updated_after_finds_what_was_received_since(api, counter, ids):
    api.post(PATH, [order(1), order(2)])
    mark = timezone.now().isoformat()
    api.post(PATH, order(1, order_status="SPAM"))
    assert ids(f"updated_after={quote(mark)}") == ["D-1"]


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("delivery=gone", {"invalid_choice"}),
        ("hold=because", {"invalid_choice"}),
        ("type=paid", {"invalid_choice"}),
        ("created_after=yesterday", {"date_format"}),
        ("created_after=2026-02-30", {"date_nonexistent"}),
        ("updated_after=0001-01-01T00:00:00%2B14:00", {"date_format", "date_nonexistent", "date_before_1970"}),
        ("search=%00", {"bad_text"}),
        ("client=%00", {"bad_text"}),
        ("status=%ED%A0%80", set()),
        ("limit=5&offset=3", {"unknown_parameter"}),
    ],
)
def test_filters_that_do_not_fit(api, counter, query, codes):
    answer = api.get(f"{PATH}?{query}")
    if codes:
        assert answer.status == 400 and answer.codes <= codes
    else:
        assert answer.status == 200


def test_the_timeline_tells_delivery_and_goals(api, counter):
    set_status(counter=counter, crm_status="Новый лид", type="IN_PROGRESS")
    set_status(counter=counter, crm_status="Запись", type="OTHER", goal_action_ids=["zapis1", "vse_zapisi"])
    base = order(1, revenue="5000", cost="3200")
    api.post(
        PATH,
        [
            {**base, "order_status": "Новый лид", "status_date_time": at(0)},
            {
                **base,
                "order_status": "Запись",
                "status_date_time": at(1),
                "goals": [{"goal_action_id": "x", "price": 5}],
            },
            {**base, "order_status": "Кто знает", "status_date_time": at(2), "goals": None},
            {**base, "order_status": "PAID", "status_date_time": at(3)},
        ],
    )
    upload = send(counter, "Новый лид", "Запись")
    # What a status meant in the file that went is what was reached, whatever the mapping says by now.
    set_status(counter=counter, crm_status="Запись", type="SPAM", goal_action_ids=["another"])
    body = api.get(PATH + "D-1/").body
    assert body["window"]["bind_open"] is True
    assert body["window"]["bind_until"] == (BEGAN + timedelta(days=21)).astimezone(counter.zone).isoformat()
    timeline = body["timeline"]
    assert [change["order_status"] for change in timeline] == ["Новый лид", "Запись", "Кто знает", "PAID"]
    assert [change["type"] for change in timeline] == ["IN_PROGRESS", "OTHER", None, "PAID"]
    assert [change["delivery"] for change in timeline] == ["delivered", "delivered", "held", "waiting"]
    assert [change["hold"] for change in timeline] == [None, None, "unmapped_status", None]
    assert timeline[0]["goals"] == {"reached": [{"goal": "cdp_order_in_progress", "income": "1800.00"}], "forecast": []}
    assert timeline[1]["goals"]["reached"] == [
        {"goal": "zapis1", "income": "1800.00"},
        {"goal": "vse_zapisi", "income": "1800.00"},
        {"goal": "x", "income": "5.00"},
    ]
    assert timeline[2]["goals"] == {"reached": [], "forecast": []}
    assert [reach["goal"] for reach in timeline[3]["goals"]["forecast"]] == ["cdp_order_in_progress", "cdp_order_paid"]
    assert timeline[0]["upload"] == timeline[1]["upload"] == str(upload.pk)
    assert timeline[0]["delivered_at"] and timeline[3]["upload"] is timeline[3]["delivered_at"] is None
    assert (timeline[0]["source"], timeline[0]["revenue"], timeline[0]["currency"]) == ("api", "5000.00", "RUB")
    assert timeline[1]["extra_goals"] == [{"goal_action_id": "x", "price": "5"}]
    assert "order_status" in timeline[3]["changed"]


def test_one_order_costs_the_same_however_long_its_timeline(api, counter):
    base = order(1)
    api.post(PATH, [{**base, "order_status": "PAID", "status_date_time": at(0)}])
    costs = []
    for length in (3, 30):
        rows = [{**base, "revenue": n, "status_date_time": at(n / 10)} for n in range(1, length)]
        api.post(PATH, rows)
        send(counter, "PAID")
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(PATH + "D-1/")
        costs.append(len(queries))
    assert len(answer.body["timeline"]) == 30
    assert costs == [7, 7]


def test_a_rejected_change_tells_why(api, counter):
    api.post(PATH, order(1))
    change = StatusChange.objects.get()
    upload = Upload.objects.create(job=UploadJob.objects.create(counter=counter, trigger="api"), wave=1)
    delivery.claim(change_ids=[change.pk], upload_id=upload.pk)
    delivery.reject(upload_id=upload.pk, code="refused_row", message="Metrica says no")
    [shown] = api.get(PATH + "D-1/").body["timeline"]
    assert shown["rejection"] == {
        "code": "refused_row",
        "message": "Metrica does not take this row, and does not name the field that is wrong.",
        "said": "Metrica says no",
        "field": None,
        "next_step": "Correct what is wrong here or in the CRM. If nothing is, send it again as it is.",
        "overtaken": False,
    }
    assert shown["goals"] == {"reached": [], "forecast": []}


@pytest.mark.parametrize(
    "order_id",
    [
        *(
            "D/1",
            "/D-1",
            "D-1/",
            "a/b/c",
            "statuses",
            "D-1/statuses",
            "/statuses",
            "D 1",
            "50 %",
            "%2F",
            "a?b#c",
            "a+b",
        ),
        *("😀", "Сделка №1", "=cmd|' /C calc'!A0", "a\\b", "..", "a&b=c", '"', "<script>alert(1)</script>", "x" * 255),
    ],
)
def test_an_order_id_may_be_anything(api, counter, order_id):
    assert api.post(PATH, order(1, id=order_id)).body["created"] == 1
    address = f"{PATH}{quote(order_id, safe='')}/"
    answer = api.get(address)
    assert (answer.status, answer.body["id"]) == (200, order_id)
    assert api.post(address + "statuses/", {"order_status": "SPAM"}).body["result"] == "updated"
    assert api.get(address).body["order_status"] == "SPAM"


def test_orders_that_are_not_there(api, counter, outsider):
    api.post(PATH, order(1))
    assert api.get(PATH + "D-2/").status == 404
    assert api.get(PATH + "%00/").status == api.get(PATH + "D-1%00/").status == 404
    assert api.get(PATH + "D-2/statuses/").status == 405
    assert api.get(PATH + "D-1/statuses/").status == 405
    assert api.post(PATH + "D-1/", {}).status == 405
    assert outsider.get(PATH).status == outsider.get(PATH + "D-1/").status == 404
    assert outsider.get("counters/40000002/orders/D-1/").status == 404
    assert outsider.get("counters/40000002/orders/").body["results"] == []


def test_a_counter_of_the_same_number_in_another_agency_is_another(api, counter, caller_for):
    from tests.factories import make_agency, make_counter

    other = make_agency("west")
    make_counter(other, metrica_id=counter.metrica_id)
    west = caller_for(other)
    api.post(PATH, order(1))
    west.post(PATH, [order(1, order_status="SPAM"), order(2)])
    assert [row["order_status"] for row in api.get(PATH).body["results"]] == ["PAID"]
    assert [row["id"] for row in west.get(PATH).body["results"]] == ["D-2", "D-1"]
    assert west.get(PATH + "D-1/").body["order_status"] == "SPAM"
    assert Order.objects.count() == 3


def test_an_order_of_a_counter_whose_zone_is_unknown(api, counter):
    counter.time_zone = ""
    counter.save()
    answer = api.post(PATH, [order(1), order(2, create_date_time="2026-11-04 10:00:00")])
    assert [row["result"] for row in answer.body["results"]] == ["created", "rejected"]
    body = api.get(PATH + "D-1/").body
    assert (body["create_date_time"], body["hold"]) == (BEGAN.isoformat(), "unknown_time_zone")
