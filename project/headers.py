"""What every answer says to the browser about itself: pages, the API, files, redirects and errors alike.

Nothing is framed, sniffed, or loaded from elsewhere. No page may run a script that stands in it: all scripts are files
of ours. The admin theme evaluates its attributes (Alpine), so `unsafe-eval` is granted to pages of the admin, and to
them alone; styles that stand in a page are let be there, since the theme writes `style` attributes. What is no page
gets a policy under which it can do nothing, should a browser ever open it as one.
"""

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

_PAGE: dict[str, Any] = {
    "default-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "object-src": [NONE],
    "base-uri": [SELF],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
}
PAGES: dict[str, Any] = {"DIRECTIVES": _PAGE}
ADMIN_PAGES = {"DIRECTIVES": {**_PAGE, "script-src": [SELF, UNSAFE_EVAL]}}
NO_PAGES = {
    "DIRECTIVES": {name: [NONE] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")},
}
THEMED = ("/admin/", "/invitation/", "/welcome/")
"""Pages that the admin's theme draws."""
_POWERS = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "geolocation", "gyroscope"),
    *("magnetometer", "microphone", "midi", "payment", "publickey-credentials-get", "screen-wake-lock", "serial"),
    *("usb", "xr-spatial-tracking"),
)
ALWAYS = {
    "Permissions-Policy": ", ".join(f"{power}=()" for power in _POWERS),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}

Answer = Callable[[HttpRequest], HttpResponseBase]


class HeadersMiddleware(CSPMiddleware):
    """Stands outermost, so that what any other answers by itself has them too. A page may be stricter, never laxer."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        for name, value in ALWAYS.items():
            if name != "Referrer-Policy":  # with which some pages are stricter
                response.headers[name] = value
        response.headers.setdefault("Referrer-Policy", ALWAYS["Referrer-Policy"])
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None:
            parts.config = _policy_of(request, response)["DIRECTIVES"]
        return parts


def _policy_of(request: HttpRequest, response: HttpResponseBase) -> dict[str, dict[str, Any]]:
    if not response.headers.get("Content-Type", "").startswith(("text/html", "application/xhtml")):
        return NO_PAGES
    return ADMIN_PAGES if request.path_info.startswith(THEMED) else PAGES
