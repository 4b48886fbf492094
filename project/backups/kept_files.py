"""The kept files of uploads, out of the storage (disk or S3) and back into it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.core.files.base import File
from django.core.files.storage import default_storage

from project.backups.manifest import BackupError

FOLDER: Final = "files"
ROOT: Final = "uploads"


def save(directory: Path) -> tuple[int, int]:
    """Copy all of them. Returns how many, and their bytes. What disappears meanwhile was not to be kept."""
    number = size = 0
    for name in _names(ROOT):
        target = directory / FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with default_storage.open(name) as kept, target.open("wb") as copy:
                shutil.copyfileobj(kept, copy)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            continue
        number += 1
        size += target.stat().st_size
    return number, size


def put_back(directory: Path, *, number: int) -> int:
    """Copy those back that the storage lacks; nothing there is deleted: newer ones tell what was sent since. Returns
    how many were copied. Raises BackupError where files of the backup are missing."""
    root = directory / FOLDER
    found = [path for path in root.rglob("*") if path.is_file()]
    if len(found) < number:
        raise BackupError(f"{root} holds {len(found)} files instead of {number}: the backup is not whole.")
    copied = 0
    for path in found:
        name = path.relative_to(root).as_posix()
        if default_storage.exists(name):
            if default_storage.size(name) == path.stat().st_size:
                continue
            default_storage.delete(name)
        with path.open("rb") as copy:
            default_storage.save(name, File(copy, name=name))
        copied += 1
    return copied


def _names(folder: str) -> Iterator[str]:
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(names):
        yield f"{folder}/{name}"
    for inner in sorted(folders):
        yield from _names(f"{folder}/{inner}")
