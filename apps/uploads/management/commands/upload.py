"""`upload`: asks for an upload job, and waits for its end if told to."""

import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import TracedCommand
from apps.counters.models import Counter
from apps.uploads import heartbeats, problems, runner
from apps.uploads.models import UNFINISHED_JOBS, JobState, Trigger, UploadJob
from apps.uploads.services import request_upload

WORKER_SEEN_WITHIN = 15.0
PATIENCE = 5.0
"""Seconds to wait for a worker to take the job before it is run here."""


class Command(TracedCommand):
    help = "Asks for an upload of all that is due of a counter."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG")
        parser.add_argument("--counter", required=True, type=int, metavar="ID", help="Metrica's counter number")
        parser.add_argument("--wait", action="store_true", help="show progress until the job has ended")

    def handle(self, *args: Any, **options: Any) -> None:
        counter = Counter.objects.filter(agency__slug=options["agency"], metrica_id=options["counter"]).first()
        if counter is None:
            raise CommandError(f"Agency {options['agency']!r} has no counter {options['counter']}.")
        job = request_upload(counter=counter, trigger=Trigger.COMMAND)
        self.stdout.write(f"Upload job {job.pk} for {counter}: {job.state}.")
        if not options["wait"]:
            return
        job = self._wait(job)
        self._report(job)
        if job.state != JobState.SUCCEEDED:
            sys.exit(1)

    def _wait(self, job: UploadJob) -> UploadJob:
        began = time.monotonic()
        here = not heartbeats.worker_seen(within=WORKER_SEEN_WITHIN)
        if here:
            self.stdout.write("No worker is running: the job is done in this process.")
        shown = ""
        while job.state in UNFINISHED_JOBS:
            if here:
                runner.run_job(job.pk)
            time.sleep(_seconds_to(job) if here else 0.3)
            job.refresh_from_db()
            if not here and job.state == JobState.QUEUED and time.monotonic() - began > PATIENCE:
                here = not heartbeats.worker_seen(within=WORKER_SEEN_WITHIN)
            shown = self._show(job, shown)
        return job

    def _show(self, job: UploadJob, shown: str) -> str:
        line = f"  {job.delivered} of {job.changes} delivered, {job.rejected} rejected, {job.held} held"
        if job.state in UNFINISHED_JOBS and job.error_code:
            line += f"; waiting: {job.error_code}"
        if line != shown:
            self.stdout.write(line)
            self.stdout.flush()
        return line

    def _report(self, job: UploadJob) -> None:
        self.stdout.write(
            f"{job.get_state_display()}: {job.delivered} delivered, {job.resent} sent again, {job.rejected} rejected, "
            f"{job.held} held, {job.uploads.count()} file(s)."
        )
        if problem := problems.describe(job.error_code):
            self.stderr.write(f"{problem.message} {problem.next_step}")
        elif job.state == JobState.PARTLY_FAILED:
            self.stderr.write("Not everything was delivered. The holds and the rejected changes say why.")


def _seconds_to(job: UploadJob) -> float:
    """Until the job may be taken up again."""
    not_before = UploadJob.objects.values_list("not_before", flat=True).get(pk=job.pk)
    if not_before is None:
        return 0.05
    return min(max((not_before - timezone.now()).total_seconds(), 0.05), 5.0)
