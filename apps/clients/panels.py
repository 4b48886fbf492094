"""What the apps below put on a client's page: their orders."""

from apps.counters.ui.pages import Panel

client_panels: list[Panel] = []
