"""What is taken for ours in Metrica's list of uploads, and what is not (R6)."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.models import AuditEntry
from apps.counters.models import ApiCall, Counter
from apps.metrica.client import Uploading
from apps.orders.models import StatusChange
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxUploading
from apps.uploads import pacing, reconciler
from apps.uploads.models import JobState, Part, SentAgain, Trigger, Upload, UploadJob, UploadState
from apps.uploads.runner import run_job
from tests.factories import make_counter
from tests.uploads.conftest import Shop

ROWS = 3
PAGE = 3
ZONE = "Asia/Yekaterinburg"
LOOSE = 3.0  # seconds: the list leaves out fractions, and so does the Date


@dataclass
class ListOfUploads:
    """Metrica's list as a server tells it: newest first, by pages, in whole seconds of its own clock."""

    ahead: timedelta = timedelta()
    tells_its_time: bool = True
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo(ZONE))
    entries: list[tuple[datetime, Uploading]] = field(default_factory=list)

    def add(self, name: str, came: datetime, *, rows: int = ROWS, **more: Any) -> None:
        """`came`: on our clock."""
        came += self.ahead
        facts = {
            "status": "PASSED",
            "entity_type": "SYSTEM",
            "uploading_format": "CSV",
            "uploading_source": "API",
            **more,
        }
        text = f"{came.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"
        uploading = Uploading(uploading_id=name, datetime=text, elements_count=rows, raw={}, **facts)
        self.entries.append((came.replace(microsecond=0), uploading))

    @property
    def server_date(self) -> datetime | None:
        return (timezone.now() + self.ahead).replace(microsecond=0) if self.tells_its_time else None

    def last_uploadings(self, counter_id: int, *, before: str | None = None) -> list[Uploading]:
        newest = sorted(self.entries, key=lambda entry: entry[0], reverse=True)
        if before is not None:
            limit = datetime.fromisoformat(before).replace(tzinfo=self.zone)
            newest = [entry for entry in newest if entry[0] < limit]
        return [uploading for _came, uploading in newest[:PAGE]]


def doubtful(counter: Counter, sent_at: datetime | None, **more: Any) -> Upload:
    job = UploadJob.objects.create(counter=counter, trigger=Trigger.PERSON, only_orders=[])
    facts: dict[str, Any] = {"state": UploadState.UNKNOWN, "rows": ROWS, "bytes": 100, "attempts": 1, **more}
    return Upload.objects.create(job=job, wave=1, started_at=sent_at, sent_at=sent_at, **facts)


def look(listed: ListOfUploads, upload: Upload) -> reconciler.Found:
    counter = upload.job.counter
    with mock.patch.object(reconciler, "MAX_UPLOADINGS_PER_PAGE", PAGE):
        return reconciler.look_up(listed, upload=upload, counter=counter)  # type: ignore[arg-type]


# Other people's uploads: seconds from when ours was sent, and how much they look like ours.
others = st.lists(
    st.tuples(
        st.integers(-150, 60),
        st.sampled_from([ROWS, ROWS, ROWS + 1, 1]),
        st.sampled_from(["PASSED", "PASSED", "FAILED"]),
        st.sampled_from(["CSV", "CSV", "JSON"]),
        st.sampled_from(["SYSTEM", "SYSTEM", "SYSTEM_LIST"]),
    ),
    max_size=12,
    unique_by=lambda other: other[0],  # a second that fills a whole page hides what else came in it
)


