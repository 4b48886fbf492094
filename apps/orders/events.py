"""What this app tells whoever listens; apps below subscribe in their AppConfig."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal

# After the commit of changes that may go now. Sent with: counter_id (primary key), counter (as their transaction read
# it, or None where it did not).
changes_accepted = Signal()

# Status changes were delivered, rejected or held: sent in the transaction that does so, once for each call. Sent with:
# delivery (apps.orders.models.Delivery), code and message (of a rejection; the code of a hold is its reason), and which
# changes: upload_id (all of this upload that are in this state now), change_ids (these ones, of one counter; with
# upload_id, where they were in a file), or counter_id alone (all that waited of a counter that is blocked now).
changes_settled = Signal()

# Rows gave orders another creation time: sent in the transaction that does so. Sent with: counter_id (primary key),
# left (the creation times, aware, that the orders had).
creations_moved = Signal()


def announce_accepted(counter_id: int, counter: Any = None) -> None:
    """Tell it once this transaction has committed."""
    # No partial: where the hook fails, Django asks for its name.
    transaction.on_commit(
        lambda: changes_accepted.send(sender=None, counter_id=counter_id, counter=counter), robust=True
    )
