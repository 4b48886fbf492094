"""How long a job goes on and how large its next file may be: as it likes while nobody else waits, else in short steps,
so that whoever comes with a fresh change gets a worker within seconds."""

import time

from apps.counters import stopping
from apps.uploads import choosing
from apps.uploads.models import UploadJob

TURN_SECONDS = 20.0
"""After so long a job lets others have their turn, whoever they are."""

SHORT_TURN_SECONDS = 5.0
"""After so long it lets those have theirs who come before it by the rule of choosing."""

SMALL_ROWS = 30_000
SMALL_BYTES = 8 * 1024 * 1024
"""A file that is planned, sent and settled in a few seconds."""

_LOOK_EVERY = 1.0


class Pace:
    """Of one turn of a job. What it asks of the database it asks once a second at most.

    `none_urgent`: no order was found in this turn that is to go before others, so nobody looks again.
    """

    none_urgent = False

    def __init__(self, *, job: UploadJob, agency_id: int) -> None:
        self.agency_id = agency_id
        self._job = job
        self._began = time.monotonic()
        self._looked = -_LOOK_EVERY
        self._floor_full = self._others_first = False

    @property
    def seconds(self) -> float:
        """Since the turn began."""
        return time.monotonic() - self._began

    @property
    def turn_over(self) -> bool:
        """True where the job is to be put back after the present step."""
        return self.seconds > TURN_SECONDS or self.cut_short

    @property
    def cut_short(self) -> bool:
        """True where even the present step is to end as soon as it can."""
        return stopping.requested() or (self.seconds > SHORT_TURN_SECONDS and self._look()[1])

    def enough(self, *, rows: int, size: int) -> bool:
        """True where a file of so many rows and bytes is large enough for now."""
        if (rows >= SMALL_ROWS or size >= SMALL_BYTES) and any(self._look()):
            return True
        return self.cut_short

    def _look(self) -> tuple[bool, bool]:
        """Whether no worker is left for others, and whether one of them comes first."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY:
            self._looked = now
            floor = choosing.Floor.now(without=self._job.pk)
            self._floor_full = floor.full_with_one_more
            self._others_first = choosing.others_first(
                job=self._job, agency_id=self.agency_id, seconds=self.seconds, floor=floor
            )
        return self._floor_full, self._others_first
