"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from apps.agencies import actor as actors
from apps.audit import trace
from apps.receivers import rounds


def work_round(_name: str) -> None:
    """Work on posts that are due, for a short while."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        rounds.WORKING.run()
