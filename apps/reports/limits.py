"""How often one address may ask for public pages: who guesses at secrets is slowed down, who reads notices nothing."""

import time
from typing import Final

from django.core.cache import cache
from django.http import HttpRequest

from apps.agencies.callers import counted_address_of

A_MINUTE: Final = 120
"""Of each web process; with REDIS_URL of all together. A secret has 256 bits, so this keeps load away, not luck."""


def too_many(request: HttpRequest) -> bool:
    """Counts this request."""
    key = f"reports:asked:{counted_address_of(request)}:{int(time.time() // 60)}"
    cache.add(key, 0, timeout=120)
    try:
        return int(cache.incr(key)) > A_MINUTE
    except ValueError:  # a cache that is away, or was emptied meanwhile
        return False
