"""R7: the bad row is found with few calls, said in the reader's words, corrected and sent again."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.models import AuditEntry
from apps.counters.models import Counter, DeliveryPolicy
from apps.metrica.places import Place, read_place
from apps.orders import holds, services
from apps.orders.models import Delivery, RejectedChange, StatusChange
from apps.orders.reject_advice import advice, advice_for
from apps.sandbox import services as sandbox
from apps.uploads import splitter
from apps.uploads.models import JobState, Part, UploadJob, UploadState
from apps.uploads.problems import describe
from apps.uploads.scheduler import start_due_counters
from apps.uploads.services import retry_job
from tests.uploads.conftest import Shop


def rejected(shop: Shop) -> StatusChange:
    return StatusChange.objects.select_related("order", "counter").get(counter=shop.counter, delivery=Delivery.REJECTED)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("line 2, column emails", Place(0, "emails")),
        ("Line: 17; field 'revenue'", Place(15, "revenue")),
        ("строка 5, столбец phones", Place(3, "phones")),
        ("orders[3].client_uniq_id", Place(3, "client_uniq_id")),
        ("orders[0]", Place(0, "")),
        ("contacts[12].emails[0]", Place(12, "emails")),
        ("line 1", Place(None, "")),  # the header
        ("emails", Place(None, "emails")),
        ("line 4, column password", Place(2, "")),
        ("", Place(None, "")),
        ("deadline 7", Place(None, "")),
    ],
)
def test_where_metrica_points(location: str, place: Place) -> None:
    assert read_place(location) == place


@given(st.text(max_size=60))
def test_any_text_is_a_place_or_none(location: str) -> None:
    place = read_place(location)
    assert place.row is None or place.row >= 0


class TestNamedRows:
    def test_a_named_row_is_found_with_two_calls_however_large_the_file(self, shop: Shop) -> None:
        for number in range(64):
            shop.push(f"N-{number}", "a1")
        shop.fault("refuse_row", order_id="N-40", count=None)
        job = shop.upload()
        assert (job.state, job.delivered, job.rejected) == (JobState.PARTLY_FAILED, 63, 1)
        assert shop.sends() == 3, "halving would take more than a dozen"
        assert [(one.part, one.rows, one.state) for one in shop.uploads()] == [
            ("", 64, UploadState.REFUSED),
            (Part.NAMED, 1, UploadState.REFUSED),
            (Part.REST, 63, UploadState.PASSED),
        ]
        change = rejected(shop)
        assert (change.reject_code, change.reject_field) == ("invalid_uploading", "id")
        assert change.reject_message.endswith("The row is not valid.")

    def test_all_named_rows_are_taken_out_at_once(self, shop: Shop) -> None:
        for number in range(20):
            shop.push(f"N-{number}", "a1")
            if number % 7 == 0:
                shop.fault("refuse_row", order_id=f"N-{number}", count=None)
        job = shop.upload()
        assert (job.delivered, job.rejected, shop.sends()) == (17, 3, 5)
        for number in range(20):
            assert shop.arrived(f"N-{number}") == ([] if number % 7 == 0 else ["a1"])

    def test_in_detailed_mode_the_element_is_named(self, make_shop: Any) -> None:
        shop = make_shop(mode="detailed")
        for number in range(6):
            shop.push(f"N-{number}", "IN_PROGRESS", client_uniq_id=f"C-{number}")
        shop.fault("refuse_row", order_id="N-4", count=None)
        job = shop.upload()
        assert (job.delivered, job.rejected) == (5, 1)
        parts = [one.part for one in shop.uploads(kind="orders")]
        assert parts == ["", Part.NAMED, Part.REST]

    def test_a_row_that_was_named_wrongly_is_delivered_and_no_name_is_trusted_any_more(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Metrica counts lines another way than we think: the bad row is found all the same."""
        for number in range(8):
            shop.push(f"N-{number}", "a1")
        shop.fault("refuse_row", order_id="N-5", count=None)

        def one_too_few(location: str) -> Place:
            place = read_place(location)
            return Place(None if not place.row else place.row - 1, place.field)

        monkeypatch.setattr(splitter, "read_place", one_too_few)
        job = shop.upload()
        assert (job.delivered, job.rejected) == (7, 1)
        assert shop.states("N-5") == [("a1", "rejected")]
        assert shop.states("N-4") == [("a1", "delivered")]
        assert [one.rows for one in shop.uploads(part=Part.NAMED)] == [1]
        assert shop.uploads(part=Part.HALF)

    @pytest.mark.parametrize("row", [99, 3])
    def test_a_place_outside_the_file_is_not_looked_for(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch, row: int
    ) -> None:
        for number in range(3):
            shop.push(f"N-{number}", "a1")
        shop.fault("refuse_row", order_id="N-1", count=None)
        monkeypatch.setattr(splitter, "read_place", lambda _location: Place(row, ""))
        job = shop.upload()
        assert (job.delivered, job.rejected) == (2, 1)
        assert not shop.uploads(part=Part.NAMED)

    def test_the_parts_are_cut_from_the_file_byte_for_byte(self, shop: Shop) -> None:
        from apps.uploads import files

        for number in range(5):
            shop.push(f"N-{number}", "a1", client_uniq_id=f'Anna "№{number}", Ltd')
        shop.fault("refuse_row", order_id="N-3", count=None)
        shop.upload()
        bodies: dict[str, list[bytes]] = {}
        for one in shop.uploads():
            with files.plain(one) as file:
                bodies.setdefault(one.part or "whole", []).append(file.read())
        [header, *whole] = bodies["whole"][0].splitlines(keepends=True)
        [alone], [rest] = bodies[Part.NAMED], bodies[Part.REST]
        assert alone == header + whole[3]
        assert rest == header + b"".join(whole[:3] + whole[4:])


