"""`doctor`: looks at everything that the delivery needs, from the settings to each counter's mapping."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.agencies.models import Agency
from apps.api import health
from apps.audit.commands import TracedCommand
from apps.counters import checkup, rotation, sealing, yandex
from apps.counters.checkup import Level
from apps.counters.expiry import may_upload, rights_text, warning_of
from apps.counters.kept_back import KeptBack
from apps.counters.models import AccountState, Counter, MetricaAccount
from apps.metrica.errors import MetricaError

Line = tuple[Level, str, str]
"""How it stands, of what, and what is said of it with the next step."""

_MARKS = {Level.DONE: "ok  ", Level.HINT: "note", Level.NEEDED: "BAD "}
_AT_ONCE = 200


class Command(TracedCommand):
    help = (
        "Looks at settings, database, queue, storage, each account's token and rights, each counter's zone, goals and "
        "mapping. One line each, with the next step. Exit 0: nothing is bad; 1: something is; 2: no such agency."
    )
    requires_system_checks = ()  # they are among the lines

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--agency", metavar="SLUG", help="only this agency's accounts and counters")
        parser.add_argument("--offline", action="store_true", help="ask Metrica nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        parts = health.look()
        bad = self._write([*_settings(), *_parts(parts)])
        if parts["database"] == "ok" and parts["migrations"] == "ok":
            bad += self._write(_keys())
            bad += self._write(_agencies(options["agency"], offline=options["offline"]))
        if bad:
            raise CommandError(_("Lines that need somebody: %(count)s.") % {"count": bad}, returncode=1)

    def _write(self, lines: Iterator[Line] | list[Line]) -> int:
        """How many of them are bad."""
        bad = 0
        for level, subject, said in lines:
            bad += level == Level.NEEDED
            self.stdout.write(f"{_MARKS[level]}  {subject}: {said}")
        return bad


def _settings() -> Iterator[Line]:
    found = [one for one in run_checks(include_deployment_checks=not settings.DEBUG) if one.level >= WARNING]
    for message in found:
        yield Level.NEEDED, "settings", f"{message.msg} {message.hint or ''}".strip()
    if not found:
        said = _("good for trying it out; DEBUG is on") if settings.DEBUG else _("good")
        yield Level.DONE, "settings", said


def _parts(parts: dict[str, str]) -> Iterator[Line]:
    for name, said in parts.items():
        yield (Level.DONE if said == "ok" else Level.NEEDED), name, said


def _keys() -> Iterator[Line]:
    """Whether ENCRYPTION_KEYS opens what lies there, by the oldest and the newest rows."""
    shut = wrong = 0
    for column in rotation.columns():
        of_column = rotation.newest_and_oldest(column)
        shut, wrong = shut + of_column[0], wrong + of_column[1]
    if shut:
        said = _("identifiers cannot be read: put the key that was removed back at the end of ENCRYPTION_KEYS")
        yield Level.NEEDED, "encryption", said
    elif wrong:
        said = _("identifiers lie under an older key, or not as ENCRYPT_IDENTIFIERS says. Run `manage.py rotate_keys`.")
        yield Level.HINT, "encryption", said
    else:
        yield Level.DONE, "encryption", _("identifiers are sealed") if sealing.wanted() else _("identifiers are plain")


def _agencies(slug: str | None, *, offline: bool) -> Iterator[Line]:
    agencies = Agency.objects.filter(is_active=True).order_by("slug")
    if slug is not None:
        agencies = agencies.filter(slug=slug)
        if not agencies:
            known = ", ".join(Agency.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no active agency {slug!r}. There are: {known}.", returncode=2)
    for agency in agencies:
        for account in MetricaAccount.objects.filter(agency=agency).order_by("login"):
            yield _account(account, f"{agency.slug}, account {account.login}", offline=offline)
        counters = list(
            Counter.objects.filter(agency=agency).select_related("account", "agency").order_by("metrica_id")
        )
        for start in range(0, len(counters), _AT_ONCE):
            found = checkup.findings(counters[start : start + _AT_ONCE])
            for counter in counters[start : start + _AT_ONCE]:
                for step in found[counter.pk]:
                    subject = f"{agency.slug}, counter {counter.metrica_id}, {step.title}"
                    said = f"{step.text} {step.step}" if step.level != Level.DONE else str(step.text)
                    yield step.level, subject, said.strip()


def _account(account: MetricaAccount, subject: str, *, offline: bool) -> Line:
    if warning := warning_of(account, timezone.now()):
        return (Level.NEEDED if warning.tone == "bad" else Level.HINT), subject, warning.text
    if may_upload(account) is False:
        return Level.NEEDED, subject, str(rights_text(account))
    if offline or account.state != AccountState.CONNECTED:
        return Level.DONE, subject, str(rights_text(account))
    try:
        yandex.read_test(account)
    except KeptBack as error:
        return Level.HINT, subject, f"{error.message} {error.next_step}"
    except MetricaError as error:
        return Level.NEEDED, subject, f"{error.message} {error.next_step}"
    account.refresh_from_db()
    return Level.DONE, subject, str(rights_text(account))
