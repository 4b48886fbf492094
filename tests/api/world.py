"""An agency whose counter is known to the sandbox of the same server, with something of everything: what programs meet
that speak to the API over HTTP."""

import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.counters.models import Counter
from apps.counters.services import connect_account
from apps.goals.services import set_status
from apps.imports.models import ImportJob, ReportPart
from apps.orders import clients_in
from apps.orders.intake import accept_all
from apps.orders.models import Source
from apps.sandbox import services as sandbox
from apps.uploads.models import JobState, UploadJob
from tests.factories import make_agency, make_counter, make_key

NUMBER = 40000001
STATUS = "Новый лид"
_TOKEN = "y0_world"


@dataclass(frozen=True)
class World:
    """`ended_*`: what nothing moves any more; `living_*`: what waits still."""

    key: str
    counter: Counter
    ended_job: UUID
    living_job: UUID
    ended_import: UUID
    living_import: UUID

    def of_operation(self, name: str) -> dict[str, Any]:
        """What stands in the address of this operation."""
        kind = "import" if "import" in name else "job"
        state = "living" if name.startswith("cancel_") else "ended"
        return {
            "metrica_id": NUMBER,
            "order_id": "D-1",
            "client_id": "C-1",
            "crm_status": STATUS,
            "id": str(getattr(self, f"{state}_{kind}")),
        }


def make_world(url: str) -> World:
    """`url`: of the server."""
    agency = make_agency("north")
    account = connect_account(agency=agency, login="north-metrica", token=_TOKEN, base_url=f"{url}/sandbox")
    counter = make_counter(account=account, metrica_id=NUMBER, name="Dental clinics")
    for limit in ("requests_by_ip", "requests_by_uid"):
        sandbox.set_limit(name=limit, value=None)
    sandbox.create_counter(metrica_id=NUMBER, name="Clinics", owner_login="north-metrica", token=_TOKEN)
    set_status(counter=counter, crm_status=STATUS, type="IN_PROGRESS", goal_action_ids=["good_lead"])
    when = (timezone.now() - timedelta(days=3)).isoformat()
    row = {"id": "D-1", "create_date_time": when, "order_status": STATUS, "client_ids": ["17000000001"]}
    accept_all(counter=counter, rows=[{**row, "client_uniq_id": "C-0"}], source=Source.API)
    clients_in.accept_all(counter=counter, rows=[{"uniq_id": "C-1", "name": "Anna"}], source=Source.API)
    kept = {"counter": counter, "name": "orders.csv", "kind": "csv", "sample": zlib.compress(b"id\n")}
    ended_import = ImportJob.objects.create(**kept, state="partly_failed", rejected=1, reported=1)
    ReportPart.objects.create(job=ended_import, first_line=2, rows=1, body=zlib.compress(b"2,id,required,Why,\n"))
    return World(
        key=make_key(agency)[1],
        counter=counter,
        ended_job=UploadJob.objects.create(counter=counter, trigger="api", state=JobState.SUCCEEDED).pk,
        living_job=UploadJob.objects.create(counter=counter, trigger="api", state=JobState.QUEUED).pk,
        ended_import=ended_import.pk,
        living_import=ImportJob.objects.create(**kept, state="queued").pk,
    )
