"""Asks a server that always answers the same, and keeps the request as it arrived."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from apps.metrica.client import MetricaClient
from tests.metrica.servers import Seen, answering
from tests.metrica.test_client import client_for

CSV = b"uniq_id,emails\r\nC-1,a@b.ru\r\n"
JSON = b'{"contacts": [{"uniq_id": "C-1"}]}'
SUCCESS = {"success": True}
GOAL = {
    "id": 300000001,
    "name": "Good lead",
    "type": "action",
    "conditions": [{"type": "exact", "url": "good_lead"}],
    "default_price": 12.5,
    "is_favorite": 1,
    "goal_source": "user",
    "status": "Active",
    "flag": "basket",
}


def address(seen: Seen) -> tuple[str, str, dict[str, list[str]]]:
    """Method, path and parameters of a request."""
    method, target, _version = seen.line.split()
    path, _, query = target.partition("?")
    return method, path, parse_qs(query, keep_blank_values=True)


def asked(body: object, call: Callable[[MetricaClient], Any]) -> tuple[Any, Seen]:
    """What `call` makes of this answer, and the request as it arrived."""
    with answering(200, body) as server, client_for(server) as client:
        result = call(client)
    (seen,) = server.seen
    return result, seen


def sent_json(seen: Seen) -> Any:
    assert seen.headers["content-type"] == "application/json"
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert "transfer-encoding" not in seen.headers
    return json.loads(seen.body, parse_float=Decimal)
