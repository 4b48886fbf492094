"""`compare`: sets what was delivered beside what Metrica's reports say, and prints both."""

import sys
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import TracedCommand
from apps.counters.models import Counter
from apps.dashboard.comparison import problems, running
from apps.dashboard.comparison.totals import Pair, Totals, totals
from apps.dashboard.models import Comparison, DayFigures

HEADS = ("orders", "progress", "paid", "cancelled", "spam", "other", "revenue", "profit")
WIDTH = 17


class Command(TracedCommand):
    help = "Compares what was delivered with Metrica's reports, day by day. Each figure: delivered / Metrica."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agency", required=True, metavar="SLUG")
        parser.add_argument("--counter", type=int, metavar="ID", help="Metrica's counter number; left out: all of them")
        parser.add_argument("--days", type=int, default=running.REGULAR_DAYS, metavar="N", help="the last so many days")

    def handle(self, *args: Any, **options: Any) -> None:
        counters = Counter.objects.filter(agency__slug=options["agency"]).select_related("account", "agency")
        if options["counter"] is not None:
            counters = counters.filter(metrica_id=options["counter"])
        found = list(counters)
        if not found:
            which = "no counter" if options["counter"] is None else f"no counter {options['counter']}"
            raise CommandError(f"Agency {options['agency']!r} has {which}.")
        if not 1 <= options["days"] <= running.MOST_DAYS:
            raise CommandError(f"--days is {options['days']}, but must be from 1 to {running.MOST_DAYS}.")
        failed = [counter for counter in found if not self._compare(counter, options["days"])]
        if failed:
            sys.exit(1)

    def _compare(self, counter: Counter, days: int) -> bool:
        try:
            comparison = running.request(counter=counter, days=days, tell_workers=False)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        while comparison.is_under_way and comparison.waits_until is None:
            running.run(counter.pk)
            comparison = Comparison.objects.select_related("counter").get(pk=counter.pk)
            if comparison.lease_until is not None:
                time.sleep(0.5)  # a worker has it
        self.stdout.write(f"{counter}")
        if (problem := problems.describe(comparison.error_code)) is not None:
            self.stderr.write(f"{problem.message} {problem.next_step}")
            if comparison.waits_until is not None:
                self.stderr.write(f"It goes on by itself at {timezone.localtime(comparison.waits_until):%H:%M:%S}.")
            return False
        self._print(counter, days)
        return True

    def _print(self, counter: Counter, days: int) -> None:
        last = timezone.now().astimezone(counter.zone).date()
        first = last - timedelta(days=days - 1)
        whole = totals(DayFigures.objects.of(counter, first=first, last=last), first=first, last=last)
        self.stdout.write("day        " + "".join(head.rjust(WIDTH) for head in HEADS))
        for line in whole.lines:
            if line.ours is None and line.metrica is None:
                continue
            self.stdout.write(f"{line.day:%Y-%m-%d} {self._cells(line.pairs)}")
        self.stdout.write(f"sum        {self._cells(whole.pairs)}")
        for pair in whole.goals:
            self.stdout.write(f"  goal {pair.name}: {_text(pair)}")
        self.stdout.write(_matched(whole))

    def _cells(self, pairs: list[Pair]) -> str:
        return "".join(_text(pair).rjust(WIDTH) for pair in pairs)


def _text(pair: Pair) -> str:
    return f"{_plain(pair.ours)}/{_plain(pair.metrica)}"


def _plain(value: int | Decimal | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}".removesuffix(".00") if isinstance(value, Decimal) else str(value)


def _matched(whole: Totals) -> str:
    ours = whole.ours
    if whole.matched is None:
        return "No delivered orders that Metrica could match."
    return (
        f"Matched: {100 * whole.matched:.0f}% ({whole.metrica.orders + whole.metrica.spam} of {ours.bindable} orders; "
        f"{ours.late} too late, {ours.without_client_id} without ClientID, {ours.fresh} of the last two hours)."
    )
