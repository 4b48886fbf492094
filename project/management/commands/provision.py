"""`provision FILE.toml`: makes what the file says; run again, it changes only what differs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.audit.commands import TracedCommand
from apps.counters.models import Counter
from apps.goals.sync import refresh
from apps.metrica.errors import MetricaError
from project.provisioning import ProvisionError, apply, load


class Command(TracedCommand):
    help = "Makes agencies, accounts, counters, mappings, people and API keys as a TOML file says."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.toml")
        parser.add_argument("--dry-run", action="store_true", help="only print what would change")

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        try:
            entries = load(file)
            differences = apply(entries, dry_run=dry_run)
        except ProvisionError as error:
            raise CommandError("\n".join(error.problems)) from error
        for difference in differences:
            self.stdout.write(f"{difference.sign} {difference.what}")
            if difference.secret and not dry_run:
                self.stdout.write(f"  secret (shown this once): {difference.secret}")
        if not differences:
            self.stdout.write("Nothing differs.")
        zoneless = Counter.objects.filter(
            agency__slug__in=[entry.slug for entry in entries], time_zone="", account__isnull=False
        )
        for counter in zoneless:
            self._read_zone(counter, dry_run=dry_run)
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")

    def _read_zone(self, counter: Counter, *, dry_run: bool) -> None:
        if dry_run:
            self.stdout.write(f"? counter {counter.metrica_id}: its time zone would be read from Metrica")
            return
        try:
            facts = refresh(counter=counter)
        except MetricaError as error:
            self.stderr.write(
                f"! counter {counter.metrica_id}: its time zone could not be read: {error.message} {error.next_step} "
                "Until it is known, its orders are held."
            )
        else:
            self.stdout.write(f"~ counter {counter.metrica_id}: time zone {facts.time_zone}, {facts.goals} goals")
