"""Kept files hold personal data: pages that ask for rights lead to them, and no address of their own does (R11)."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse

from apps.imports.models import ImportJob
from apps.uploads.models import Upload
from tests.admin.access.asking import Visitor
from tests.admin.access.who import NOT_THERE, OK, PEOPLE
from tests.admin.access.world import World


def test_no_kept_file_has_an_address_of_its_own(world: World):
    kept = [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    names = {str(path.relative_to(settings.MEDIA_ROOT)) for path in kept}
    assert {Upload.objects.get(job__counter=world.place.counter).file} <= names
    for person in PEOPLE:
        visitor = Visitor(person, world)
        for name in names:
            for url in (settings.MEDIA_URL + name, f"/{name}", settings.STATIC_URL + name):
                assert visitor.ask("GET", url).met == NOT_THERE, (person, url)


def test_a_file_belongs_to_its_job(world: World):
    """Not even the address of one's own job, or of one's own order, opens somebody else's file."""
    foreign = Upload.objects.get(job__counter=world.place.counter)
    mine = world.elsewhere.job(order=world.elsewhere.push("Z-1", "new"))
    own = Upload.objects.get(job=mine)
    order = world.elsewhere.change("Z-1").order
    visitor = Visitor("outsider", world)
    pages: dict[str, Any] = {"admin:uploads_uploadjob_file": mine.pk, "admin:orders_order_sent": order.pk}
    for page, of in pages.items():
        assert visitor.ask("GET", reverse(page, args=[of, foreign.pk])).met == NOT_THERE
        assert visitor.ask("GET", reverse(page, args=[of, own.pk])).met == OK


def test_a_report_and_a_dry_run_are_files_that_really_are_there(world: World):
    """Else that strangers do not find them would show nothing."""
    visitor, job = Visitor("owner", world), ImportJob.objects.get(counter=world.place.counter)
    report = visitor.ask("GET", reverse("admin:imports_importjob_report", args=[job.pk]))
    assert "Quokka-4" in report.text
    counter = world.place.counter.pk
    draft = visitor.ask("GET", reverse("admin:uploads_uploadjob_dry_run_file", args=[counter, "orders"]))
    assert "Quokka-5" in draft.text
    log = visitor.ask("GET", reverse("admin:audit_auditentry_export_csv"))
    assert "Quokka" in log.text
