"""/healthz and /readyz: what is missing is named, and nobody needs a key for it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.api import health
from apps.uploads import heartbeats
from apps.uploads.models import Heartbeat, JobState, UploadJob
from tests.factories import make_counter


@pytest.fixture(autouse=True)
def _storage_is_looked_at(monkeypatch):
    monkeypatch.setattr(health, "_storage_believed_until", [0.0])


def beat(ago=0):
    heartbeats.beat(heartbeats.QUEUE)
    Heartbeat.objects.filter(name=heartbeats.QUEUE).update(at=timezone.now() - timedelta(seconds=ago))


def test_alive_without_touching_the_database(client, db):
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json(), len(queries)) == (200, {"status": "ok"}, 0)
    assert "no-store" in answer.headers["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def test_ready_when_everything_is_there(client, db, settings):
    beat()
    answer = client.get("/readyz")
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "queue": "ok", "storage": "ok"},
    }
    assert answer.status_code == 200
    assert not [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]  # nothing is left behind


def test_a_silent_queue_is_named_with_its_age(client, db):
    assert "worker" in client.get("/readyz").json()["checks"]["queue"]
    beat(ago=3600)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "3600 s" in answer.json()["checks"]["queue"]
    assert answer.json()["checks"]["database"] == "ok"


def test_a_queue_behind_a_long_upload_is_well(client, db):
    beat(ago=3600)
    job = UploadJob.objects.create(counter=make_counter(), trigger="api", state=JobState.RUNNING)
    assert client.get("/readyz").status_code == 503
    UploadJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() + timedelta(seconds=60))
    assert client.get("/readyz").status_code == 200


def test_a_missing_migration_is_named(client, db):
    beat()
    [(app, name)] = MigrationLoader(connection).graph.leaf_nodes("uploads")
    MigrationRecorder(connection).record_unapplied(app, name)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert f"{app}.{name}" in answer.json()["checks"]["migrations"]


def test_a_storage_that_takes_nothing_is_named(client, db, settings, tmp_path):
    beat()
    blocked = tmp_path / "a file and no directory"
    blocked.write_text("")
    settings.MEDIA_ROOT = blocked
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] != "ok"


def test_a_database_that_does_not_answer_is_named(client):
    """A test without a database has none: every query fails, as it does when the server is away."""
    answer = client.get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks["database"] != "ok" and "database" in checks["queue"]
    assert client.get("/healthz").status_code == 200
