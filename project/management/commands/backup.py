"""`backup DIRECTORY`: the database and the kept files, while everything runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connection

from apps.audit.commands import TracedCommand
from apps.counters import clock
from project.backups import databases, kept_files, manifest
from project.backups.manifest import BackupError, Manifest


class Command(TracedCommand):
    help = "Writes a backup into a new directory. Web and workers may go on. See docs/backup.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="a new directory, or an empty one")
        parser.add_argument("--no-files", action="store_true", help="the storage is backed up by other means")

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise CommandError(f"{directory} is not empty: a backup goes into a directory of its own.")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)  # it holds what people bought, and encrypted tokens
        taken_at = clock.now()
        migrations = manifest.applied_migrations()
        try:
            path = databases.save(directory)
            # After the database, so that each file that it knows is there.
            number, size = (None, 0) if options["no_files"] else kept_files.save(directory)
        except BackupError as error:
            raise CommandError(str(error)) from error
        Manifest(
            taken_at=taken_at.isoformat(),
            vendor=connection.vendor,
            database=path.name,
            sha256=manifest.sha256_of(path),
            migrations=migrations,
            keys=manifest.fingerprints(),
            files=number,
            bytes=size,
        ).write(directory)
        files = "kept files left out" if number is None else f"{number} kept files, {size:,} bytes"
        self.stdout.write(f"Database: {path.name}, {path.stat().st_size:,} bytes. Files: {files}.")
        self.stdout.write(f"Taken at {taken_at.isoformat()} into {directory}. Keep the ENCRYPTION_KEYS apart from it.")
