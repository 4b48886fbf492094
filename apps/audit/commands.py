"""What every management command of Goalpost starts from: all it does is traced to it (R12)."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand

from apps.agencies import actor as actors
from apps.audit import trace


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "?"


class TracedCommand(BaseCommand):
    """Runs `handle` as the system, labelled with the command and the login of who started it."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        command = type(self).__module__.rpartition(".")[2]
        actor = actors.system(f"command {command} by {_login()}")
        with trace.traced(actor=actor, source="command"):
            return super().execute(*args, **options)
