"""Every address of Goalpost: admin, REST, health, and the sandbox where it is switched on."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from apps.api import health, metrics

handler400 = "apps.api.problems.bad_page"
handler404 = "apps.api.problems.missing_page"
handler500 = "apps.api.problems.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="root"),
    path("admin/", admin.site.urls),
    path("", include("apps.agencies.urls")),
    path("", include("apps.reports.urls")),
    path("", include("apps.receivers.urls")),
    path("api/v1/", include("apps.api.urls")),
    path("cdp/api/v1/", include("apps.api.gateway.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("apps.sandbox.urls")))
