"""What the apps below put on a client's page: their orders."""

from collections.abc import Callable, Iterator

from apps.clients.models import Client
from apps.counters.ui.pages import Panel

client_panels: list[Panel] = []

client_data: list[Callable[[Client], Iterator[str]]] = []
"""Tells all that is known of a client as JSON, in pieces; the first counts."""
