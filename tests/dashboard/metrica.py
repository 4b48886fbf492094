"""A Metrica with nothing but reports: a real server that answers from tables, over real HTTP."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.metrica.servers import ScriptedServer, Talk, envelope

SYSTEM = ("cdp_order_in_progress", "cdp_order_paid", "cdp_order_cancelled", "cdp_order_spam")


@dataclass
class Reports:
    """`days`: {day: {metric without its prefix: number}}, goals by their name: `{"good_lead": 3}`.

    `refusals`: answers (status, body) given to reports before the good ones.
    """

    days: dict[date, dict[str, float]] = field(default_factory=dict)
    goals: list[str] = field(default_factory=list)
    condition: str = "exact"
    system_goals: bool = True
    zone: str = "Europe/Moscow"
    first_party: bool | None = True
    sampled: bool = False
    refusals: list[tuple[int, Any]] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    server: ScriptedServer = field(init=False)

    def __enter__(self) -> Self:
        self.server = ScriptedServer(self._talk).__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self.server.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return self.server.url

    def set(self, day: date, **numbers: float) -> None:
        self.days.setdefault(day, {}).update(numbers)

    def _goals(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        if self.system_goals:
            rows += [{"id": 10 + number, "name": kind, "type": kind} for number, kind in enumerate(SYSTEM)]
        for number, goal in enumerate(self.goals):
            condition = {"type": self.condition, "url": goal}
            rows.append({"id": 1000 + number, "name": goal, "type": "action", "conditions": [condition]})
        return rows

    def _talk(self, talk: Talk) -> None:
        request = talk.read_request()
        address = urlsplit(request.line.split(" ")[1])
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path.startswith("/management/") and address.path.endswith("/goals"):
            talk.answer(200, {"goals": self._goals()})
        elif address.path.startswith("/management/"):
            number = int(address.path.rpartition("/")[2])
            counter = {"id": number, "name": "Site", "time_zone_name": self.zone, "permission": "edit"}
            if self.first_party is not None and "counter_flags" in query.get("field", ""):
                counter["counter_flags"] = {"collect_first_party_data": self.first_party}
            talk.answer(200, {"counter": counter})
        elif address.path == "/stat/v1/data":
            self.queries.append(query)
            if self.refusals:
                status, body = self.refusals.pop(0)
                talk.answer(status, body)
            else:
                talk.answer(200, self._report(query))
        else:
            talk.answer(404, envelope("not_found", code=404))

    def _report(self, query: dict[str, str]) -> dict[str, Any]:
        metrics = query["metrics"].split(",")
        assert len(metrics) <= 20
        names = {f"goal{goal['id']}reaches": _identifier(goal) for goal in self._goals()}
        day, last = date.fromisoformat(query["date1"]), date.fromisoformat(query["date2"])
        rows = []
        while day <= last:
            known = self.days.get(day, {})
            values = [float(known.get(_key(metric, names), 0)) for metric in metrics]
            if any(values):  # a row of nothing but zeros is left out
                rows.append({"dimensions": [{"name": day.isoformat()}], "metrics": values})
            day += timedelta(days=1)
        return {
            "query": {"ids": [int(query["ids"])], "metrics": metrics, "dimensions": ["ym:s:date"]},
            "data": rows[: int(query.get("limit", 100))],
            "totals": [sum(column) for column in zip(*(row["metrics"] for row in rows), strict=True)]
            or [0.0] * len(metrics),
            "total_rows": len(rows),
            "sampled": self.sampled,
        }


def _key(metric: str, names: dict[str, str]) -> str:
    plain = metric.removeprefix("ym:s:")
    return names.get(plain, plain)


def _identifier(goal: dict[str, Any]) -> str:
    return goal["conditions"][0]["url"] if goal["type"] == "action" else goal["type"]
