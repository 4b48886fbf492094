"""`worker`: delivers uploads and keeps the schedules, until it is told to stop."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.audit.commands import TracedCommand
from apps.uploads import worker


class Command(TracedCommand):
    help = "Runs a queue worker: uploads, schedules, housekeeping. Stops gracefully on SIGTERM and Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        self._check_database()
        worker.prepare()
        processes = settings.Q_CLUSTER["workers"]
        self.stdout.write(f"Worker started: {processes} process(es) on {connection.vendor}. Ctrl-C stops it.")
        self.stdout.flush()
        if not worker.Worker(say=self._say).run():
            sys.exit(1)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _check_database(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            raise CommandError(f"The database does not answer: {error}. Check DATABASE_URL.") from error
        if missing:
            names = ", ".join(str(migration) for migration, _backwards in missing[:3])
            raise CommandError(f"The database is not up to date ({names}). Run `python manage.py migrate` first.")
        if connection.vendor == "sqlite" and settings.Q_CLUSTER["workers"] > 1:
            raise CommandError("SQLite has one writer: set WORKERS=1, or use PostgreSQL (DATABASE_URL).")
