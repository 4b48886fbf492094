"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from apps.agencies import actor as actors
from apps.audit import trace
from apps.dashboard.comparison import running


def compare(counter_id: int) -> None:
    """A turn of a counter's comparison with Metrica."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        running.run(counter_id)