class TestWithinTheQuota:
    def test_a_cause_that_spoils_every_row_is_noticed_early(self, shop: Shop) -> None:
        for number in range(200):
            shop.push(f"Q-{number}", "a1")
        shop.fault("refuse_row", contains="Q-", count=None, location=False)
        job = shop.upload()
        assert (job.state, job.error_code, job.rejected) == (JobState.FAILED, "every_row_refused", 10)
        assert shop.sends() < 40
        waiting = StatusChange.objects.filter(counter=shop.counter, delivery=Delivery.WAITING).count()
        assert waiting == 190, "what was not tried waits"
        problem = describe(job.error_code)
        assert problem is not None and problem.code != problem.message

    def test_the_schedule_does_not_try_the_same_again_and_again(self, shop: Shop) -> None:
        Counter.objects.filter(pk=shop.counter.pk).update(schedule="5m", next_upload_at=timezone.now())
        shop.push("Q-1", "a1")
        UploadJob.objects.create(
            counter=shop.counter,
            trigger="schedule",
            state=JobState.FAILED,
            error_code="every_row_refused",
            finished_at=timezone.now(),
        )
        assert start_due_counters() == 0
        counter = Counter.objects.get(pk=shop.counter.pk)
        assert counter.next_upload_at is not None and counter.next_upload_at > timezone.now()
        # A person changed something: it may be the cause.
        holds.review(counter)
        Counter.objects.filter(pk=counter.pk).update(next_upload_at=timezone.now())
        assert start_due_counters() == 1


class TestWhatIsSaid:
    def test_in_the_reader_s_language_with_metrica_s_words_beside_it(self, shop: Shop) -> None:
        """What the worker writes down is no sentence of ours, so whoever reads it reads it in their language."""
        shop.push("W-1", "a1")
        shop.fault("refuse_row", order_id="W-1", count=None)
        with translation.override("ru"):
            shop.upload()
        change = rejected(shop)
        assert change.reject_message == "line 2, column id: The row is not valid.", "a sentence of ours was kept"
        with translation.override("en"):
            assert "id" in str(advice_for(change).means)
            assert str(advice_for(change).next_step)

    @pytest.mark.parametrize("field", ["id", "emails", "phones", "revenue", "goals", "order_status", ""])
    @pytest.mark.parametrize("code", ["invalid_uploading", "upload_failed", "unwritable", "given_up", "access_denied"])
    def test_every_refusal_has_its_meaning_and_a_next_step(self, code: str, field: str) -> None:
        told = advice(code=code, field=field)
        assert str(told.means) and str(told.next_step)
        assert code not in str(told.means), "a code is no sentence"


