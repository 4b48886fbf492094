"""Where an account's Metrica is."""

from urllib.parse import urlsplit

from django.conf import settings

from apps.counters.models import MetricaAccount


def address_of(account: MetricaAccount) -> str:
    """The real one, or the sandbox of a rehearsal."""
    return account.base_url or settings.METRICA_URL


def host_of(account: MetricaAccount) -> str:
    """Host and port: what Metrica's quotas and its outages are bound to."""
    return urlsplit(address_of(account)).netloc.lower()
