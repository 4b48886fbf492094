"""Networks that people write down, like 192.0.2.0/24 or 2001:db8::/32, and addresses within them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MOST_NETWORKS = 50
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def read_address(text: str | None) -> Address | None:
    """The address; one of IPv4 in IPv6's clothes as what it is. None for anything else."""
    try:
        address = ip_address((text or "").strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # Without the name of the interface that it came by.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def is_within(address: str | None, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of them. An address that is not known lies in none."""
    found = read_address(address)
    return found is not None and any(found in _network(text) for text in networks)


def words_of(text: str) -> list[str]:
    """What a person wrote, one network a word."""
    return [word for word in re.split(r"[\s,;]+", text) if word]


def checked_networks(networks: Iterable[str] | None) -> list[str] | None:
    """The networks as they are kept, each once and written one way; None is no limit. Raises ValidationError."""
    if networks is None:
        return None
    found: dict[str, None] = {}
    for text in networks:
        found.setdefault(_checked(text))
    if not found:
        raise ValidationError(_("Write at least one network, or leave this empty: from anywhere."), code="none_chosen")
    if len(found) > MOST_NETWORKS:
        message = _("A key takes up to %(limit)s networks. Write wider ones.")
        raise ValidationError(message, code="too_many", params={"limit": MOST_NETWORKS})
    return list(found)


def _checked(text: str) -> str:
    try:
        network = ip_network(text.strip(), strict=False)
    except (ValueError, AttributeError):
        message = _("“%(text)s” is no network. Write for example 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.")
        raise ValidationError(message, code="invalid", params={"text": str(text)[:60]}) from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        network = ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return str(network)


@lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    return ip_network(text)
