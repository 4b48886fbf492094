"""`tick`: one step of the scheduler and sweeper."""

from typing import Any

from django.core.management.base import CommandError

from apps.audit.commands import TracedCommand
from apps.uploads import scheduler


class Command(TracedCommand):
    help = "One step of the scheduler: starts what is due, finds again what was lost, keeps house."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scheduler.tick()
        except scheduler.TickFailed as failed:
            raise CommandError(f"These stages failed, see the log: {failed}.") from failed
