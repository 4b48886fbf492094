"""/healthz: the process answers. /readyz: everything that it needs to do its work is there; if not, which and why."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.uploads import heartbeats
from apps.uploads.redis_broker import connection as connection_to_redis

# Without a sign of life for so long the queue counts as dead: several ticks may be late before that.
QUEUE_SILENCE = timedelta(minutes=5)
# The storage may cost money and time by the call, so its answer is believed this long.
STORAGE_BELIEVED_SECONDS = 30
_storage_believed_until = [0.0]


class NotReady(Exception):
    """Why, as a sentence with the next step."""


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as the process can answer at all. Touches nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 where all checks are good, else 503; `checks` names each with "ok" or its reason."""
    checks = look()
    ready = all(said == "ok" for said in checks.values())
    return JsonResponse({"status": "ok" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


def look() -> dict[str, str]:
    """Each part that the work needs, with "ok" or why it is not there, in a sentence with the next step."""
    checks: dict[str, str] = {}
    for name, check in CHECKS.items():
        if name != "database" and checks.get("database") != "ok":
            needs_it = name not in ("storage", "broker")
            checks[name] = _("Not looked at: it needs the database.") if needs_it else _run(check)
        else:
            checks[name] = _run(check)
    return checks


def _run(check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as reason:
        return str(reason)
    except Exception as error:  # whatever a broken part throws is the reason that it is not ready
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".strip(": ")[:300]
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        first = plan[0][0]
        text = _("%(count)s migrations are missing, first %(first)s. Run: python manage.py migrate")
        raise NotReady(text % {"count": len(plan), "first": f"{first.app_label}.{first.name}"})


def _queue() -> None:
    """A tick passes through the queue every minute; one that waits behind a long upload is no fault."""
    age = heartbeats.age(heartbeats.QUEUE)
    if age is None:
        raise NotReady(_("No worker has ever given a sign of life. Start one: python manage.py worker"))
    if age <= max(QUEUE_SILENCE, timedelta(seconds=5 * settings.TICK_SECONDS)):
        return
    if not heartbeats.job_in_hand():
        text = _("The queue has been silent for %(seconds)s s. Start a worker again: python manage.py worker")
        raise NotReady(text % {"seconds": int(age.total_seconds())})


def _storage() -> None:
    if time.monotonic() < _storage_believed_until[0]:
        return
    name = default_storage.save(f"readyz/{uuid.uuid4()}", ContentFile(b"readyz"))
    try:
        with default_storage.open(name) as file:
            if file.read() != b"readyz":
                raise NotReady(_("The storage gives back another content than was written. Check STORAGE_URL."))
    finally:
        default_storage.delete(name)
    _storage_believed_until[0] = time.monotonic() + STORAGE_BELIEVED_SECONDS


def _broker() -> None:
    """Orders come in without it; they go out once it is back."""
    try:
        connection_to_redis().ping()
    except redis.RedisError as error:
        text = _("Redis does not answer (%(error)s). Start it again, or check REDIS_URL.")
        raise NotReady(text % {"error": str(error)[:200]}) from error


CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "migrations": _migrations,
    "queue": _queue,
    "storage": _storage,
}
if settings.QUEUE == "redis":
    CHECKS["broker"] = _broker