@pytest.mark.django_db
class TestLaws:
    @given(
        others=others,
        present=st.booleans(),
        took=st.integers(0, 5),
        ahead=st.integers(-4000, 4000),
        tells=st.booleans(),
    )
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_nothing_but_ours_is_adopted_where_it_can_be_told(
        self, others: list[tuple[Any, ...]], present: bool, took: int, ahead: int, tells: bool
    ) -> None:
        """To adopt another's upload while ours is there, or where it can be told from ours, would lose statuses."""
        Upload.objects.all().delete()
        counter = Counter.objects.first() or make_counter(time_zone=ZONE)
        sent_at = timezone.now() - timedelta(seconds=61)
        listed = ListOfUploads(ahead=timedelta(seconds=ahead if tells else ahead % 30), tells_its_time=tells)
        upload = doubtful(counter, sent_at)
        slack = LOOSE if tells else 65 + 30  # Metrica's clock is up to half a minute ahead then
        alike = set()
        for number, (seconds, rows, status, form, entity) in enumerate(others):
            came = sent_at + timedelta(seconds=seconds)
            listed.add(f"other-{number}", came, rows=rows, status=status, uploading_format=form, entity_type=entity)
            fits = (rows, status, form, entity) == (ROWS, "PASSED", "CSV", "SYSTEM")
            if fits and -slack <= seconds:
                alike.add(f"other-{number}")
        if present:
            listed.add("ours", sent_at + timedelta(seconds=took))
        found = look(listed, upload)
        name = found.ours.uploading_id if found.ours else None
        if present:
            assert name in ("ours", None), "another's upload was adopted though ours was there"
            if not alike:
                assert name == "ours", "ours was there, and nothing like it"
            if name is None:
                assert found.candidates > 1
        elif name is not None:
            assert name in alike, "what was adopted could not have been ours"

    @given(came=st.integers(0, 3), strangers=st.lists(st.integers(-100, -20), max_size=5), gap=st.integers(0, 20))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_several_in_doubt_are_found_in_the_order_in_which_they_went(
        self, came: int, strangers: list[int], gap: int
    ) -> None:
        """Three files of as many rows, as after a backup: those that came are the first ones."""
        Upload.objects.all().delete()
        counter = Counter.objects.first() or make_counter(time_zone=ZONE)
        made_at = timezone.now() - timedelta(seconds=90)
        listed = ListOfUploads()
        uploads = [
            doubtful(counter, None, attempts=0, created_at=made_at + timedelta(milliseconds=n)) for n in range(3)
        ]
        for seconds in strangers:
            listed.add(f"stranger-{seconds}", made_at + timedelta(seconds=seconds))
        for number in range(came):
            listed.add(f"ours-{number}", made_at + timedelta(seconds=5 + number * gap))
        for number, upload in enumerate(uploads):
            found = look(listed, upload)
            if number >= came:
                assert (found.ours, found.candidates) == (None, 0)
                continue
            assert found.ours is not None
            if gap:
                assert found.ours.uploading_id == f"ours-{number}"
            Upload.objects.filter(pk=upload.pk).update(state=UploadState.PASSED, uploading_id=found.ours.uploading_id)
        taken = set(Upload.objects.exclude(uploading_id="").values_list("uploading_id", flat=True))
        assert taken == {f"ours-{number}" for number in range(came)}


@pytest.mark.django_db
class TestClocks:
    def test_what_metrica_s_clock_is_off_is_told_by_the_date_of_its_answer(self) -> None:
        """Seventeen minutes: a fixed minute would never find ours."""
        counter = make_counter(time_zone=ZONE)
        sent_at = timezone.now() - timedelta(seconds=10)
        listed = ListOfUploads(ahead=timedelta(minutes=17))
        listed.add("ours", sent_at + timedelta(seconds=1))
        listed.add("another's, half a minute earlier", sent_at - timedelta(seconds=30))
        found = look(listed, doubtful(counter, sent_at))
        assert found.ours is not None
        assert found.ours.uploading_id == "ours"

    def test_a_list_on_another_zone_s_clock_is_read_by_our_own_uploads_in_it(self) -> None:
        """The counter is in Yekaterinburg, the list on Moscow's clock, two hours behind."""
        counter = make_counter(time_zone=ZONE)
        now = timezone.now()
        listed = ListOfUploads(zone=ZoneInfo("Europe/Moscow"))
        for minutes in (50, 40):
            earlier = now - timedelta(minutes=minutes)
            listed.add(f"mine-{minutes}", earlier + timedelta(seconds=1))
            doubtful(counter, earlier, state=UploadState.PASSED, uploading_id=f"mine-{minutes}")
        sent_at = now - timedelta(seconds=10)
        listed.add("ours", sent_at + timedelta(seconds=1))
        found = look(listed, doubtful(counter, sent_at))
        assert found.ours is not None
        assert found.ours.uploading_id == "ours"

    def test_what_came_long_after_ours_was_sent_is_not_ours_however_late_we_ask(self) -> None:
        counter = make_counter(time_zone=ZONE)
        sent_at = timezone.now() - timedelta(hours=5)
        listed = ListOfUploads()
        listed.add("another's", timezone.now() - timedelta(hours=3))
        assert look(listed, doubtful(counter, sent_at)).ours is None

    @pytest.mark.parametrize(("ahead", "zone"), [(17, ZONE), (-17, ZONE), (0, "Europe/Moscow")])
    def test_what_came_since_a_backup_is_read_by_the_same_clocks(self, ahead: int, zone: str) -> None:
        counter = make_counter(time_zone=ZONE)
        now = timezone.now()
        taken_at, restored_at = now - timedelta(minutes=60), now - timedelta(minutes=50)
        listed = ListOfUploads(ahead=timedelta(minutes=ahead), zone=ZoneInfo(zone))
        before = now - timedelta(minutes=70)
        listed.add("known", before)
        doubtful(counter, before, state=UploadState.PASSED, uploading_id="known")
        listed.add("too early", taken_at - timedelta(minutes=5))
        came = taken_at + timedelta(minutes=3)
        listed.add("ours", came)
        listed.add("too late", restored_at + timedelta(minutes=5))
        with mock.patch.object(reconciler, "MAX_UPLOADINGS_PER_PAGE", PAGE + 1), mock.patch(f"{__name__}.PAGE", 4):
            [found] = reconciler.nobodys(listed, counter=counter, since=taken_at, until=restored_at)  # type: ignore[arg-type]
        assert found.uploading.uploading_id == "ours"
        assert found.at is not None
        assert abs((found.at - came).total_seconds()) < LOOSE


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("more", "adopted"),
    [
        ({"sent_again": SentAgain.NOT_LISTED, "attempts": 2}, False),
        ({"sent_again": "", "attempts": 2}, True),  # nothing of it had come the first time
        ({"sent_again": SentAgain.NOT_LISTED, "attempts": 2, "rows": ROWS + 1}, True),
        ({"sent_again": SentAgain.NOT_LISTED, "attempts": 2, "ago": timedelta(hours=1)}, True),
    ],
)
def test_the_late_arrival_of_a_file_that_went_again_is_not_taken_for_the_next_one(
    more: dict[str, Any], adopted: bool
) -> None:
    """The first sending was given up and came late, the second was answered. Else a refused row would be delivered."""
    counter = make_counter(time_zone=ZONE)
    sent_at = timezone.now() - timedelta(seconds=10)
    before = sent_at - more.pop("ago", timedelta(seconds=5))
    doubtful(counter, before, state=UploadState.PASSED, uploading_id="the second sending", **more)
    listed = ListOfUploads()
    listed.add("the second sending", before + timedelta(seconds=1))
    listed.add("the first sending", sent_at + timedelta(seconds=2))
    found = look(listed, doubtful(counter, sent_at))
    assert (found.ours is not None, found.candidates) == (adopted, 1)


