"""A change of a counter puts a review of its holds into the queue, and the queue's task does it."""

from django_q.models import OrmQ
from django_q.signing import SignedPackage
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.counters.models import Counter
from apps.goals import services as goals
from apps.orders import tasks
from apps.orders.models import StatusChange
from tests.orders.conftest import Send, row


def test_by_way_of_the_queue(
    send: Send, counter: Counter, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    send(row(order_status="A"))
    with django_capture_on_commit_callbacks(execute=True):
        goals.set_status(counter=counter, crm_status="A", type="PAID")
        assert not OrmQ.objects.exists(), "not before the mapping is committed"
    [task] = [SignedPackage.loads(message.payload) for message in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == ("apps.orders.tasks.review_holds", (counter.pk,))
    assert tasks.review_holds(*task["args"]) == 1
    assert StatusChange.objects.get().delivery == "waiting"


def test_a_message_about_a_counter_that_is_gone_does_nothing(db: None) -> None:
    assert tasks.review_holds(0) == 0
