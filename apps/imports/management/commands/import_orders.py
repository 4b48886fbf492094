"""import_orders: a CSV file of orders into a counter, by the same door as everything else (R1)."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _
from tqdm import tqdm

from apps.agencies.models import Agency
from apps.audit.commands import TracedCommand
from apps.counters.models import Counter
from apps.imports.columns import CLEARED_BY_EMPTY, KNOWN, REQUIRED, read_column_map, read_delimiter
from apps.imports.reader import OrdersFile
from apps.imports.report import ErrorReport, report_path
from apps.imports.runner import Import, Tally, lists_of
from apps.metrica.wire.csvio import UnusableFile
from apps.orders.models import HoldReason

UNUSABLE, REJECTED, INTERRUPTED = 2, 3, 130

HELP = f"""
Takes the orders of a CSV file into a counter. Rows that cannot be taken go to FILE.errors.csv with line, column, code
and reason; corrected there, that file can be imported as it is. Importing again does no harm: what is known already
changes nothing.

columns, in any order:
  required   {", ".join(REQUIRED)}
  optional   {", ".join(column for column in KNOWN if column not in REQUIRED)},
             attribute:NAME, client_attribute:NAME

An empty cell clears {", ".join(CLEARED_BY_EMPTY)}. It says nothing of the client: contacts that are known stay.
A column that the file lacks keeps what is known. Several rows with one id are successive changes in their order.
Lists are joined by commas; goals are goal or goal:price, products are id:quantity. A time without an offset is the
counter's. UTF-8 (with or without a mark) and Windows-1251 are read.

