"""What a client sees: the report behind a link, and the page that stops the letters. No login, no cookie, no script.

Nothing of a person is on these pages. They name no order and no client, are kept by no cache and by no search engine,
and tell no other site where the reader came from.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from csp.constants import NONCE, NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from apps.agencies.access import actor_of
from apps.dashboard.rollup.running import zone_of
from apps.reports import limits, services
from apps.reports.letters import stopping
from apps.reports.models import ReportLink
from apps.reports.numbers import report_of
from apps.reports.periods import read

View = Callable[..., HttpResponseBase]

POLICY: Final = {
    "default-src": [NONE],
    "style-src": [SELF, NONCE],
    "img-src": [SELF, "data:"],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}


def for_everybody(view: View) -> View:
    """A page outside of the login: not too often, and with the headers that keep it to its reader."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = _slow_down(request) if limits.too_many(request) else view(request, *args, **kwargs)
        patch_cache_control(answer, no_store=True, private=True)
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        return answer

    kept_to_it: View = csp(POLICY)(guarded)
    return kept_to_it


@for_everybody
@require_safe
def report(request: HttpRequest, link_secret: str) -> HttpResponse:
    """404 where there is no such link, 410 where it was withdrawn or is too old."""
    link = services.find(link_secret)
    if link is None:
        return _nothing_here(request, status=404)
    if not link.is_good:
        return _nothing_here(request, status=410)
    if request.method == "GET" and not actor_of(request).reaches(link.counter.agency_id):
        services.note_opened(link)
    return HttpResponse(drawn(request, link), headers={"Content-Language": _language(request, link.language)})


def drawn(request: HttpRequest, link: ReportLink, **more: Any) -> str:
    """The report's page as the link's reader sees it. `more`: for the template, besides; `look`: another than kept."""
    language = _language(request, link.language)
    zone = zone_of(link.counter)
    with translation.override(language), timezone.override(zone):
        today = timezone.localdate()
        period, choices = read(request.GET, today=today)
        agency = link.counter.agency
        context = {
            "counter": link.counter,
            "look": more.pop("look", None) or services.look_or_usual(agency),
            "report": report_of(link.counter, period),
            "choices": [(choice, _address(request, period=choice.key)) for choice in choices],
            "zone": zone,
            "languages": _languages(request, language),
            **more,
        }
        return render_to_string("reports/report.html", context, request=request)


@for_everybody
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def letters(request: HttpRequest, letter_token: str) -> HttpResponse:
    """Stop the weekly letter, or have it again. A POST does it, by the button here or by that of a mail program
    (RFC 8058), which sends no more than `List-Unsubscribe=One-Click`; a GET asks, as programs that look at links do.

    No token of a form is asked for: the signed address is what proves, and there is no cookie to be misused.
    """
    recipient = stopping.recipient_of(letter_token)
    if recipient is None:
        return _nothing_here(request, status=404)
    if request.method == "POST":
        if request.POST.get("again") == "1":
            services.want_letters_again(recipient=recipient)
        else:
            services.stop_letters(recipient=recipient)
        recipient.refresh_from_db()
    language = _language(request, recipient.link.letter_language)
    with translation.override(language):
        context = {
            "recipient": recipient,
            "counter": recipient.link.counter,
            "look": services.look_or_usual(recipient.link.counter.agency),
        }
        return HttpResponse(render_to_string("reports/letters.html", context, request=request))


def _language(request: HttpRequest, wanted: str) -> str:
    """The reader's own choice on the page, else the link's, else the browser's."""
    known = dict(settings.LANGUAGES)
    asked = request.GET.get("lang", "")
    if asked in known:
        return asked
    return wanted if wanted in known else translation.get_language() or settings.LANGUAGE_CODE


def _languages(request: HttpRequest, current: str) -> list[tuple[str, str, str]]:
    """Of the others: code, its own name for itself, and the address of this page in it."""
    return [
        (code, str(translation.get_language_info(code)["name_local"]), _address(request, lang=code))
        for code, _name in settings.LANGUAGES
        if code != current
    ]


def _address(request: HttpRequest, **changes: str) -> str:
    """Of this page with something of it changed; what nobody knows is left out."""
    kept = {name: request.GET[name] for name in ("period", "from", "to", "lang") if name in request.GET} | changes
    if "period" in changes:
        kept = {name: value for name, value in kept.items() if name not in ("from", "to")}
    return f"?{urlencode(kept)}"


def _nothing_here(request: HttpRequest, *, status: int) -> HttpResponse:
    """In all languages: nobody knows which one the reader has."""
    return _plain(request, "reports/nothing.html", status=status)


def _slow_down(request: HttpRequest) -> HttpResponse:
    answer = _plain(request, "reports/too_many.html", status=429)
    answer.headers["Retry-After"] = "60"
    return answer


def _plain(request: HttpRequest, template: str, *, status: int) -> HttpResponse:
    parts = []
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            parts.append((code, render_to_string(template)))
    context = {"parts": parts, "look": services.usual_look()}
    return HttpResponse(render_to_string("reports/plain.html", context, request=request), status=status)
