"""Time-ordered identifiers (UUID version 7): new rows land at the end of an index, and their text sorts by age."""

import uuid
from datetime import datetime

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    return uuid_utils.compat.uuid7()


def first_key(at: datetime) -> uuid.UUID:
    """No identifier made from that moment on is lower, and none made before is higher."""
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)
