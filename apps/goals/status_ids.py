"""What a status is called at Metrica: by transliteration where nobody says it, and fixed once Metrica knows it."""

from collections.abc import Collection

from apps.metrica.transliteration import likely_order_status_id
from apps.metrica.vocabulary import MAX_ID_LENGTH


def derived_id(crm_status: str, *, taken: Collection[str]) -> str:
    """An id for the status that none of `taken` has: "Новый лид" becomes novyy_lid, the next that does
    novyy_lid_2.
    """
    likely = likely_order_status_id(crm_status)
    found, number = likely, 1
    while found in taken:
        number += 1
        ending = f"_{number}"
        found = likely[: MAX_ID_LENGTH - len(ending)] + ending
    return found