def lookups(shop: Shop) -> int:
    return ApiCall.objects.filter(counter=shop.counter, url__contains="last_uploadings").count()


def test_an_upload_that_the_list_shows_late_is_adopted(shop: Shop, quick: Any) -> None:
    quick.UPLOAD_UNKNOWN_SECONDS = 4.0
    shop.push("R-1", "a1")
    shop.fault("cut_after")
    shop.fault("late_listing", seconds=1.5, count=None)
    job = shop.upload()
    [upload] = shop.uploads()
    assert (job.state, upload.attempts, shop.sends()) == (JobState.SUCCEEDED, 1, 1)
    assert lookups(shop) >= 2, "the list was not behind"


def test_an_upload_that_the_list_shows_too_late_goes_again_and_does_no_harm(shop: Shop, quick: Any) -> None:
    quick.UPLOAD_UNKNOWN_SECONDS = 0.3
    shop.push("R-2", "a1", "a2")
    shop.fault("cut_after")
    shop.fault("late_listing", seconds=600, count=None)
    job = shop.upload()
    assert job.state == JobState.SUCCEEDED
    assert shop.arrived("R-2") == ["a1", "a1", "a2"]
    [first, _second] = shop.uploads()
    assert (first.attempts, first.sent_again) == (2, SentAgain.NOT_LISTED)


def test_a_list_on_moscow_s_clock(make_shop: Callable[..., Shop]) -> None:
    """What is not documented: the first answer that is lost may cost a second sending, no later one does."""
    shop = make_shop(time_zone="Asia/Novosibirsk")
    sandbox.set_switch(name="uploading_clock", value="moscow")
    shop.push("R-3", "a1")
    shop.upload()
    shop.push("R-3", "a2", at=1)
    shop.fault("cut_after")
    shop.upload()
    assert shop.arrived("R-3") == ["a1", "a2"]
    assert shop.sends() == 2


