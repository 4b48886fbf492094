"""The dry run of a counter: what an upload would send now, as a table and as the file, before anything leaves."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.clients.masking import may_see_identifiers
from apps.counters.models import Counter
from apps.counters.ui.acts import ActForm
from apps.orders.hold_advice import sentence
from apps.orders.models import HoldReason
from apps.uploads.dry_run import LOOKED_AT, DraftFile, DryRun, dry_run
from apps.uploads.models import UploadFormat

SHOWN = 100
CONTENT_TYPES: dict[str, str] = {UploadFormat.CSV: "text/csv; charset=utf-8", UploadFormat.JSON: "application/json"}
FILES = ("orders", "contacts")


class UploadForm(ActForm):
    """Whoever is asked whether to upload can look first."""

    template_after = "admin/uploads/look_first.html"

    @property
    def dry_run_url(self) -> str:
        return reverse("admin:uploads_uploadjob_dry_run", args=[self.obj.pk])


class DryRunPages:
    """For the pages of upload jobs. A counter that is not theirs is not there (R11)."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path(
                "dry-run/<int:counter_id>/",
                guarded(require_safe(self.dry_run_page)),
                name="uploads_uploadjob_dry_run",
            ),
            path(
                "dry-run/<int:counter_id>/file/<slug:which>/",
                guarded(require_safe(self.dry_run_file)),
                name="uploads_uploadjob_dry_run_file",
            ),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def dry_run_page(self, request: HttpRequest, counter_id: int) -> HttpResponse:
        counter = _counter(request, counter_id)
        found = dry_run(counter=counter)
        context = {
            **admin.site.each_context(request),
            "opts": Counter._meta,
            "original": counter,
            "title": _("Dry run"),
            "counter": counter,
            "found": found,
            "files": _files(found, counter),
            "looked_at": LOOKED_AT,
            "shown": SHOWN,
            "lines": found.lines[:SHOWN],
            "clients": [_client(one) for one in found.clients[:SHOWN]],
            "kept_back": found.kept_back[:SHOWN],
            "block_label": HoldReason(found.blocked).label if found.blocked else "",
            "block_step": sentence(found.blocked),
            "may_operate": actor_of(request).can(Right.OPERATE),
            "may_download": may_see_identifiers(actor_of(request)),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/uploads/dry_run.html", context)

    def dry_run_file(self, request: HttpRequest, counter_id: int, which: str) -> HttpResponse:
        """The file as it would go now, with its first rows."""
        counter = _counter(request, counter_id)
        if not may_see_identifiers(actor_of(request)):
            raise PermissionDenied
        found = dry_run(counter=counter)
        draft: DraftFile | None = getattr(found, which) if which in FILES else None
        if draft is None:
            raise Http404
        response = HttpResponse(draft.content, content_type=CONTENT_TYPES[draft.format])
        name = f"dry-run-{counter.metrica_id}-{which}.{draft.format}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _counter(request: HttpRequest, counter_id: int) -> Counter:
    found = Counter.objects.visible_to(actor_of(request)).select_related("account").filter(pk=counter_id).first()
    if found is None:
        raise Http404
    return found


def _client(contact: Any) -> dict[str, Any]:
    """How many identifiers of each kind it has, hashed or not."""
    return {
        "uniq_id": contact.uniq_id,
        "name": contact.name,
        "client_ids": len(contact.client_ids),
        "emails": len(contact.emails) or len(contact.emails_md5),
        "phones": len(contact.phones) or len(contact.phones_md5),
    }


def _files(found: DryRun, counter: Counter) -> list[tuple[str, DraftFile]]:
    """(address, file) in the order in which they would go."""
    drafts = (("contacts", found.contacts), ("orders", found.orders))
    return [
        (reverse("admin:uploads_uploadjob_dry_run_file", args=[counter.pk, which]), draft)
        for which, draft in drafts
        if draft is not None
    ]
