"""From where a request comes: the one notion of it, for the log, for keys' networks and for the lock-out of guessing.

Nothing that a caller writes is believed unless a proxy of ours stands in between (BEHIND_PROXY), and then only what
that proxy wrote: each appends the address that it was called from to X-Forwarded-For, so that is read from its end.
"""

from ipaddress import IPv6Address, ip_network

from django.conf import settings
from django.http import HttpRequest

from apps.agencies.networks import Address, read_address


def address_of(request: HttpRequest) -> str | None:
    """The caller's address; None where it cannot be told.

    With TRUSTED_PROXIES (networks) the first address from the end of X-Forwarded-For that is none of theirs, and only
    where the connection itself comes from one of them. Without: the last one, which the one proxy wrote.
    """
    near = read_address(request.META.get("REMOTE_ADDR"))
    # Of several headers of this name the server makes one, in their order.
    said = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if not settings.BEHIND_PROXY or not said:
        return _text(near)
    trusted = settings.TRUSTED_PROXIES
    if trusted and near is not None and not _is_ours(near):  # by a socket file there is no address: that is ours
        return str(near)
    for part in reversed(said.split(",")):
        address = read_address(_without_port(part.strip()))
        if address is None:
            return None  # whoever wrote this is no proxy that we know the ways of
        if not (trusted and _is_ours(address)):
            return str(address)
    return _text(near)


def counted_address_of(request: HttpRequest) -> str | None:
    """The caller's address for counting: of IPv6 its network of 64 bits, of which every home has at least one."""
    address = read_address(address_of(request))
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False).network_address)
    return _text(address)


def _is_ours(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _without_port(text: str) -> str:
    """Some proxies write 192.0.2.1:4711 and [2001:db8::1]:4711."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)
