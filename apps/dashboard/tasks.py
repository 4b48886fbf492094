"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from apps.agencies import actor as actors
from apps.audit import trace
from apps.dashboard.comparison import running
from apps.dashboard.rollup import running as rollup


def compare(counter_id: int) -> None:
    """A turn of a counter's comparison with Metrica."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        running.run(counter_id)


def roll_up() -> None:
    """A turn of keeping the numbers of the home page."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        rollup.run()
