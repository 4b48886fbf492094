"""What a backup says of itself: when it was taken, of which database, at which state of the code, with which files."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

NAME: Final = "manifest.json"
VERSION: Final = 1


class BackupError(Exception):
    """Why it cannot be done, in a sentence with the next step."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`taken_at`: ISO 8601 with offset, from just before the database was read. `migrations`: the newest of each app.
    `keys`: fingerprints of the encryption keys without which its secrets cannot be read. `files`: None where they were
    left out."""

    taken_at: str
    vendor: str
    database: str
    sha256: str
    migrations: dict[str, list[str]]
    keys: list[str]
    files: int | None
    bytes: int
    version: int = VERSION

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.taken_at)

    def write(self, directory: Path) -> None:
        (directory / NAME).write_text(json.dumps(asdict(self), indent=2) + "\n")


def read(directory: Path) -> Manifest:
    """Raises BackupError where this is no whole backup that this code can read."""
    try:
        found = json.loads((directory / NAME).read_text())
    except FileNotFoundError as error:
        raise BackupError(f"{directory} holds no whole backup: {NAME} is missing. It is written last.") from error
    except ValueError as error:
        raise BackupError(f"{directory / NAME} cannot be read: {error}") from error
    if found.get("version") != VERSION:
        raise BackupError(f"This backup is of another version ({found.get('version')}). Use the Goalpost that made it.")
    try:
        return Manifest(**found)
    except TypeError as error:
        raise BackupError(f"{directory / NAME} is incomplete: {error}") from error


def applied_migrations() -> dict[str, list[str]]:
    """The applied leaf migrations by app."""
    loader = MigrationLoader(connection)
    leaves: dict[str, list[str]] = {}
    for app, name in sorted(loader.applied_migrations):
        leaves.setdefault(app, []).append(name)
    return {app: names[-1:] for app, names in leaves.items()}


def check_migrations(manifest: Manifest) -> None:
    """Raises BackupError where the backup is of a newer Goalpost than this one."""
    known = MigrationLoader(None).disk_migrations
    newer = [
        f"{app}.{name}" for app, names in manifest.migrations.items() for name in names if (app, name) not in known
    ]
    if newer:
        raise BackupError(
            f"The backup knows migrations that this Goalpost does not ({', '.join(newer[:3])}): it was made by a newer "
            "one, or with other apps switched on (SANDBOX). Install that version, then restore."
        )


def fingerprints() -> list[str]:
    """Of the encryption keys, by which nobody gets at them."""
    return [hashlib.sha256(f"goalpost {key}".encode()).hexdigest()[:16] for key in settings.ENCRYPTION_KEYS]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
