"""Time-ordered identifiers (UUID version 7): new rows land at the end of an index, and their text sorts by age."""

import uuid

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    return uuid_utils.compat.uuid7()
