"""Connections to addresses that somebody has looked at first, for a base URL that a person wrote down.

A name is looked up once for each connection, all that it means is judged, and the connection goes to one of these very
addresses, so a name that means another address a moment later gains nothing. TLS keeps the name.
"""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpcore

Reach = Callable[[IPv4Address | IPv6Address], bool]
NOT_ALLOWED = "The address leads into a network that may not be called. OUTGOING_ALLOWED_NETWORKS names those that may."


class GuardedBackend(httpcore.SyncBackend):
    """`may_reach` is asked of every address of the name."""

    def __init__(self, may_reach: Reach) -> None:
        self._may_reach = may_reach

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = [ip_address(text) for text in dict.fromkeys(str(entry[4][0]) for entry in entries)]
        except (OSError, UnicodeError, ValueError) as error:
            raise httpcore.ConnectError(str(error)) from error
        if not found or not all(self._may_reach(address) for address in found):
            raise httpcore.ConnectError(NOT_ALLOWED)
        trouble: Exception | None = None
        for address in found:
            try:
                return super().connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        assert trouble is not None
        raise trouble

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise httpcore.ConnectError(NOT_ALLOWED)
