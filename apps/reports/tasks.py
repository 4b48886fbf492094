"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from apps.agencies import actor as actors
from apps.audit import trace
from apps.reports.letters import sending


def send_letters(link_id: int) -> None:
    """The letters of a link that are due."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        sending.send_due(link_id)
