"""What the queue calls. Arguments are keys only; the work and its truth are in the database."""

from apps.agencies import actor as actors
from apps.alerts import telling
from apps.audit import trace


def tell(channel_id: int) -> None:
    """Send a channel its news."""
    with trace.traced(actor=actors.system("worker"), source="worker"):
        telling.tell(channel_id)
