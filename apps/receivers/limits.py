"""How often one receiver is posted to: a CRM that runs in a circle does not keep the others out."""

import time

from django.conf import settings
from django.core.cache import cache

from apps.receivers.models import Receiver


def too_many(receiver: Receiver) -> bool:
    """Counts this post. By each web process; with REDIS_URL by all together."""
    key = f"receivers:came:{receiver.pk}:{int(time.time() // 60)}"
    cache.add(key, 0, timeout=120)
    try:
        return int(cache.incr(key)) > settings.RECEIVER_POSTS_A_MINUTE
    except ValueError:  # a cache that is away, or was emptied meanwhile
        return False
