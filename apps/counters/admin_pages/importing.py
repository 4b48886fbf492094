"""Counters of an account are picked from Metrica's own list."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.agencies.access import actor_of
from apps.agencies.actor import Right
from apps.counters import importing
from apps.counters.importing import Imported, OfferPage
from apps.counters.models import AccountState, MetricaAccount
from apps.metrica.errors import MetricaError

PICKED_AT_ONCE = 100


class ImportingMixin:
    """For the admin of accounts: the page with the list."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        name = "counters_metricaaccount_import"
        return [path("<path:object_id>/import/", view, name=name), *super().get_urls()]  # type: ignore[misc]

    def import_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account: MetricaAccount = self.get_or_404(request, object_id)  # type: ignore[attr-defined]
        if not actor_of(request).can(Right.ADMINISTER):
            raise PermissionDenied
        if account.state != AccountState.CONNECTED:
            messages.warning(request, _("Connect the account first: Metrica does not answer without a token."))
            return HttpResponseRedirect(reverse("admin:counters_metricaaccount_change", args=[account.pk]))
        problem: MetricaError | None = None
        if request.method == "POST":
            picked = list(_numbers(request.POST.getlist("counter")))[:PICKED_AT_ONCE]
            if not picked:
                messages.warning(request, _("Pick at least one counter."))
                return HttpResponseRedirect(request.get_full_path())
            try:
                done = importing.import_counters(account=account, numbers=picked)
            except MetricaError as error:
                problem = error
            else:
                _tell(request, done)
                return HttpResponseRedirect(_after(request, done))
        search, number = request.GET.get("q", "").strip()[:255], next(_numbers([request.GET.get("page", "")]), 1)
        page = OfferPage([], 0, 1)
        if problem is None:
            try:
                page = importing.offered(account=account, search=search, page=min(number, 100_000))
            except MetricaError as error:
                problem = error
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": account,
            "title": _("Counters of %(login)s at Metrica") % {"login": account.login},
            "page": page,
            "search": search,
            "problem": problem,
            "earlier": _page_url(search, page.number - 1) if page.number > 1 else "",
            "later": _page_url(search, page.number + 1) if page.number < page.pages else "",
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/counters/metricaaccount/import.html", context)


def _numbers(texts: list[str]) -> Iterator[int]:
    for text in texts:
        if text.isascii() and text.isdigit() and 0 < len(text) <= 10 and 0 < int(text) < 2**31:
            yield int(text)


def _page_url(search: str, number: int) -> str:
    return "?" + urlencode({**({"q": search} if search else {}), "page": number})


def _tell(request: HttpRequest, done: Imported) -> None:
    made, known = len(done.made), len(done.known)
    if made:
        told = ngettext(
            "%(count)s counter was added with its time zone and goals. Now say what its CRM statuses mean.",
            "%(count)s counters were added with their time zones and goals. Now say what their CRM statuses mean.",
            made,
        )
        messages.success(request, told % {"count": made})
    if known:
        told = ngettext("%(count)s counter was here already.", "%(count)s counters were here already.", known)
        messages.info(request, told % {"count": known})
    for number, why in done.refused.items():
        messages.error(request, _("Counter %(number)s was not added: %(why)s") % {"number": number, "why": why})


def _after(request: HttpRequest, done: Imported) -> str:
    """On to the one counter that was made, or to the list of counters; back to the picking where nothing was made."""
    if len(done.made) == 1 and not done.refused:
        return reverse("admin:counters_counter_change", args=[done.made[0].pk])
    return reverse("admin:counters_counter_changelist") if done.made else request.get_full_path()
