"""Where one goes on from a job's page: another upload of the counter, a look at what it would send."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.counters.models import Counter
from apps.uploads.admin_pages.acts import UPLOAD_COUNTER
from apps.uploads.panels import NextPage, next_pages


def upload_now(request: HttpRequest, counter: Counter) -> NextPage | None:
    """Needs `counter.account`."""
    if not UPLOAD_COUNTER.is_offered(request, counter):
        return None
    url = reverse("admin:counters_counter_upload", args=[counter.pk])
    return NextPage(UPLOAD_COUNTER.title, url, UPLOAD_COUNTER.icon, asks=True)


def dry_run(request: HttpRequest, counter: Counter) -> NextPage | None:
    return NextPage(_("Dry run"), reverse("admin:uploads_uploadjob_dry_run", args=[counter.pk]), "visibility")


def going_on(request: HttpRequest, counter: Counter) -> list[NextPage]:
    """All of them that are open to this person."""
    return [page for offered in next_pages if (page := offered(request, counter)) is not None]
