"""`verify_audit` as a person or a script runs it."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.audit import chain, triggers
from apps.audit.models import AuditEntry
from apps.audit.services import record
from tests.factories import make_agency

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("verify_audit", *words, stdout=out)
    return out.getvalue()


def test_a_log_that_holds():
    for slug in ("north", "south"):
        record(action="a", agency=make_agency(slug))
    chain.seal()
    record(action="b", agency=None)
    out = run()
    assert "north: 1 sealed, ends with " in out
    assert "Checked 2 entries; 1 are not sealed yet." in out
    assert "The chain holds." in out
    assert "south" not in run("--agency", "north")


def test_a_log_that_does_not():
    agency = make_agency("north")
    entries = [record(action="a", agency=agency) for _ in range(3)]
    chain.seal()
    with triggers.lifted(connection):
        AuditEntry.objects.filter(pk=entries[1].pk).update(actor_label="somebody else")
    with pytest.raises(CommandError) as refusal:
        run()
    assert refusal.value.returncode == 1
    assert str(refusal.value) == (
        f"The chain of north breaks at position 2 (entry {entries[1].pk}): the entry is not what was sealed."
    )


def test_missing_triggers_are_told():
    record(action="a", agency=make_agency("north"))
    chain.seal()
    with triggers.lifted(connection):
        AuditEntry.objects.update(action="b")
        with pytest.raises(CommandError, match="audit_auditentry_no_update") as refusal:
            run()
    assert refusal.value.returncode == 1
    assert "The chain of north breaks at position 1" in str(refusal.value)


def test_an_agency_that_is_not_there():
    with pytest.raises(CommandError, match="There is no agency 'nowhere'") as refusal:
        run("--agency", "nowhere")
    assert refusal.value.returncode == 2
