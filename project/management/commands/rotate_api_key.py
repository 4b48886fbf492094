"""`rotate_api_key`: a new secret for a key, printed once; the old one goes on for a while."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from apps.agencies import services
from apps.agencies.models import ApiKey
from apps.audit import trace
from apps.audit.commands import TracedCommand
from project.management.commands.create_api_key import agency_by, in_words, moment


class Command(TracedCommand):
    help = (
        "Gives a key a new secret and prints it on stdout: it is shown this once. The old one goes on for --overlap "
        "hours. Exit 0: made; 2: the arguments do not fit."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--overlap", type=float, default=24.0, metavar="HOURS", help="how long the old one goes on; 24 if left out"
        )
        parser.add_argument(
            "--expires", type=moment, metavar="DATE", help="of the new one; left out: never, as `create_api_key`"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        agency = agency_by(options["agency"])
        key = ApiKey.objects.current().filter(agency=agency, name=options["name"]).first()
        if key is None:
            names = ApiKey.objects.current().filter(agency=agency).order_by("name").values_list("name", flat=True)
            known = ", ".join(names) or "none"
            raise CommandError(f"There is no key {options['name']!r}. There are: {known}.", returncode=2)
        try:
            new, text = services.rotate_api_key(
                actor=trace.current().actor,
                key=key,
                overlap=timedelta(hours=options["overlap"]),
                expires_at=options["expires"],
            )
        except ValidationError as error:
            raise CommandError(in_words(error), returncode=2) from error
        key.refresh_from_db()
        until = f"{key.expires_at:%Y-%m-%d %H:%M %Z}"
        self.stderr.write(f"New secret of {new.name} of {agency.slug}; the old one goes on until {until}. Copy it now:")
        self.stdout.write(text)
