"""Where an account's Metrica is, and whether it may be called there.

An account's own address is written by the platform's staff; it gets the account's token, and it must not lead to what
only this machine can reach. It is looked at when it is written and again, name and all, at each connection.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.agencies.outgoing import may_be_reached
from apps.counters.models import MetricaAccount
from apps.metrica.guarded import Reach


def address_of(account: MetricaAccount) -> str:
    """The real one, or the sandbox of a rehearsal."""
    return account.base_url or settings.METRICA_URL


def host_of(account: MetricaAccount) -> str:
    """Host and port: what Metrica's quotas and its outages are bound to."""
    return urlsplit(address_of(account)).netloc.lower()


def reach_of(account: MetricaAccount) -> Reach | None:
    """What may be connected to for this account. None, all: at the address of the settings, which is the platform's."""
    return None if _is_of_settings(address_of(account)) else _may_reach


def checked_address(text: str) -> str:
    """An account's own address as it is kept; blank is the one of the settings. Raises ValidationError by field."""
    address = text.strip().rstrip("/")
    if not address or _is_of_settings(address):
        return address
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        fits = fits and not (parts.query or parts.fragment or "@" in parts.netloc or "\\" in address)
    except ValueError:
        fits = False
    if not fits:
        message = _("Write an address like https://api-metrika.yandex.net, without user name, query or “#”.")
        raise ValidationError({"base_url": ValidationError(message, code="bad_address")})
    if parts.scheme == "http" and not settings.OUTGOING_PLAIN_HTTP:
        message = _("The token would go there unencrypted. Write an address that begins with https://.")
        raise ValidationError({"base_url": ValidationError(message, code="plain_http")})
    if not _is_public_as_written(parts.hostname or ""):
        message = _("The address leads into a private network. The platform's owner can allow it in the settings.")
        raise ValidationError({"base_url": ValidationError(message, code="not_public")})
    return address


def _is_of_settings(address: str) -> bool:
    ours, theirs = urlsplit(settings.METRICA_URL), urlsplit(address)
    return (ours.scheme, ours.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())


def _may_reach(address: IPv4Address | IPv6Address) -> bool:
    return may_be_reached(address, allowed=settings.OUTGOING_ALLOWED_NETWORKS)


def _is_public_as_written(host: str) -> bool:
    """Names are looked up when a connection is made; an address, or the name of this machine, says it by itself."""
    try:
        return _may_reach(ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        return True