class TestFixAndResend:
    def refuse(self, shop: Shop, contains: str) -> None:
        shop.fault("refuse_row", contains=contains, count=None)

    def test_a_corrected_identifier_of_the_present_state_takes_its_place(self, shop: Shop) -> None:
        shop.push("X-1", "a1", emails=["bad@example.com"])
        self.refuse(shop, "bad@example.com")
        shop.upload()
        change = rejected(shop)
        report = services.correct_rejected(change=change, identifiers={"emails": "good@example.com"}, state={})
        assert not report.rejected
        assert shop.states("X-1") == [("a1", "rejected"), ("a1", "waiting")]
        assert not RejectedChange.objects.needing_a_person().exists()
        shop.upload()
        assert shop.arrived("X-1") == ["a1"]

    def test_a_corrected_identifier_lets_an_earlier_state_go_as_it_was(self, shop: Shop) -> None:
        """The refused state itself goes, then the present one, which has the new identifier too."""
        shop.push("X-1", "a1", "a2", emails=["bad@example.com"])
        self.refuse(shop, "bad@example.com")
        shop.upload()
        first, second = StatusChange.objects.select_related("order", "counter").order_by("seq")
        assert (first.delivery, second.delivery) == (Delivery.REJECTED, Delivery.REJECTED)
        services.correct_rejected(change=first, identifiers={"emails": "good@example.com"}, state={})
        assert [delivery for _status, delivery in shop.states("X-1")] == ["waiting", "rejected", "waiting"]
        shop.upload()
        assert shop.arrived("X-1") == ["a1", "a2"]
        assert not RejectedChange.objects.needing_a_person().exists()

    def test_nothing_altered_sends_the_very_change_again(self, shop: Shop) -> None:
        shop.push("X-1", "a1")
        shop.fault("refuse_row", order_id="X-1")
        shop.upload()
        services.correct_rejected(change=rejected(shop), identifiers={}, state={})
        assert shop.states("X-1") == [("a1", "waiting")]
        assert AuditEntry.objects.filter(action="change.retried").count() == 1

    def test_a_corrected_amount_is_another_change_of_the_same_moment(self, shop: Shop) -> None:
        """The timeline only grows (R3): the refused one stays, overtaken."""
        shop.push("X-2", "a1", revenue="5000")
        shop.fault("refuse_row", order_id="X-2")
        shop.upload()
        change = rejected(shop)
        services.correct_rejected(change=change, identifiers={}, state={"revenue": "4000", "currency": "USD"})
        first, second = StatusChange.objects.filter(order=change.order).in_timeline_order()
        assert (first.pk, first.delivery, first.revenue) == (change.pk, Delivery.REJECTED, Decimal(5000))
        assert (second.delivery, second.revenue, second.currency) == (Delivery.WAITING, Decimal(4000), "USD")
        assert second.status_date_time == first.status_date_time
        shop.upload()
        assert not RejectedChange.objects.needing_a_person().exists()
        assert RejectedChange.objects.overtaken().get().pk == change.pk

    def test_a_late_correction_is_followed_by_the_current_state(self, shop: Shop) -> None:
        """R4: `a1` never reached Metrica while `a2` did; it does now, and `a2` is the last row again."""
        shop.push("X-3", "a1")
        shop.fault("refuse_row", order_id="X-3")
        shop.upload()
        shop.push("X-3", "a2", at=1)
        shop.upload()
        assert shop.arrived("X-3") == ["a2"]
        change = rejected(shop)
        assert RejectedChange.objects.needing_a_person().exists(), "its goal was never reached"
        services.correct_rejected(change=change, identifiers={}, state={"revenue": "700"})
        shop.upload()
        assert shop.arrived("X-3") == ["a2", "a1", "a2"]
        assert not RejectedChange.objects.needing_a_person().exists()

    def test_sent_again_as_it_is_late_and_then_the_current_state(self, shop: Shop) -> None:
        shop.push("X-4", "a1")
        shop.fault("refuse_row", order_id="X-4")
        shop.upload()
        shop.push("X-4", "a2", at=1)
        shop.upload()
        assert services.retry_rejected(changes=[rejected(shop)]) == 1
        shop.upload()
        assert shop.arrived("X-4") == ["a2", "a1", "a2"]

    def test_what_intake_refuses_alters_nothing(self, shop: Shop) -> None:
        shop.push("X-5", "a1", emails=["bad@example.com"])
        self.refuse(shop, "bad@example.com")
        shop.upload()
        change = rejected(shop)
        report = services.correct_rejected(
            change=change, identifiers={"emails": "good@example.com"}, state={"currency": "no currency"}
        )
        assert report.rejected
        assert shop.states("X-5") == [("a1", "rejected")]
        assert shop.order("X-5").identifiers["emails"] == ["bad@example.com"]

    def test_all_rejected_of_a_job_go_once_more(self, shop: Shop) -> None:
        for number in range(3):
            shop.push(f"X-{number}", "a1")
        shop.fault("refuse_row", contains="X-", count=None)
        job = shop.upload()
        assert job.rejected == 3
        sandbox.clear_faults()
        again = shop.upload(retry_job(job=job, rejected=True))
        assert (again.state, again.delivered) == (JobState.SUCCEEDED, 3)

    def test_many_leave_one_entry_with_their_number(self, shop: Shop) -> None:
        for number in range(25):
            shop.push(f"X-{number}", "a1")
        StatusChange.objects.update(delivery=Delivery.REJECTED, reject_code="invalid_uploading")
        changes = list(RejectedChange.objects.select_related("order", "counter"))
        assert services.retry_rejected(changes=changes) == 25
        [entry] = AuditEntry.objects.filter(action="change.retried")
        assert (entry.details["changes"], entry.details["rejected_for"]) == (25, {"invalid_uploading": 25})
        assert len(entry.details["changes_sha256"]) == 64
        assert services.retry_rejected(changes=changes) == 0

    def test_what_is_left_as_it_is_is_not_asked_about_and_keeps_its_cause_in_the_log(self, shop: Shop) -> None:
        shop.push("X-7", "a1")
        shop.fault("refuse_row", order_id="X-7")
        shop.upload()
        change = rejected(shop)
        assert services.leave_rejected(changes=[change], why="A test order.") == 1
        assert not RejectedChange.objects.needing_a_person().exists()
        [entry] = AuditEntry.objects.filter(action="change.left")
        assert entry.details["said"].endswith("The row is not valid.")
        change.refresh_from_db()
        assert change.reject_message == "A test order."


