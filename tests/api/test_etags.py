"""Nobody overwrites what they have not seen: ETag, If-Match and If-None-Match of the mapping."""

from urllib.parse import quote

import httpx
import pytest
from django.db import connection

from apps.audit.models import AuditEntry
from apps.counters.models import Counter
from apps.goals import services
from apps.goals.models import StatusMapping
from tests.factories import make_agency, make_counter, make_key
from tests.threads import Thread, on_postgresql, wait_for_a_lock

LIST = "counters/40000001/statuses/"
ONE = f"{LIST}{quote('Новый лид')}/"
LEAD = {"crm_status": "Новый лид", "type": "IN_PROGRESS"}


@pytest.fixture
def mapping(api, counter):
    answer = api.put(LIST, [LEAD])
    assert answer.status == 200
    return answer


def test_each_state_has_its_own_tag(api, mapping):
    tag = mapping.headers["ETag"]
    assert tag == api.get(LIST).headers["ETag"] == api.put(LIST, [LEAD]).headers["ETag"]
    one = api.get(ONE).headers["ETag"]
    assert one != tag and one.startswith('"')
    changed = api.put(ONE, {"type": "PAID"})
    assert changed.headers["ETag"] == api.get(ONE).headers["ETag"] != one
    assert api.get(LIST).headers["ETag"] != tag
    assert api.put(ONE, {"type": "IN_PROGRESS"}).headers["ETag"] == one and api.get(LIST).headers["ETag"] == tag
    other = {"crm_status": "B", "type": "PAID"}
    in_order = [api.put(LIST, rows).headers["ETag"] for rows in ([LEAD, other], [other, LEAD])]
    assert in_order[0] != in_order[1] and api.get(ONE).headers["ETag"] == one


@pytest.mark.parametrize("path", [LIST, ONE])
def test_who_has_it_already_is_told_so(api, mapping, path):
    tag = api.get(path).headers["ETag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = api.get(path, **{"If-None-Match": given})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
        assert answer.headers["X-Request-ID"]
    for given in ('"other"', "nonsense", ""):
        assert api.get(path, **{"If-None-Match": given}).status == 200
    api.put(ONE, {"type": "SPAM"})
    assert api.get(path, **{"If-None-Match": tag}).status == 200


@pytest.mark.parametrize("given", ['"other"', "nonsense", "", "W/{tag}"])
@pytest.mark.parametrize(
    ("method", "path", "body"), [("PUT", LIST, []), ("PUT", ONE, {"type": "SPAM"}), ("DELETE", ONE, None)]
)
def test_a_stale_tag_writes_nothing(api, mapping, method, path, body, given):
    tag, before = api.get(path).headers["ETag"], api.get(LIST).body
    entries = AuditEntry.objects.count()
    answer = api(method, path, body, **{"If-Match": given.replace("{tag}", tag)})
    assert (answer.status, answer.codes, answer.headers["ETag"]) == (412, {"stale_etag"}, tag)
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.body["next_step"]
    assert api.get(LIST).body == before and AuditEntry.objects.count() == entries


def test_the_right_tag_writes(api, mapping):
    def tag(path):
        return {"If-Match": f'"x", {api.get(path).headers["ETag"]}'}

    assert api.put(ONE, {"type": "PAID"}, **tag(ONE)).status == 200
    assert api.put(LIST, [LEAD, {"crm_status": "B", "type": "PAID"}], **tag(LIST)).status == 200
    assert api.delete(ONE, **tag(ONE)).status == 204
    assert api.put(LIST, [], **{"If-Match": "*"}).status == 200


def test_of_what_is_not_there(api, mapping):
    new = f"{LIST}new/"
    for given in ("*", '"x"'):
        assert api.put(new, {"type": "PAID"}, **{"If-Match": given}).codes == {"stale_etag"}
        assert api.delete(new, **{"If-Match": given}).status == 404
    assert not StatusMapping.objects.filter(crm_status="new").exists()
    only_new = {"If-None-Match": "*"}
    assert api.put(new, {"type": "PAID"}, **only_new).status == 201
    answer = api.put(new, {"type": "SPAM"}, **only_new)
    assert (answer.status, answer.codes) == (412, {"exists_already"})
    assert api.get(new).body["type"] == "PAID"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_saw_the_same_only_one_is_heard(live_server):
    agency = make_agency("north")
    make_counter(agency, metrica_id=40000001)
    headers = {"Authorization": f"Bearer {make_key(agency)[1]}"}
    address = f"{live_server.url}/api/v1/counters/40000001/statuses/"
    tag = httpx.put(address, json=[LEAD], headers=headers).headers["ETag"]

    def write(number):
        rows = [LEAD, {"crm_status": f"of {number}", "type": "PAID"}]
        return httpx.put(address, json=rows, headers={**headers, "If-Match": tag}, timeout=60).status_code

    threads = [Thread(lambda number=number: write(number)) for number in range(6)]
    assert sorted(thread.result() for thread in threads) == [200, 412, 412, 412, 412, 412]
    assert StatusMapping.objects.count() == 2


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_the_tag_is_compared_only_once_the_other_write_is_done():
    """Whoever waits for the lock meets what was written meanwhile, not what they saw before."""
    from django.db import transaction

    agency = make_agency("north")
    counter = make_counter(agency, metrica_id=40000001)
    services.set_status(counter=counter, crm_status="Новый лид", type="IN_PROGRESS")
    from tests.api.conftest import Caller

    caller = Caller(make_key(agency)[1])
    tag = caller.get(LIST).headers["ETag"]
    with transaction.atomic():
        Counter.objects.select_for_update(no_key=True).get(pk=counter.pk)
        late = Thread(lambda: Caller(caller.key).put(LIST, [], **{"If-Match": tag}).status)
        wait_for_a_lock(1)
        services.set_status(counter=counter, crm_status="B", type="PAID")
    assert late.result() == 412 and StatusMapping.objects.count() == 2
    assert connection.vendor == "postgresql"
