"""Advanced matching: Metrica finds visits by the e-mails and phones of visitors too (page: manage-protocol)."""

from django.db import transaction

from apps.audit.services import record
from apps.counters.gateway import PAGE_SECONDS, metrica_client
from apps.counters.models import Counter
from apps.counters.services import note_info
from apps.metrica.errors import CATALOGUE


def switch_on(*, counter: Counter) -> None:
    """Switch it on at Metrica, and keep what it says then. One call; it may be repeated.

    Raises the errors of apps.metrica.errors: after an UnknownOutcome, read the counter.
    Call it outside any transaction.
    """
    if counter.account is None:
        raise CATALOGUE["unauthorized"].error()
    with metrica_client(counter.account, counter=counter, total_timeout=PAGE_SECONDS) as client:
        info = client.set_counter_flags(counter.metrica_id, collect_first_party_data=True)
    with transaction.atomic():
        note_info(counter=counter, info=info)
        record(
            action="counter.matching_switched_on",
            agency=counter.agency_id,
            obj=counter,
            before={"advanced_matching": counter.advanced_matching},
            after={"advanced_matching": info.collect_first_party_data},
        )