exit status: 0 all rows were taken, 3 some were rejected, 2 the file cannot be used (nothing was taken then).
"""


class Command(TracedCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", metavar="FILE.csv")
        parser.add_argument("--agency", required=True, metavar="SLUG")
        parser.add_argument("--counter", required=True, type=int, metavar="ID", help="the counter's number at Metrica")
        parser.add_argument("--dry-run", action="store_true", help="check everything and keep nothing")
        parser.add_argument("--delimiter", default="", help="comma, semicolon or tab; found out if left out")
        parser.add_argument(
            "--map", action="append", nargs="+", default=[], metavar="column=header", help="a column under another name"
        )
        parser.add_argument("--progress", action="store_true", help="a progress bar even where there is no terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        path, pairs = _file_and_pairs(options["file"], [pair for pairs in options["map"] for pair in pairs])
        counter = _counter(options["agency"], options["counter"])
        try:
            delimiter = read_delimiter(options["delimiter"])
            column_map = read_column_map(pairs)
        except ValueError as error:
            raise CommandError(str(error), returncode=UNUSABLE) from None
        try:
            file = _opened(path, delimiter=delimiter, column_map=column_map, lists=lists_of(counter))
            report = ErrorReport(report_path(path), header=file.layout.header, delimiter=file.layout.delimiter)
            with file, report:
                self._import(path, file=file, counter=counter, report=report, options=options)
        except UnusableFile as error:
            lines = [_("%(file)s cannot be used:") % {"file": path}]
            lines += [_("line %(line)s: %(message)s") % {"line": e.line, "message": e.message} for e in error.errors]
            raise CommandError("\n  ".join(lines), returncode=UNUSABLE) from None
        except OSError as error:
            text = _("%(file)s: %(reason)s") % {"file": error.filename or path, "reason": error.strerror or error}
            raise CommandError(text, returncode=UNUSABLE) from None

    def _import(
        self, path: Path, *, file: OrdersFile, counter: Counter, report: ErrorReport, options: dict[str, Any]
    ) -> None:
        dry_run = options["dry_run"]
        if file.layout.unknown:
            text = _("Columns that mean nothing here and are passed over: %(columns)s.")
            self.stderr.write(text % {"columns": ", ".join(file.layout.unknown)})
        importing = Import(file=file, counter=counter, dry_run=dry_run, told=lambda step: report.add(step.problems))
        began = time.monotonic()
        stopped: BaseException | None = None
        try:
            with self._bar(path, file, wanted=options["progress"]) as bar, _terminated_as_interrupted():
                importing.run(progress=lambda position: _advance(bar, position))
        except (KeyboardInterrupt, UnusableFile, DatabaseError) as reason:
            stopped = reason
            if not connection.in_atomic_block:
                connection.close()  # whatever it was doing, the next statement finds a fresh one
        if not dry_run and not isinstance(stopped, DatabaseError):
            importing.leave_trace(name=path.name, complete=stopped is None)
        self._tell(path, file, importing.tally, report, seconds=time.monotonic() - began, dry_run=dry_run)
        if stopped is not None:
            text = _(
                "Stopped. The rows up to line %(line)s are settled and stay; some of the next ones may be, too. "
                "Run it again: what is known already changes nothing."
            )
            self.stderr.write(text % {"line": importing.tally.line})
            if not isinstance(stopped, KeyboardInterrupt):
                raise stopped
            raise CommandError(_("Interrupted."), returncode=INTERRUPTED)
        if importing.tally.rejected:
            text = _("%(count)s rows were rejected; see %(report)s.")
            numbers = {"count": importing.tally.rejected, "report": report.path}
            raise CommandError(text % numbers, returncode=REJECTED)

    @staticmethod
    def _bar(path: Path, file: OrdersFile, *, wanted: bool) -> "tqdm[NoReturn]":
        return tqdm(
            total=file.encoded.size,
            unit="B",
            unit_scale=True,
            desc=path.name,
            file=sys.stderr,
            mininterval=0.5,
            disable=not (wanted or sys.stderr.isatty()),
        )

    def _tell(
        self, path: Path, file: OrdersFile, tally: Tally, report: ErrorReport, *, seconds: float, dry_run: bool
    ) -> None:
        how = {"encoding": file.encoded.label, "delimiter": file.layout.delimiter_name}
        title = _("%(file)s (%(encoding)s, %(delimiter)s)") % {"file": path.name, **how}
        self.stdout.write(f"{title}: {_('dry run, nothing was kept')}" if dry_run else title)
        for name, number in (
            (_("rows"), tally.rows),
            (_("created"), tally.created),
            (_("updated"), tally.updated),
            (_("unchanged"), tally.unchanged),
            (_("rejected"), tally.rejected),
        ):
            self.stdout.write(f"  {name:<12}{number:>12,}")
        for reason, number in tally.held.most_common():
            self.stdout.write(f"  {_('held')}: {HoldReason(reason).label} ({reason}) {number:,}")
        for code, number in tally.warned.most_common():
            self.stdout.write(f"  {_('warning')}: {code} {number:,}")
        if report.rows:
            self.stdout.write(f"  {_('what to correct')}: {report.path}")
        self.stdout.write(f"  {seconds:.1f} s, {tally.rows / seconds if seconds else 0:,.0f} rows/s")


def _file_and_pairs(file: str | None, pairs: list[str]) -> tuple[Path, list[str]]:
    """The file may also stand behind the pairs of --map, which then take it for one of theirs."""
    loose = [pair for pair in pairs if "=" not in pair]
    if file is None and len(loose) == 1:
        return Path(loose[0]), [pair for pair in pairs if "=" in pair]
    if file is None:
        raise CommandError(_("Name the file: import_orders FILE.csv --agency SLUG --counter ID"), returncode=UNUSABLE)
    return Path(file), pairs


def _counter(slug: str, number: int) -> Counter:
    """Raises CommandError that names what there is."""
    agency = Agency.objects.filter(slug=slug).first()
    if agency is None:
        known = ", ".join(Agency.objects.order_by("slug").values_list("slug", flat=True)[:20])
        text = _("There is no agency “%(slug)s”. There are: %(known)s.")
        raise CommandError(text % {"slug": slug, "known": known or _("none yet; see provision")}, returncode=UNUSABLE)
    counter = Counter.objects.filter(agency=agency, metrica_id=number).first() if 0 < number < 2**31 else None
    if counter is None:
        numbers = Counter.objects.filter(agency=agency).order_by("metrica_id").values_list("metrica_id", flat=True)
        known = ", ".join(map(str, numbers[:20]))
        text = _("The agency “%(slug)s” has no counter %(number)s. It has: %(known)s.")
        names = {"slug": slug, "number": number, "known": known or _("none yet; see provision")}
        raise CommandError(text % names, returncode=UNUSABLE)
    return counter


def _advance(bar: "tqdm[NoReturn]", position: int) -> None:
    bar.update(position - bar.n)


def _opened(path: Path, *, delimiter: str, column_map: dict[str, str], lists: set[str]) -> OrdersFile:
    if path.exists() and not path.is_file():
        raise CommandError(_("%(file)s is no file. Name a CSV file.") % {"file": path}, returncode=UNUSABLE)
    return OrdersFile(path, delimiter=delimiter, column_map=column_map, lists=lists)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the import as Ctrl-C does: in order, with a word on how far it came."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
