"""A base URL that somebody wrote down leads to where it may, whatever its name means a moment later."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest

from apps.metrica.client import MetricaClient
from apps.metrica.errors import NotSent
from tests.metrica.servers import ScriptedServer, answering

PUBLIC = "93.184.216.34"
Address = IPv4Address | IPv6Address


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Gives a name its addresses: one list for each time it is asked for, the last one from then on."""
    real = socket.getaddrinfo

    def give(name: str, *answers: list[str]) -> list[str]:
        asked: list[str] = []

        def resolver(host: Any, port: Any, *more: Any, **options: Any) -> Any:
            if host != name:
                return real(host, port, *more, **options)
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [entry for address in found for entry in real(address, port, *more, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        return asked

    return give


def ask(server: ScriptedServer, may_reach: Callable[[Address], bool], *, host: str = "metrica.example") -> Any:
    port = server.url.rpartition(":")[2]
    with MetricaClient(base_url=f"http://{host}:{port}", token="t", timeout=3, may_reach=may_reach) as client:
        return client.last_uploadings(7)


def loopback_alone(address: Address) -> bool:
    return address.is_loopback


def public_alone(address: Address) -> bool:
    return address.is_global


def test_a_name_of_an_allowed_address_is_called(names: Callable[..., list[str]]):
    names("metrica.example", ["127.0.0.1"])
    with answering(200, {"uploadings": []}) as server:
        assert ask(server, loopback_alone) == []
    assert server.seen[0].headers["host"].startswith("metrica.example:")


@pytest.mark.parametrize("found", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["169.254.169.254"], ["::1"]])
def test_a_name_that_leads_inside_is_not_called(names: Callable[..., list[str]], found: list[str]):
    names("metrica.example", found)
    with answering(200, {"uploadings": []}) as server:
        with pytest.raises(NotSent) as refusal:
            ask(server, public_alone)
        assert not server.seen
    assert "OUTGOING_ALLOWED_NETWORKS" in refusal.value.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f.1", "2130706433", "localhost"])
def test_nor_is_an_address_however_it_is_written(host: str):
    with answering(200, {"uploadings": []}) as server:
        with pytest.raises(NotSent):
            ask(server, public_alone, host=host)
        assert not server.seen


def test_a_name_that_means_something_else_a_moment_later_gains_nothing(names: Callable[..., list[str]]):
    asked = names("metrica.example", ["127.0.0.1"], [PUBLIC])
    judged: list[Address] = []

    def judge(address: Address) -> bool:
        judged.append(address)
        return address.is_loopback

    with answering(200, {"uploadings": []}) as server:
        assert ask(server, judge) == []
    # What was judged is what was called: it was looked up once.
    assert asked == ["metrica.example"]
    assert judged == [ip_address("127.0.0.1")]


def test_without_a_judge_all_may_be_called():
    with answering(200, {"uploadings": []}) as server, MetricaClient(base_url=server.url, token="t") as client:
        assert client.last_uploadings(7) == []
