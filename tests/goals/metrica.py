"""Order statuses at Metrica: what somebody else does there, and what was asked of it."""

import json
from dataclasses import dataclass, field
from typing import Any

from apps.counters.models import ApiCall, Counter
from apps.sandbox import services as sandbox
from apps.sandbox.models import SandboxCounter, SandboxStatus
from tests.factories import make_account, make_counter
from tests.metrica.servers import ScriptedServer, Talk

TOKEN = "y0_goals"


def known_to_sandbox(number: int = 40000001) -> SandboxCounter:
    """The counter as the sandbox has it; it takes as many calls a second as come."""
    sandbox.set_limit(name="requests_by_ip", value=None)
    return sandbox.create_counter(metrica_id=number, name="Shop", owner_login="goals", token=TOKEN)


def counter_of(at_metrica: SandboxCounter, url: str, **fields: Any) -> Counter:
    """The same counter here. `url`: a live server's."""
    account = make_account(token=TOKEN, base_url=f"{url}/sandbox")
    return make_counter(account=account, metrica_id=at_metrica.metrica_id, **fields)


@dataclass
class Statuses:
    """The statuses of a sandbox counter, as somebody else changes them; and the calls that Goalpost made for them."""

    counter: SandboxCounter

    def all(self) -> dict[str, dict[str, Any]]:
        return {
            row.status_id: {"humanized": row.humanized, "type": row.type, "goal_action_ids": row.goal_action_ids}
            for row in SandboxStatus.objects.filter(counter=self.counter).order_by("pk")
        }

    def __getitem__(self, status_id: str) -> dict[str, Any]:
        return self.all()[status_id]

    def put(self, status_id: str, type: str, name: str = "", *goals: str) -> None:
        self.change(status_id, type=type, humanized=name or status_id, goal_action_ids=list(goals))

    def change(self, status_id: str, **fields: Any) -> None:
        SandboxStatus.objects.update_or_create(counter=self.counter, status_id=status_id, defaults=fields)

    def remove(self, status_id: str) -> None:
        SandboxStatus.objects.filter(counter=self.counter, status_id=status_id).delete()

    def calls(self, method: str = "") -> int:
        calls = ApiCall.objects.filter(url__contains="/schema/order_statuses")
        return (calls.filter(method=method) if method else calls).count()

    def sent(self) -> list[dict[str, Any]]:
        """What the last push named."""
        call = ApiCall.objects.filter(url__contains="/schema/order_statuses", method="POST").latest("id")
        return json.loads(call.request_body)["order_statuses"]


@dataclass
class Forgetful:
    """A Metrica that says that it took statuses and does not keep those of `loses`: the sandbox has no such fault."""

    loses: frozenset[str]
    statuses: dict[str, Any] = field(default_factory=dict)

    def serve(self) -> ScriptedServer:
        return ScriptedServer(self._talk)

    def _talk(self, talk: Talk) -> None:
        while True:
            request = talk.read_request()
            if request.line.startswith("GET"):
                talk.answer(200, {"order_statuses": list(self.statuses.values())})
                continue
            for status in json.loads(request.body)["order_statuses"]:
                if status["id"] not in self.loses:
                    self.statuses[status["id"]] = status
            talk.answer(200, {"success": True})
