"""Which addresses Goalpost may speak to of its own accord: public ones, and those that the platform's owner allows."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Everything of IANA's special-purpose registry that is not somebody's public server, multicast and what is reserved.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
# Of IPv6 only this part is given to public hosts. Outside lie ::1, mapped and translated IPv4, fc00::/7, fe80::/10 and
# ff00::/8.
_PUBLIC_V6 = IPv6Network("2000::/3")

# Where clouds tell a machine its secrets. No setting opens these.
_METADATA = frozenset(
    ip_address(text)
    for text in (
        *("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    )
)


def may_be_reached(address: Address, *, allowed: Iterable[Network]) -> bool:
    """True for a public address, and for one of the `allowed` networks; never for a cloud's metadata service."""
    if _plain(address) in _METADATA:
        return False
    if any(address in network for network in allowed):
        return True
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address not in _PUBLIC_V6):
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _plain(address: Address) -> Address:
    """The IPv4 address within a mapped one, and an IPv6 address without its zone."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address
