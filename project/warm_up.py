"""What a web process does once, before its first request."""

import gc

from django.urls import get_resolver


def warm_up() -> None:
    """Load all pages, and let the collector of garbage leave alone for good what is there by then: some 200,000 objects
    that live as long as the process does. It would look at each of them again and again, a tenth of a second every few
    requests."""
    for pattern in get_resolver().url_patterns:
        getattr(pattern, "url_patterns", None)
    gc.collect()
    gc.freeze()
