"""Each cause arises from what really causes it, says what it is, leads to its page, and is over when that is over."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.alerts import messages
from apps.alerts.causes import CAUSES
from apps.alerts.models import Alert, Severity
from apps.counters.addresses import host_of
from apps.counters.breaker import open_breakers
from apps.counters.models import Breaker, Counter, MetricaAccount
from apps.counters.renewal import renew
from apps.counters.services import connect_account, pause, update_counter
from apps.goals.services import set_status
from apps.hooks import rounds
from apps.hooks import services as hooks
from apps.orders import holds
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxToken
from apps.sandbox.oauth import issuing
from apps.uploads import heartbeats
from apps.uploads.models import Heartbeat, JobState, UploadJob
from apps.uploads.runner import run_job
from tests.alerts.conftest import Watch, receiver
from tests.counters.conftest import LOGIN, Yandex, at_yandex
from tests.factories import make_counter
from tests.hooks.receiver import Receiver
from tests.uploads.conftest import Shop

__all__ = ["at_yandex", "receiver"]

pytestmark = pytest.mark.django_db(transaction=True)


def told(alert: Alert) -> str:
    return messages.sentence_of(alert)


def fresh(counter: Counter) -> Counter:
    return Counter.objects.select_related("account").get(pk=counter.pk)


def test_an_agency_where_all_is_well_has_no_alert(shop: Shop, watch: Watch):
    shop.push("D-1", "PAID")
    shop.upload()
    assert watch.look() == {}


# ---- accounts ----


def test_a_token_that_metrica_refuses(shop: Shop, watch: Watch):
    sandbox.revoke_token(token=SandboxToken.objects.get(login=shop.site.owner_login).token)
    shop.push("D-1", "PAID")
    assert shop.upload().state == JobState.FAILED
    alert = watch.look()["account_refused"]
    assert alert.severity == Severity.URGENT
    assert alert.account == shop.counter.account
    assert "orders of its counters are held" in told(alert)
    assert messages.page_of(alert) == f"/admin/counters/metricaaccount/{alert.account_id}/change/"
    SandboxToken.objects.create(token="fresh", login=shop.site.owner_login)
    account = fresh(shop.counter).account
    assert account is not None
    connect_account(agency=account.agency, login=account.login, token="fresh", base_url=account.base_url)
    assert "account_refused" not in watch.look()
    alert.refresh_from_db()
    assert (alert.ending, alert.closed_at is not None) == ("over", True)


def test_an_account_that_a_person_disconnected_is_meant_so(shop: Shop, watch: Watch):
    from apps.counters.services import disconnect_account

    assert shop.counter.account is not None
    disconnect_account(account=shop.counter.account, reason="moving", forget_token=True)
    assert "account_refused" not in watch.look()


def test_a_token_that_ends_soon(shop: Shop, watch: Watch):
    account = shop.counter.account
    assert account is not None

    def ends_in(days: int) -> None:
        connect_account(
            agency=account.agency,
            login=account.login,
            token="t",
            base_url=account.base_url,
            expires_at=timezone.now() + timedelta(days=days),
        )

    ends_in(15)
    assert "token_expiring" not in watch.look()
    watch.set(token_days=20)
    assert watch.look()["token_expiring"].severity == Severity.WARNING
    alert = watch.look(later=timedelta(days=13))["token_expiring"]
    assert alert.severity == Severity.URGENT
    assert "expires on" in told(alert)
    alert = watch.look(later=timedelta(days=16))["token_expiring"]
    assert "has expired" in told(alert)
    assert Alert.objects.filter(cause="token_expiring").count() == 1
    ends_in(200)
    assert "token_expiring" not in watch.look()


def test_a_token_that_cannot_be_renewed(at_yandex: Yandex):
    watch = Watch(at_yandex.agency)
    account = at_yandex.account()
    make_counter(account=account)
    assert "renewal_failing" not in watch.look()
    issuing.take_back(login=LOGIN)
    renew(account.pk)
    alert = watch.look()["renewal_failing"]
    assert alert.severity == Severity.URGENT
    assert "does not renew the token any more" in told(alert)
    again = at_yandex.connect()
    assert again.account.pk == account.pk
    assert "renewal_failing" not in watch.look()


def test_a_renewal_that_fails_once_is_nobodys_business(at_yandex: Yandex, settings: Any):
    watch = Watch(at_yandex.agency)
    account = at_yandex.account()
    make_counter(account=account)
    settings.YANDEX_OAUTH_URL = "http://127.0.0.1:9"  # nobody listens there
    for tries, seen in ((1, False), (2, True)):
        at_yandex.make_due(account)
        renew(account.pk)
        assert MetricaAccount.objects.get(pk=account.pk).refresh_attempts == tries
        assert ("renewal_failing" in watch.look()) is seen
    alert = watch.open()["renewal_failing"]
    assert alert.severity == Severity.WARNING
    assert "Tried again on" in told(alert)


# ---- delivery ----


def test_a_counter_whose_jobs_fail(shop: Shop, watch: Watch, settings: Any):
    settings.UPLOAD_MAX_ATTEMPTS = 1
    watch.set(failed_jobs=2)
    shop.push("D-1", "PAID")
    shop.fault("server_error", count=2, endpoint="upload")
    assert shop.upload().state == JobState.FAILED
    assert "counter_failing" not in watch.look()
    last = shop.upload()
    assert last.state == JobState.FAILED
    alert = watch.look()["counter_failing"]
    assert alert.counter == shop.counter
    assert told(alert).startswith("The last 2 upload jobs have failed.")
    assert messages.page_of(alert) == f"/admin/uploads/uploadjob/{last.pk}/change/"
    assert shop.upload().state == JobState.SUCCEEDED
    assert "counter_failing" not in watch.look()


def test_what_blocks_a_counter_is_not_told_as_its_failing_too(shop: Shop, watch: Watch):
    watch.set(failed_jobs=1)
    sandbox.revoke_token(token=SandboxToken.objects.get(login=shop.site.owner_login).token)
    shop.push("D-1", "PAID")
    shop.upload()
    assert set(watch.look()) == {"account_refused"}


def test_changes_that_wait_longer_than_their_schedule_says(shop: Shop, watch: Watch):
    update_counter(counter=shop.counter, schedule="1h")
    shop.push("D-1", "PAID")
    watch.set(queue_minutes=60)
    assert "queue_old" not in watch.look(later=timedelta(minutes=119))
    alert = watch.look(later=timedelta(minutes=121))["queue_old"]
    assert alert.counter == shop.counter
    assert "still waits" in told(alert)
    shop.upload()
    assert "queue_old" in watch.look(later=timedelta(minutes=122)), "near its limit it goes to and fro"
    assert "queue_old" not in watch.look(later=timedelta(minutes=140))


@pytest.mark.parametrize("quiet", ["manual", "paused"])
def test_what_waits_for_a_person_is_not_a_slow_queue(shop: Shop, watch: Watch, quiet: str):
    if quiet == "paused":
        update_counter(counter=shop.counter, schedule="5m")
        pause(counter=shop.counter, reason="holidays")
    shop.push("D-1", "PAID")
    assert "queue_old" not in watch.look(later=timedelta(days=2))


def test_many_rejected_rows(shop: Shop, watch: Watch):
    shop.push_many((f"B-{number}" if number < 6 else f"G-{number}" for number in range(15)), "PAID")
    shop.fault("refuse_row", contains="B-", count=None)
    job = shop.upload()
    assert (job.delivered, job.rejected) == (9, 6)
    alert = watch.look()["rejected_share"]
    assert told(alert) == "Of the 15 rows of the last 24 hours Metrica rejected 6 (40%)."
    assert messages.page_of(alert).endswith(f"?counter__id__exact={shop.counter.pk}&delivery=rejected")
    watch.set(rejected_percent=50)
    assert "rejected_share" not in watch.look(later=timedelta(hours=2))


def test_a_worker_that_died_without_a_word(shop: Shop, watch: Watch):
    heartbeats.beat("worker red 7")
    assert "worker_silent" not in watch.look()
    alert = watch.look(later=timedelta(minutes=11))["worker_silent"]
    assert (alert.label, alert.severity) == ("red", Severity.URGENT)
    assert "last sign of life" in told(alert)
    Heartbeat.objects.create(name="worker red 9", at=timezone.now() + timedelta(minutes=11))  # started anew
    assert "worker_silent" not in watch.look(later=timedelta(minutes=12))


def test_a_worker_that_said_good_bye_is_not_missed(shop: Shop, watch: Watch):
    heartbeats.beat("worker red 7")
    heartbeats.forget_worker("worker red 7")
    assert "worker_silent" not in watch.look(later=timedelta(minutes=11))


def test_a_queue_through_which_nothing_passes(shop: Shop, watch: Watch):
    from apps.uploads import tasks

    tasks.tick()
    alert = watch.look(later=timedelta(minutes=11))["worker_silent"]
    assert "No message has passed through the queue" in told(alert)
    tasks.tick()
    assert "worker_silent" not in watch.look()


# ---- orders ----


def test_holds_by_number_and_reason(shop: Shop, watch: Watch):
    watch.set(held_count=2)
    shop.push("H-1", "unheard of")
    shop.push("H-2", "PAID", client_ids=[])
    assert "holds_waiting" not in watch.look()
    shop.push("H-3", "unheard of")
    alert = watch.look()["holds_waiting"]
    assert alert.facts["reasons"]["unmapped_status"]["count"] == 2
    assert list(alert.facts["reasons"]) == ["unmapped_status"]
    assert told(alert).startswith("The status is not mapped: 2 (since")
    assert messages.page_of(alert).endswith("&reason=unmapped_status")
    assert "Say what this status means" in messages.advice_of(alert)
    set_status(counter=shop.counter, crm_status="unheard of", type="IN_PROGRESS")
    holds.review(fresh(shop.counter))
    assert "holds_waiting" not in watch.look()


def test_a_hold_that_is_old(shop: Shop, watch: Watch):
    shop.push("H-1", "unheard of")
    assert "holds_waiting" not in watch.look(later=timedelta(hours=23))
    assert "holds_waiting" in watch.look(later=timedelta(hours=25))


def test_what_goes_by_itself_is_no_alert(shop: Shop, watch: Watch):
    watch.set(held_count=1)
    ahead = (timezone.now() + timedelta(days=5)).isoformat()
    shop.push("H-1", "PAID", status_date_time=ahead)
    assert shop.states("H-1") == [("PAID", "held")]
    assert "holds_waiting" not in watch.look()


@pytest.mark.parametrize(("age", "seen"), [(17, False), (19, True), (22, False)])
def test_orders_never_sent_that_will_be_too_old_to_be_matched(shop: Shop, watch: Watch, age: int, seen: bool):
    shop.began = timezone.now() - timedelta(days=age)
    shop.push("W-held", "unheard of")
    shop.push("W-waits", "PAID")
    alert = watch.look().get("binding_window")
    assert (alert is not None) is seen
    if alert is not None:
        assert alert.facts["orders"] == 2
        assert told(alert).startswith("2 orders were never sent")


def test_an_order_that_went_once_is_matched_already(shop: Shop, watch: Watch):
    shop.began = timezone.now() - timedelta(days=19)
    shop.push("W-1", "PAID")
    assert "binding_window" in watch.look()
    shop.upload()
    shop.push("W-1", "unheard of", at=5)
    assert "binding_window" not in watch.look(later=timedelta(minutes=20))


def test_changes_that_metrica_will_soon_take_no_more(shop: Shop, watch: Watch):
    shop.began = timezone.now() - timedelta(days=109)
    shop.push("W-1", "PAID")
    shop.upload()
    assert "update_window" not in watch.look()
    shop.push("W-1", "unheard of", at=5)
    alert = watch.look()["update_window"]
    assert told(alert).startswith("1 order has changed")
    assert "holds" in messages.page_of(alert) or "heldchange" in messages.page_of(alert)


def test_the_binding_window_counts_no_orders_of_others(make_shop: Any):
    mine, other = make_shop(), make_shop()
    other.began = timezone.now() - timedelta(days=19)
    other.push("W-1", "unheard of")
    assert "binding_window" not in Watch(mine.counter.agency).look()
    assert "binding_window" in Watch(other.counter.agency).look()


def test_fewer_orders_with_identifiers(shop: Shop, watch: Watch):
    start = timezone.now()

    def orders(day: int, number: int, **identifiers: Any) -> None:
        rows = [
            {
                "id": f"M-{day}-{one}",
                "create_date_time": (start - timedelta(days=day, hours=5)).isoformat(),
                "order_status": "PAID",
                "emails": [f"p{one}@mail.example"],
                **identifiers,
            }
            for one in range(number)
        ]
        shop.take(rows)

    for day in (1, 2, 3, 4, 5, 6, 7):
        orders(day, 10, client_ids=["1700000000123456789"])
    orders(0, 15, client_ids=["1700000000123456789"])
    assert "match_dropped" not in watch.look()
    orders(0, 30)  # the site's form no longer passes the ClientID (the first fifteen are changed to have it still)
    alert = watch.look(later=timedelta(hours=7)).get("match_dropped")
    assert alert is not None
    assert set(alert.facts["fell"]) == {"client_id"}
    assert alert.facts["fell"]["client_id"] == {"now": 50, "before": 100}
    assert "ClientID: 50%, 100% in the week before" in told(alert)


# ---- the look itself ----


def test_a_cause_that_is_switched_off_ends_without_being_over(shop: Shop, watch: Watch, trouble: Any):
    alert = trouble()
    watch.set(off=["holds_waiting"])
    assert watch.look() == {}
    alert.refresh_from_db()
    assert alert.ending == "unwatched"


def test_a_cause_that_breaks_harms_no_other_and_leaves_its_alerts(
    shop: Shop, watch: Watch, trouble: Any, monkeypatch: pytest.MonkeyPatch
):
    trouble()

    def broken(look: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(CAUSES["holds_waiting"], "find", broken)
    heartbeats.beat("worker red 7")
    assert set(watch.look(later=timedelta(minutes=11))) == {"holds_waiting", "worker_silent"}


def test_a_look_costs_the_same_for_many_counters(shop: Shop, watch: Watch):
    watch.set(held_count=1)

    def queries(number: int) -> int:
        counter = make_counter(account=shop.counter.account, name=f"More {number}", schedule="5m")
        Shop(counter, shop.site).push("H-1", "unheard of")
        watch.look()
        with CaptureQueriesContext(connection) as asked:
            watch.look()
        return len(asked)

    assert len({queries(number) for number in range(6)}) == 1


def test_every_cause_is_translated_into_words_of_its_own():
    for code, cause in CAUSES.items():
        assert len(code) <= 24
        assert str(cause.title)
        assert str(cause.step)
        assert cause.find.__doc__, f"{code}: say what looking costs"


def test_the_tick_looks_once_whatever_the_number_of_machines(shop: Shop, watch: Watch):
    from apps.alerts import tick

    watch.rules  # noqa: B018  made
    now = timezone.now()
    assert (tick.look_at_due(now), tick.look_at_due(now)) == (1, 0)
    assert tick.look_at_due(now + timedelta(minutes=6)) == 1


def test_the_tick_command_gives_every_agency_rules_and_a_look(shop: Shop, watch: Watch):
    shop.push("H-1", "unheard of")
    call_command("tick")
    assert watch.rules.looked_at is not None


# ---- Metrica, webhooks ----


def test_a_metrica_that_does_not_answer(shop: Shop, watch: Watch):
    shop.push("D-1", "PAID")
    sandbox.add_fault(kind="server_error", count=None)
    job = shop.ask()
    for _turn in range(20):
        run_job(job.pk)
        if open_breakers():
            break
    assert open_breakers()
    assert "metrica_unreachable" not in watch.look(later=timedelta(minutes=9))
    alert = watch.look(later=timedelta(minutes=11))["metrica_unreachable"]
    assert alert.severity == Severity.URGENT
    assert told(alert).startswith(f"No answer from {host_of(shop.counter.account)} since")
    assert messages.page_of(alert).startswith("/admin/counters/metricaaccount/")
    sandbox.clear_faults()
    Breaker.objects.update(retry_at=timezone.now())
    UploadJob.objects.update(not_before=None)
    assert shop.upload(job).state == JobState.SUCCEEDED
    assert "metrica_unreachable" not in watch.look(later=timedelta(minutes=12))


def test_a_day_whose_calls_are_nearly_used_up(shop: Shop, watch: Watch, settings: Any):
    settings.METRICA_CALLS_PER_DAY = 4
    watch.set(quota_percent=75)
    used = 0
    while "quota_low" not in watch.look():
        used += 1
        assert used < 6, "every upload is a call"
        shop.push(f"D-{used}", "PAID")
        shop.upload()
    alert = watch.open()["quota_low"]
    assert alert.facts["used"] >= 3
    assert alert.account == shop.counter.account
    assert "of 4 calls are used" in told(alert)
    settings.METRICA_CALLS_PER_DAY = 5000
    assert "quota_low" not in watch.look(later=timedelta(minutes=16))


def test_a_webhook_that_goalpost_has_given_up_calling(shop: Shop, watch: Watch, receiver: Receiver):
    endpoint, _secret = hooks.create_endpoint(
        agency=watch.agency, name="CRM", url=receiver.url, events=["order.delivered"]
    )
    receiver.answer = lambda _request: 410
    shop.push("D-1", "PAID")
    shop.upload()
    rounds.SENDING.wake()
    rounds.SENDING.run()
    alert = watch.look()["webhook_disabled"]
    assert alert.label == "CRM"
    assert "It answered 410" in told(alert)
    assert messages.page_of(alert) == f"/admin/hooks/endpoint/{endpoint.pk}/change/"
    endpoint.refresh_from_db()
    hooks.enable_endpoint(endpoint=endpoint)
    assert "webhook_disabled" not in watch.look()
