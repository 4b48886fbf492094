"""`verify_audit [--agency SLUG]`: does the audit log still say what it said?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from apps.agencies.models import Agency
from apps.audit import chain, triggers
from apps.audit.commands import TracedCommand


class Command(TracedCommand):
    help = "Walks the hash chain of the audit log. Exit 0: it holds; 1: it does not, with the first broken entry."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", metavar="SLUG", help="only this agency's chain; left out: all of them")

    def handle(self, *args: Any, **options: Any) -> None:
        agency = _agency(options["agency"])
        report = chain.verify(agency)
        names: dict[int | None, str] = dict(Agency.objects.values_list("pk", "slug"))
        for agency_id, end in report.ends.items():
            self.stdout.write(f"{names.get(agency_id, 'platform')}: {end.position} sealed, ends with {end.hash}")
        self.stdout.write(f"Checked {report.checked} entries; {report.unsealed} are not sealed yet.")
        faults = []
        if broken := report.first_broken:
            entry = f" (entry {broken.entry_id})" if broken.entry_id else ""
            chain_name = names.get(broken.agency_id, "platform")
            faults.append(f"The chain of {chain_name} breaks at position {broken.position}{entry}: {broken.reason}.")
        if gone := triggers.missing(connection):
            faults.append(f"The log can be changed: these triggers are missing: {', '.join(gone)}.")
        if faults:
            raise CommandError("\n".join(faults), returncode=1)
        self.stdout.write(self.style.SUCCESS("The chain holds."))


def _agency(slug: str | None) -> Agency | None:
    if slug is None:
        return None
    agency = Agency.objects.filter(slug=slug).first()
    if agency is None:
        raise CommandError(f"There is no agency {slug!r}.", returncode=2)
    return agency
