"""The key of the look-up of people: without it, what `contacts` keeps of a phone cannot be found by trying all phones.

It is made at random once for an installation and lies in the database, encrypted by ENCRYPTION_KEYS; so those can be
rotated, and every line of the look-up stays as it is. Lines of before there was a key are keyed in batches (`rekey`, by
the tick); a search asks for both forms until that is done.
"""

import secrets
from base64 import b64decode, b64encode
from datetime import timedelta
from hashlib import blake2b
from typing import Final

from django.apps.registry import Apps
from django.db import connection, transaction
from django.utils import timezone

from apps.agencies.bulk import update_rows
from apps.clients.models import Contact, IndexKey
from apps.counters.encryption import UnreadableSecret, decrypt, encrypt

ROWS: Final = 2000
SETTLED: Final = timedelta(hours=1)
"""So long after the key was made, nothing of an older version writes lines any more."""

_known: dict[str, bytes] = {}
_KEY, _DONE = "key", "done"


class _Made(dict[str, bytes]):
    """What is known of a key that the present transaction has made. It may be rolled back, and another process makes
    another one then: so it waits with what is done after the commit, and goes with it."""

    def __call__(self) -> None:
        _known.update(self)


def keyed(plain: int) -> int:
    """The digest as it is kept. Raises UnreadableSecret."""
    data = plain.to_bytes(8, "big", signed=True)
    return int.from_bytes(blake2b(data, digest_size=8, key=key()).digest(), "big", signed=True)


def key() -> bytes:
    """Read once by each process. Raises UnreadableSecret."""
    if (known := _known.get(_KEY)) is not None:
        return known
    made = _made()
    if made is not None and _KEY in made:
        return made[_KEY]
    found = _opened(_row())
    _remember(_KEY, found)
    return found


def all_keyed() -> bool:
    """Whether no line of before the key is left. Asked of the database until it is so."""
    if _DONE in _known:
        return True
    if _row().completed_at is None:
        return False
    _remember(_DONE, b"")
    return True


def make_key(*, apps: Apps, **_signal: object) -> None:
    """After a migration: the installation's key, if it has none and the migration came so far."""
    if any(model._meta.label == "clients.IndexKey" for model in apps.get_models()):
        _row()


def forget() -> None:
    """Read the key anew: for tests, whose database is another one each time."""
    _known.clear()
    if (made := _made()) is not None:
        made.clear()


def rekey(*, limit: int) -> int:
    """Key up to `limit` lines of before the key; returns how many. In batches that are committed one by one; several at
    once, and intake beside them, do no harm."""
    if all_keyed():
        return 0
    number = 0
    while number < limit:
        with transaction.atomic():
            row = IndexKey.objects.select_for_update().get(pk=_row().pk)
            lines = Contact.objects.filter(pk__gt=row.keyed_up_to, keyed=False).order_by("pk").select_for_update()
            found = list(lines.values_list("pk", "digest")[:ROWS])
            if not found:
                _complete(row)
                return number
            update_rows(Contact, ("id", "digest", "keyed"), [(pk, keyed(plain), True) for pk, plain in found])
            IndexKey.objects.filter(pk=row.pk).update(keyed_up_to=found[-1][0])
        number += len(found)
    return number


def _complete(row: IndexKey) -> None:
    if row.created_at > timezone.now() - SETTLED:
        return
    if Contact.objects.filter(keyed=False).exists():  # committed late, behind where the walk had come by then
        IndexKey.objects.filter(pk=row.pk).update(keyed_up_to=0)
    else:
        IndexKey.objects.filter(pk=row.pk).update(completed_at=timezone.now())


def _opened(row: IndexKey) -> bytes:
    try:
        return b64decode(decrypt(row.key_encrypted))
    except UnreadableSecret:
        if Contact.objects.filter(keyed=True).exists():
            raise
    # It was made with other ENCRYPTION_KEYS, and nothing depends on it yet.
    IndexKey.objects.filter(pk=row.pk, key_encrypted=row.key_encrypted).update(key_encrypted=_new())
    _made_here()
    return b64decode(decrypt(IndexKey.objects.get(pk=row.pk).key_encrypted))


def _row() -> IndexKey:
    row = IndexKey.objects.order_by("pk").first()
    if row is None:
        new = IndexKey(pk=1, key_encrypted=_new())
        if not Contact.objects.exists():
            new.completed_at = timezone.now()
        IndexKey.objects.bulk_create([new], ignore_conflicts=True)  # another process may be making it
        row = IndexKey.objects.get(pk=1)
        _made_here()
    return row


def _made_here() -> None:
    if (made := _made()) is not None:
        made.clear()
    elif connection.in_atomic_block:
        transaction.on_commit(_Made())


def _made() -> _Made | None:
    hooks = (waiting[1] for waiting in connection.run_on_commit)
    return next((hook for hook in hooks if isinstance(hook, _Made)), None)


def _new() -> str:
    return encrypt(b64encode(secrets.token_bytes(32)).decode())


def _remember(name: str, value: bytes) -> None:
    made = _made()
    (_known if made is None else made)[name] = value