class TestOvertaken:
    """Whether anybody has to be asked about a rejected change, by what else happened to its order."""

    @pytest.mark.parametrize(
        ("timeline", "asked"),
        [
            ([("a1", "rejected")], True),
            ([("a1", "rejected"), ("a1", "delivered")], False),  # the CRM has corrected it
            ([("a1", "rejected"), ("a1", "waiting")], False),
            ([("a1", "rejected"), ("a1", "rejected")], True),  # once: about the newer one
            ([("a1", "rejected"), ("a2", "delivered")], True),  # its goal was never reached
            ([("a1", "rejected"), ("a2", "waiting")], True),
            ([("a1", "delivered"), ("a1", "rejected"), ("a2", "delivered")], False),  # reached before
            ([("a1", "delivered"), ("a1", "rejected")], True),  # Metrica has an older state than is true
            ([("a1", "rejected"), ("a1", "superseded")], True),
            ([("a1", "rejected"), ("a2", "delivered"), ("a1", "delivered")], False),
        ],
    )
    def test_by_what_became_of_the_order(self, shop: Shop, timeline: list[tuple[str, str]], asked: bool) -> None:
        for hour, (status, _delivery) in enumerate(timeline):
            shop.push("O-1", status, at=hour, revenue=str(100 + hour))
        changes = StatusChange.objects.filter(order__order_id="O-1").in_timeline_order()
        for change, (_status, delivery) in zip(changes, timeline, strict=True):
            code = "invalid_uploading" if delivery == "rejected" else ""
            StatusChange.objects.filter(pk=change.pk).update(delivery=delivery, reject_code=code)
        open_ones = StatusChange.objects.needing_a_person()
        assert open_ones.exists() == asked
        assert open_ones.count() <= 1
        first = changes.with_overtaken().filter(delivery="rejected").first()
        assert first is not None
        if len([one for one in timeline if one[1] == "rejected"]) == 1:
            assert first.overtaken is not asked

    def test_where_the_latest_state_is_all_that_is_wanted_any_later_one_will_do(self, shop: Shop) -> None:
        shop.push("O-2", "a1", "a2")
        Counter.objects.filter(pk=shop.counter.pk).update(delivery=DeliveryPolicy.LATEST_ONLY)
        first, second = StatusChange.objects.filter(order__order_id="O-2").in_timeline_order()
        StatusChange.objects.filter(pk=first.pk).update(delivery="rejected", reject_code="invalid_uploading")
        StatusChange.objects.filter(pk=second.pk).update(delivery="delivered")
        assert not StatusChange.objects.needing_a_person().exists()
