"""What this app tells whoever listens; uploads subscribe."""

from functools import partial

from django.db import transaction
from django.dispatch import Signal

# After the commit of changes that may go now. Sent with: counter_id (primary key).
changes_accepted = Signal()


def announce_accepted(counter_id: int) -> None:
    """Tell it once this transaction has committed."""
    transaction.on_commit(partial(changes_accepted.send, sender=None, counter_id=counter_id), robust=True)
