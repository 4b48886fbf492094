"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from apps.agencies import actor as actors
from apps.audit import trace
from apps.hooks import rounds


def send_round(_name: str) -> None:
    """Call the endpoints that have something waiting, for a short while."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        rounds.SENDING.run()
