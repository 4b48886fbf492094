"""A Metrica on the loopback that holds one counter's order statuses, for what the sandbox has no switch for."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.metrica.servers import ScriptedServer, Talk


@dataclass
class StatusesAtMetrica:
    """`replaces`: POST makes the list anew; else it adds and changes. `loses`: ids that it takes and forgets."""

    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    replaces: bool = False
    loses: frozenset[str] = frozenset()
    gets: int = 0
    posts: list[list[dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def put(self, metrica_id: str, type: str, name: str = "", *goals: str) -> None:
        """What somebody else does at Metrica."""
        self.statuses[metrica_id] = {
            "id": metrica_id,
            "humanized": name or metrica_id,
            "type": type,
            "goal_action_ids": list(goals),
        }

    def serve(self) -> ScriptedServer:
        return ScriptedServer(self._talk)

    @property
    def calls(self) -> int:
        return self.gets + len(self.posts)

    def _talk(self, talk: Talk) -> None:
        while True:
            request = talk.read_request()
            method, path, _version = request.line.split()
            assert path.split("?")[0].endswith("/schema/order_statuses"), path
            assert request.headers["authorization"].startswith("OAuth ")
            if method == "GET":
                self.gets += 1
                talk.answer(200, {"order_statuses": list(self.statuses.values())})
                continue
            sent = json.loads(request.body)["order_statuses"]
            self.posts.append(sent)
            if self.replaces:
                self.statuses.clear()
            self.statuses.update({status["id"]: status for status in sent if status["id"] not in self.loses})
            talk.answer(200, {"success": True})
