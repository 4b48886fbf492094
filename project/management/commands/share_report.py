"""`share_report`: makes a link to a client report and prints its address."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.urls import reverse

from apps.audit.commands import TracedCommand
from apps.counters.models import Counter
from apps.reports import services


class Command(TracedCommand):
    help = (
        "Makes a link by which a client reads a counter's report, and prints its address on stdout. "
        "Exit 0: made; 2: the arguments do not fit."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG")
        parser.add_argument("--counter", required=True, type=int, metavar="ID", help="Metrica's number")
        parser.add_argument("--name", required=True, help="for whom, as the agency calls the client")
        parser.add_argument("--days", type=int, default=90, help="how long it is good (90)")

    def handle(self, *args: Any, **options: Any) -> None:
        known = {"agency__slug": options["agency"], "metrica_id": options["counter"]}
        counter = Counter.objects.select_related("agency").filter(**known).first()
        if counter is None:
            message = f"The agency {options['agency']!r} has no counter {options['counter']}, or is not there."
            raise CommandError(message, returncode=2)
        try:
            link = services.create_link(counter=counter, name=options["name"], days=options["days"])
        except ValidationError as error:
            lines = [f"--{field}: {text}" for field, texts in error.message_dict.items() for text in texts]
            raise CommandError("\n".join(lines), returncode=2) from error
        self.stdout.write(f"{settings.SITE_URL}{reverse('report', args=[services.secret_of(link)])}")
