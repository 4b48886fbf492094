"""`backup` and `restore`: what they write, and what they refuse with a sentence."""

import gzip
import io
import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from apps.uploads import heartbeats
from project.backups import kept_files, manifest
from tests.factories import make_counter

pytestmark = pytest.mark.django_db(transaction=True)


def run(command: str, *arguments: Any) -> str:
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    make_counter()
    default_storage.save("uploads/1/40000001/2026-11/one.csv.gz", ContentFile(gzip.compress(b"id\n")))
    directory = tmp_path / "backup"
    said = run("backup", directory)
    assert "1 kept files" in said and str(directory) in said
    return directory


def test_it_holds_the_database_and_the_kept_files_and_says_of_what(backup: Path) -> None:
    found = manifest.read(backup)
    assert (found.vendor, found.files) == (connection.vendor, 1)
    assert found.keys == manifest.fingerprints() and found.migrations["uploads"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert (backup / "files/uploads/1/40000001/2026-11/one.csv.gz").read_bytes()
    if connection.vendor == "sqlite":
        with sqlite3.connect(backup / "database.sqlite3") as copy:
            assert copy.execute("SELECT count(*) FROM counters_counter").fetchone() == (1,)
    else:
        assert (backup / "database.dump").read_bytes().startswith(b"PGDMP")


def test_it_takes_no_directory_that_holds_anything(backup: Path) -> None:
    with pytest.raises(CommandError, match="not empty"):
        run("backup", backup)


def test_a_database_in_use_is_not_replaced_without_a_word(backup: Path) -> None:
    with pytest.raises(CommandError, match="say --force"):
        run("restore", backup)
    heartbeats.beat("worker somewhere 1")
    with pytest.raises(CommandError, match="Stop them"):
        run("restore", backup, "--force")


def test_half_a_backup_and_a_changed_one_are_refused(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no whole backup"):
        run("restore", tmp_path)
    path = backup / manifest.read(backup).database
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CommandError, match="checksum"):
        run("restore", backup, "--force")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 99}, "another version"),
        ({"vendor": "oracle"}, "Only SQLite.s backups move"),
        ({"migrations": {"uploads": ["9999_tomorrow"]}}, r"uploads\.9999_tomorrow"),
    ],
)
def test_what_this_code_cannot_read_is_refused(backup: Path, change: dict[str, Any], said: str) -> None:
    path = backup / manifest.NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CommandError, match=said):
        run("restore", backup, "--force")


def test_files_come_back_and_newer_ones_stay(backup: Path) -> None:
    name = "uploads/1/40000001/2026-11/one.csv.gz"
    newer = default_storage.save("uploads/1/40000001/2026-11/two.csv.gz", ContentFile(b"newer"))
    default_storage.delete(name)
    assert kept_files.put_back(backup, number=1) == 1
    assert gzip.decompress(default_storage.open(name).read()) == b"id\n"
    assert default_storage.exists(newer)
    assert kept_files.put_back(backup, number=1) == 0
    with pytest.raises(manifest.BackupError, match="not whole"):
        kept_files.put_back(backup, number=2)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite needs no program")
def test_a_missing_program_is_named_with_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="postgresql-client"):
        run("backup", tmp_path / "backup")
