"""Addresses below /api/v1/. Order ids and CRM statuses may hold anything, slashes too, so they are paths."""

from django.urls import path, re_path

from apps.api.views import counters, meta, statuses

app_name = "api"

_COUNTER = "counters/<int:metrica_id>/"

urlpatterns = [
    path("counters/", counters.CountersView.as_view(), name="counters"),
    path(_COUNTER, counters.CounterView.as_view(), name="counter"),
    path(f"{_COUNTER}statuses/", statuses.StatusesView.as_view(), name="statuses"),
    path(f"{_COUNTER}statuses/<path:crm_status>/", statuses.StatusView.as_view(), name="status"),
    path("schema/", meta.SchemaView.as_view(), name="schema"),
    path("docs/", meta.DocsView.as_view(), name="docs"),
    re_path(r"^(?P<path>.*)$", meta.NothingHereView.as_view(), name="nothing-here"),
]
