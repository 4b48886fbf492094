"""`restore DIRECTORY`: puts a backup in the place of the present database, and sees that it holds."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections

from apps.audit.commands import TracedCommand
from apps.uploads import heartbeats, restored
from project.backups import databases, kept_files, manifest, moving
from project.backups.manifest import BackupError, Manifest


class Command(TracedCommand):
    help = (
        "Restores a backup into the present database and storage; one of SQLite may move into PostgreSQL. Stop web and "
        "workers first. What went out after the backup is looked up at Metrica before anything is sent. Exit 0: all is "
        "well. See docs/backup.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("--force", action="store_true", help="replace what the present database holds")

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        try:
            found = manifest.read(directory)
            self._check(directory, found, force=options["force"])
            self._put_back(directory, found)
        except BackupError as error:
            raise CommandError(str(error)) from error
        call_command("verify_audit", stdout=self.stdout, stderr=self.stderr)
        if not set(found.keys) & set(manifest.fingerprints()):
            self.stderr.write(
                "None of the present ENCRYPTION_KEYS is one of the backup's: tokens in it cannot be read. Set the keys "
                "of that time, or connect the Metrica accounts again."
            )
        self.stdout.write(self.style.SUCCESS("Restored. Start web and workers; docs/backup.md says what comes next."))

    def _check(self, directory: Path, found: Manifest, *, force: bool) -> None:
        if found.vendor != connection.vendor and not self._moves(found):
            raise BackupError(
                f"The backup is of {found.vendor}, the present database is {connection.vendor}. Only SQLite's backups "
                "move, to PostgreSQL, and not back: SQLite is for small installations. Set DATABASE_URL to a "
                f"{found.vendor} database, and restore there."
            )
        manifest.check_migrations(found)
        if manifest.sha256_of(directory / found.database) != found.sha256:
            raise BackupError(f"{directory / found.database} is not what was written: its checksum differs.")
        if databases.is_empty():
            return
        try:
            alive = heartbeats.workers_alive()
        except DatabaseError:  # an older state, without the table
            alive = 0
        if alive:
            raise BackupError(f"{alive} worker(s) work on this database. Stop them, and the web processes, first.")
        if not force:
            raise BackupError(
                "The present database is not empty. Take a backup of it, then say --force to replace what it holds."
            )

    @staticmethod
    def _moves(found: Manifest) -> bool:
        return (found.vendor, connection.vendor) == ("sqlite", "postgresql")

    def _put_back(self, directory: Path, found: Manifest) -> None:
        self.stdout.write(f"Restoring the state of {found.taken_at} …")
        if found.files is not None:
            copied = kept_files.put_back(directory, number=found.files)
            self.stdout.write(f"Kept files: {found.files}, of which the storage lacked {copied}.")
        if self._moves(found):
            self._move(directory, found)
        else:
            databases.put_back(directory / found.database)
        call_command("migrate", verbosity=0, interactive=False)
        connections.close_all()
        marked = restored.mark_restored(taken_at=found.moment)
        self.stdout.write(
            f"{marked['counters']} counters look up what went out since; {marked['unknown_files']} files were open."
        )

    def _move(self, directory: Path, found: Manifest) -> None:
        """From SQLite to PostgreSQL."""
        moved, strange = moving.move(directory / found.database, found)
        self.stdout.write(f"From SQLite to PostgreSQL: {sum(moved.values()):,} rows of {len(moved)} tables.")
        if strange:
            self.stdout.write(f"Left behind, for they are none of Goalpost's: {', '.join(strange)}.")
