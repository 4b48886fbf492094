"""`rotate_keys`: rewrites what lies under an older encryption key, or not as ENCRYPT_IDENTIFIERS says."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from apps.audit.commands import TracedCommand
from apps.audit.services import record
from apps.clients import blind
from apps.counters import rotation, sealing


class Command(TracedCommand):
    help = (
        "Rewrites secrets and identifiers that lie under an older key of ENCRYPTION_KEYS with its first key, and seals "
        "or opens identifiers as ENCRYPT_IDENTIFIERS says. Everything goes on meanwhile; what broke off is started "
        "again. Exit 0: all is as it is to be, so older keys may be taken out; 1: something is not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="rewrite nothing, only tell what is to be")
        parser.add_argument("--batch", type=int, default=rotation.BATCH, help=f"rows at once ({rotation.BATCH})")
        parser.add_argument("--pause", type=float, default=0.0, help="seconds between batches (0)")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = len(settings.ENCRYPTION_KEYS)
        said = "sealed" if sealing.wanted() else "plain"
        self.stdout.write(f"{keys} encryption keys; identifiers are to be {said}.")
        if options["check"]:
            self._check()
            return
        rewritten, unreadable = {}, {}
        for done in rotation.rewrite(batch=max(options["batch"], 1), pause=max(options["pause"], 0.0)):
            if done.rewritten:
                rewritten[str(done.column)] = done.rewritten
            if done.unreadable:
                unreadable[str(done.column)] = done.unreadable
            self.stdout.write(f"{done.column}: {done.rewritten:,} rewritten")
        while blind.rekey(limit=100_000):
            pass
        if rewritten or unreadable:
            details = {"rewritten": rewritten, "unreadable": unreadable, "sealed": sealing.wanted()}
            record(action="keys.rotated", agency=None, details=details)
        if unreadable:
            told = ", ".join(f"{column} {number:,}" for column, number in unreadable.items())
            raise CommandError(
                f"Rows that none of the keys opens, and that stayed as they are: {told}. "
                "Put the key that was removed back at the end of ENCRYPTION_KEYS and run this again.",
                returncode=1,
            )
        self._check()

    def _check(self) -> None:
        wrong = [str(column) for column in rotation.columns() if rotation.left(column)]
        if wrong:
            raise CommandError(
                f"Not as it is to be: {', '.join(wrong)}. Run `manage.py rotate_keys`; where that was done just now, a "
                "process still writes with older settings: restart all web and worker processes, then run it again.",
                returncode=1,
            )
        rest = "all keys but the first may be taken out of ENCRYPTION_KEYS" if len(settings.ENCRYPTION_KEYS) > 1 else ""
        self.stdout.write("Everything is under the first key" + (f": {rest}." if rest else "."))
