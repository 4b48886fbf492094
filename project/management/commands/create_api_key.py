"""`create_api_key`: makes a key for a CRM and prints it, once."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from apps.agencies import services
from apps.agencies.models import Agency
from apps.audit import trace
from apps.audit.commands import TracedCommand


class Command(TracedCommand):
    help = "Makes an API key and prints it on stdout: it is shown this once. Exit 0: made; 2: the arguments do not fit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True, help="what uses it, for example crm")
        parser.add_argument("--scope", required=True, nargs="+", choices=["read", "write"])
        parser.add_argument(
            "--counter", nargs="+", type=int, metavar="ID", help="only these counters (Metrica's numbers)"
        )
        parser.add_argument("--network", nargs="+", metavar="CIDR", help="only from there, for example 192.0.2.0/24")
        parser.add_argument(
            "--expires", type=moment, metavar="DATE", help="YYYY-MM-DD: its last day; or a time with offset"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        agency = agency_by(options["agency"])
        try:
            key, text = services.create_api_key(
                actor=trace.current().actor,
                agency=agency,
                name=options["name"],
                scopes=options["scope"],
                counter_ids=options["counter"],
                networks=options["network"],
                expires_at=options["expires"],
            )
        except ValidationError as error:
            raise CommandError(in_words(error), returncode=2) from error
        self.stderr.write(f"Key {key.name} of {agency.slug}; it is kept nowhere, copy it now:")
        self.stdout.write(text)


def agency_by(slug: str) -> Agency:
    """The agency of this short name. Raises CommandError."""
    agency = Agency.objects.filter(slug=slug).first()
    if agency is None:
        known = ", ".join(Agency.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"There is no agency {slug!r}. There are: {known}.", returncode=2)
    return agency


def moment(text: str) -> datetime:
    """The end of the day where a day is given, the platform's zone where no offset is."""
    try:
        day: date | None = parse_date(text)
        moment = parse_datetime(text) if day is None else datetime.combine(day + timedelta(days=1), time.min)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is a date that does not exist.") from error
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no date. Write for example 2027-01-31.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def in_words(error: ValidationError) -> str:
    options = {"name": "--name", "scopes": "--scope", "counter_ids": "--counter", "expires_at": "--expires"}
    options |= {"networks": "--network", "overlap": "--overlap"}
    lines = []
    for field, messages in error.message_dict.items():
        option = options.get(field)
        lines += [f"{option}: {message}" if option else str(message) for message in messages]
    return "\n".join(lines)