def test_what_cannot_be_decided_goes_again_and_says_so(shop: Shop, quick: Any) -> None:
    quick.UPLOAD_UNKNOWN_SECONDS = 30.0
    shop.push("R-4", "a1")
    shop.fault("cut_before")
    for number in range(2):
        SandboxUploading.objects.create(
            counter=shop.site,
            received_at=timezone.now() + timedelta(seconds=number),
            status="PASSED",
            elements_count=1,
            merge_mode="SAVE",
        )
    job = shop.ask()
    run_job(job.pk)
    job.refresh_from_db()
    [upload] = shop.uploads()
    assert (job.state, upload.attempts, upload.sent_again) == (JobState.SUCCEEDED, 2, SentAgain.SEVERAL_FIT)
    assert shop.arrived("R-4") == ["a1"]
    [entry] = AuditEntry.objects.filter(action="upload.sent_again")
    assert (entry.details["because"], entry.details["candidates"]) == ("several_fit", 2)


def test_what_the_list_has_as_failed_goes_again_at_once(shop: Shop, quick: Any) -> None:
    """Nothing is gained by waiting: the answer to the second sending says why."""
    quick.UPLOAD_UNKNOWN_SECONDS = 600.0
    shop.push("R-5", "a1")
    shop.push("R-6", "a1")
    sandbox.set_switch(name="refusal", value="failed")
    shop.fault("refuse_row", order_id="R-6", location=False, count=None)
    shop.fault("cut_after")
    job = shop.ask()
    for _turn in range(5):
        run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.PARTLY_FAILED
    assert shop.states("R-5") == [("a1", "delivered")]
    assert shop.states("R-6") == [("a1", "rejected")]
    [whole] = shop.uploads(parent=None)
    assert whole.sent_again == SentAgain.LISTED_AS_FAILED
    assert whole.attempts == 2


class TestAfterABackup:
    """The database is older than Metrica: files that it takes for unsent may have been sent since. Whoever restored it
    puts them in doubt, and they are looked up before anything goes."""

    @contextlib.contextmanager
    def restored(self, shop: Shop) -> Any:
        """All that happens within has never happened as far as the database knows."""
        tables = (UploadJob, Upload, StatusChange)
        kept = {model: list(model.objects.values()) for model in tables}
        orders = list(shop.counter.orders.values())
        yield
        Upload.objects.all().delete()
        UploadJob.objects.all().delete()
        for values in kept[UploadJob]:
            UploadJob.objects.create(**values)
        for values in sorted(kept[Upload], key=lambda one: (one["parent_id"] is not None, str(one["id"]))):
            Upload.objects.create(**values)
        for values in kept[StatusChange]:
            StatusChange.objects.filter(pk=values.pop("id")).update(**values)
        for values in orders:
            shop.counter.orders.filter(pk=values.pop("id")).update(**values)
        doubt = Upload.objects.unsettled().exclude(file="")
        doubt.update(state=UploadState.UNKNOWN, not_before=None)
        UploadJob.objects.filter(state=JobState.RUNNING).update(lease_until=None, not_before=None)

    def test_files_that_went_meanwhile_are_adopted_and_not_sent(
        self, shop: Shop, quick: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two halves of a refused file, of two rows each, waited in the backup; both have gone since."""
        quick.UPLOAD_UNKNOWN_SECONDS = 0.2
        for number in range(4):
            shop.push(f"B-{number}", "a1")
        shop.fault("refuse_row", contains="B-", location=False)
        job = shop.ask()
        with monkeypatch.context() as patch:
            patch.setattr(pacing, "TURN_SECONDS", -1.0)  # one step a turn
            while not shop.uploads(part=Part.HALF):
                run_job(job.pk)
        with self.restored(shop):
            assert shop.upload(job).state == JobState.SUCCEEDED
            sent = shop.sends()
        job = UploadJob.objects.get(pk=job.pk)
        assert {upload.state for upload in shop.uploads(part=Part.HALF)} == {UploadState.UNKNOWN}
        assert {upload.attempts for upload in shop.uploads(part=Part.HALF)} == {0}
        assert shop.upload(job).state == JobState.SUCCEEDED
        assert shop.sends() == sent, "what Metrica had was sent again"
        assert shop.all_delivered()
        ids = [upload.uploading_id for upload in shop.uploads(part=Part.HALF)]
        assert len(set(ids)) == 2
        for number in range(4):
            assert shop.arrived(f"B-{number}") == ["a1"]

    def test_files_that_never_went_go_now(self, shop: Shop, quick: Any) -> None:
        quick.UPLOAD_UNKNOWN_SECONDS = 0.2
        shop.push("B-9", "a1")
        shop.fault("server_error", retry_after=600)
        job = shop.ask()
        run_job(job.pk)
        UploadJob.objects.update(not_before=None)
        Upload.objects.update(state=UploadState.UNKNOWN, attempts=0, sent_at=None, started_at=None, not_before=None)
        assert shop.upload(job).state == JobState.SUCCEEDED
        assert shop.arrived("B-9") == ["a1"]
